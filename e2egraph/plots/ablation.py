"""The pictures of an ablation: figures by inputs, against cost, and against the number of training jets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from e2egraph.plots.style import figure_style, save

if TYPE_CHECKING:
    from e2egraph.evaluation.ablation.results import Ablation, Cell, InputRow
    from e2egraph.evaluation.compare.over_seeds import MeanFigure

_MARKERS = "osD^vP*X"


@dataclass(frozen=True)
class CostPanel:
    """``points``: (cost, cell) of the axis ``title``; ``front``: (cost, figure) of those that no other beats."""

    title: str
    points: tuple[tuple[float, Cell], ...]
    front: tuple[tuple[float, float], ...]


def plot_inputs(ablation: Ablation, figures: Mapping[str, str], stem: Path, label: str) -> list[Path]:
    """A panel for each of ``figures`` (name → title) by inputs, a point a model with its error; published ones open."""
    rows = [row for row in ablation.rows if ablation.main_cells(row.name)]
    with figure_style():
        figure = Figure(figsize=(8 * len(figures), 3.5 + 0.75 * len(rows)), layout="constrained")
        panels = figure.subplots(1, len(figures), sharey=True, squeeze=False)[0]
        for axes, (name, title) in zip(panels, figures.items(), strict=True):
            for number, model in enumerate(ablation.models):
                shift = 0.4 * ((number + 0.5) / len(ablation.models) - 0.5)
                points = [
                    (len(rows) - 1 - place - shift, cell.figures[name])
                    for place, row in enumerate(rows)
                    for cell in ablation.main_cells(row.name)
                    if cell.model == model
                ]
                _dots(axes, points, model, number)
            _published(axes, rows, name)
            axes.set(xlabel=_upper(title), ylim=(-0.6, len(rows) - 0.4))
            axes.grid(axis="y", alpha=0.3)
            axes.minorticks_off()
        panels[0].set_yticks(range(len(rows)), [row.title for row in reversed(rows)], fontsize="x-small")
        handles, names = panels[-1].get_legend_handles_labels()
        _legend_below(figure, handles, names, "xx-small")
        panels[0].set_title(label, loc="left", fontsize="small")
        return save(figure, stem)


def plot_costs(
    ablation: Ablation, panels: Sequence[CostPanel], name: str, title: str, stem: Path, label: str
) -> list[Path] | None:
    """Figure ``name`` with its ``title`` against each cost, a point a model and inputs, with the Pareto front.

    None without ``panels``: no cost is known.
    """
    if not panels:
        return None
    with figure_style():
        figure = Figure(figsize=(9 * len(panels), 10), layout="constrained")
        for place, panel in enumerate(panels, 1):
            axes = figure.add_subplot(1, len(panels), place)
            _against_cost(axes, ablation, panel, name)
            axes.set(xscale="log", xlabel=panel.title, ylabel=_upper(title))
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.tick_params(axis="x", labelsize="x-small")
            axes.margins(x=0.3, y=0.08)
            if place == 1:
                axes.set_title(label, loc="left", fontsize="small")
                handles, names = axes.get_legend_handles_labels()
        _legend_below(figure, handles, names, "x-small")
        return save(figure, stem)


def _against_cost(axes: Axes, ablation: Ablation, panel: CostPanel, name: str) -> None:
    """Points with their errors and the names of their rows, filled for all inputs, and the front of them all."""
    full = ablation.full_row
    x, y = zip(*panel.front, strict=True)
    axes.step(x, y, where="post", color="grey", linestyle=":", label="Pareto front")
    for cost, cell in panel.points:
        value = cell.figures[name].mean or 0.0
        number = ablation.models.index(cell.model)
        whole = full is not None and cell.row == full.name
        axes.errorbar(
            [cost],
            [value],
            yerr=cell.figures[name].error,
            fmt=_marker(number),
            color=f"C{number}",
            markersize=13 if whole else 9,
            markerfacecolor=f"C{number}" if whole else "white",
        )
        axes.annotate(cell.row, (cost, value), xytext=(8, 4), textcoords="offset points", fontsize=11)
    for number, model in enumerate(ablation.models):
        said = model if full is None else f"{model} (filled: {full.title})"
        axes.plot([], [], _marker(number), color=f"C{number}", label=said)


def plot_learning_curve(ablation: Ablation, figures: Mapping[str, str], stem: Path, label: str) -> list[Path] | None:
    """Each of ``figures`` (name → title) of all inputs by the number of training jets; None for a single number."""
    curves = {model: ablation.learning_curve(model) for model in ablation.models}
    if max((len(cells) for cells in curves.values()), default=0) < 2:
        return None
    with figure_style():
        figure = Figure(figsize=(9 * len(figures), 8), layout="constrained")
        panels = figure.subplots(1, len(figures), squeeze=False)[0]
        for axes, (name, title) in zip(panels, figures.items(), strict=True):
            for number, (model, cells) in enumerate(curves.items()):
                known = [(c.jets_learnt, c.figures[name]) for c in cells if c.figures[name].mean is not None]
                axes.errorbar(
                    [jets for jets, _ in known],
                    [figure_of.mean or 0.0 for _, figure_of in known],
                    yerr=_errors([figure_of for _, figure_of in known]),
                    fmt=_marker(number) + "-", color=f"C{number}", markersize=9, label=model, capsize=3,
                )  # fmt: skip
            axes.set(xscale="log", xlabel=f"Training {ablation.objects.many}", ylabel=_upper(title))
            sizes = sorted({cell.jets_learnt for cells in curves.values() for cell in cells})
            axes.set_xticks(sizes, [f"{jets:,}" for jets in sizes], fontsize="x-small")
            axes.xaxis.set_minor_locator(NullLocator())
            axes.legend(loc="best", fontsize="small")
        panels[0].set_title(label, loc="left", fontsize="small")
        return save(figure, stem)


def _errors(figures: Sequence[MeanFigure]) -> list[float]:
    """Lengths of bars; NaN, which draws none, where an error is not known."""
    return [np.nan if of.error is None else of.error for of in figures]


def _legend_below(figure: Figure, handles: Sequence[Any], names: Sequence[str], size: str) -> None:
    """A legend under all panels, in as many columns as the figure is wide enough for."""
    points = FontProperties(size=size).get_size_in_points()
    # Letters of some half their height each, and as much as six of them for the marker and the gaps.
    letters = 72.0 * figure.get_figwidth() / (0.55 * points)
    columns = int(letters // (max(map(len, names)) + 6))
    figure.legend(handles, names, loc="outside lower center", ncols=min(max(columns, 1), len(names)), fontsize=size)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _marker(number: int) -> str:
    return _MARKERS[number % len(_MARKERS)]


def _dots(axes: Axes, points: Sequence[tuple[float, MeanFigure]], label: str, number: int) -> None:
    known = [(y, of) for y, of in points if of.mean is not None]
    axes.errorbar(
        [of.mean or 0.0 for _, of in known],
        [y for y, _ in known],
        xerr=_errors([of for _, of in known]),
        fmt=_marker(number),
        color=f"C{number}",
        markersize=9,
        capsize=3,
        label=label,
    )


def _published(axes: Axes, rows: Sequence[InputRow], name: str) -> None:
    values = []
    for place, row in enumerate(rows):
        if row.published is not None:
            value = getattr(row.published, name, None)
            if value is not None:
                values.append((value, len(rows) - 1 - place))
    published = next((row.published for row in rows if row.published is not None), None)
    if values and published is not None:
        x, y = np.array(values).T
        said = f"{published.source}: {published.sample} (another sample)"
        axes.plot(x, y, "o", color="grey", markerfacecolor="none", markersize=9, label=said, zorder=0)
