"""The Pareto picture: the main figure against latency, one point a model, the front joined."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from e2egraph.plots.style import figure_style, save

if TYPE_CHECKING:
    from e2egraph.benchmark.pareto import Contender
    from e2egraph.evaluation.objectives.evaluation import ComparedFigure


def plot_pareto(
    models: Sequence[Contender], best: Sequence[Contender], cost: str, figure: ComparedFigure, stem: Path, label: str,
    *, same_objects: bool = True,
) -> list[Path]:  # fmt: skip
    """``stem``.png and .pdf; ``label`` as ``style.label_of`` gives it. Areas of points grow with the parameters.

    ``best``: those on the front of ``figure`` against the latency named ``cost``, by rising latency.

    Points are numbered from the best on, since names would cover each other. The better is above; of a figure whose
    highest value is the best, such as the AUC, what it lacks to 1 is drawn, where all are below 1. Where figures are
    not of the ``same_objects``, or of different numbers of them, names have these numbers and the title says so; where
    latencies are of several runs of the benchmark, the axis does.
    """
    lacking = figure.highest and all(one.figures[figure.name] < 1.0 for one in models)
    shown = {one.model: 1.0 - one.figures[figure.name] if lacking else one.figures[figure.name] for one in models}
    falls = lacking or not figure.highest
    ranked = sorted(models, key=lambda one: shown[one.model] if falls else -shown[one.model])
    differ = not same_objects or len({one.jets for one in models}) > 1
    apart = len({one.timed_in for one in models}) > 1
    with figure_style():
        picture = Figure(figsize=(13, 8), layout="constrained")
        axes = picture.add_subplot()
        axes.step(
            [one.costs[cost] for one in best], [shown[one.model] for one in best], where="post",
            color="grey", linestyle=":", label="Pareto front",
        )  # fmt: skip
        for number, one in enumerate(ranked, 1):
            at = (one.costs[cost], shown[one.model])
            color = "tab:red" if one in best else "tab:blue"
            axes.scatter(*at, s=40 + one.figures["parameters"] / 1500, color=color, alpha=0.5)
            axes.annotate(str(number), at, xytext=(6, 6), textcoords="offset points", fontsize="xx-small")
            of = f" ({one.jets} objects)" if differ and one.jets is not None else ""
            axes.plot([], [], " ", label=f"{number}  {one.model}{of}")
        timed = "ONNX Runtime, one thread, one object at a time [ms]"
        axes.set(xscale="log", xlabel=f"{timed}\ntimed in different runs of the benchmark" if apart else timed)
        axes.set(ylabel=f"1 − {figure.title} (better upwards)" if lacking else f"{figure.head} (better upwards)")
        low, high = min(shown.values()), max(shown.values())
        logarithmic = low > 0.0
        if logarithmic:
            if high < low * (1.0 + 1e-9):
                # Around a single value the axis finds no limits, and nothing would be drawn.
                axes.set_ylim(low / 2.0, 2.0 * low)
            axes.set(yscale="log")
        for axis in (axes.xaxis, axes.yaxis) if logarithmic else (axes.xaxis,):
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
        axes.margins(x=0.1, y=0.08)
        if falls:
            axes.invert_yaxis()
        picture.legend(loc="outside right upper", fontsize="xx-small", handlelength=1.0)
        axes.set_title(f"{label}, of different objects" if differ else label, loc="left", fontsize="small")
        return save(picture, stem)
