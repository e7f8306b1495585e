import numpy as np
import pytest
from scipy.stats import ttest_ind

from e2egraph.data.scores import Scores, output_columns
from e2egraph.errors import InputError
from e2egraph.evaluation.compare.joined import JoinedScores, join
from e2egraph.evaluation.compare.paired import paired
from e2egraph.evaluation.compare.paired_result import Contender
from e2egraph.evaluation.compare.paired_runs import as_json, paired_note
from e2egraph.evaluation.metrics.bootstrap import bootstrap
from e2egraph.evaluation.metrics.figures import AUC, EFFICIENCY, LOW_EFFICIENCY
from e2egraph.evaluation.metrics.registry import FIGURES
from e2egraph.evaluation.metrics.roc.curve import roc_curve
from e2egraph.evaluation.metrics.roc.delong import delong
from e2egraph.tasks.outputs import class_outputs

JETS = 3000
REJECTION = "background_rejection_at_50pct_efficiency"


def make(scores=4, jets=JETS, seed=0, shifts=None):
    """Correlated scores; score s has its signal shifted by ``shifts[s]``."""
    rng = np.random.default_rng(seed)
    is_signal = np.arange(jets) % 3 == 0
    common = rng.normal(0.0, 1.0, jets)
    shifts = [1.5] * scores if shifts is None else shifts
    return is_signal, np.stack([common + rng.normal(0, 0.4, jets) + shift * is_signal for shift in shifts])


def joined(is_signal, scores, weight=None):
    return JoinedScores(tuple(map(str, range(len(scores)))), is_signal, weight, scores)


def one_each(count):
    return [Contender(f"tagger {number}", (number,)) for number in range(count)]


def only(result, figure, name="tagger 1"):
    (found,) = [d for d in result.differences if d.figure == figure and d.name == name]
    return found


def test_a_single_difference_is_delongs_for_the_area_and_the_paired_bootstraps_for_all_else():
    is_signal, scores = make(2, shifts=(1.5, 1.8))
    result = paired(joined(is_signal, scores), one_each(2), resamples=200)
    value, error, p_value = delong(is_signal, scores).difference(1, 0)
    area = only(result, AUC)
    assert (area.difference, area.error, area.method) == (pytest.approx(value), pytest.approx(error), "DeLong")
    assert area.p_value.log10 == pytest.approx(p_value.log10)
    assert area.error_seeds is None
    samples = [bootstrap(is_signal, score, resamples=200) for score in scores]
    assert area.error_bootstrap == pytest.approx((samples[1].auc - samples[0].auc).std(ddof=1))
    efficiency = only(result, EFFICIENCY)
    at_point = [roc_curve(is_signal, score).efficiency_at(0.01) for score in scores]
    differences = samples[1].signal_efficiency - samples[0].signal_efficiency
    ratios = samples[1].signal_efficiency / samples[0].signal_efficiency
    assert efficiency.difference == pytest.approx(at_point[1] - at_point[0])
    assert efficiency.error == efficiency.error_jets == pytest.approx(differences.std(ddof=1))
    assert efficiency.ratio == pytest.approx(at_point[1] / at_point[0])
    assert efficiency.ratio_error == pytest.approx(ratios.std(ddof=1))
    assert efficiency.opposite_sign == pytest.approx(np.mean(differences < 0) + np.mean(differences == 0) / 2)
    assert only(result, REJECTION).ratio > 1
    assert result.jets == result.signal_jets + result.background_jets == JETS


def test_the_error_of_a_difference_is_its_spread_between_independent_samples_of_jets():
    def difference(seed):
        is_signal, scores = make(2, 1500, seed, shifts=(1.5, 2.0))
        at_point = [roc_curve(is_signal, score).efficiency_at(0.01) for score in scores]
        return at_point[1] - at_point[0]

    spread = np.std([difference(seed) for seed in range(150)])
    samples = [make(2, 1500, seed, shifts=(1.5, 2.0)) for seed in range(200, 206)]
    errors = [only(paired(joined(*sample), one_each(2), resamples=200), EFFICIENCY).error for sample in samples]
    assert np.mean(errors) == pytest.approx(spread, rel=0.25)


