"""ROC curves, score distributions and mass peaks, each as PNG and PDF."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import mplhep
import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from e2egraph.data.table import read_table
from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.figures import enough_pass
from e2egraph.evaluation.metrics.roc import WORKING_POINT, effective_number, roc_curve
from e2egraph.evaluation.simulated import all_simulated
from e2egraph.files import written_beside
from e2egraph.plots.roc_band import interval, mistag_samples

# Where ROC curves are drawn, and in how many bins distributions are.
EFFICIENCIES = np.linspace(0.01, 1.0, 199)
BINS = 50

MASS_RANGE = (0.0, 300.0)  # [GeV]


def label_of(runs: NDArray) -> str:
    """What plots of jets with these run numbers are labelled with: never CMS, though mplhep's CMS style is used."""
    return r"$\bf{e2egraph}$" + ("  parametric simulation" if all_simulated(runs) else "")


def plot_roc(
    is_signal: NDArray, score: NDArray, weight: NDArray | None, name: str, stem: Path, label: str
) -> list[Path]:
    """Background rejection of ``score`` [J] (1/mistag) against signal efficiency with its 68% band, also as a ratio.

    Dotted, and without a band, where fewer than ``ENOUGH_PASSING`` background jets pass. ``stem``: the path without
    suffix; ``label`` as ``label_of`` gives it. InputError as ``metrics.check``.
    """
    curve = roc_curve(is_signal, score, weight)
    mistag = np.array([curve.mistag_at(float(efficiency)) for efficiency in EFFICIENCIES])
    samples = mistag_samples(is_signal, np.asarray(score)[None], weight, EFFICIENCIES)[0]
    low, high = interval(samples)
    members = ~np.asarray(is_signal, bool)
    passing = mistag * effective_number(np.ones(int(members.sum())) if weight is None else weight[members])
    known, drawn = np.array([enough_pass(jets) for jets in passing.tolist()]), mistag > 0
    with _figure_with_ratio() as (figure, axes, ratio):
        title = f"{name} (AUC {curve.auc:.4f})"
        x, rejection = EFFICIENCIES, np.divide(1.0, mistag, out=np.full_like(mistag, np.nan), where=drawn)
        (line,) = axes.plot(x[known], rejection[known], label=title, linewidth=2)
        # From the last known point on, so that the two meet.
        rest = drawn & (x <= (x[known].min() if known.any() else 1.0))
        axes.plot(x[rest], rejection[rest], color=line.get_color(), linestyle=":", linewidth=2)
        banded = known & (low > 0)
        axes.fill_between(
            x[banded], 1.0 / high[banded], 1.0 / low[banded], alpha=0.3, linewidth=0, label="68%, bootstrap"
        )
        axes.axhline(1.0 / WORKING_POINT, color="grey", linestyle=":", linewidth=1)
        top = 2.0 * float(np.nanmax(rejection)) if drawn.any() else 10.0
        axes.set(ylabel="Background rejection (1 / mistag rate)", yscale="log", ylim=(1.0, max(top, 10.0)), xlabel="")
        axes.legend(loc="upper right")
        ratio.fill_between(
            x[banded], mistag[banded] / high[banded], mistag[banded] / low[banded], alpha=0.3, linewidth=0
        )
        ratio.axhline(1.0, color=line.get_color(), linewidth=2)
        ratio.set(xlabel="Signal efficiency", ylabel="Band / curve", xlim=(0.0, 1.0), ylim=(0.5, 1.5))
        return _save(figure, axes, stem, label)


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
    with _figure_with_ratio() as (figure, axes, ratio):
        _histograms(axes, score, class_of, classes, (0.0, 1.0), weight)
        axes.set(ylabel="Jets (normalised)", yscale="log", xlabel="")
        axes.legend()
        members = np.asarray(class_of) == signal
        (one, one_error), (other, other_error) = (
            _density(score[these], weight[these], edges) for these in (members, ~members)
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
        return _save(figure, axes, stem, label)


def plot_masses(data: Path, stem: Path) -> list[Path]:
    """Soft-drop mass of every class of a data set, normalised to one; InputError when the data set holds none."""
    table = read_table(data, extra=("softdrop_mass",))
    mass, weight = table.columns["softdrop_mass"], table.columns["weight"]
    if not mass.any():
        raise InputError(f"{data}: no soft-drop mass (its inputs did not hold it); build from inputs that have it.")
    classes = table.manifest.classes
    label = label_of(table.columns["run"])
    with _figure() as (figure, axes):
        _histograms(axes, mass, np.array(classes)[table.columns["label"]], classes, MASS_RANGE, weight)
        axes.set(xlabel="Soft-drop mass [GeV]", ylabel="Jets (normalised)", xlim=MASS_RANGE)
        axes.set_ylim(bottom=0.0)
        axes.legend()
        return _save(figure, axes, stem, label)


def draw_banded(axes: Axes, values: NDArray, errors: NDArray, edges: NDArray, label: str) -> None:
    """A step histogram ``values`` [K] in bins ``edges`` [K + 1] with a band of its ``errors`` [K]."""
    (drawn,) = mplhep.histplot(values, edges, ax=axes, label=label, linewidth=2, yerr=False, flow="none")
    colour = drawn.stairs.get_edgecolor()
    axes.stairs(values + errors, edges, baseline=np.maximum(values - errors, 0.0), fill=True, color=colour, alpha=0.3)


def _histograms(
    axes: Axes,
    values: NDArray,
    class_of: NDArray,
    classes: Sequence[str],
    limits: tuple[float, float],
    weight: NDArray,
) -> None:
    """One step histogram a class, normalised over all its jets, those beyond ``limits`` included."""
    edges = np.linspace(*limits, BINS + 1)
    for name in classes:
        members = np.asarray(class_of) == name
        if weight[members].sum() > 0:
            draw_banded(axes, *_density(values[members], weight[members], edges), edges, name)


def _density(values: NDArray, weight: NDArray, edges: NDArray) -> tuple[NDArray, NDArray]:
    """Share of the ``weight`` [J] in each bin, and its error √Σw², both [K]; zero without any weight."""
    total = float(weight.sum()) or 1.0
    shares, squares = (np.histogram(values, edges, weights=w.astype(np.float64))[0] for w in (weight, weight**2))
    return shares / total, np.sqrt(squares) / total


@contextmanager
def _figure() -> Iterator[tuple[Figure, Axes]]:
    """A figure of its own, without pyplot's global state, in mplhep's style."""
    with style.context(mplhep.style.CMS):
        figure = Figure(figsize=(9, 9), layout="constrained")
        yield figure, figure.add_subplot()


@contextmanager
def _figure_with_ratio() -> Iterator[tuple[Figure, Axes, Axes]]:
    """The same with a lower panel."""
    with style.context(mplhep.style.CMS):
        figure = Figure(figsize=(9, 10), layout="constrained")
        axes, ratio = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        yield figure, axes, ratio


def _save(figure: Figure, axes: Axes, stem: Path, label: str) -> list[Path]:
    axes.set_title(label, loc="left", fontsize="small")
    return save(figure, stem)


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write ``stem.png`` and ``stem.pdf`` beside their names and rename; the same figure gives the same bytes."""
    paths = []
    for suffix, metadata in ((".png", None), (".pdf", {"CreationDate": None})):
        path = stem.with_name(stem.name + suffix)
        with written_beside(path) as partial:
            figure.savefig(partial, format=suffix[1:], dpi=100, metadata=metadata)
        paths.append(path)
    return paths
