"""The pictures of an ablation: figures by inputs, against cost, and against the number of training jets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import mplhep
import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from e2egraph.evaluation.ablation.results import Ablation, Cell, CellFigure, InputRow
from e2egraph.evaluation.metrics.figures import AUC, EFFICIENCY, FIGURES
from e2egraph.evaluation.metrics.pareto_front import pareto_front
from e2egraph.plots.scores import save

_MARKERS = "osD^vP*X"


def plot_inputs(ablation: Ablation, stem: Path, label: str) -> list[Path]:
    """AUC (left) and efficiency at 1% mistag (right) by inputs, a point a model with its error; published ones open."""
    rows = [row for row in ablation.rows if ablation.main_cells(row.name)]
    with style.context(mplhep.style.CMS):
        figure = Figure(figsize=(16, 3.5 + 0.75 * len(rows)), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for axes, name in ((left, AUC), (right, EFFICIENCY)):
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
            axes.set(xlabel=FIGURES[name].title[:1].upper() + FIGURES[name].title[1:], ylim=(-0.6, len(rows) - 0.4))
            axes.grid(axis="y", alpha=0.3)
            axes.minorticks_off()
        left.set_yticks(range(len(rows)), [row.title for row in reversed(rows)], fontsize="x-small")
        handles, names = right.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=len(names), fontsize="xx-small")
        left.set_title(label, loc="left", fontsize="small")
        return save(figure, stem)


def plot_costs(ablation: Ablation, stem: Path, label: str) -> list[Path] | None:
    """AUC against ONNX Runtime's time and against FLOPs, a point a model and inputs, with the Pareto front.

    None where no cost is known.
    """
    cells = [
        (cell, cell.cost)
        for row in ablation.rows
        for cell in ablation.main_cells(row.name)
        if cell.cost is not None and cell.figures[AUC].mean is not None
    ]
    if not cells:
        return None
    timed = [(cost.onnx_ms_per_jet, cell) for cell, cost in cells if cost.onnx_ms_per_jet]
    counted = [(cost.flops / 1e6, cell) for cell, cost in cells]
    panels = [("ONNX Runtime, one thread [ms/jet]", timed), ("Forward pass [MFLOPs/jet]", counted)]
    panels = [panel for panel in panels if panel[1]]
    with style.context(mplhep.style.CMS):
        figure = Figure(figsize=(9 * len(panels), 10), layout="constrained")
        for place, (title, points) in enumerate(panels, 1):
            axes = figure.add_subplot(1, len(panels), place)
            _against_cost(axes, ablation, points)
            axes.set(xscale="log", xlabel=title, ylabel="ROC AUC")
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.tick_params(axis="x", labelsize="x-small")
            axes.margins(x=0.3, y=0.08)
            if place == 1:
                axes.set_title(label, loc="left", fontsize="small")
                handles, names = axes.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=len(names), fontsize="x-small")
        return save(figure, stem)


def _against_cost(axes: Axes, ablation: Ablation, points: Sequence[tuple[float, Cell]]) -> None:
    """Points with their errors and the names of their rows, filled for all inputs, and the front of them all."""
    full = ablation.full_row
    areas = [(cost, cell.figures[AUC].mean or 0.0) for cost, cell in points]
    best = [areas[place] for place in pareto_front(areas)]
    axes.step(
        [x for x, _ in best], [y for _, y in best], where="post", color="grey", linestyle=":", label="Pareto front"
    )
    for (x, y), (_, cell) in zip(areas, points, strict=True):
        number = ablation.models.index(cell.model)
        whole = full is not None and cell.row == full.name
        axes.errorbar(
            [x],
            [y],
            yerr=cell.figures[AUC].error,
            fmt=_marker(number),
            color=f"C{number}",
            markersize=13 if whole else 9,
            markerfacecolor=f"C{number}" if whole else "white",
        )
        axes.annotate(cell.row, (x, y), xytext=(8, 4), textcoords="offset points", fontsize=11)
    for number, model in enumerate(ablation.models):
        name = model if full is None else f"{model} (filled: {full.title})"
        axes.plot([], [], _marker(number), color=f"C{number}", label=name)


def plot_learning_curve(ablation: Ablation, stem: Path, label: str) -> list[Path] | None:
    """AUC and efficiency at 1% mistag of all inputs against the number of training jets; None for a single number."""
    curves = {model: ablation.learning_curve(model) for model in ablation.models}
    if max((len(cells) for cells in curves.values()), default=0) < 2:
        return None
    with style.context(mplhep.style.CMS):
        figure = Figure(figsize=(18, 8), layout="constrained")
        for axes, name in zip(figure.subplots(1, 2), (AUC, EFFICIENCY), strict=True):
            for number, (model, cells) in enumerate(curves.items()):
                known = [(c.jets_learnt, c.figures[name]) for c in cells if c.figures[name].mean is not None]
                axes.errorbar(
                    [jets for jets, _ in known],
                    [figure_of.mean or 0.0 for _, figure_of in known],
                    yerr=[figure_of.error or 0.0 for _, figure_of in known],
                    fmt=_marker(number) + "-", color=f"C{number}", markersize=9, label=model, capsize=3,
                )  # fmt: skip
            title = FIGURES[name].title
            axes.set(xscale="log", xlabel="Training jets", ylabel=title[:1].upper() + title[1:])
            sizes = sorted({cell.jets_learnt for cells in curves.values() for cell in cells})
            axes.set_xticks(sizes, [f"{jets:,}" for jets in sizes], fontsize="x-small")
            axes.xaxis.set_minor_locator(NullLocator())
            axes.legend(loc="lower right", fontsize="small")
            if name == AUC:
                axes.set_title(label, loc="left", fontsize="small")
        return save(figure, stem)


def _marker(number: int) -> str:
    return _MARKERS[number % len(_MARKERS)]


def _dots(axes: Axes, points: Sequence[tuple[float, CellFigure]], label: str, number: int) -> None:
    known = [(y, of) for y, of in points if of.mean is not None]
    axes.errorbar(
        [of.mean or 0.0 for _, of in known],
        [y for y, _ in known],
        xerr=[of.error or 0.0 for _, of in known],
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
            value = row.published.auc if name == AUC else row.published.signal_efficiency_at_1pct_mistag
            if value is not None:
                values.append((value, len(rows) - 1 - place))
    published = next((row.published for row in rows if row.published is not None), None)
    if values and published is not None:
        x, y = np.array(values).T
        said = f"{published.source}: {published.sample} (another sample)"
        axes.plot(x, y, "o", color="grey", markerfacecolor="none", markersize=9, label=said, zorder=0)
