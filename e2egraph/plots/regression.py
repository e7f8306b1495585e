"""Plots of a regressed quantity: true against predicted, the response, and its median and width in bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from e2egraph.plots.style import QUANTITY_TITLES, figure_style, save, with_unit

# predicted/true is drawn up to here.
LARGEST_RESPONSE, BINS = 2.0, 60

_ROWS = (
    ("response", "Median of predicted/true"),
    ("resolution", "Relative resolution"),
    ("mae", "Mean absolute error"),
)


def plot_true_against_predicted(
    histogram: Mapping[str, Any], name: str, unit: str, stem: Path, label: str
) -> list[Path]:
    """The two-dimensional histogram of ``metrics.json`` with the diagonal. ``stem``: path without suffix."""
    edges, counts = np.asarray(histogram["edges"]), np.asarray(histogram["counts"])
    with figure_style(18):
        figure = Figure(figsize=(10, 8.5), layout="constrained")
        axes = figure.subplots()
        filled = counts[counts > 0]
        norm = (
            LogNorm(float(filled.min()), max(float(filled.max()), float(filled.min()) * 1.01)) if len(filled) else None
        )
        mesh = axes.pcolormesh(edges, edges, np.ma.masked_less_equal(counts.T, 0.0), norm=norm, cmap="viridis")
        axes.plot(edges[[0, -1]], edges[[0, -1]], color="C3", linestyle="--", linewidth=1.5)
        axes.set(xlabel=with_unit(f"true {name}", unit), ylabel=with_unit(f"predicted {name}", unit))
        figure.colorbar(mesh, ax=axes, label="sum of weights")
        outside = f", {100 * histogram['outside']:.1f}% outside" if histogram["outside"] > 5e-4 else ""
        axes.set_title(label + outside, loc="left", fontsize="small")
        return save(figure, stem)


def plot_response(response: NDArray, weight: NDArray, name: str, model: str, stem: Path, label: str) -> list[Path]:
    """Distribution of predicted/true [J], normalised to one; what lies beyond the axis is counted in its last bins."""
    with figure_style(18):
        figure = Figure(figsize=(9, 8), layout="constrained")
        axes = figure.subplots()
        edges = np.linspace(0.0, LARGEST_RESPONSE, BINS + 1)
        inside = np.clip(response, edges[0], np.nextafter(edges[-1], 0.0))
        axes.hist(inside, edges.tolist(), weights=weight / weight.sum(), histtype="step", linewidth=2, label=model)
        axes.axvline(1.0, color="grey", linestyle=":", linewidth=1)
        axes.set(xlabel=f"{name}: predicted/true", ylabel="Share of jets", xlim=(edges[0], edges[-1]))
        axes.legend()
        axes.set_title(label, loc="left", fontsize="small")
        return save(figure, stem)


def plot_regression_bins(
    bins: Mapping[str, Sequence[Mapping[str, Any]]], name: str, unit: str, stem: Path, label: str
) -> list[Path]:
    """A column a quantity, its bins as in ``metrics.json``, a row a figure; bins without figures stay empty."""
    with figure_style(18):
        figure = Figure(figsize=(5.5 * max(len(bins), 1) + 1.0, 12), layout="constrained")
        grid = figure.subplots(len(_ROWS), max(len(bins), 1), sharex="col", sharey="row", squeeze=False)
        for column, (quantity, of_quantity) in enumerate(bins.items()):
            known = [one for one in of_quantity if one["figures"] is not None]
            low, high = (np.array([one[end] for one in known]) for end in ("low", "high"))
            for row, (what, title) in enumerate(_ROWS):
                axes = grid[row, column]
                value, error = (np.array([one[part][what] for one in known]) for part in ("figures", "errors"))
                if known:
                    axes.errorbar((low + high) / 2.0, value, xerr=(high - low) / 2.0, yerr=error, fmt="o", color="C0")
                if column == 0:
                    axes.set_ylabel(with_unit(title, unit) if what == "mae" else title)
            title = with_unit(f"true {name}", unit) if quantity == name else QUANTITY_TITLES.get(quantity, quantity)
            grid[-1, column].set_xlabel(title)
        figure.suptitle(f"{label}: {name}", x=0.02, ha="left", fontsize="small")
        return save(figure, stem)
