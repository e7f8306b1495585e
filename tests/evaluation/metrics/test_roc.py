import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.bootstrap import bootstrap, draws, resample
from e2egraph.evaluation.metrics.figures import EFFICIENCY, LOW_EFFICIENCY, rejection_name
from e2egraph.evaluation.metrics.registry import FIGURES
from e2egraph.evaluation.metrics.roc.curve import RocCurve, roc_curve
from e2egraph.evaluation.metrics.tagging import tagging_metrics


@pytest.fixture
def jets():
    """Overlapping classes with many ties, and weights."""
    rng = np.random.default_rng(2)
    is_signal = rng.random(311) < 0.4
    score = np.round(rng.normal(is_signal * 1.0, 1.0), 1)
    return is_signal, score, rng.exponential(1.0, 311)


def test_the_area_is_the_chance_that_signal_scores_above_background_with_ties_half(jets):
    is_signal, score, _ = jets
    signal, background = score[is_signal][:, None], score[~is_signal]
    chance = np.mean((signal > background) + 0.5 * (signal == background))
    assert roc_curve(is_signal, score).auc == pytest.approx(chance)


def test_the_weighted_area_is_scikit_learns(jets):
    is_signal, score, weight = jets
    expected = roc_auc_score(is_signal, score, sample_weight=weight)
    assert roc_curve(is_signal, score, weight).auc == pytest.approx(expected)


