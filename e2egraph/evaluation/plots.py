"""ROC curves, score distributions and mass peaks, each as PNG and PDF."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import hist
import mplhep
import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from e2egraph.data.table import read_table
from e2egraph.errors import InputError
from e2egraph.evaluation.metrics import WORKING_POINT, RocCurve

# CMS gives this run number to simulated events, and so does ``e2egraph simulate``.
SIMULATION_RUN = 1

# The lowest mistag rate drawn: below it curves of some thousand jets are noise.
LOWEST_MISTAG = 1e-4

MASS_RANGE = (0.0, 300.0)  # [GeV]


def label_of(runs: NDArray) -> str:
    """What plots of jets with these run numbers are labelled with: never CMS, though mplhep's CMS style is used."""
    return r"$\bf{e2egraph}$" + ("  simulation" if (np.asarray(runs) == SIMULATION_RUN).all() else "")


def plot_roc(curves: Mapping[str, RocCurve], stem: Path, label: str) -> list[Path]:
    """Mistag rate against signal efficiency for each named curve, with the working point.

    ``stem``: the path without suffix; ``label`` as ``label_of`` gives it.
    """
    with _figure() as (figure, axes):
        for name, curve in curves.items():
            drawn = curve.mistag > 0
            axes.plot(
                curve.signal_efficiency[drawn], curve.mistag[drawn], label=f"{name} (AUC {curve.auc:.4f})", linewidth=2
            )
        axes.axhline(WORKING_POINT, color="grey", linestyle=":", linewidth=1)
        axes.set(
            xlabel="Signal efficiency", ylabel="Mistag rate", yscale="log", xlim=(0.0, 1.0), ylim=(LOWEST_MISTAG, 1.0)
        )
        axes.legend(loc="upper left")
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
    """Distribution of the signal score [J] in each class, normalised to one; ``class_of`` [J] names the classes."""
    with _figure() as (figure, axes):
        _histograms(axes, score, class_of, classes, (0.0, 1.0), weight)
        axes.set(xlabel=f"Score ({signal})", ylabel="Jets (normalised)", xlim=(0.0, 1.0), yscale="log")
        axes.legend()
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


def _histograms(
    axes: Axes,
    values: NDArray,
    class_of: NDArray,
    classes: Sequence[str],
    limits: tuple[float, float],
    weight: NDArray | None,
) -> None:
    """One step histogram a class, normalised over all its jets, those beyond ``limits`` included."""
    for name in classes:
        members = class_of == name
        counts = hist.Hist(hist.axis.Regular(50, *limits, underflow=True, overflow=True), storage=hist.storage.Weight())
        counts.fill(values[members], weight=None if weight is None else weight[members])
        total = counts.sum(flow=True).value
        if total > 0:
            mplhep.histplot(counts / total, ax=axes, label=name, linewidth=2, yerr=True, flow="none")


@contextmanager
def _figure() -> Iterator[tuple[Figure, Axes]]:
    """A figure of its own, without pyplot's global state, in mplhep's style."""
    with style.context(mplhep.style.CMS):
        figure = Figure(figsize=(9, 9), layout="constrained")
        yield figure, figure.add_subplot()


def _save(figure: Figure, axes: Axes, stem: Path, label: str) -> list[Path]:
    axes.set_title(label, loc="left", fontsize="small")
    return save(figure, stem)


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write ``stem.png`` and ``stem.pdf`` beside their names and rename; the same figure gives the same bytes."""
    paths = []
    for suffix, metadata in ((".png", None), (".pdf", {"CreationDate": None})):
        path = stem.with_name(stem.name + suffix)
        beside = stem.with_name(stem.name + ".partial" + suffix)
        figure.savefig(beside, dpi=100, metadata=metadata)
        beside.replace(path)
        paths.append(path)
    return paths
