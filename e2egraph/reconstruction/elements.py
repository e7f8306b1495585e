"""Elements: the tracks, clusters or cells of events, which particle flow makes particles of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from e2egraph.config import configuration
from e2egraph.detector.channels import Channel
from e2egraph.detector.geometry import (
    CRYSTALS_PER_TOWER,
    ECAL_COLUMNS,
    ECAL_RADIUS,
    ECAL_ROWS,
    ETA_PITCH,
    HCAL_COLUMNS,
    HCAL_RADIUS,
    HCAL_ROWS,
    PHI_PITCH,
    Floats,
    Integers,
    centre_crystal,
    delta_phi,
    ecal_eta,
    ecal_phi,
    face_radius,
    wrap_phi,
)
from e2egraph.detector.helix import GEV_PER_TESLA_CM
from e2egraph.reconstruction.clusters import (
    ECAL_CLUSTERING,
    HCAL_CLUSTERING,
    ClusteringConfig,
    Clusters,
    Shares,
    cluster,
)
from e2egraph.reconstruction.sums import sums


@configuration
class ElementsConfig:
    """What elements are.

    ``kind``: ``clusters`` of cells that share energy (``reconstruction.clusters``), or single ``cells``; tracks are
    elements either way. ``track_pt_min`` [GeV]: of tracks. ``ecal``, ``hcal``: how crystals and towers become clusters.
    """

    kind: Literal["clusters", "cells"] = "clusters"
    track_pt_min: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.5
    ecal: ClusteringConfig = Field(default_factory=lambda: ECAL_CLUSTERING)
    hcal: ClusteringConfig = Field(default_factory=lambda: HCAL_CLUSTERING)


@dataclass(frozen=True)
class Measured:
    """What a detector measured of E events, flat; each collection a mapping of columns with its ``event`` [index].

    ``vertex`` [E, 3]: the primary one [cm]. ``tracks``: as ``tracks`` and ``track_details`` of the event record.
    ``ecal``, ``hcal``: ``row``, ``column``, ``energy``; of crystals ``time`` too.
    """

    events: int
    vertex: Floats
    tracks: Mapping[str, NDArray]
    ecal: Mapping[str, NDArray]
    hcal: Mapping[str, NDArray]


@dataclass(frozen=True)
class Elements:
    """S elements: all tracks, then what comes of the crystals, then of the towers.

    ``event``; ``channel``: TRACK, ECAL or HCAL; ``source``: index of a track in ``Measured.tracks``, of a cell in its
    calorimeter, or of a cluster among those of its calorimeter; ``columns``: node variable → [S], zero where it has no
    meaning. ``hcal_eta``, ``hcal_phi``: of tracks where they enter the HCAL, of others their place.
    ``shares``: of ECAL and HCAL, which cell belongs to which element.
    """

    event: Integers
    channel: Integers
    source: Integers
    columns: dict[str, NDArray]
    hcal_eta: Floats
    hcal_phi: Floats
    shares: dict[Channel, Shares]

    def __len__(self) -> int:
        return len(self.event)

    def of(self, channel: Channel) -> Integers:
        """Indices of the elements of a channel."""
        return np.flatnonzero(self.channel == int(channel))


# Node variables of an element, named as in ``tasks.variables``, other than η and φ of its place (``deta``, ``dphi``).
COLUMNS = (
    "value", "energy", "rho", "deta0", "dphi0", "dphi_hcal", "charge", "d0", "dz", "d0_sig", "dz_sig", "pt_err",
    "muon", "time", "size", "sigma_eta", "sigma_phi", "peak",
)  # fmt: skip


def make_elements(measured: Measured, config: ElementsConfig, field: float) -> Elements:
    """The elements of all events. ``field`` [T]: of the solenoid, which tracks bend in on their way to the HCAL."""
    parts = [_tracks(measured, config, field)]
    shares: dict[Channel, Shares] = {}
    first = len(parts[0]["event"])
    for channel, cells, clustering in (
        (Channel.ECAL, measured.ecal, config.ecal),
        (Channel.HCAL, measured.hcal, config.hcal),
    ):
        found, belongs = _of_cells(channel, cells, clustering, config.kind)
        parts.append(_calorimeter(channel, found, measured, cells, belongs))
        shares[channel] = Shares(belongs.cell, belongs.cluster + first, belongs.share)
        first += len(found)
    together = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    outside = {name: together.pop(name) for name in ("event", "channel", "source", "hcal_eta", "hcal_phi")}
    return Elements(columns=together, shares=shares, **outside)


def at_hcal(pt: Floats, charge: Floats, eta: Floats, phi: Floats, dip: Floats, field: float) -> tuple[Floats, Floats]:
    """η and φ [rad] where tracks enter the HCAL, straight on from the ECAL, all [T].

    ``eta``, ``phi``: at the ECAL. A track from the beam line meets the radius R₁ at an angle α to it, sin α =
    c·B·R₁/2pT (0.735 GeV/pT at the barrel), and the radius R₂ at asin(R₁ sin α / R₂). ``dip``: pz/pT.
    """
    inner = face_radius(ECAL_RADIUS, eta)
    outer = np.minimum(HCAL_RADIUS, inner + HCAL_RADIUS - ECAL_RADIUS)
    sine = np.clip(0.5 * GEV_PER_TESLA_CM * field * inner / np.maximum(pt, 1e-9), -1.0, 1.0)
    turn = np.arcsin(sine) - np.arcsin(inner * sine / outer)
    length = np.sqrt(outer**2 - (inner * sine) ** 2) - inner * np.sqrt(1.0 - sine**2)
    z = inner * np.sinh(eta) + length * dip
    return np.arcsinh(z / outer), wrap_phi(phi - np.sign(charge) * turn)


def towards(channel: Channel, eta: Floats, phi: Floats, vertex: Floats) -> tuple[Floats, Floats]:
    """η and φ [rad] from the vertices [K, 3] to places of a calorimeter's face, whose η and φ are from the centre."""
    radius = ECAL_RADIUS if channel == Channel.ECAL else HCAL_RADIUS
    rho = face_radius(radius, eta)
    x, y, z = rho * np.cos(phi) - vertex[:, 0], rho * np.sin(phi) - vertex[:, 1], rho * np.sinh(eta) - vertex[:, 2]
    return np.arcsinh(z / np.hypot(x, y)), np.arctan2(y, x)


