import numpy as np
import pytest

from e2egraph.errors import InputError
from e2egraph.evaluation.compare.joined import JoinedScores
from e2egraph.evaluation.compare.paired_result import Contender
from e2egraph.evaluation.compare.roc_overlay import overlay_bands
from e2egraph.evaluation.metrics.enough import enough_pass
from e2egraph.evaluation.metrics.roc.curve import effective_number, roc_curve
from e2egraph.plots.classification.roc_overlay import plot_roc_overlay

JETS = 4000


def joined(shifts, weight=None, seed=0):
    rng = np.random.default_rng(seed)
    is_signal = np.arange(JETS) % 2 == 0
    common = rng.normal(0, 1, JETS)
    scores = np.stack([common + shift * is_signal + rng.normal(0, 0.3, JETS) for shift in shifts])
    return JoinedScores(tuple(map(str, shifts)), is_signal, weight, scores)


def test_the_curve_is_the_roc_curve_and_its_ratio_that_of_the_rejections():
    jets = joined((1.5, 2.0))
    bands = overlay_bands(jets, [Contender("a", (0,)), Contender("b", (1,))], resamples=50)
    reference, other = bands.curves
    assert (reference.name, other.name) == ("a", "b")
    curves = [roc_curve(jets.is_signal, score) for score in jets.scores]
    for place in (40, 60, 90):
        x = bands.efficiency[place]
        expected = [curve.rejection_at(x) for curve in curves]
        assert reference.rejection[place] == pytest.approx(expected[0])
        assert other.rejection[place] == pytest.approx(expected[1])
        assert other.ratio[place] == pytest.approx(expected[1] / expected[0])
        assert other.rejection_low[place] <= expected[1] * 1.02
        assert other.rejection_low[place] < other.rejection_high[place]
    assert reference.auc == pytest.approx(curves[0].auc)
    drawn = ~np.isnan(reference.ratio)
    np.testing.assert_allclose(reference.ratio[drawn], 1.0)
    np.testing.assert_allclose(reference.ratio_low[drawn], 1.0)


def test_curves_end_where_figures_are_no_longer_quoted():
    weight = np.random.default_rng(1).uniform(0.5, 1.5, JETS)
    jets = joined((2.5,), weight)
    bands = overlay_bands(jets, [Contender("a", (0,))], resamples=50)
    (curve,) = bands.curves
    roc = roc_curve(jets.is_signal, jets.scores[0], weight)
    background = effective_number(weight[~jets.is_signal])
    passing = np.array([roc.mistag_at(float(x)) for x in bands.efficiency]) * background
    assert ((passing > 9.5) & (passing < 10)).any()
    drawn = ~np.isnan(curve.rejection)
    assert 0 < drawn.sum() < len(drawn)
    np.testing.assert_array_equal(drawn, [enough_pass(jets) for jets in passing.tolist()])
    np.testing.assert_array_equal(np.isnan(curve.rejection), np.isnan(curve.rejection_high))


def test_seeds_are_averaged_and_bands_of_ratios_are_narrower_than_of_curves_on_other_jets():
    jets = joined((1.5, 1.5, 1.8, 1.8))
    contenders = [Contender("a", (0, 1)), Contender("b", (2, 3))]
    a, b = overlay_bands(jets, contenders, resamples=100).curves
    middle = 60
    mistags = [roc_curve(jets.is_signal, score).mistag_at(0.65) for score in jets.scores[:2]]
    assert a.rejection[middle] == pytest.approx(1 / np.mean(mistags))
    alone = np.hypot(
        (a.rejection_high - a.rejection_low)[middle] / a.rejection[middle],
        (b.rejection_high - b.rejection_low)[middle] / b.rejection[middle],
    )
    assert (b.ratio_high - b.ratio_low)[middle] / b.ratio[middle] < 0.8 * alone


def test_twice_a_jet_counts_as_weight_two():
    weight = np.where(np.arange(JETS) % 3 == 0, 2.0, 1.0)
    jets = joined((1.5,), weight)
    again = np.repeat(np.arange(JETS), weight.astype(int))
    repeated = JoinedScores(jets.names, jets.is_signal[again], None, jets.scores[:, again])
    one, two = (overlay_bands(j, [Contender("a", (0,))], resamples=10).curves[0] for j in (jets, repeated))
    np.testing.assert_allclose(one.rejection[40:], two.rejection[40:])


def test_the_overlay_is_drawn_as_png_and_pdf(tmp_path):
    bands = overlay_bands(joined((1.5, 2.0)), [Contender("a", (0,)), Contender("b", (1,))], resamples=10)
    paths = plot_roc_overlay([("all inputs", bands), ("", bands)], tmp_path / "roc", "simulation")
    assert [path.name for path in paths] == ["roc.png", "roc.pdf"]
    assert paths[0].stat().st_size > 10_000


def test_no_curves_and_one_class_are_refused():
    jets = joined((1.5,))
    with pytest.raises(InputError, match="no curves to draw"):
        overlay_bands(jets, [])
    one_class = JoinedScores(jets.names, np.ones(JETS, bool), None, jets.scores)
    with pytest.raises(InputError, match="no background"):
        overlay_bands(one_class, [Contender("a", (0,))])
