"""One event of an input file in the barrel: across the beam, and unrolled in η and φ."""

from __future__ import annotations

from pathlib import Path

import awkward as ak
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Ellipse

from e2egraph.detector import geometry
from e2egraph.detector.geometry import ECAL_RADIUS, HCAL_RADIUS
from e2egraph.errors import InputError
from e2egraph.events.schema import PointSource
from e2egraph.events.sources.registry import SourceOptions, opened
from e2egraph.plots.displays.jet_display import COLOURS
from e2egraph.plots.style import ETA, PHI, figure_style, label_of, save

# Length of a calorimeter bar [cm] for each GeV½: areas of showers stay comparable from 1 to 1000 GeV.
CM_PER_ROOT_GEV = 6.0

# Deposits below these [GeV] are noise or too faint to draw.
LOWEST_TRACK, LOWEST_CELL = 0.5, 0.3

# Radius of the jets' cones, as of the AK8 jets of the ntuples.
CONE = 0.8

BARREL_ETA = 1.479  # CMS ECAL TDR (CERN/LHCC 97-33), §1.5: the barrel's edge


def draw_event(path: str, stem: Path, *, entry: int = 0, options: SourceOptions | None = None) -> list[Path]:
    """Draw event number ``entry`` of a file into ``stem.png`` and ``stem.pdf``. InputError: no such entry."""
    with opened(path, options) as source:
        if isinstance(source, PointSource):
            raise InputError(
                f"{path}: holds images and no events; build a data set from it and plot an object of that."
            )
        if not 0 <= entry < source.n_events:
            raise InputError(f"{path}: no entry {entry}; give a number from 0 to {source.n_events - 1}.")
        collections = [name for name in ("tracks", "hits", "ecal", "hcal", "jets") if name not in source.missing]
        event = source.read(entry, entry + 1, ["id", *collections])[0]
    with figure_style(16):
        figure = Figure(figsize=(17, 8.5), layout="constrained")
        left, right = figure.subplots(1, 2)
        _draw_transverse(left, event)
        _draw_unrolled(right, event)
        identity = f"run {event.run}, lumi {event.lumi}, event {event.event}"
        figure.suptitle(f"{label_of(np.array([event.run]))}: {identity}", x=0.02, horizontalalignment="left")
        return save(figure, stem)


def _draw_transverse(axes: Axes, event: ak.Record) -> None:
    """Hits where they are, tracks as lines to the calorimeter, energies as bars outward of each calorimeter's face,
    which is nearer to the beam in the endcaps."""
    for radius in (ECAL_RADIUS, HCAL_RADIUS):
        axes.add_patch(Circle((0, 0), radius, fill=False, color="0.85", linewidth=1))
    if "tracks" in event.fields:
        tracks = event.tracks[event.tracks.pt > LOWEST_TRACK]
        eta, phi = (ak.to_numpy(tracks[name]).astype(np.float64) for name in ("eta", "phi"))
        ends = geometry.face_radius(ECAL_RADIUS, eta)[:, None] * np.column_stack([np.cos(phi), np.sin(phi)])
        width = np.clip(0.3 * np.sqrt(ak.to_numpy(tracks.pt)), 0.3, 4.0)
        lines = np.stack([np.zeros_like(ends), ends], axis=1)
        axes.add_collection(LineCollection(list(lines), colors=COLOURS["tracks"], linewidths=width, alpha=0.6))
    if "hits" in event.fields:
        x, y = (ak.to_numpy(event.hits[name]) for name in ("x", "y"))
        axes.plot(x, y, ".", color=COLOURS["pixel hits"], markersize=1.5)
    for name, colour, radius in (
        ("ecal", COLOURS["ECAL crystals"], ECAL_RADIUS),
        ("hcal", COLOURS["HCAL towers"], HCAL_RADIUS),
    ):
        if name not in event.fields:
            continue
        cells = event[name][event[name].energy > LOWEST_CELL]
        rows, columns = (ak.to_numpy(cells[index]) for index in ("ieta", "iphi"))
        if name == "hcal":
            rows, columns = geometry.centre_crystal(rows), geometry.centre_crystal(columns)
        phi, face = geometry.ecal_phi(columns), geometry.face_radius(radius, geometry.ecal_eta(rows))
        outer = face + CM_PER_ROOT_GEV * np.sqrt(ak.to_numpy(cells.energy).astype(np.float64))
        direction = np.column_stack([np.cos(phi), np.sin(phi)])
        bars = np.stack([face[:, None] * direction, outer[:, None] * direction], axis=1)
        axes.add_collection(LineCollection(list(bars), colors=colour, linewidths=2.0))
    reach = 1.6 * HCAL_RADIUS
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="x [cm]", ylabel="y [cm]", aspect="equal")


def _in_sight(phi: float) -> list[float]:
    """Where a jet is drawn, lowest first: once, or at both ends of φ where its circle reaches across ±π."""
    turns = (phi - 2 * np.pi, phi, phi + 2 * np.pi)
    return [turn for turn in turns if abs(turn) < np.pi + CONE]


def _draw_unrolled(axes: Axes, event: ak.Record) -> None:
    """Everything at its η and φ, the area of a marker as its energy; jets as circles."""
    if "hcal" in event.fields:
        towers = event.hcal[event.hcal.energy > LOWEST_CELL]
        rows, columns = (geometry.centre_crystal(ak.to_numpy(towers[name])) for name in ("ieta", "iphi"))
        _scatter(axes, geometry.ecal_eta(rows), geometry.ecal_phi(columns), towers.energy, "HCAL towers", "s")
    if "ecal" in event.fields:
        cells = event.ecal[event.ecal.energy > LOWEST_CELL]
        rows, columns = (ak.to_numpy(cells[name]) for name in ("ieta", "iphi"))
        _scatter(axes, geometry.ecal_eta(rows), geometry.ecal_phi(columns), cells.energy, "ECAL crystals", "o")
    if "tracks" in event.fields:
        tracks = event.tracks[event.tracks.pt > LOWEST_TRACK]
        _scatter(axes, ak.to_numpy(tracks.eta), ak.to_numpy(tracks.phi), tracks.pt, "tracks", "x")
    if "jets" in event.fields:
        for jet in event.jets:
            for phi in _in_sight(jet.phi):
                axes.add_patch(Ellipse((jet.eta, phi), 2 * CONE, 2 * CONE, fill=False, linewidth=1.5))
            text, top = rf"$p_\mathrm{{T}}$ = {jet.pt:.0f} GeV", _in_sight(jet.phi)[0] + CONE
            axes.annotate(text, (jet.eta, top), ha="center", fontsize=11)
    for edge in (-BARREL_ETA, BARREL_ETA):
        axes.axvline(edge, color="0.85", linewidth=1)
    axes.set(xlim=(-2.5, 2.5), ylim=(-np.pi, np.pi), xlabel=ETA, ylabel=PHI)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper right", fontsize="x-small", frameon=True)


def _scatter(axes: Axes, eta: np.ndarray, phi: np.ndarray, value: ak.Array, name: str, marker: str) -> None:
    area = np.clip(3.0 * ak.to_numpy(value), 2.0, 400.0)
    label = f"{len(area)} {name}"
    axes.scatter(eta, phi, s=area, color=COLOURS[name], marker=marker, alpha=0.6, linewidths=1.0, label=label)
