"""The distribution of a tagger's score in each class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from e2egraph.plots.style import draw_by_class, save_titled, shares, with_ratio

BINS = 50


def plot_scores(
    score: NDArray,
    class_of: NDArray,
    classes: Sequence[str],
    signal: str,
    stem: Path,
    label: str,
    weight: NDArray | None = None,
) -> list[Path]:
    """Distribution of the signal score [J] in each class, normalised to one; ``class_of`` [J] names the classes.

    Below, the density of signal over that of all else, which is s/(1−s) · W_else/W_signal (W: sums of weights) for a
    calibrated score s; bands and bars are √Σw².
    """
    weight = np.ones(len(score)) if weight is None else np.asarray(weight, np.float64)
    edges = np.linspace(0.0, 1.0, BINS + 1)
    with with_ratio() as (figure, axes, ratio):
        draw_by_class(axes, score, class_of, classes, edges, weight)
        axes.set(ylabel="Entries (normalised)", yscale="log", xlabel="")
        axes.legend()
        members = np.asarray(class_of) == signal
        (one, one_error), (other, other_error) = (
            shares(score[these], weight[these], edges) for these in (members, ~members)
        )
        both = (one > 0) & (other > 0)
        value = np.divide(one, other, out=np.full_like(one, np.nan), where=both)
        relative = np.hypot(
            *(np.divide(e, v, out=np.zeros_like(v), where=both) for e, v in ((one_error, one), (other_error, other)))
        )
        centres, half = (edges[1:] + edges[:-1]) / 2.0, np.diff(edges) / 2.0
        ratio.errorbar(
            centres[both],
            value[both],
            yerr=(value * relative)[both],
            xerr=half[both],
            fmt="o",
            color="black",
            markersize=4,
        )
        of_bin = np.clip(np.digitize(score, edges) - 1, 0, BINS - 1)
        total = np.bincount(of_bin, weight, BINS)
        mean = np.divide(np.bincount(of_bin, weight * score, BINS), total, out=np.zeros(BINS), where=total > 0)
        if both.any():
            odds = weight[~members].sum() / weight[members].sum()
            ratio.plot(
                centres[both],
                (mean / np.maximum(1.0 - mean, 1e-9))[both] * odds,
                color="grey",
                linestyle=":",
                label="calibrated",
            )
            ratio.legend(fontsize="x-small", loc="upper left")
            ratio.set_yscale("log")
        ratio.set(xlabel=f"Score ({signal})", ylabel=f"{signal} / else", xlim=(0.0, 1.0))
        return save_titled(figure, axes, stem, label)
