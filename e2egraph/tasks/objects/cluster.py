"""Clusters of ECAL crystals: electrons and photons, found around local maxima of the ``ecal`` collection.

A seed is a crystal above a threshold with no more energetic one in the 5 rows (η) × 17 columns (φ) around it, which are
the crystals that make up the cluster; columns close in φ. Of equally energetic crystals that of the lower row counts as
the more energetic, then that which comes first in φ, then the earlier one in the event. Crystals without positive
energy are noise and left out.

Any file with crystals has clusters, so that ntuples of any year and the simulation can be used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from e2egraph.config import configuration
from e2egraph.detector.cluster_shape import HALF_COLUMNS, HALF_ROWS, ClusterShapes, cluster_shapes
from e2egraph.detector.geometry import (
    BARREL_FIRST_ROW,
    BARREL_ROWS,
    ECAL_COLUMNS,
    ECAL_RADIUS,
    ECAL_ROWS,
    ecal_eta,
    ecal_phi,
)
from e2egraph.errors import UsageError
from e2egraph.events.flat import flat
from e2egraph.events.sources.images.seedcrops import SEED_HIGHEST
from e2egraph.tasks.objects.objects import Centres, ObjectKind, Objects, identity_columns
from e2egraph.tasks.objects.track_isolation import TrackIsolation, track_sums
from e2egraph.tasks.variables import Scale, Variable

if TYPE_CHECKING:
    import awkward as ak

# Column that the cut on isolation reads: summed pT of the tracks around [GeV].
AROUND = "tracks_around"

# Columns of an image that goes on over both ends by as much as a cluster reaches.
_SPAN = ECAL_COLUMNS + 2 * HALF_COLUMNS


@configuration
class ClusterConfig:
    """Which clusters are taken.

    ``seed_min``: least energy of a seed crystal [GeV]. ``et_min``, ``et_max``: of the transverse energy [GeV];
    ``abs_eta_max``: of |η|; both relative to the primary vertex. ``edge_crystals``: least number of barrel crystals
    between the seed and either end of the barrel (16: a region of ±16 crystals lies within the barrel). ``isolation``:
    of clusters with few tracks around (``TrackIsolation``; {} for its own numbers), or none.

    ``kind``: of objects.
    """

    kind: str = "cluster"
    seed_min: Annotated[float, Field(gt=0)] = 1.0
    et_min: float = 10.0
    et_max: float | None = None
    abs_eta_max: float = 1.44
    edge_crystals: Annotated[int, Field(ge=0, lt=BARREL_ROWS // 2)] = 16
    isolation: TrackIsolation | None = None

    @model_validator(mode="after")
    def _some_range(self) -> Self:
        if self.et_max is not None and self.et_max <= self.et_min:
            raise ValueError(f"et_max {self.et_max:g} is not above et_min {self.et_min:g}")
        return self


def find(events: ak.Array, config: ClusterConfig) -> Objects:
    """All clusters of a chunk (``id``, ``pv`` and ``ecal`` read, and ``tracks`` for isolation), by row and column of
    their seeds; cuts come later.

    Energies are sums, η and φ those of the energy-weighted mean position on the crystals' front faces, seen from the
    primary vertex. Where a seed lies beyond the barrel these mean little, and ``cuts`` lets none pass.
    """
    import awkward as ak  # not needed by trainings, which read this module as well

    crystals = events.ecal
    row, column, energy = (ak.to_numpy(ak.flatten(crystals[name])) for name in ("ieta", "iphi", "energy"))
    of_event = np.repeat(np.arange(len(crystals)), ak.to_numpy(ak.num(crystals)))
    found = _clusters(of_event, row.astype(np.int64), column.astype(np.int64), energy, config.seed_min)
    event, columns = identity_columns(events, np.bincount(found.event, minlength=len(crystals)))
    vertex = [ak.to_numpy(events.pv[axis]).astype(np.float64)[event] for axis in ("x", "y", "z")]
    columns |= found.columns() | _seen_from(vertex, found)
    if config.isolation is not None:
        columns[AROUND] = track_sums(event, found.eta(), found.phi(), flat(events.tracks), config.isolation)
    return Objects(event, columns, _centres(found.row, found.column))


def from_columns(columns: dict[str, NDArray]) -> Objects:
    """Clusters of image files: each is an event of its own, with the columns that the file holds."""
    size = len(next(iter(columns.values()))) if columns else 0
    seeds = (columns.get(name, np.zeros(size, np.int64)).astype(np.int64) for name in ("seed_row", "seed_column"))
    return Objects(np.arange(size), columns, _centres(*seeds))


def cuts(objects: Objects, config: ClusterConfig) -> dict[str, NDArray[np.bool_]]:
    """The cuts on the seed's distance to the barrel's ends, on E_T and |η|; of images also that their middle pixel is
    a seed, where that was looked at (``seed_highest``). UsageError for isolation of objects without tracks (images)."""
    passed = {"seed": objects.columns[SEED_HIGHEST]} if SEED_HIGHEST in objects.columns else {}
    row = objects.columns["seed_row"].astype(np.int64) - BARREL_FIRST_ROW
    passed["barrel_edge"] = np.minimum(row, BARREL_ROWS - 1 - row) >= config.edge_crystals
    et = objects.columns["jet_pt"]
    passed["et"] = et > config.et_min
    if config.et_max is not None:
        passed["et"] &= et < config.et_max
    passed["eta"] = np.abs(objects.columns["jet_eta"]) < config.abs_eta_max
    if config.isolation is not None:
        if AROUND not in objects.columns:
            raise UsageError("object.isolation reads the tracks of events, and images hold none; set it to null.")
        passed["isolation"] = objects.columns[AROUND] <= config.isolation.most * et.astype(np.float64)
    return passed


def needs(config: ClusterConfig) -> dict[str, str]:
    """Field of the event record that a cut needs → the option that asks for the cut."""
    return {} if config.isolation is None else {"tracks": "object.isolation"}


@dataclass(frozen=True)
class _Clusters:
    """C clusters: event, seed's ``row`` and ``column``, and ``shapes``."""

    event: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    shapes: ClusterShapes

    def eta(self) -> NDArray[np.float64]:
        """η of the mean position on the crystals' front faces, seen from the detector's centre."""
        return ecal_eta(self.row + self.shapes.mean_row)

    def phi(self) -> NDArray[np.float64]:
        """φ [rad] of the mean position, seen from the beam line."""
        return ecal_phi(self.column + self.shapes.mean_column)

    def columns(self) -> dict[str, NDArray]:
        """The plain columns that do not depend on the vertex."""
        return {**self.shapes.columns(), "seed_row": self.row, "seed_column": self.column}


