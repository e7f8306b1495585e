import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, mean_absolute_percentage_error

from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.regression.summary import regression_metrics, sampled_figures

RELATIVE = {"response", "resolution", "mean_relative_error"}


def jets(seed=0, number=3000):
    rng = np.random.default_rng(seed)
    true = rng.uniform(80, 400, number)
    return true, true * rng.normal(1.1, 0.08, number)


def test_means_are_scikit_learns_and_quantiles_numpys():
    true, predicted = jets()
    weight = np.random.default_rng(1).exponential(1, len(true))
    figures = regression_metrics(true, predicted, weight).figures
    assert figures["mae"] == pytest.approx(mean_absolute_error(true, predicted, sample_weight=weight))
    expected = mean_absolute_percentage_error(true, predicted, sample_weight=weight)
    assert figures["mean_relative_error"] == pytest.approx(expected)
    assert figures["bias"] == pytest.approx(np.average(predicted - true, weights=weight))
    plain = regression_metrics(true, predicted).figures
    # Every jet in the middle of its share of the weight: Hazen's quantiles.
    low, median, high = np.quantile(predicted / true, (0.15865525, 0.5, 0.84134475), method="hazen")
    assert plain["response"] == pytest.approx(median)
    assert plain["resolution"] == pytest.approx((high - low) / 2 / median)


def test_a_normal_response_gives_its_mean_and_its_standard_deviation():
    figures = regression_metrics(*jets(number=20_000), resamples=2).figures
    assert figures["response"] == pytest.approx(1.1, abs=0.002)
    assert figures["resolution"] == pytest.approx(0.08 / 1.1, rel=0.02)


def test_a_weight_of_two_is_a_jet_twice():
    true, predicted = jets()
    weight = np.random.default_rng(1).integers(1, 3, len(true))
    weighted = regression_metrics(true, predicted, weight.astype(float), resamples=2).figures
    twice = regression_metrics(np.repeat(true, weight), np.repeat(predicted, weight), resamples=2).figures
    assert weighted == pytest.approx(twice, rel=1e-3)


@pytest.mark.parametrize("weighted", [False, True])
def test_errors_are_the_spread_between_independent_samples(weighted):
    def measured(seed, resamples):
        weight = np.random.default_rng(1000 + seed).exponential(1, 500) if weighted else None
        return regression_metrics(*jets(seed, 500), weight, resamples=resamples)

    figures = [measured(seed, 2).figures for seed in range(300)]
    errors = [measured(seed, 100).errors for seed in range(10)]
    for name in figures[0]:
        spread = np.std([one[name] for one in figures])
        assert np.mean([one[name] for one in errors]) == pytest.approx(spread, rel=0.2), name


def test_samples_are_the_figures_of_the_drawn_jets_and_paired():
    true, predicted = jets(number=200)
    found = sampled_figures(true, np.stack([predicted, predicted, 2 * predicted]), resamples=8, seed=5)
    drawn = np.random.default_rng(5).integers(0, 200, (8, 200))
    for number, chosen in enumerate(drawn):
        again = regression_metrics(true[chosen], predicted[chosen], resamples=2).figures
        for name in ("mae", "bias", "mean_relative_error"):
            assert found.samples[name][0, number] == pytest.approx(again[name]), name
        assert found.samples["response"][0, number] == pytest.approx(again["response"], rel=0.01)
    np.testing.assert_array_equal(found.samples["mae"][0], found.samples["mae"][1])
    np.testing.assert_allclose(found.samples["response"][2], 2 * found.samples["response"][0])


def test_true_values_of_zero_or_below_take_part_in_all_but_relative_figures_and_are_counted():
    true, predicted = jets(number=600)
    below, near = np.repeat([0.0, -30.0], 50), np.repeat([2.0, -33.0], 50)
    both = regression_metrics(np.concatenate([true, below]), np.concatenate([predicted, near]))
    alone = regression_metrics(true, predicted)
    for name in RELATIVE:
        assert both.figures[name] == pytest.approx(alone.figures[name]), name
    error = np.concatenate([predicted - true, near - below])
    assert both.figures["bias"] == pytest.approx(error.mean())
    assert both.figures["mae"] == pytest.approx(np.abs(error).mean())
    assert (both.left_out, alone.left_out) == (100, 0)
    assert both.limits == ("relative figures leave out 100 of 700 objects: their true value is not above zero",)
    assert alone.limits == ()


def test_figures_that_cannot_be_said_are_none_with_a_reason():
    negative = regression_metrics(np.array([-1.0, -2.0, 0.0]), np.array([-1.0, -1.0, 1.0]), resamples=3)
    assert {name for name, value in negative.figures.items() if value is None} == RELATIVE
    assert {name for name, value in negative.errors.items() if value is None} == RELATIVE
    assert any("0 objects have a true value above zero" in limit for limit in negative.limits)
    zero = regression_metrics(np.array([1.0, 2.0, 3.0]), np.zeros(3), resamples=3)
    assert zero.figures["resolution"] is None
    assert (zero.figures["response"], zero.figures["mae"]) == (0.0, 2.0)
    assert any(
        limit.startswith("no relative resolution: the median of predicted/true is not above zero")
        for limit in zero.limits
    )
    below = regression_metrics(np.array([1.0, 2.0, 3.0]), np.array([-1.0, -2.0, -4.0]), resamples=3)
    assert below.figures["resolution"] is None
    true, weight = np.array([1.0, 2.0, -3.0, -4.0]), np.array([0.0, 0.0, 1.0, 1.0])
    weightless = regression_metrics(true, true + 1, weight, resamples=3)
    assert weightless.figures["response"] is None
    assert weightless.figures["bias"] == 1.0


@pytest.mark.parametrize(
    ("true", "predicted", "weight", "message"),
    [
        ([1.0], [1.0], None, "at least two objects"),
        ([np.inf, 0.0], [1.0, 1.0], None, "1 of 2 objects have a true value that is not finite"),
        ([1.0, 2.0], [np.nan, 1.0], None, "1 of 2 objects have a prediction that is not finite"),
        ([1.0, 2.0], [1.0, 1.0], [1.0, -1.0], "weight is negative"),
        ([1.0, 2.0], [1.0, 1.0], [0.0, 0.0], "all are zero"),
    ],
)
def test_what_cannot_be_judged_is_refused(true, predicted, weight, message):
    with pytest.raises(InputError, match=message):
        regression_metrics(np.array(true), np.array(predicted), None if weight is None else np.array(weight))
