"""What a hyperparameter search found: which settings matter, and how the best trial came about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from e2egraph.plots.style import figure_style, save
from e2egraph.tasks.objectives.objective import Best


def plot_search(importances: Mapping[str, float], values: Mapping[int, float], best: Best, stem: Path) -> list[Path]:
    """Bars of ``importances`` (shares of 1 by setting) next to ``values``, the validation figure of each finished trial
    by number; PNG and PDF.

    ``best``: which figure it is; ``stem``: the path without suffix.
    """
    with figure_style():
        figure = Figure(figsize=(16, 2.5 + 0.55 * max(len(importances), 6)), layout="constrained")
        bars, history = figure.subplots(1, 2)
        names, shares = list(importances)[::-1], list(importances.values())[::-1]
        bars.barh(names, shares, color="C0")
        bars.set(xlabel="Importance", xlim=(0.0, 1.0))
        bars.tick_params(axis="y", labelsize="x-small", which="both", right=False)
        bars.minorticks_off()
        bars.set_title(r"$\bf{e2egraph}$", loc="left", fontsize="small")
        numbers, found = np.array(list(values)), np.array(list(values.values()))
        history.plot(numbers, found, "o", label="Finished trial", color="C0")
        so_far = np.maximum if best.highest else np.minimum
        history.step(numbers, so_far.accumulate(found), where="post", label="Best so far", color="C1")
        unit = f" [{best.unit}]" if best.unit else ""
        history.set(xlabel="Trial", ylabel=f"Validation {best.title}{unit}")
        history.xaxis.set_major_locator(MaxNLocator(integer=True))
        history.legend(loc="lower right" if best.highest else "upper right", fontsize="x-small")
        return save(figure, stem)
