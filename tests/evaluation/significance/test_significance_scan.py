import math
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread

from e2egraph.errors import InputError
from e2egraph.evaluation.significance.analysis import Analysis, ClassYield
from e2egraph.evaluation.significance.counting import Jets, thresholds, yields_above
from e2egraph.evaluation.significance.formulas import FIVE_SIGMA, asimov_z, exact_z
from e2egraph.evaluation.significance.scan import significance
from e2egraph.evaluation.significance.write import statistical_z, summary
from e2egraph.plots.classification.significance import plot_significance

ANALYSIS = Analysis(
    title="test",
    luminosity=10.0,
    classes={"qcd": ClassYield(cross_section=1.0), "top": ClassYield(cross_section=1.0)},
    selection="tau32 < 0.5",
)


def jets(signal=900, background=1_500, seed=0, shift=1.5, expected=(150.0, 40_000.0), passes=True):
    """Normal numbers made scores, the signal's ``shift`` higher; cuts that see less of it."""
    rng = np.random.default_rng(seed)
    label = np.repeat([1, 0], [signal, background])
    inner = rng.normal(0, 1, len(label)) + shift * label
    seen = 0.7 * inner + rng.normal(0, 0.7, len(label))
    weight = rng.uniform(0.5, 1.5, len(label))
    share = np.where(label == 1, weight / weight[label == 1].sum(), weight / weight[label == 0].sum())
    yields = share * np.where(label == 1, *expected)
    return Jets(1 / (1 + np.exp(-inner)), yields, label, label == 1, seen > 1.2 if passes else None)


@pytest.fixture(scope="module")
def sample():
    return jets()


@pytest.fixture(scope="module")
def result(sample):
    return significance(sample, ANALYSIS, resamples=100, counted="jets")


def test_whole_events_are_called_events(sample, result):
    events = significance(sample, ANALYSIS, resamples=100, counted="events")
    assert not any("jets" in limit for limit in events.limits)
    assert "expected jets, each counted as an event of its own" in result.limits
    assert "background events" in summary(events) and "background jets" in summary(result)
    assert events.optimum == result.optimum


def test_yields_beyond_each_threshold_are_those_counted_one_by_one(sample, result):
    for number in (0, 3, 100, 500, len(result.scan.threshold) - 1):
        above = sample.score >= result.scan.threshold[number]
        assert result.scan.signal[number] == pytest.approx(sample.yields[above & sample.is_signal].sum())
        assert result.scan.background[number] == pytest.approx(sample.yields[above & ~sample.is_signal].sum())
    assert (np.diff(result.scan.threshold) < 0).all()
    assert result.scan.signal[-1] == pytest.approx(150.0)


def test_significances_are_the_formulas_of_the_yields_where_enough_background_jets_pass(sample, result):
    for threshold, s, b, z, exact in zip(
        *(getattr(result.scan, name) for name in ("threshold", "signal", "background", "z_asimov", "z_exact")),
        strict=True,
    ):
        weight = sample.yields[(sample.score >= threshold) & ~sample.is_signal]
        effective = weight.sum() ** 2 / np.sum(weight**2) if len(weight) else 0.0
        assert (z is not None) == (exact is not None) == (effective >= 10)
        if z is not None:
            assert z == pytest.approx(float(asimov_z(s, b)))
            assert exact == pytest.approx(float(exact_z(s, b)))
    assert result.scan.z_asimov[0] is None


def test_the_optimum_is_the_best_of_the_thresholds_that_count(result):
    best = max(z for z in result.scan.z_asimov if z is not None)
    place = result.scan.z_asimov.index(best)
    optimum = result.optimum
    assert (optimum.z_asimov, optimum.threshold) == (best, result.scan.threshold[place])
    assert (optimum.signal, optimum.background) == (result.scan.signal[place], result.scan.background[place])
    assert optimum.signal_efficiency == pytest.approx(optimum.signal / 150.0)
    assert optimum.mistag == pytest.approx(optimum.background / 40_000.0)
    assert optimum.z_asimov_statistical == optimum.z_asimov
    assert optimum.background_jets >= 10


def test_luminosity_and_thresholds_of_a_discovery(sample, result):
    assert result.optimum.z_asimov < 5
    assert result.five_sigma_loosest is result.five_sigma_tightest is None
    found = result.discovery
    assert found.luminosity == pytest.approx(10.0 * (5 / result.optimum.z_asimov) ** 2)
    assert found.counting.z_asimov == pytest.approx(5)
    scale = found.luminosity / 10.0
    more = replace(sample, yields=2 * scale * sample.yields)
    again = significance(more, replace(ANALYSIS, luminosity=2 * found.luminosity), resamples=2)
    assert again.optimum.z_asimov == pytest.approx(5 * math.sqrt(2))
    assert again.discovery.luminosity == pytest.approx(found.luminosity)
    reach = [t for t, z in zip(again.scan.threshold, again.scan.z_asimov, strict=True) if z is not None and z >= 5]
    assert (again.five_sigma_tightest, again.five_sigma_loosest) == (reach[0], reach[-1])
    assert again.five_sigma_loosest < again.optimum.threshold < again.five_sigma_tightest