def _tracks(measured: Measured, config: ElementsConfig, field: float) -> dict[str, NDArray]:
    tracks = measured.tracks
    chosen = np.flatnonzero(tracks["pt"] > config.track_pt_min)
    own = {name: np.asarray(column)[chosen].astype(np.float64) for name, column in tracks.items() if name != "event"}
    eta, phi, pt = own["eta"], wrap_phi(own["phi"]), own["pt"]
    hcal_eta, hcal_phi = at_hcal(pt, own["charge"], eta, phi, np.sinh(own["eta0"]), field)
    size = len(chosen)
    filled = {
        "value": pt,
        "energy": pt * np.cosh(own["eta0"]),
        "rho": np.full(size, ECAL_RADIUS),
        "deta0": own["eta0"] - eta,
        "dphi0": delta_phi(own["phi0"], phi),
        "dphi_hcal": delta_phi(hcal_phi, phi),
        "d0_sig": own["d0"] / np.maximum(own["d0_err"], 1e-9),
        "dz_sig": own["dz"] / np.maximum(own["dz_err"], 1e-9),
        **{name: own[name] for name in ("charge", "d0", "dz", "pt_err", "muon")},
    }
    return {
        "event": np.asarray(tracks["event"])[chosen].astype(np.int64),
        "channel": np.full(size, int(Channel.TRACK)),
        "source": chosen,
        "hcal_eta": hcal_eta,
        "hcal_phi": hcal_phi,
        "deta": eta,
        "dphi": phi,
        **{name: filled.get(name, np.zeros(size)) for name in COLUMNS},
    }


def _of_cells(
    channel: Channel, cells: Mapping[str, NDArray], clustering: ClusteringConfig, kind: str
) -> tuple[Clusters, Shares]:
    """The elements of a calorimeter as clusters, and the cells in them: each cell alone for ``cells``."""
    if kind == "clusters":
        shape = (ECAL_ROWS, ECAL_COLUMNS) if channel == Channel.ECAL else (HCAL_ROWS, HCAL_COLUMNS)
        return cluster(cells["event"], cells["row"], cells["column"], cells["energy"], shape, clustering)
    energy = np.asarray(cells["energy"], dtype=np.float64)
    size, every = len(energy), np.arange(len(energy))
    nothing = np.zeros(size)
    row, column = cells["row"].astype(np.float64), cells["column"].astype(np.float64)
    event = np.asarray(cells["event"], dtype=np.int64)
    found = Clusters(event, energy, row, column, nothing, nothing, nothing, nothing)
    return found, Shares(every, every, np.ones(size))


def _calorimeter(
    channel: Channel, found: Clusters, measured: Measured, cells: Mapping[str, NDArray], shares: Shares
) -> dict[str, NDArray]:
    row, column, pitch = found.row, found.column, 1
    if channel == Channel.HCAL:
        row, column, pitch = (row + 0.5) * CRYSTALS_PER_TOWER - 0.5, (column + 0.5) * CRYSTALS_PER_TOWER - 0.5, 5
    eta, phi = ecal_eta(row), ecal_phi(column)
    eta0, phi0 = towards(channel, eta, phi, measured.vertex[found.event])
    size = len(found)
    time = np.zeros(size)
    if "time" in cells:
        energies = shares.share * np.asarray(cells["energy"], np.float64)[shares.cell]
        time = sums(shares.cluster, energies * np.asarray(cells["time"], np.float64)[shares.cell], size)
        time = time / np.maximum(found.energy, 1e-9)
    filled = {
        "value": found.energy / np.cosh(eta0),
        "energy": found.energy,
        "rho": np.full(size, ECAL_RADIUS if channel == Channel.ECAL else HCAL_RADIUS),
        "deta0": eta0 - eta,
        "dphi0": delta_phi(phi0, phi),
        "time": time,
        "size": found.size,
        "sigma_eta": found.sigma_row * pitch * ETA_PITCH,
        "sigma_phi": found.sigma_column * pitch * PHI_PITCH,
        "peak": found.peak,
    }
    return {
        "event": found.event,
        "channel": np.full(size, int(channel)),
        "source": np.arange(size),
        "hcal_eta": eta,
        "hcal_phi": phi,
        "deta": eta,
        "dphi": phi,
        **{name: filled.get(name, np.zeros(size)) for name in COLUMNS},
    }


def centres(channel: Channel, row: Integers, column: Integers) -> tuple[Floats, Floats]:
    """η and φ [rad] of the middles of cells."""
    if channel == Channel.HCAL:
        row, column = centre_crystal(row), centre_crystal(column)
    return ecal_eta(row), ecal_phi(column)
