import numpy as np

from e2egraph.evaluation.explain.chosen_jets import BEST, RANDOM, WORST, choose_jets


def places(chosen, group):
    return [jet.place for jet in chosen if jet.group == group]


def test_the_best_and_the_worst_of_signal_and_background_are_chosen():
    is_signal = np.arange(200) % 2 == 1
    score = np.random.default_rng(3).permutation(200) / 200
    chosen = choose_jets(is_signal, score)
    signal, background = np.flatnonzero(is_signal), np.flatnonzero(~is_signal)
    rising = [signal[np.argsort(score[signal])], background[np.argsort(score[background])]]
    assert places(chosen, BEST) == [*rising[0][::-1][:4], *rising[1][:4]]
    assert places(chosen, WORST) == [*rising[0][:4], *rising[1][::-1][:4]]
    random = places(chosen, RANDOM)
    assert is_signal[random].tolist() == [True] * 4 + [False] * 4
    assert len({jet.place for jet in chosen}) == 24
    assert choose_jets(is_signal, score) == chosen


def test_of_equal_scores_the_first_jet_is_taken():
    chosen = choose_jets(np.arange(100) < 50, np.full(100, 0.5))
    assert places(chosen, BEST) == [0, 1, 2, 3, 50, 51, 52, 53]
    assert places(chosen, WORST) == [4, 5, 6, 7, 54, 55, 56, 57]


def test_a_jet_of_a_small_class_is_shown_once():
    chosen = choose_jets(np.arange(20) < 2, np.linspace(0, 1, 20))
    assert sorted(jet.place for jet in chosen if jet.place < 2) == [0, 1]
    assert len(chosen) == 14