def test_an_uncertain_background_lowers_significance_and_can_forbid_a_discovery(sample, result):
    small = significance(sample, replace(ANALYSIS, background_uncertainty=0.002), resamples=2)
    assert 0.5 * result.optimum.z_asimov < small.optimum.z_asimov < result.optimum.z_asimov
    assert small.discovery.luminosity > result.discovery.luminosity
    assert small.discovery.counting.z_asimov == pytest.approx(5, abs=1e-6)
    assert small.optimum.z_asimov_statistical > small.optimum.z_asimov
    large = significance(sample, replace(ANALYSIS, background_uncertainty=0.3), resamples=2)
    assert large.discovery is None
    assert any("no luminosity gives the score 5 standard deviations" in limit for limit in large.limits)
    assert any("30% Z stays below" in limit for limit in large.limits)


def test_the_cuts_are_counted_and_the_score_is_set_at_their_mistag_rate(sample, result):
    cuts = result.cuts
    assert cuts.expression == "tau32 < 0.5"
    assert cuts.counting.signal == pytest.approx(sample.yields[sample.passes & sample.is_signal].sum())
    assert cuts.counting.background == pytest.approx(sample.yields[sample.passes & ~sample.is_signal].sum())
    assert cuts.counting.z_asimov == pytest.approx(float(asimov_z(cuts.counting.signal, cuts.counting.background)))
    order = np.argsort(-sample.score)
    background = np.cumsum((sample.yields * ~sample.is_signal)[order])
    signal = np.cumsum((sample.yields * sample.is_signal)[order])
    reached = np.interp(cuts.counting.background, background, signal) / cuts.counting.signal
    assert cuts.ratio == pytest.approx(reached, rel=0.01)
    assert 1.05 < cuts.ratio < 3
    assert 0 < cuts.ratio_error < 0.2 * cuts.ratio


def test_cuts_that_are_a_threshold_of_the_score_gain_nothing(sample):
    same = replace(sample, passes=sample.score >= 0.8)
    cuts = significance(same, ANALYSIS, resamples=50).cuts
    assert cuts.ratio == pytest.approx(1.0, abs=0.01)
    assert cuts.ratio_error < 0.01


def test_the_bootstrap_error_is_that_of_new_samples():
    samples = [jets(400, 700, seed, passes=False) for seed in range(60)]
    z = []
    for one in samples:
        above = yields_above(one, np.array([0.85]))
        z.append(asimov_z(above.signal[0], above.background[0]))
    stepped = replace(samples[0], score=np.where(samples[0].score >= 0.85, 0.9, 0.1))
    result = significance(stepped, ANALYSIS, resamples=300)
    assert result.optimum.threshold == 0.9
    assert result.optimum_error == pytest.approx(np.std(z), rel=0.35)


def test_the_optimism_is_what_the_optimum_loses_on_other_jets():
    many = jets(60_000, 240_000, 99, passes=False)
    lost, optimism = [], []
    for seed in range(30):
        result = significance(jets(300, 400, seed, passes=False), ANALYSIS, resamples=30)
        truth = yields_above(many, np.array([result.optimum.threshold]))
        lost.append(result.optimum.z_asimov - float(asimov_z(truth.signal[0], truth.background[0])))
        optimism.append(result.optimism)
    assert np.mean(lost) > 3 * np.std(lost) / math.sqrt(len(lost))
    assert np.mean(optimism) == pytest.approx(np.mean(lost), rel=0.5)
    assert any("lifts Z by about" in limit for limit in result.limits)


def test_a_background_class_of_which_no_jet_passes_still_belongs_to_what_is_not_known():
    rng = np.random.default_rng(1)
    label = np.repeat([2, 0, 1], [200, 200, 20])
    score = np.concatenate([rng.uniform(0.5, 1, 200), rng.uniform(0, 1, 200), np.full(20, 0.1)])
    yields = np.where(label == 1, 1_000.0, 1.0)
    known = yields_above(Jets(score, yields, label, label == 2, None), np.array([0.6, 0.05]))
    passing = ((label == 0) & (score >= 0.6)).sum()
    assert known.effective[0] == pytest.approx(passing**2 / (passing + 1_000.0**2))
    assert known.effective[1] == pytest.approx(20, rel=0.02)