def test_a_curve_worked_by_hand():
    # Falling score: S B S (S B tied) B — passing: 1/3 | 0 → 1/3 | 1/3 → 2/3 | 1/3 → 1 | 2/3 → 1 | 1
    is_signal = np.array([1, 0, 1, 1, 0, 0], bool)
    score = np.array([0.9, 0.8, 0.7, 0.6, 0.6, 0.1])
    curve = roc_curve(is_signal, score)
    np.testing.assert_allclose(curve.mistag, [0, 0, 1 / 3, 1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(curve.signal_efficiency, [0, 1 / 3, 1 / 3, 2 / 3, 1, 1])
    assert curve.auc == pytest.approx(1 / 9 + (2 / 3 + 1) / 2 / 3 + 1 / 3)
    assert curve.efficiency_at(0.1) == pytest.approx(1 / 3)
    assert curve.efficiency_at(1 / 3) == pytest.approx(2 / 3)
    assert curve.efficiency_at(0.5) == pytest.approx(5 / 6)


def test_the_working_point_is_interpolated_between_points_of_the_curve():
    curve = RocCurve(np.array([0.0, 0.0, 0.005, 0.015, 1.0]), np.array([0.0, 0.2, 0.4, 0.6, 1.0]))
    assert curve.efficiency_at(0.01) == pytest.approx(0.5)


def test_one_per_cent_mistag_is_the_cut_that_one_background_jet_in_a_hundred_passes():
    background = np.arange(100.0)  # the highest scores 99
    signal = np.array([98.5, 99.5, 100.0, 10.0])
    is_signal = np.repeat([True, False], [4, 100])
    assert roc_curve(is_signal, np.concatenate([signal, background])).efficiency_at(0.01) == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("is_signal", "score", "weight", "message"),
    [
        ([], [], None, "no objects to evaluate"),
        ([True, True], [0.1, 0.2], None, "no background objects"),
        ([False, False], [0.1, 0.2], None, "no signal objects"),
        ([True, False], [0.1, np.nan], None, "1 of 2 scores are not finite"),
        ([True, False], [0.1, np.inf], None, "1 of 2 scores are not finite"),
        ([True, False], [0.1, 0.2], [1.0, -1.0], "weight is negative"),
        ([True, False], [0.1, 0.2], [1.0, 0.0], "all weights of signal or of background are zero"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(is_signal, score, weight, message):
    arguments = [np.array(is_signal, bool), np.array(score), None if weight is None else np.array(weight)]
    for function in (roc_curve, bootstrap, tagging_metrics):
        with pytest.raises(InputError, match=message):
            function(*arguments)


def test_bootstrap_samples_are_the_metrics_of_the_drawn_jets(jets):
    is_signal, score, weight = jets
    samples = bootstrap(is_signal, score, weight, resamples=12, seed=8)
    rng = np.random.default_rng(8)
    signal, background = np.flatnonzero(is_signal), np.flatnonzero(~is_signal)
    drawn_signal = signal[rng.integers(0, len(signal), (12, len(signal)))]
    drawn_background = background[rng.integers(0, len(background), (12, len(background)))]
    for number in range(12):
        drawn = np.concatenate([drawn_signal[number], drawn_background[number]])
        curve = roc_curve(is_signal[drawn], score[drawn], weight[drawn])
        assert samples.auc[number] == pytest.approx(curve.auc)
        assert samples.signal_efficiency[number] == pytest.approx(curve.efficiency_at(0.01))


def test_the_bootstrap_error_is_the_spread_between_independent_experiments():
    rng = np.random.default_rng(0)
    is_signal = np.arange(600) < 250

    def experiment():
        return rng.normal(is_signal * 1.5, 1.0)

    spread = np.std([roc_curve(is_signal, experiment()).auc for _ in range(300)])
    error = np.mean([bootstrap(is_signal, experiment(), resamples=100).auc_error for _ in range(10)])
    assert error == pytest.approx(spread, rel=0.2)


def test_two_models_share_their_resamples_so_their_difference_has_a_smaller_error(jets):
    is_signal, score, _ = jets
    close = score + np.random.default_rng(3).normal(0, 0.02, len(score))
    one, two = bootstrap(is_signal, score), bootstrap(is_signal, close)
    assert np.std(one.auc - two.auc) < 0.2 * one.auc_error


def test_blocks_of_resamples_change_nothing(jets, monkeypatch):
    is_signal, score, weight = jets
    whole = bootstrap(is_signal, score, weight, resamples=10)
    monkeypatch.setattr("e2egraph.evaluation.metrics.bootstrap._BLOCK", 10 * len(score))
    np.testing.assert_array_equal(bootstrap(is_signal, score, weight, resamples=10).auc, whole.auc)


def test_equal_weights_and_a_rising_map_of_the_score_change_no_figure(jets):
    is_signal, score, _ = jets
    plain = tagging_metrics(is_signal, score)
    assert tagging_metrics(is_signal, score, np.full(len(score), 1.0)) == plain
    assert tagging_metrics(is_signal, np.exp(score)) == plain
    assert plain.background_passing == pytest.approx(0.01 * (~is_signal).sum())
    assert plain.jets == plain.signal_jets + plain.background_jets == 311


def test_the_rejection_is_one_over_the_mistag_of_the_tightest_cut_with_that_efficiency():
    curve = RocCurve(np.array([0.0, 0.0, 0.01, 0.02, 0.04, 1.0]), np.array([0.0, 0.2, 0.4, 0.4, 0.6, 1.0]))
    assert curve.rejection_at(0.4) == pytest.approx(100.0)
    assert curve.rejection_at(0.3) == pytest.approx(200.0)
    assert curve.rejection_at(0.5) == pytest.approx(1 / 0.03)
    assert curve.rejection_at(0.1) == np.inf


def test_every_figure_of_a_resample_is_that_of_its_curve(jets):
    is_signal, score, weight = jets
    functions = {name: figure.of_rows for name, figure in FIGURES.items()}
    samples = resample(is_signal, np.stack([score, -score]), weight, functions, resamples=6, seed=8)
    for resampled, counts in enumerate(next(draws(is_signal, 6, 8))):
        for row, sign in enumerate((1, -1)):
            curve = roc_curve(is_signal, sign * score, counts * weight)
            for name, figure in FIGURES.items():
                assert samples[name][row, resampled] == pytest.approx(figure.of_curve(curve)), name


def test_figures_at_points_that_too_few_background_jets_pass_are_left_out_and_said():
    rng = np.random.default_rng(0)
    is_signal = np.arange(12_000) < 1000
    metrics = tagging_metrics(is_signal, rng.normal(is_signal * 2.0, 1.0))
    assert metrics.background_passing_0p1pct == pytest.approx(11.0)
    assert 0 < metrics.figures[LOW_EFFICIENCY] < metrics.figures[EFFICIENCY]
    assert metrics.errors[LOW_EFFICIENCY] > 0
    assert metrics.figures[rejection_name(0.3)] > metrics.figures[rejection_name(0.7)] > 1
    assert metrics.limits == ()
    is_signal = np.arange(600) < 300
    perfect = tagging_metrics(is_signal, is_signal * 1.0)
    assert perfect.figures[rejection_name(0.5)] is None
    assert any("50% efficiency (0.0)" in limit for limit in perfect.limits)
    # One background jet that counts as much as all others together: four effective ones.
    weight = np.where(np.arange(600) == 599, 299.0, 1.0)
    assert tagging_metrics(is_signal, is_signal + rng.random(600), weight).background_passing == pytest.approx(
        0.04, 0.01
    )
