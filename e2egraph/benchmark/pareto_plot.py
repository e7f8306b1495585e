"""The Pareto picture: AUC against latency, one point a model, the front joined."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import mplhep
from matplotlib import style
from matplotlib.figure import Figure

from e2egraph.benchmark.pareto import Contender, front
from e2egraph.evaluation.figures import AUC
from e2egraph.evaluation.plots import save

LATENCY = "latency_ms_per_jet_p50@1"


def plot_pareto(models: Sequence[Contender], stem: Path, label: str) -> list[Path]:
    """``stem``.png and .pdf; ``label`` as ``plots.label_of`` gives it. Areas of points grow with the parameters."""
    with style.context(mplhep.style.CMS):
        figure = Figure(figsize=(11, 8), layout="constrained")
        axes = figure.add_subplot()
        best = front(models, LATENCY)
        axes.step(
            [one.costs[LATENCY] for one in best], [one.figures[AUC] for one in best], where="post", color="grey",
            linestyle=":", label="Pareto front",
        )  # fmt: skip
        for one in models:
            x, y = one.costs[LATENCY], one.figures[AUC]
            color = "tab:red" if one in best else "tab:blue"
            axes.scatter([x], [y], s=40 + one.figures["parameters"] / 1500, color=color, alpha=0.7)
            axes.annotate(one.model, (x, y), xytext=(8, 6), textcoords="offset points", fontsize="xx-small")
        axes.set(xscale="log", xlabel="ONNX Runtime, one thread, one jet at a time [ms]", ylabel="ROC AUC")
        axes.margins(x=0.15)
        axes.legend(loc="lower right", fontsize="x-small")
        axes.set_title(label, loc="left", fontsize="small")
        return save(figure, stem)
