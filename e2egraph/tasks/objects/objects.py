"""What every kind of object gives: rows with their event, their centre and the plain columns of a shard."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.geometry import centre_crystal, ecal_eta, ecal_phi
from e2egraph.tasks.region import Centre
from e2egraph.tasks.variables import Variable

if TYPE_CHECKING:
    import awkward as ak

# Columns that say which object a row is, and their NumPy types; ``jet`` is the object's index in its event.
IDENTITY_TYPES: dict[str, str] = {"run": "uint32", "lumi": "uint32", "event": "uint64", "jet": "uint16"}


@dataclass(frozen=True)
class Centres:
    """Where the regions of J objects lie: ``eta``, ``phi`` [rad] of the middle of pixel (``row``, ``column``)."""

    eta: NDArray[np.float64]
    phi: NDArray[np.float64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]

    def take(self, keep: NDArray) -> Centres:
        """The centres at ``keep`` (mask [J] or indices)."""
        return Centres(self.eta[keep], self.phi[keep], self.row[keep], self.column[keep])


@dataclass(frozen=True)
class Objects:
    """J objects of a chunk of events. ``event`` [J]: index in the chunk, rising; ``columns``: name → [J]."""

    event: NDArray[np.int64]
    columns: dict[str, NDArray]
    centres: Centres

    def __len__(self) -> int:
        return len(self.event)

    def take(self, keep: NDArray) -> Objects:
        """The objects at ``keep`` (mask [J] or indices)."""
        columns = {name: column[keep] for name, column in self.columns.items()}
        return Objects(self.event[keep], columns, self.centres.take(keep))

    def with_columns(self, columns: Mapping[str, NDArray]) -> Objects:
        """The same objects with further columns, each [J]."""
        return Objects(self.event, {**self.columns, **columns}, self.centres)


@dataclass(frozen=True)
class Binning:
    """A quantity in bins of which figures are given: of ``column``, its absolute value where ``absolute``.

    ``title``: with its unit, for tables; ``digits`` after the point of its edges.
    """

    column: str
    title: str
    digits: int = 0
    absolute: bool = False


def usual_bins(pt: str = "pT [GeV]", eta: str = "|η|") -> dict[str, Binning]:
    """Bins of objects with a direction: name in ``metrics.json`` → quantity. ``pt``, ``eta``: titles."""
    return {
        "jet_pt": Binning("jet_pt", pt),
        "jet_abs_eta": Binning("jet_eta", eta, digits=2, absolute=True),
        "n_pv": Binning("n_pv", "primary vertices"),
    }


@dataclass(frozen=True)
class ObjectKind:
    """One kind of object, as its file describes it.

    ``configuration``: class of the task's ``object`` group. ``collections``: of the event record, to be read.
    ``columns``: its plain columns in a shard → NumPy type. ``quantities``: those that a network may read, all of them
    by default. ``centres``: the regions it can have, the usual one first. ``find(events, configuration)``: the objects
    of a chunk. ``cuts(objects, configuration)``: name of each cut → the objects [J] that pass, in the order they are
    applied. ``cut_needs``: cut → the field of the event record it needs. ``from_columns(columns)``: the same objects
    from plain columns, for files of images. ``axis``: columns of η and φ that truth is matched to, None for objects
    without a direction. ``spectra``: columns whose spectra are shown → title. ``column_needs``: column → fields of the
    event record without which it is 0. ``optional_collections``: read where a file has them. ``needs(configuration)``:
    field of the event record without which the configuration cannot be served → the option that asks for it.
    ``one_per_event``: whether every event is one object, so that its nodes alone bound the size of a shard. ``bins``:
    name in ``metrics.json`` → quantity in bins of which an evaluation gives its figures.
    """

    name: str
    configuration: type[Any]
    collections: tuple[str, ...]
    columns: Mapping[str, str]
    quantities: Mapping[str, Variable]
    centres: tuple[Centre, ...]
    find: Callable[[ak.Array, Any], Objects]
    cuts: Callable[[Objects, Any], dict[str, NDArray[np.bool_]]]
    cut_needs: Mapping[str, str]
    from_columns: Callable[[dict[str, NDArray]], Objects]
    axis: tuple[str, str] | None
    spectra: Mapping[str, str]
    column_needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    optional_collections: tuple[str, ...] = ()
    needs: Callable[[Any], Mapping[str, str]] = lambda configuration: {}
    one_per_event: bool = False
    bins: Mapping[str, Binning] = field(default_factory=usual_bins)

    def collections_of(self, configuration: Any, missing: Container[str]) -> list[str]:
        """All that is read of the event record to find the objects in a file that lacks ``missing``."""
        there = [name for name in self.optional_collections if name not in missing]
        asked = [name.split(".")[0] for name in self.needs(configuration)]
        return list(dict.fromkeys(["id", "pv", *self.collections, *there, *asked]))


def tower_centres(seed_ieta: NDArray, seed_iphi: NDArray) -> Centres:
    """Centres on the middle crystals of seed towers (row and column of the tower image, each [J])."""
    row, column = centre_crystal(seed_ieta), centre_crystal(seed_iphi)
    return Centres(ecal_eta(row), ecal_phi(column), row, column)


def identity_columns(events: ak.Array, counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], dict[str, NDArray]]:
    """``event`` [J] and the identity columns (with ``n_pv``) of as many objects per event as ``counts`` says."""
    import awkward as ak  # not needed by trainings, which read this module as well

    event = np.repeat(np.arange(len(counts)), counts)
    columns = {name: ak.to_numpy(events[name])[event] for name in ("run", "lumi", "event", "n_pv")}
    first = np.concatenate([[0], np.cumsum(counts)])[:-1]
    columns["jet"] = np.arange(len(event)) - first[event]
    return event, columns
