"""Plots of a regressed quantity: true against predicted, the response, and its figures in bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from e2egraph.plots.style import (
    QUANTITY_TITLES,
    draw_banded,
    figure_style,
    outside,
    save,
    save_titled,
    shares,
    with_unit,
)

# predicted/true is drawn up to here.
LARGEST_RESPONSE, BINS = 2.0, 80

# A row of panels for each figure: name → title.
_ROWS = {"response": "Median of predicted/true", "resolution": "Relative resolution", "mae": "Mean absolute error"}


def plot_true_against_predicted(
    histogram: Mapping[str, Any], name: str, unit: str, stem: Path, label: str, *, column_normalised: bool = True
) -> list[Path]:
    """The two-dimensional histogram of ``metrics.json`` (``TrueAgainstPredicted``) with the diagonal and the median of
    the predictions, with a band of their central 68%. ``stem``: path without suffix.

    ``column_normalised``: shares of the jets of each true value, so that the spectrum does not show; else sums of
    weights.
    """
    edges, counts = np.asarray(histogram["edges"]), np.asarray(histogram["counts"])
    what = "sum of weights"
    if column_normalised:
        total = np.asarray(histogram["column_weight"])[:, None]
        counts = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
        what = "share of the objects of a true value"
    with figure_style(18):
        figure = Figure(figsize=(10, 8.5), layout="constrained")
        axes = figure.subplots()
        mesh = axes.pcolormesh(edges, edges, np.ma.masked_less_equal(counts.T, 0.0), cmap="Blues")
        axes.plot(edges[[0, -1]], edges[[0, -1]], color="black", linestyle=":", linewidth=1.5, label="predicted = true")
        _median_band(axes, edges, histogram)
        axes.set(xlabel=with_unit(f"true {name}", unit), ylabel=with_unit(f"predicted {name}", unit))
        axes.set(xlim=edges[[0, -1]], ylim=edges[[0, -1]])
        axes.legend(loc="upper left", fontsize="small")
        figure.colorbar(mesh, ax=axes, label=what)
        return save_titled(figure, axes, stem, label + outside(histogram["outside"]))


def plot_response(response: NDArray, weight: NDArray, name: str, model: str, stem: Path, label: str) -> list[Path]:
    """Distribution of predicted/true [J], normalised to one, with its error √Σw².

    What lies beyond the axis is counted in its first and last bins, and the legend tells how much it is.
    """
    with figure_style(18):
        figure = Figure(figsize=(9, 8), layout="constrained")
        axes = figure.subplots()
        edges = np.linspace(0.0, LARGEST_RESPONSE, BINS + 1)
        weight, inside = np.asarray(weight, np.float64), np.clip(response, edges[0], np.nextafter(edges[-1], 0.0))
        beyond = 100.0 * float(weight[inside != response].sum()) / (float(weight.sum()) or 1.0)
        said = f"{model}\n{beyond:.1f}% beyond, in the first and last bins" if beyond > 0.05 else model
        draw_banded(axes, *shares(inside, weight, edges), edges, said)
        axes.axvline(1.0, color="grey", linestyle=":", linewidth=1)
        axes.set(xlabel=f"{name}: predicted / true", ylabel="Entries (normalised)", xlim=(edges[0], edges[-1]))
        axes.set_ylim(bottom=0.0)
        axes.legend(fontsize="small")
        return save_titled(figure, axes, stem, label)


def plot_regression_bins(
    bins: Mapping[str, Sequence[Mapping[str, Any]]], name: str, unit: str, stem: Path, label: str
) -> list[Path]:
    """A column a quantity, its bins as in ``metrics.json`` (``RegressionBin``), a row a figure with its errors.

    Points stand at the median of the bin's jets, a bar across shows the bin; a bin without a figure has no point.
    """
    columns, highest = max(len(bins), 1), [0.0] * len(_ROWS)
    with figure_style(18):
        figure = Figure(figsize=(6.0 * columns + 1.0, 12), layout="constrained")
        grid = figure.subplots(len(_ROWS), columns, sharex="col", sharey="row", squeeze=False)
        for column, (quantity, of_quantity) in enumerate(bins.items()):
            for row, what in enumerate(_ROWS):
                highest[row] = max(highest[row], _points(grid[row, column], of_quantity, what))
            grid[0, column].axhline(1.0, color="grey", linestyle=":", linewidth=1)
            title = with_unit(f"true {name}", unit) if quantity == name else QUANTITY_TITLES.get(quantity, quantity)
            grid[-1, column].set_xlabel(title)
        for axes, (what, title) in zip(grid[:, 0], _ROWS.items(), strict=True):
            axes.set_ylabel(with_unit(title, unit) if what == "mae" else title, fontsize="small")
        for axes, top in zip(grid[1:, 0], highest[1:], strict=True):
            axes.set_ylim(0.0, 1.1 * top or 1.0)
        figure.suptitle(f"{label}: {name}", x=0.02, ha="left", fontsize="small")
        return save(figure, stem)


def _median_band(axes: Axes, edges: NDArray, histogram: Mapping[str, Any]) -> None:
    """Lines, which hide nothing, where the median is known; a break where it is not."""
    centres = (edges[1:] + edges[:-1]) / 2.0
    for key, line, said in (
        ("median", "-", "median of predictions"), ("lower", "--", "central 68%"), ("upper", "--", None)
    ):  # fmt: skip
        axes.plot(centres, np.array(histogram[key], np.float64), line, color="C1", linewidth=2, label=said)


def _points(axes: Axes, bins: Sequence[Mapping[str, Any]], what: str) -> float:
    """Draw them and return where the highest error bar ends; 0 for no points."""
    known = [one for one in bins if one["figures"] is not None and one["figures"][what] is not None]
    if not known:
        return 0.0
    x, low, high = (np.array([one[key] for one in known]) for key in ("median", "low", "high"))
    # An error that could not be said is no bar.
    value, error = (np.array([one[part][what] for one in known], float) for part in ("figures", "errors"))
    axes.errorbar(x, value, xerr=(x - low, high - x), yerr=error, fmt="o", color="C0")
    return float((value + np.nan_to_num(error)).max())