def test_equal_scores_share_a_threshold_and_jets_without_weight_change_nothing(sample, result):
    score = np.round(sample.score, 1)
    rounded = replace(sample, score=score)
    assert thresholds(rounded).tolist() == sorted(set(score[sample.is_signal].tolist()), reverse=True)
    extra = np.concatenate([sample.yields, np.zeros(300)])
    label = np.concatenate([sample.label, np.tile([0, 1, 1], 100)])
    more = Jets(np.concatenate([sample.score, np.linspace(0, 1, 300)]), extra, label, label == 1, None)
    again = significance(more, ANALYSIS, resamples=2)
    assert again.optimum.z_asimov == pytest.approx(result.optimum.z_asimov)
    assert again.cuts is None


def test_too_few_background_jets_are_never_an_infinite_significance():
    apart = jets(200, 9, shift=50.0)
    with pytest.raises(InputError, match="fewer than 10 background objects"):
        significance(apart, ANALYSIS)
    clear = significance(jets(200, 40, shift=50.0), ANALYSIS, resamples=50)
    assert math.isfinite(clear.optimum.z_asimov)
    assert 10 <= clear.optimum.background_jets < 12
    assert clear.optimum.signal_efficiency == pytest.approx(1)
    assert any("the optimum rests on" in limit for limit in clear.limits)
    few = replace(jets(200, 100), passes=np.arange(300) < 205)
    tight = significance(few, ANALYSIS, resamples=10)
    assert tight.cuts.counting.z_asimov is tight.cuts.ratio is tight.cuts.discovery is None
    assert any("pass the cuts, fewer than 10" in limit for limit in tight.limits)


def test_cuts_without_signal_are_said_and_few_jets_too():
    sample = jets(40, 50)
    blind = significance(replace(sample, passes=~sample.is_signal), ANALYSIS, resamples=10)
    assert blind.cuts.ratio is None
    assert blind.cuts.counting.z_asimov == 0
    assert any("the cuts 5 standard deviations: no signal is left" in limit for limit in blind.limits)
    assert any("only 90 objects" in limit for limit in blind.limits)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"yields": -np.ones(2400)}, "negative"),
        ({"yields": np.full(2400, np.nan)}, "negative or not finite"),
        ({"yields": np.zeros(2400)}, "all weights of signal or of background are zero"),
        ({"score": np.full(2400, np.nan)}, "2400 of 2400 scores are not finite"),
        ({"is_signal": np.ones(2400, bool)}, "no background objects"),
        ({"is_signal": np.zeros(2400, bool)}, "no signal objects"),
    ],
)
def test_jets_that_make_no_sense_are_refused(sample, change, message):
    with pytest.raises(InputError, match=message):
        replace(sample, **change)


def test_an_error_that_resamples_do_not_have_is_missing_with_the_reason(sample):
    label = sample.label.copy()
    background = np.flatnonzero(label == 0)
    label[background[np.argsort(sample.score[background])[-3:]]] = 2
    few = significance(replace(sample, label=label), ANALYSIS, resamples=400, counted="events")
    assert (few.optimum_error, few.optimism, few.cuts.ratio_error) == (None, None, None)
    # None of three among 1500 is drawn with probability (1 − 3/1500)^1500 = 5%.
    for figure in ("the optimum", "the ratio of efficiencies"):
        (said,) = [limit for limit in few.limits if limit.startswith(f"{figure} has no error")]
        assert "one class of background has only 3 events with weight" in said
        assert 3.0 < float(said.partition("weight, and ")[2].partition("%")[0]) < 7.5
    passes = np.zeros(2400, bool)
    passes[[0, *background[:800]]] = True
    rare = significance(replace(sample, passes=passes), ANALYSIS, resamples=50)
    assert rare.cuts.ratio is not None and rare.cuts.ratio_error is None
    assert "the ratio of efficiencies has no error: in some resamples no signal objects pass the cuts" in rare.limits
    assert not any("optimum has no error" in limit for limit in rare.limits)


@pytest.mark.parametrize(("counted", "title"), [("events", "Events"), ("jets", "Jets")])
def test_the_axis_of_expected_numbers_names_what_is_counted(result, counted, title, tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr("e2egraph.plots.classification.significance.save", lambda figure, stem: figures.append(figure))
    result = replace(result, counted=counted)
    plot_significance(result, statistical_z(result.scan), FIVE_SIGMA, tmp_path / "significance", "label")
    (figure,) = figures
    assert figure.axes[1].get_ylabel() == title
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert f"too few simulated background {counted}" in legend


@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_a_constant_score_is_one_counting_experiment_that_can_be_drawn(sample, score, tmp_path):
    result = significance(replace(sample, score=np.full(2400, score)), ANALYSIS, resamples=5)
    assert result.scan.threshold == (score,)
    assert (result.optimum.signal_efficiency, result.optimum.mistag) == (pytest.approx(1), pytest.approx(1))
    png, _ = plot_significance(result, statistical_z(result.scan), FIVE_SIGMA, tmp_path / "significance", "label")
    assert imread(png)[..., :3].std() > 0.03