def test_seeds_are_averaged_and_their_spread_enters_the_error():
    is_signal, scores = make(6, shifts=(1.4, 1.5, 1.6, 1.9, 2.0, 2.2))
    contenders = [Contender("old", (0, 1, 2)), Contender("new", (3, 4, 5))]
    result = paired(joined(is_signal, scores), contenders, resamples=200)
    aucs = np.array([roc_curve(is_signal, score).auc for score in scores])
    old, new = (next(s for s in result.standings if (s.name, s.figure) == (name, AUC)) for name in ("old", "new"))
    np.testing.assert_allclose(new.seeds, aucs[3:])
    assert (old.mean, old.spread) == (pytest.approx(aucs[:3].mean()), pytest.approx(aucs[:3].std(ddof=1)))
    area = only(result, AUC, "new")
    assert area.difference == pytest.approx(aucs[3:].mean() - aucs[:3].mean())
    assert area.error_jets == pytest.approx(delong(is_signal, scores).contrast([-1 / 3] * 3 + [1 / 3] * 3)[1])
    assert area.error_seeds == pytest.approx(np.sqrt((aucs[:3].var(ddof=1) + aucs[3:].var(ddof=1)) / 3))
    assert area.error == pytest.approx(np.hypot(area.error_jets, area.error_seeds))
    assert area.p_value.log10 > area.p_value_jets.log10
    efficiency = only(result, EFFICIENCY, "new")
    drawn = np.array([bootstrap(is_signal, score, resamples=200).signal_efficiency for score in scores])
    assert efficiency.error_jets == pytest.approx((drawn[3:].mean(0) - drawn[:3].mean(0)).std(ddof=1))


def test_where_the_jets_add_no_error_the_p_value_is_welchs_t_test_of_the_seeds():
    # Scores of jets so many times over that only the seeds scatter.
    is_signal, scores = make(5, 150, seed=3, shifts=(1.0, 1.5, 0.6, 2.1, 1.8))
    is_signal, scores = np.tile(is_signal, 400), np.tile(scores, 400)
    aucs = [roc_curve(is_signal[:150], score[:150]).auc for score in scores]
    contenders = [Contender("old", (0, 1, 2)), Contender("new", (3, 4))]
    area = only(paired(joined(is_signal, scores), contenders, resamples=2), AUC, "new")
    expected = ttest_ind(aucs[3:], aucs[:3], equal_var=False)
    assert area.degrees_of_freedom == pytest.approx(expected.df, rel=0.01)
    assert area.p_value.value == pytest.approx(expected.pvalue, rel=0.01)


def test_without_a_true_difference_the_p_value_of_seeds_and_jets_is_not_too_small_but_that_of_the_jets_is():
    rng = np.random.default_rng(1)

    def p_values():
        is_signal, rows = np.arange(300) < 120, []
        common = rng.normal(0, 1, 300)
        for _ in range(2):
            view = common + rng.normal(0, 0.5, 300)
            # Each seed's network is better or worse by chance.
            rows += [view + rng.normal(0, 0.3, 300) + is_signal * rng.normal(1.3, 0.15) for _ in range(3)]
        result = paired(
            joined(is_signal, np.stack(rows)), [Contender("old", (0, 1, 2)), Contender("new", (3, 4, 5))], resamples=2
        )
        area = only(result, AUC, "new")
        return area.p_value.value, area.p_value_jets.value

    both, jets_alone = np.array([p_values() for _ in range(120)]).T
    assert 0.01 < np.mean(both < 0.1) < 0.13
    assert np.mean(jets_alone < 0.1) > 0.2


def test_one_seed_of_either_gives_an_error_of_the_jets_alone():
    is_signal, scores = make(3)
    result = paired(joined(is_signal, scores), [Contender("old", (0,)), Contender("new", (1, 2))], resamples=100)
    area = only(result, AUC, "new")
    assert area.error_seeds is None
    assert area.error == area.error_jets
    assert area.p_value == area.p_value_jets
    assert any(limit.startswith("new against old: errors and p-values of the objects alone") for limit in result.limits)
    assert "normal approximation, errors of the objects." in paired_note(result)


def test_equal_scores_differ_by_nothing():
    is_signal, scores = make(1)
    result = paired(joined(is_signal, scores[[0, 0]]), one_each(2), resamples=100)
    for difference in result.differences:
        assert difference.difference == 0.0
        assert difference.p_value.value == 1.0
        assert difference.opposite_sign == 0.5
        assert difference.ratio in (None, 1.0)


def test_with_weights_all_errors_are_the_bootstraps_and_twice_the_jets_count_as_weight_two():
    is_signal, scores = make(2, shifts=(1.5, 1.8))
    weight = np.random.default_rng(1).integers(1, 3, JETS).astype(float)
    result = paired(joined(is_signal, scores, weight), one_each(2), resamples=100)
    area = only(result, AUC)
    assert area.method == "bootstrap"
    assert area.error == area.error_bootstrap
    again = np.repeat(np.arange(JETS), weight.astype(int))
    expected = paired(joined(is_signal[again], scores[:, again]), one_each(2), resamples=100)
    for figure in (AUC, EFFICIENCY):
        assert only(result, figure).difference == pytest.approx(only(expected, figure).difference)