def _clusters(
    event: NDArray[np.int64], row: NDArray[np.int64], column: NDArray[np.int64], energy: NDArray, seed_min: float
) -> _Clusters:
    """Clusters of crystals (each [S], energies in GeV), in the order of event, row and column of their seeds."""
    some = energy > 0
    event, row, column, energy = event[some], row[some], column[some], energy[some]
    # Crystals near either end of the columns stand beyond the other end as well, so that a row is searched in one go.
    begin, end = np.flatnonzero(column < HALF_COLUMNS), np.flatnonzero(column >= ECAL_COLUMNS - HALF_COLUMNS)
    crystal = np.concatenate([np.arange(len(row)), begin, end])
    shifted = np.concatenate([column, column[begin] + ECAL_COLUMNS, column[end] - ECAL_COLUMNS])
    place = (event * ECAL_ROWS + row)[crystal] * _SPAN + shifted + HALF_COLUMNS
    order = np.argsort(place, kind="stable")
    place, crystal, shifted = place[order], crystal[order], shifted[order]
    row, event, energy = row[crystal], event[crystal], energy[crystal]

    seed = np.flatnonzero((energy > seed_min) & (shifted >= 0) & (shifted < ECAL_COLUMNS))
    owner, near, rows = _around(seed, place, row)
    stronger = (energy[near] > energy[seed][owner]) | ((energy[near] == energy[seed][owner]) & (near < seed[owner]))
    is_seed = np.bincount(owner, stronger, minlength=len(seed)) == 0

    stays = is_seed[owner]
    owner, near, rows = (np.cumsum(is_seed) - 1)[owner[stays]], near[stays], rows[stays]
    seed = seed[is_seed]
    return _Clusters(
        event=event[seed],
        row=row[seed],
        column=shifted[seed],
        shapes=cluster_shapes(owner, rows, shifted[near] - shifted[seed][owner], energy[near], len(seed)),
    )


