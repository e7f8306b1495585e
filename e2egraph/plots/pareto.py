"""The Pareto picture: AUC against latency, one point a model, the front joined."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from e2egraph.plots.style import figure_style, save

if TYPE_CHECKING:
    from e2egraph.benchmark.pareto import Contender

_AUC = "auc"


def plot_pareto(
    models: Sequence[Contender], best: Sequence[Contender], cost: str, stem: Path, label: str
) -> list[Path]:
    """``stem``.png and .pdf; ``label`` as ``style.label_of`` gives it. Areas of points grow with the parameters.

    ``best``: those on the front of AUC against the latency named ``cost``, by rising latency.

    Points are numbered by falling AUC, since names would cover each other. 1 − AUC is drawn on a logarithmic scale.
    """
    with figure_style():
        figure = Figure(figsize=(13, 8), layout="constrained")
        axes = figure.add_subplot()
        axes.step(
            [one.costs[cost] for one in best], [1.0 - one.figures[_AUC] for one in best], where="post",
            color="grey", linestyle=":", label="Pareto front",
        )  # fmt: skip
        for number, one in enumerate(sorted(models, key=lambda one: -one.figures[_AUC]), 1):
            at = (one.costs[cost], 1.0 - one.figures[_AUC])
            color = "tab:red" if one in best else "tab:blue"
            axes.scatter(*at, s=40 + one.figures["parameters"] / 1500, color=color, alpha=0.5)
            axes.annotate(str(number), at, xytext=(6, 6), textcoords="offset points", fontsize="xx-small")
            axes.plot([], [], " ", label=f"{number}  {one.model}")
        axes.set(xscale="log", yscale="log", xlabel="ONNX Runtime, one thread, one object at a time [ms]")
        axes.set(ylabel="1 − AUC (better upwards)")
        axes.invert_yaxis()
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
        axes.margins(x=0.1, y=0.08)
        figure.legend(loc="outside right upper", fontsize="xx-small", handlelength=1.0)
        axes.set_title(label, loc="left", fontsize="small")
        return save(figure, stem)
