import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, mean_absolute_percentage_error

from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.regression import regression_metrics


def jets(seed=0, number=3000):
    rng = np.random.default_rng(seed)
    true = rng.uniform(80, 400, number)
    return true, true * rng.normal(1.1, 0.08, number)


def test_means_are_scikit_learns_and_the_response_is_the_median_with_a_normal_width():
    true, predicted = jets()
    weight = np.random.default_rng(1).exponential(1, len(true))
    figures = regression_metrics(true, predicted, weight).figures
    assert figures.mae == pytest.approx(mean_absolute_error(true, predicted, sample_weight=weight))
    expected = mean_absolute_percentage_error(true, predicted, sample_weight=weight)
    assert figures.mean_relative_error == pytest.approx(expected)
    assert figures.bias == pytest.approx(np.average(predicted - true, weights=weight))
    plain = regression_metrics(true, predicted).figures
    assert plain.response == pytest.approx(np.median(predicted / true), abs=1e-4)
    assert plain.response == pytest.approx(1.1, abs=0.01)
    assert plain.resolution == pytest.approx(0.08 / 1.1, rel=0.05)


def test_a_weight_of_two_is_a_jet_twice():
    true, predicted = jets()
    weight = np.random.default_rng(1).integers(1, 3, len(true))
    weighted = regression_metrics(true, predicted, weight.astype(float), resamples=2).figures
    twice = regression_metrics(np.repeat(true, weight), np.repeat(predicted, weight), resamples=2).figures
    for name in vars(weighted):
        assert getattr(weighted, name) == pytest.approx(getattr(twice, name), rel=1e-3)


def test_errors_are_the_spread_between_independent_samples():
    figures = [regression_metrics(*jets(seed, 500), resamples=2).figures for seed in range(300)]
    errors = [regression_metrics(*jets(seed, 500), resamples=100).errors for seed in range(10)]
    for name in vars(figures[0]):
        spread = np.std([getattr(one, name) for one in figures])
        assert np.mean([getattr(one, name) for one in errors]) == pytest.approx(spread, rel=0.2), name


@pytest.mark.parametrize(
    ("true", "predicted", "weight", "message"),
    [
        ([1.0], [1.0], None, "at least two jets"),
        ([1.0, 0.0], [1.0, 1.0], None, "1 jets have a true value of zero"),
        ([1.0, 2.0], [np.nan, 1.0], None, "1 of 2 jets have a prediction that is not finite"),
        ([1.0, 2.0], [1.0, 1.0], [1.0, -1.0], "weight is negative"),
        ([1.0, 2.0], [1.0, 1.0], [0.0, 0.0], "all are zero"),
        ([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], None, "median of predicted/true is zero"),
    ],
)
def test_what_cannot_be_judged_is_refused(true, predicted, weight, message):
    with pytest.raises(InputError, match=message):
        regression_metrics(np.array(true), np.array(predicted), None if weight is None else np.array(weight))