def test_figures_that_too_few_background_jets_support_are_not_quoted_but_named():
    is_signal, scores = make(2, 3000, shifts=(1.5, 1.8))
    result = paired(joined(is_signal, scores), one_each(2), resamples=100)
    assert LOW_EFFICIENCY not in {difference.figure for difference in result.differences}
    assert [s.mean for s in result.standings if s.figure == LOW_EFFICIENCY] == [None, None]
    assert any("0.1% mistag (tagger 0 2.0, tagger 1 2.0)" in limit for limit in result.limits)
    perfect = np.stack([scores[0], scores[0] + 100 * is_signal])
    result = paired(joined(is_signal, perfect), one_each(2), resamples=100)
    assert {d.figure for d in result.differences} == {AUC, EFFICIENCY}
    assert "fewer than 10 background objects pass for the background rejection at 50% efficiency (tagger 1 0.0)" in (
        result.limits
    )
    assert paired_note(result).count("\nLimit: ") == len(result.limits) == 4


def test_below_a_hundred_jets_no_p_value_is_given():
    is_signal, scores = make(2, 99)
    result = paired(joined(is_signal, scores), one_each(2), resamples=100)
    assert AUC in {d.figure for d in result.differences}
    assert all(d.p_value is None and d.p_value_jets is None for d in result.differences)
    assert any("only 99 objects" in limit for limit in result.limits)
    with pytest.raises(InputError, match="at least two signal"):
        paired(joined(np.array([True, False, False]), scores[:, :3]), one_each(2))


def test_with_few_jets_of_one_class_no_p_value_is_given():
    is_signal, scores = make(2, shifts=(1.5, 1.8))
    for number, given in ((9, False), (10, True)):
        few = np.flatnonzero(~is_signal | (np.cumsum(is_signal) <= number))
        result = paired(joined(is_signal[few], scores[:, few]), one_each(2), resamples=20)
        assert (only(result, AUC).p_value is not None) is given
        assert any("only 9 objects of one class: no p-values below 10" in text for text in result.limits) is not given


def test_a_result_is_plain_json_with_the_logarithm_of_each_p_value():
    is_signal, scores = make(2, shifts=(1.5, 4.0))
    content = as_json(paired(joined(is_signal, scores), one_each(2), resamples=100))
    (area,) = [d for d in content["differences"] if d["figure"] == AUC]
    assert 0 < area["p_value"] < 1e-10
    assert area["log10_p_value"] == pytest.approx(np.log10(area["p_value"]))
    assert {s["figure"] for s in content["standings"]} == set(FIGURES)


def scores_of(probability, label, weight=None, classes=("qcd", "top"), order=None):
    jets = len(label)
    columns = {
        "run": np.ones(jets, np.uint32),
        "lumi": np.arange(jets, dtype=np.uint32) // 7,
        "event": np.arange(jets, dtype=np.uint64) // 2 + 2**63,
        "jet": np.arange(jets, dtype=np.uint16) % 2,
        "label": np.asarray(label, np.uint8),
        "weight": np.ones(jets, np.float32) if weight is None else np.asarray(weight, np.float32),
        "split": np.full(jets, "test"),
    }
    order = np.arange(jets) if order is None else order
    both = np.stack([1 - probability, probability], axis=1).astype(np.float32)
    return Scores(
        {name: values[order] for name, values in columns.items()},
        both[order],
        output_columns(class_outputs(classes)),
        {},
    )


def test_jets_are_joined_by_their_identity_whatever_their_order():
    rng = np.random.default_rng(0)
    label, probability = np.arange(60) % 2, rng.random((2, 60))
    shuffled = scores_of(probability[1], label, order=rng.permutation(60))
    result = join([scores_of(probability[0], label), shuffled], ["one", "two"], "top")
    np.testing.assert_allclose(result.scores, probability, atol=1e-7)
    np.testing.assert_array_equal(result.is_signal, label == 1)
    assert result.weight is None


def test_jets_that_are_not_the_same_are_refused_with_their_number():
    label, probability = np.arange(60) % 2, np.linspace(0.1, 0.9, 60)
    first = scores_of(probability, label)
    weight = np.where(np.arange(60) < 3, 2.0, 1.0)
    twice = np.concatenate([np.arange(58), [0, 1]])
    broken = probability.copy()
    broken[5] = np.nan
    for other, message in [
        (scores_of(probability, label, order=np.arange(55)), "two: 0 objects that one has not, and 5 of its"),
        (scores_of(probability, label, order=twice), "two: 2 objects are there twice"),
        (scores_of(probability, 1 - label), "two: 60 of 60 objects have another label"),
        (scores_of(probability, label, weight), "two: 3 of 60 objects have another weight"),
        (scores_of(probability, label, classes=("qcd", "w")), "its classes are qcd, w"),
        (scores_of(broken, label), "two: 1 of 60 scores are not finite"),
    ]:
        with pytest.raises(InputError, match=message):
            join([first, other], ["one", "two"], "top")
    with pytest.raises(InputError, match="no class 'w'"):
        join([first, first], ["one", "two"], "w")
    negative = scores_of(probability, label, -weight)
    with pytest.raises(InputError, match="one: an object weight is negative"):
        join([negative, negative], ["one", "two"], "top")
