import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.bins import binned_metrics, cut_at, quantile_edges
from e2egraph.evaluation.metrics.roc.curve import roc_curve


@pytest.fixture(scope="module")
def jets():
    rng = np.random.default_rng(4)
    is_signal = rng.random(6000) < 0.3
    pt = rng.uniform(400, 800, 6000)
    return is_signal, rng.normal(is_signal * pt / 300, 1.0), pt


def test_each_bin_has_scikit_learns_area_of_its_own_jets_and_bins_hold_all(jets):
    is_signal, score, pt = jets
    bins = binned_metrics(is_signal, score, pt)
    assert sum(one.jets for one in bins) == 6000
    assert max(one.jets for one in bins) - min(one.jets for one in bins) < 3
    for number, one in enumerate(bins):
        inside = (pt >= one.low) & ((pt < one.high) if number < 3 else (pt <= one.high))
        assert one.auc == pytest.approx(roc_auc_score(is_signal[inside], score[inside]))
        own = roc_curve(is_signal[inside], score[inside]).efficiency_at(0.01)
        assert one.signal_efficiency_at_1pct_mistag == pytest.approx(own)
    assert [one.auc for one in bins] == sorted(one.auc for one in bins)


def test_the_one_cut_of_all_jets_has_one_per_cent_mistag_over_all_bins(jets):
    is_signal, score, pt = jets
    bins = binned_metrics(is_signal, score, pt, edges=[400, 500, 800])
    passing = sum(one.mistag * one.background_jets for one in bins)
    assert passing == pytest.approx(np.floor(0.01 * (~is_signal).sum()))
    efficiency = sum(one.signal_efficiency * one.signal_jets for one in bins) / is_signal.sum()
    assert efficiency == pytest.approx(roc_curve(is_signal, score).efficiency_at(0.01), abs=0.01)


def test_bins_of_too_few_jets_or_one_class_say_so(jets):
    is_signal, score, pt = jets
    few, background, good = binned_metrics(is_signal, score, np.where(is_signal, 5.0, pt / 100), edges=[0, 4.01, 5, 8])
    assert (few.auc, few.limit) == (None, "fewer than 100 objects")
    assert (background.auc, background.signal_jets) == (None, 0)
    assert background.limit == "signal or background missing"
    assert good.limit is None
    (one,) = binned_metrics(is_signal[:300], score[:300], np.full(300, 7.0))
    assert one.auc is not None
    assert one.signal_efficiency_at_1pct_mistag is None
    assert "too few" in one.limit


def test_bins_of_repeated_integers_are_fewer():
    np.testing.assert_array_equal(quantile_edges(np.repeat([3, 4], [90, 10])), [3, 4])
    np.testing.assert_array_equal(quantile_edges(np.full(5, 2.0)), [2, 2])


def test_a_cut_keeps_jets_of_equal_score_together_and_never_passes_more_than_asked():
    score = np.array([5.0, 4, 4, 3, 2, 2, 1, 1, 1, 0])
    assert cut_at(0.2, score, np.ones(10)) == 5
    assert cut_at(0.3, score, np.ones(10)) == 4
    assert cut_at(0.05, score, np.ones(10)) == np.inf
    assert cut_at(0.5, score, np.where(score == 5, 10.0, 1.0)) == np.inf


def test_what_cannot_be_evaluated_is_refused(jets):
    is_signal, score, pt = jets
    with pytest.raises(InputError, match="not finite"):
        binned_metrics(is_signal, np.where(pt > 799, np.nan, score), pt)
