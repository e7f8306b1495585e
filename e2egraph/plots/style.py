"""What every figure shares: style, label, titles of axes, and how it is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import mplhep
import numpy as np
from matplotlib import rc_context, style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from e2egraph.data.simulated import all_simulated
from e2egraph.files import atomic_path
from e2egraph.tasks.region import Region

# Titles of axes along which places are drawn.
ETA, PHI = r"$\eta$", r"$\varphi$ [rad]"
DELTA_ETA, DELTA_PHI = r"$\Delta\eta$", r"$\Delta\varphi$ [rad]"

# Quantities of objects → titles of axes.
QUANTITY_TITLES = {
    "jet_pt": r"$p_\mathrm{T}$ [GeV]",
    "jet_abs_eta": r"$|\eta|$",
    "n_pv": "primary vertices",
    "jet_mass": "Jet mass [GeV]",
    "softdrop_mass": "Soft-drop mass [GeV]",
    "ht": r"$H_\mathrm{T}$ [GeV]",
    "n_jets": "jets",
    "sum_fatjet_mass": r"$\Sigma M$ [GeV]",
}


def label_of(runs: NDArray) -> str:
    """What plots of jets with these run numbers are labelled with: never CMS, though mplhep's CMS style is used."""
    return r"$\bf{e2egraph}$" + ("  parametric simulation" if all_simulated(runs) else "")


def position_titles(region: Region) -> tuple[str, str]:
    """Titles of axes along η and φ of nodes: differences to the object's centre, where it has one."""
    return (ETA, PHI) if region.centre == "none" else (DELTA_ETA, DELTA_PHI)


def with_unit(name: str, unit: str) -> str:
    """Title of an axis."""
    return f"{name} [{unit}]" if unit else name


def outside(share: float) -> str:
    """What a label says of the ``share`` (of 1) of the weight that no bin shows; nothing of less than half a per
    mille."""
    return f", {100.0 * share:.1f}% outside" if share > 5e-4 else ""


@contextmanager
def figure_style(font_size: float | None = None) -> Iterator[None]:
    """mplhep's CMS style, with another size of text for figures of many panels."""
    with style.context(mplhep.style.CMS), rc_context({} if font_size is None else {"font.size": font_size}):
        yield


@contextmanager
def one_panel() -> Iterator[tuple[Figure, Axes]]:
    """A figure of its own, without pyplot's global state, in the common style."""
    with figure_style():
        figure = Figure(figsize=(9, 9), layout="constrained")
        yield figure, figure.add_subplot()


@contextmanager
def with_ratio() -> Iterator[tuple[Figure, Axes, Axes]]:
    """The same with a lower panel, a third as high."""
    with figure_style():
        figure = Figure(figsize=(9, 10), layout="constrained")
        axes, ratio = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        yield figure, axes, ratio


def draw_banded(axes: Axes, values: NDArray, errors: NDArray, edges: NDArray, label: str) -> None:
    """A step histogram ``values`` [K] in bins ``edges`` [K + 1] with a band of its ``errors`` [K]."""
    (drawn,) = mplhep.histplot(values, edges, ax=axes, label=label, linewidth=2, yerr=False, flow="none")
    colour = drawn.stairs.get_edgecolor()
    axes.stairs(values + errors, edges, baseline=np.maximum(values - errors, 0.0), fill=True, color=colour, alpha=0.3)


def draw_by_class(
    axes: Axes, values: NDArray, class_of: NDArray, classes: Sequence[str], edges: NDArray, weight: NDArray
) -> None:
    """One step histogram of ``values`` [J] a class, normalised over all its jets, those beyond the edges included, of
    which the legend tells."""
    for name in classes:
        members = np.asarray(class_of) == name
        if weight[members].sum() > 0:
            inside, errors = shares(values[members], weight[members], edges)
            draw_banded(axes, inside, errors, edges, name + outside(1.0 - float(inside.sum())))


def shares(values: NDArray, weight: NDArray, edges: NDArray) -> tuple[NDArray, NDArray]:
    """Share of the ``weight`` [J] in each bin, and its error √Σw², both [K]; zero without any weight."""
    total = float(weight.sum()) or 1.0
    sums, squares = (np.histogram(values, edges, weights=w.astype(np.float64))[0] for w in (weight, weight**2))
    return sums / total, np.sqrt(squares) / total


def save_titled(figure: Figure, axes: Axes, stem: Path, label: str) -> list[Path]:
    """``save`` with the ``label`` above ``axes``."""
    axes.set_title(label, loc="left", fontsize="small")
    return save(figure, stem)


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write ``stem.png`` and ``stem.pdf`` next to their names and rename; the same figure gives the same bytes.

    The layout is found once, for the PNG, and serves the PDF.
    """
    paths = []
    for suffix, metadata in ((".png", None), (".pdf", {"CreationDate": None})):
        path = stem.with_name(stem.name + suffix)
        with atomic_path(path) as partial:
            figure.savefig(partial, format=suffix[1:], dpi=100, metadata=metadata)
        figure.set_layout_engine("none")
        paths.append(path)
    return paths
