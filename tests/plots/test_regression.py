"""Plots of regressions: what stands in the figures, read from the figures themselves."""

from dataclasses import asdict

import numpy as np
import pytest
from matplotlib.image import imread

from e2egraph.evaluation.metrics.regression.bins import binned_regression
from e2egraph.evaluation.metrics.regression.matrix import true_against_predicted
from e2egraph.plots import regression, style
from e2egraph.plots.regression import plot_regression_bins, plot_response, plot_true_against_predicted


@pytest.fixture(scope="module")
def jets():
    rng = np.random.default_rng(0)
    true = rng.exponential(60, 3000) + 80
    return true, true * rng.normal(1.02, 0.1, 3000), rng.exponential(1, 3000)


@pytest.fixture
def figures(monkeypatch):
    """The figures drawn, in place of the files."""
    drawn = []
    for module in (regression, style):
        monkeypatch.setattr(module, "save", lambda figure, stem: drawn.append(figure) or [])
    return drawn


@pytest.mark.parametrize("column_normalised", [True, False])
def test_the_matrix_is_drawn_with_the_diagonal_and_the_median_band(jets, figures, tmp_path, column_normalised):
    true, predicted, weight = jets
    matrix = true_against_predicted(true, np.where(np.arange(3000) < 30, 2000.0, predicted), weight)
    plot_true_against_predicted(
        asdict(matrix), "mass", "GeV", tmp_path / "2d", "simulation", column_normalised=column_normalised
    )
    axes, bar = figures[0].axes
    (mesh,) = axes.collections
    expected = matrix.column_normalised() if column_normalised else np.array(matrix.counts)
    np.testing.assert_allclose(mesh.get_array().filled(0.0), expected.T)
    assert ("share" in bar.get_ylabel()) == column_normalised
    diagonal, *band = axes.lines
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    for line, known in zip(band, (matrix.median, matrix.lower, matrix.upper), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), [np.nan if one is None else one for one in known])
    assert axes.get_xlabel() == "true mass [GeV]"
    assert axes.get_title(loc="left").startswith("simulation")
    assert f"{100 * matrix.outside:.1f}% outside" in axes.get_title(loc="left")


def test_the_response_is_normalised_to_one_with_everything_beyond_the_axis_in_its_last_bins(figures, tmp_path):
    response, weight = np.array([-3.0, 0.9, 1.1, 7.0]), np.array([1.0, 2.0, 3.0, 4.0])
    plot_response(response, weight, "mass", "graph", tmp_path / "response", "simulation")
    (axes,) = figures[0].axes
    step, band = axes.patches
    values, edges, _ = step.get_data()
    assert values.sum() == pytest.approx(1.0)
    assert (values[0], values[-1]) == (pytest.approx(0.1), pytest.approx(0.4))
    assert values[np.searchsorted(edges, 1.1, "right") - 1] == pytest.approx(0.3)
    assert band.get_data().values[0] == pytest.approx(0.1 + 0.1)
    assert axes.get_title(loc="left") == "simulation"
    legend = axes.get_legend().get_texts()[0].get_text()
    assert legend == "graph\n50.0% beyond, in the first and last bins"
    plot_response(response[1:3], weight[1:3], "mass", "graph", tmp_path / "response", "simulation")
    assert figures[1].axes[0].get_legend().get_texts()[0].get_text() == "graph"


def test_figures_in_bins_stand_at_the_medians_with_their_errors_and_empty_where_unknown(jets, figures, tmp_path):
    true, predicted, weight = jets
    edges = np.array([80.0, 100.0, 200.0, 900.0, 901.0])
    bins = [asdict(one) for one in binned_regression(true, predicted, true, weight, edges, resamples=20)]
    assert bins[3]["figures"] is None
    plot_regression_bins({"mass": bins, "jet_pt": bins[3:]}, "mass", "GeV", tmp_path / "bins", "simulation")
    grid = figures[0].axes
    assert figures[0].get_suptitle() == "simulation: mass"
    assert [axes.get_ylabel() for axes in grid[::2]] == [
        "Median of predicted/true",
        "Relative resolution",
        "Mean absolute error [GeV]",
    ]
    for axes, name in zip(grid[::2], ("response", "resolution", "mae"), strict=True):
        points = axes.containers[0].lines[0].get_xydata()
        np.testing.assert_allclose(points, [(one["median"], one["figures"][name]) for one in bins[:3]])
        bars = axes.containers[0].lines[2][1].get_segments()
        np.testing.assert_allclose([(b - a)[1] / 2 for a, b in bars], [one["errors"][name] for one in bins[:3]])
    assert not any(axes.containers for axes in grid[1::2])


def test_an_error_that_is_not_known_is_no_bar(jets, figures, tmp_path):
    true, predicted, weight = jets
    bins = [asdict(one) for one in binned_regression(true, predicted, true, weight, resamples=3)]
    bins[1]["errors"]["mae"] = None
    plot_regression_bins({"mass": bins}, "mass", "GeV", tmp_path / "bins", "simulation")
    bars = figures[0].axes[-1].containers[0].lines[2][1].get_segments()
    lengths = [(bar[1, 1] - bar[0, 1]) / 2 if len(bar) else None for bar in map(np.asarray, bars)]
    known = [None if one["errors"]["mae"] is None else pytest.approx(one["errors"]["mae"]) for one in bins]
    assert [None if length is None or np.isnan(length) else length for length in lengths] == known


def test_every_plot_is_drawn_as_png_and_pdf_also_of_negative_values_alone(jets, tmp_path):
    true, predicted, weight = jets
    matrix = true_against_predicted(-true, -predicted, weight)
    bins = {"x": [asdict(one) for one in binned_regression(-true, -predicted, true, weight, resamples=3)]}
    paths = [
        *plot_true_against_predicted(asdict(matrix), "x", "", tmp_path / "2d", "label"),
        *plot_response(np.array([]), np.array([]), "x", "graph", tmp_path / "response", "label"),
        *plot_regression_bins(bins, "x", "", tmp_path / "bins", "label"),
        *plot_regression_bins({}, "x", "", tmp_path / "nothing", "label"),
    ]
    assert [path.suffix for path in paths] == [".png", ".pdf"] * 4
    assert all(imread(path).ndim == 3 for path in paths[::2])
