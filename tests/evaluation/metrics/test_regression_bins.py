import json
from dataclasses import asdict

import numpy as np
import pytest

from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.regression.bins import bin_edges, binned_regression
from e2egraph.evaluation.metrics.regression.matrix import true_against_predicted
from e2egraph.evaluation.metrics.regression.residuals import weighted_quantiles
from e2egraph.evaluation.metrics.regression.summary import regression_metrics


@pytest.fixture
def jets():
    """A resolution that grows with the true value, and weights."""
    rng = np.random.default_rng(0)
    true = rng.uniform(100, 500, 4000)
    return true, true * (1 + rng.normal(0, 0.0004 * true)), rng.exponential(1, 4000)


def test_a_bin_holds_the_figures_of_its_jets_with_their_errors(jets):
    true, predicted, weight = jets
    edges = np.array([100.0, 200.0, 350.0, 500.0])
    bins = binned_regression(true, predicted, true, weight, edges, resamples=50)
    assert sum(one.jets for one in bins) == 4000
    for one in bins:
        inside = (true >= one.low) & (true < one.high)
        expected = regression_metrics(true[inside], predicted[inside], weight[inside], resamples=50)
        assert (one.figures, one.errors, one.limit) == (expected.figures, expected.errors, None)
        assert one.figures["resolution"] == pytest.approx(0.0004 * (one.low + one.high) / 2, rel=0.15)
        assert one.low < one.median < one.high
    assert json.loads(json.dumps([asdict(one) for one in bins], allow_nan=False))[0]["jets"] == bins[0].jets


def test_bins_with_too_few_jets_are_null_with_a_reason(jets):
    true, predicted, weight = jets
    pt = np.linspace(0, 4000, 4000)
    few, whole, weightless = binned_regression(
        true, predicted, pt, np.where(pt > 3000, 0.0, weight), np.array([0.0, 50.0, 3000.0, 4000.0]), resamples=3
    )
    assert (few.figures, few.errors, few.limit, few.jets) == (None, None, "fewer than 100 objects", 50)
    assert whole.figures is not None
    assert (weightless.figures, weightless.limit) == (None, "no weight")
    # Enough jets, but too few of a true value above zero: only what is relative is missing.
    true = np.where(np.arange(4000) < 3950, -true, true)
    (one,) = binned_regression(true, predicted, pt, None, np.array([0.0, 4000.0]), resamples=3)
    assert one.figures["response"] is None
    assert one.figures["mae"] > 0
    assert one.left_out == 3950
    assert "50 objects have a true value above zero, fewer than 100" in one.limit


@pytest.mark.parametrize(("number", "bins"), [(60, 1), (500, 2), (100_000, 8)])
def test_bins_are_as_many_as_their_jets_allow_and_about_equally_full(number, bins):
    values = np.random.default_rng(0).exponential(1, number)
    edges = bin_edges(values)
    counts, _ = np.histogram(values, edges)
    assert len(counts) == bins
    assert counts.sum() == number
    assert counts.max() - counts.min() <= 2


def test_a_quantity_that_is_not_finite_is_refused(jets):
    true, predicted, weight = jets
    with pytest.raises(InputError, match="1 of 4000 objects have no finite value"):
        binned_regression(true, predicted, np.where(np.arange(4000) == 7, np.nan, true), weight)


def test_the_matrix_holds_all_weight_and_its_columns_normalised_add_up_to_one(jets):
    true, predicted, weight = jets
    matrix = true_against_predicted(true, predicted, weight)
    counts = np.array(matrix.counts)
    assert counts.sum() / weight.sum() == pytest.approx(1 - matrix.outside)
    assert matrix.outside == pytest.approx(
        weight[(predicted > matrix.edges[-1]) | (predicted < matrix.edges[0])].sum() / weight.sum()
    )
    assert 0 < matrix.outside < 0.2
    np.testing.assert_allclose(np.sum(matrix.column_weight), weight.sum())
    shares = matrix.column_normalised()
    filled = np.array(matrix.column_weight) > 0
    assert (shares[~filled] == 0).all()
    assert (shares.sum(axis=1) <= 1 + 1e-12).all()
    middle = (np.array(matrix.edges)[1:] < 300) & filled
    np.testing.assert_allclose(shares[middle].sum(axis=1), 1.0)
    # By hand, for one pixel.
    t, p = 12, 13
    inside = (true >= matrix.edges[t]) & (true < matrix.edges[t + 1])
    chosen = inside & (predicted >= matrix.edges[p]) & (predicted < matrix.edges[p + 1])
    assert shares[t, p] == pytest.approx(weight[chosen].sum() / weight[inside].sum())


def test_the_median_band_of_a_normal_response_is_its_mean_and_standard_deviation():
    rng = np.random.default_rng(0)
    true = np.repeat([150.0, 250.0, -50.0], 20_000)
    predicted = true + 5 + rng.normal(0, 12, len(true))
    predicted = np.append(predicted, 350.0)
    matrix = true_against_predicted(np.append(true, 350.0), predicted, edges=np.linspace(-100, 400, 6))
    assert matrix.median == [
        pytest.approx(-45, abs=0.5),
        None,
        pytest.approx(155, abs=0.5),
        pytest.approx(255, abs=0.5),
        None,
    ]
    for median, lower, upper in zip(matrix.median, matrix.lower, matrix.upper, strict=True):
        if median is not None:
            assert (upper - lower) / 2 == pytest.approx(12, rel=0.03)
            assert (upper + lower) / 2 == pytest.approx(median, abs=0.5)
    assert json.dumps(asdict(matrix), allow_nan=False)


def test_weighted_quantiles_of_whole_weights_are_those_of_repeated_values():
    rng = np.random.default_rng(0)
    values, weight = rng.normal(0, 1, 3000), rng.integers(1, 4, 3000)
    found = weighted_quantiles(values, weight, (0.2, 0.5, 0.9))
    expected = np.quantile(np.repeat(values, weight), (0.2, 0.5, 0.9), method="hazen")
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_a_single_true_value_makes_a_matrix_around_it():
    matrix = true_against_predicted(np.full(20, 3.0), np.full(20, 3.1))
    assert matrix.edges[0] < 3 < matrix.edges[-1]
    assert matrix.outside == 0.0
