"""Events side by side in η and φ: in each panel particles or elements as markers whose area is their pT, jets as
circles; below each panel what lies around one direction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from numpy.typing import NDArray

from e2egraph.detector.geometry import wrap_phi
from e2egraph.plots.style import DELTA_ETA, DELTA_PHI, ETA, PHI, figure_style, save

# Of particles: class → colour and marker. Charged hadrons have the colour of tracks, photons and neutral hadrons those
# of the calorimeters that see them.
CLASS_STYLES = {
    "charged_hadron": ("#e42536", "o"),
    "neutral_hadron": ("#f89c20", "s"),
    "photon": ("#5790fc", "^"),
    "electron": ("#7a21dd", "D"),
    "muon": ("#2c8a4a", "P"),
}
PILE_UP_COLOUR = "0.75"

# Half-widths of the whole event along η, and of what is shown around a direction.
WHOLE_ETA, AROUND = 2.5, 0.6
# Marker area [pt²] for each GeV, in whole events and around a direction; no marker is smaller or larger than these.
WHOLE_AREA, AROUND_AREA = 6.0, 18.0
SMALLEST, LARGEST = 9.0, 1200.0
# Circles as of anti-kT jets of radius 0.4, of which this many are labelled with their pT.
JET_RADIUS, LABELLED = 0.4, 6
ACROSS, PANEL_INCHES = 4, 6.0


@dataclass(frozen=True)
class Marks:
    """K things of one kind at ``eta``, ``phi`` with ``pt`` [GeV]; those of ``pile_up`` [K] are drawn grey."""

    label: str
    colour: str
    marker: str
    eta: NDArray
    phi: NDArray
    pt: NDArray
    pile_up: NDArray[np.bool_]


@dataclass(frozen=True)
class Panel:
    """``marks`` from back to front under a ``title``; ``jets`` [J, 3]: pT [GeV], η and φ, by falling pT."""

    title: str
    marks: Sequence[Marks]
    jets: NDArray


def by_class(
    classes: Sequence[str], kind: NDArray, eta: NDArray, phi: NDArray, pt: NDArray, pile_up: NDArray[np.bool_]
) -> list[Marks]:
    """Particles of one event, a group for each class that has any; ``kind`` [K] counts in ``classes``."""
    marks = []
    for number, name in enumerate(classes):
        if (own := kind == number).any() and name in CLASS_STYLES:
            label = f"{name.replace('_', ' ')}s"
            marks.append(Marks(label, *CLASS_STYLES[name], eta[own], phi[own], pt[own], pile_up[own]))
    return marks


def draw_panels(panels: Sequence[Panel], centre: tuple[float, float], title: str, stem: Path) -> list[Path]:
    """Draw ``panels`` into ``stem.png`` and ``stem.pdf``; ``centre``: the direction (η, φ) that is shown enlarged."""
    blocks = -(-len(panels) // ACROSS)
    across = -(-len(panels) // blocks)
    # Text stays as large as the page shrinks a wide figure.
    with figure_style(7.0 + 3.5 * across):
        figure = Figure(figsize=(PANEL_INCHES * across, (2.1 * PANEL_INCHES) * blocks + 1.5), layout="constrained")
        axes = figure.subplots(2 * blocks, across, squeeze=False, height_ratios=[1.15, 1.0] * blocks)
        for place, panel in enumerate(panels):
            block, column = divmod(place, across)
            _draw_whole(axes[2 * block, column], panel, centre, first=column == 0)
            _draw_around(axes[2 * block + 1, column], panel, centre, first=column == 0)
        for place in range(len(panels), blocks * across):
            block, column = divmod(place, across)
            for one in axes[2 * block : 2 * block + 2, column]:
                one.set_axis_off()
        figure.legend(
            handles=_handles(panels),
            loc="outside lower center",
            ncols=across,
            frameon=False,
            fontsize="small",
            title=r"area of a marker: $p_\mathrm{T}$; lower panels: inside the dotted square",
        )
        figure.suptitle(title, x=0.02, horizontalalignment="left", fontsize="medium")
        return save(figure, stem)


def _draw_whole(axes: Axes, panel: Panel, centre: tuple[float, float], *, first: bool) -> None:
    for each in panel.marks:
        _scatter(axes, each, each.eta, wrap_phi(each.phi), WHOLE_AREA)
    for place, (pt, eta, phi) in enumerate(panel.jets):
        for turn in (0.0, -2 * np.pi, 2 * np.pi):
            _circle(axes, eta, phi + turn)
        if place < LABELLED and abs(eta) < WHOLE_ETA:
            above = phi + JET_RADIUS + 0.05 < np.pi - 0.3
            at = phi + JET_RADIUS + 0.05 if above else phi - JET_RADIUS - 0.05
            axes.text(np.clip(eta, -2.0, 2.0), at, f"{pt:.0f} GeV", ha="center", va="bottom" if above else "top",
                      fontsize="x-small", clip_on=True)  # fmt: skip
    eta, phi = centre
    box = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]]) * AROUND
    for turn in (0.0, -2 * np.pi, 2 * np.pi):
        axes.plot(eta + box[:, 0], phi + turn + box[:, 1], color="0.4", linewidth=1, linestyle=":")
    axes.set(xlim=(-WHOLE_ETA, WHOLE_ETA), ylim=(-np.pi, np.pi), xlabel=ETA)
    axes.set_ylabel(PHI if first else "")
    axes.set_title(panel.title, fontsize="medium")


def _draw_around(axes: Axes, panel: Panel, centre: tuple[float, float], *, first: bool) -> None:
    """What lies around ``centre``, relative to it."""
    for each in panel.marks:
        _scatter(axes, each, each.eta - centre[0], wrap_phi(each.phi - centre[1]), AROUND_AREA)
    for pt, eta, phi in panel.jets:
        deta, dphi = eta - centre[0], float(wrap_phi(np.array(phi - centre[1])))
        if max(abs(deta), abs(dphi)) < AROUND:
            _circle(axes, deta, dphi)
            at = min(dphi + JET_RADIUS + 0.02, AROUND - 0.08)
            axes.text(deta, at, f"{pt:.1f} GeV", ha="center", va="bottom", fontsize="small", clip_on=True)
    axes.set(xlim=(-AROUND, AROUND), ylim=(-AROUND, AROUND), xlabel=DELTA_ETA, aspect="equal")
    axes.set_ylabel(DELTA_PHI if first else "")


def _scatter(axes: Axes, marks: Marks, eta: NDArray, phi: NDArray, per_gev: float) -> None:
    area = np.clip(per_gev * marks.pt, SMALLEST, LARGEST)
    for chosen, colour, order in ((marks.pile_up, PILE_UP_COLOUR, 1), (~marks.pile_up, marks.colour, 2)):
        filled = marks.marker not in ("x", "+")
        axes.scatter(eta[chosen], phi[chosen], s=area[chosen], color=colour, marker=marks.marker, alpha=0.6,
                     linewidths=0 if filled else 1.5, zorder=order)  # fmt: skip


def _circle(axes: Axes, eta: float, phi: float) -> None:
    axes.add_patch(Circle((eta, phi), JET_RADIUS, fill=False, linewidth=1.5, color="0.2", zorder=3))


def _handles(panels: Iterable[Panel]) -> list[Line2D]:
    """A line of the legend for each kind of marks, for pile-up where there is any, and for jets."""

    def dot(colour: str, marker: str, label: str) -> Line2D:
        return Line2D([], [], color=colour, marker=marker, linestyle="", markersize=10, label=label)

    marks = list(_all(panels))
    handles = {each.label: dot(each.colour, each.marker, each.label) for each in marks}
    if any(each.pile_up.any() for each in marks):
        handles["pile-up"] = dot(PILE_UP_COLOUR, "o", "taken for pile-up")
    if any(len(panel.jets) for panel in panels):
        handles["jets"] = Line2D([], [], color="0.2", marker="o", fillstyle="none", linestyle="", markersize=16,
                                 label=r"anti-$k_\mathrm{T}$ 0.4 jets with $p_\mathrm{T}$")  # fmt: skip
    return list(handles.values())


def _all(panels: Iterable[Panel]) -> Iterator[Marks]:
    for panel in panels:
        yield from panel.marks
