"""Plots of a whole data set."""

import numpy as np
import pytest

from e2egraph.plots.displays.data_set import shown_range


@pytest.mark.parametrize(
    "values", [np.repeat([0.0, 1.0, 2.0], [34, 3, 3]), np.array([5.0, 5.0]), np.linspace(-3.0, 40.0, 150)]
)
def test_the_largest_of_few_values_is_within_the_range_that_is_drawn(values):
    """Jets of 0, 1 and 2 nodes: the percentile is the maximum, and bins end below their upper edge."""
    low, high = shown_range(values)
    assert low == values.min() and high - low >= 1.0
    counts, _ = np.histogram(values, np.linspace(low, high, 51))
    assert counts.sum() >= 0.99 * len(values)
    assert values.max() < high or len(values) > 100
