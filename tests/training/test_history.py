from dataclasses import replace

from e2egraph.training.history import EpochRow, best_row

NAN = float("nan")


def rows(*aucs):
    first = EpochRow(1, 0.01, 0.5, 0.8, 0.4, 0.9, 10.0, 123.0, 0.02)
    return [replace(first, epoch=number, validation_auc=auc) for number, auc in enumerate(aucs, 1)]


def test_the_best_epoch_has_the_highest_auc_and_is_the_earlier_of_equals():
    assert best_row(rows(0.6, 0.8, 0.7, 0.8)).epoch == 2


def test_an_epoch_without_an_auc_is_never_better_than_one_that_has_one():
    assert best_row(rows(NAN, 0.2, NAN)).epoch == 2
    assert best_row(rows(0.2, NAN)).epoch == 1
    assert best_row(rows(NAN, NAN)).epoch == 1