def _around(
    seed: NDArray[np.int64], place: NDArray[np.int64], row: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Every (candidate, crystal in reach of it) pair: number of the candidate, index of the crystal, rows between them.

    ``seed``: indices of candidates among the crystals, whose ``place`` rises row by row.
    """
    rows = np.arange(-HALF_ROWS, HALF_ROWS + 1)
    middle = place[seed][:, None] + rows * _SPAN
    first = np.searchsorted(place, middle - HALF_COLUMNS)
    count = np.searchsorted(place, middle + HALF_COLUMNS, side="right") - first
    beyond = row[seed][:, None] + rows
    count[(beyond < 0) | (beyond >= ECAL_ROWS)] = 0
    first, count = first.ravel(), count.ravel()
    begins = np.cumsum(count) - count
    near = np.arange(int(count.sum())) + np.repeat(first - begins, count)
    owner = np.repeat(np.arange(len(seed)), len(rows))
    return np.repeat(owner, count), near, np.repeat(np.tile(rows, len(seed)), count)


def _seen_from(vertex: list[NDArray[np.float64]], found: _Clusters) -> dict[str, NDArray]:
    """E_T [GeV], η and φ [rad] of clusters seen from ``vertex`` (x, y, z [cm], each [C])."""
    phi = found.phi()
    x, y = ECAL_RADIUS * np.cos(phi) - vertex[0], ECAL_RADIUS * np.sin(phi) - vertex[1]
    z = ECAL_RADIUS * np.sinh(found.eta()) - vertex[2]
    rho = np.hypot(x, y)
    return {
        "jet_pt": (found.shapes.energy * (rho / np.hypot(rho, z))).astype(np.float32),
        "jet_eta": np.arcsinh(z / rho).astype(np.float32),
        "jet_phi": np.arctan2(y, x).astype(np.float32),
    }


def _centres(row: NDArray[np.int64], column: NDArray[np.int64]) -> Centres:
    return Centres(ecal_eta(row), ecal_phi(column), row, column)


_TEN_GEV = Scale(unit=10.0)  # electrons and photons of the published tasks have some ten GeV
_ONE = Scale(unit=1.0, linear=True)
_QUANTITIES = (
    Variable(name="jet_pt", unit="GeV", description="transverse energy of the cluster", scale=_TEN_GEV),
    Variable(name="jet_eta", unit="", description="pseudorapidity of the cluster", scale=_ONE, reflected_by=("eta",)),
    Variable(name="cluster_energy", unit="GeV", description="energy of 5 × 17 crystals", scale=_TEN_GEV),
    Variable(name="r9", unit="", description="share of the 3 × 3 crystals around the seed", scale=_ONE),
    Variable(name="eta_width", unit="crystals", description="standard deviation of the energy along η", scale=_ONE),
    Variable(name="phi_width", unit="crystals", description="standard deviation of the energy along φ", scale=_ONE),
)

KIND = ObjectKind(
    name="cluster",
    configuration=ClusterConfig,
    collections=("ecal",),
    columns={
        "jet_pt": "float32",
        "jet_eta": "float32",
        "jet_phi": "float32",
        "cluster_energy": "float32",
        "r9": "float32",
        "eta_width": "float32",
        "phi_width": "float32",
        "seed_row": "int16",
        "seed_column": "int16",
    },
    quantities={quantity.name: quantity for quantity in _QUANTITIES},
    centres=("crystal",),
    find=find,
    cuts=cuts,
    cut_needs={"barrel_edge": "jets.seed_row", "et": "jets.pt", "eta": "jets.eta"},
    needs=needs,
    from_columns=from_columns,
    axis=("jet_eta", "jet_phi"),
    column_needs={"jet_pt": ("jets.pt",), "jet_eta": ("jets.eta",), "jet_phi": ("jets.phi",)},
    spectra={"jet_pt": "E_T [GeV]", "jet_eta": "η", "r9": "R9"},
)
