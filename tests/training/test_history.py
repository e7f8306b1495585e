from dataclasses import replace

import pytest

from e2egraph.tasks.objectives.objective import Best
from e2egraph.training.runs.history import EpochRow, best_row

NAN = float("nan")


HIGHEST, LOWEST = Best("auc", "AUC", highest=True), Best("mae", "error", highest=False, unit="GeV")


def best_epoch(best, *values):
    first = EpochRow(1, 0.01, {"loss": 0.5}, {"loss": 0.4}, 10.0, 123.0, 0.02)
    rows = [
        replace(first, epoch=number, validation={"loss": 0.4, best.name: value})
        for number, value in enumerate(values, 1)
    ]
    return best_row(rows, best).epoch


def test_the_best_epoch_has_the_best_figure_and_is_the_earlier_of_equals():
    assert best_epoch(HIGHEST, 0.6, 0.8, 0.7, 0.8) == 2
    assert best_epoch(LOWEST, 13.0, 12.0, 11.0, 11.0, 14.0) == 3


@pytest.mark.parametrize("best", [HIGHEST, LOWEST])
def test_an_epoch_without_a_figure_is_never_better_than_one_that_has_one(best):
    assert best_epoch(best, NAN, 0.2, NAN) == 2
    assert best_epoch(best, 0.2, NAN) == 1
    assert best_epoch(best, NAN, NAN) == 1


def test_the_columns_of_a_classification_are_the_documented_ones():
    figures = {"loss": 0.5, "auc": 0.8}
    assert list(EpochRow(1, 0.01, figures, figures, 10.0, 123.0, 0.02).columns()) == [
        "epoch",
        "learning_rate",
        "training_loss",
        "training_auc",
        "validation_loss",
        "validation_auc",
        "seconds",
        "jets_per_second",
        "data_wait_share",
    ]


def test_a_figure_is_told_with_its_unit():
    assert HIGHEST.words(0.98416) == "AUC 0.9842"
    assert LOWEST.words(12.3456) == "error 12.35 GeV"
