from dataclasses import asdict

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.bins import binned_metrics, quantile_edges
from e2egraph.evaluation.metrics.bootstrap import draws
from e2egraph.evaluation.metrics.common_cut import cut_at, resampled_shares
from e2egraph.evaluation.metrics.ranked import Ranked
from e2egraph.evaluation.metrics.roc.curve import roc_curve
from e2egraph.plots.classification.bins import plot_bins


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


def test_errors_at_the_common_cut_are_the_spread_between_independent_samples():
    def drawn(seed):
        rng = np.random.default_rng(seed)
        is_signal = np.repeat([True, False], 2000)
        score = rng.normal(1.5 * is_signal, 1.0)
        return is_signal, score, rng.random((4000, 1)) < 0.25

    def shares(is_signal, score, members):
        passes = score >= cut_at(0.01, score[~is_signal], np.ones(2000))
        return [passes[members[:, 0] & of].mean() for of in (is_signal, ~is_signal)]

    spread = np.std([shares(*drawn(seed)) for seed in range(400)], axis=0)
    found = []
    for seed in range(12):
        is_signal, score, members = drawn(seed)
        samples = resampled_shares(is_signal, score, np.ones(4000), members, 0.01, resamples=100)
        found.append([one[:, 0].std(ddof=1) for one in samples])
    np.testing.assert_allclose(np.mean(found, axis=0), spread, rtol=0.15)
    # A binomial error knows nothing of the cut that the same background made.
    efficiency = np.mean([shares(*drawn(seed))[0] for seed in range(12)])
    assert spread[0] > 1.3 * np.sqrt(efficiency * (1 - efficiency) / 500)


def test_bins_quote_the_errors_with_the_cut_made_again(jets):
    is_signal, score, pt = jets
    bins = binned_metrics(is_signal, score, pt, edges=[400, 500, 800])
    members = np.stack([pt < 500, pt >= 500], axis=1)
    samples = resampled_shares(is_signal, score, np.ones(6000), members, 0.01)
    for name, shares in zip(("signal_efficiency_error", "mistag_error"), samples, strict=True):
        assert [getattr(one, name) for one in bins] == pytest.approx(shares.std(axis=0, ddof=1))


@pytest.mark.parametrize("decimals", [None, 1])
def test_a_resample_is_cut_as_if_its_jets_were_the_sample(decimals):
    rng = np.random.default_rng(6)
    is_signal = rng.random(700) < 0.4
    score = rng.normal(is_signal, 1.0)
    score = score if decimals is None else score.round(decimals)
    weight, members = rng.integers(0, 4, 700).astype(float), rng.random((700, 3)) < [0.6, 0.1, 0.02]
    found = resampled_shares(is_signal, score, weight, members, 0.03, resamples=30, seed=5)
    counts = np.concatenate(list(draws(is_signal, 30, 5)))
    for row, count in enumerate(counts):
        again = np.repeat(np.arange(700)[weight > 0], count[weight > 0])
        signal, passes = is_signal[again], score[again] >= _cut(again, is_signal, score, weight, 0.03)
        for of, shares in zip((signal, ~signal), found, strict=True):
            for group, share in enumerate(shares[row]):
                chosen = members[again, group] & of
                total = weight[again][chosen].sum()
                expected = weight[again][chosen & passes].sum() / total if total else np.nan
                np.testing.assert_allclose(share, expected)


def _cut(again, is_signal, score, weight, efficiency):
    background = again[~is_signal[again]]
    return cut_at(efficiency, score[background], weight[background])


def test_no_jet_passes_where_the_highest_score_alone_is_shared_by_more():
    ranked = Ranked.of(np.array([3.0, 5, 5, 1]))
    np.testing.assert_array_equal(ranked.falling, [5, 5, 3, 1])
    drawn = np.array([[1.0, 1, 1, 1], [0, 0, 1, 3], [0, 0, 2, 2], [0, 0, 0, 4], [0, 1, 3, 0]])
    np.testing.assert_array_equal(ranked.passing(drawn, 0.25), [0, 3, 0, 0, 2])


def test_a_share_whose_error_some_resamples_do_not_have_says_so(jets, tmp_path):
    is_signal, score, _ = jets
    values = np.zeros(6000)
    values[np.append(np.flatnonzero(~is_signal)[:1500], np.flatnonzero(is_signal)[0])] = 1.0
    one, other = binned_metrics(is_signal, score, values, edges=[0, 1, 2])
    assert one.limit is None and one.signal_efficiency_error is not None
    assert other.signal_jets == 1 and other.signal_efficiency_error is None and other.mistag_error is not None
    assert other.limit == "too few signal objects for an error at the common cut"
    plot_bins({"jet_pt": [asdict(one), asdict(other)]}, tmp_path / "bins", "label", mistag=0.01)


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
