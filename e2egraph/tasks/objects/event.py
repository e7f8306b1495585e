"""Whole events: one example an event, seen in all of the detector, selected by sums over its jets.

η and φ of nodes are those of the detector. The sums are those that searches for many jets cut on
(arXiv:2207.11710, §3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from e2egraph.config import configuration
from e2egraph.tasks.objects.objects import Binning, Centres, ObjectKind, Objects, identity_columns
from e2egraph.tasks.variables import Scale, Variable

if TYPE_CHECKING:
    import awkward as ak

    from e2egraph.events.flat import Flat

Number = Annotated[int, Field(ge=0)]
Momentum = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@configuration
class EventConfig:
    """Which events are taken.

    ``kind``: of objects. ``jet_pt_min`` [GeV], ``jet_abs_eta_max``: of jets that count, in ``n_jets``, ``n_bjets`` and
    ``ht``;
    ``fatjet_pt_min`` [GeV], ``fatjet_abs_eta_max``: of jets of large radius, whose masses make ``sum_fatjet_mass``.
    ``jets_min``, ``bjets_min``: least numbers; ``ht_min``, ``sum_fatjet_mass_min`` [GeV]: what the sums must exceed, 0
    for no such cut.
    """

    kind: str = "event"
    jet_pt_min: Momentum = 30.0
    jet_abs_eta_max: Annotated[float, Field(gt=0)] = 2.4
    fatjet_pt_min: Momentum = 30.0
    fatjet_abs_eta_max: Annotated[float, Field(gt=0)] = 2.4
    jets_min: Number = 0
    bjets_min: Number = 0
    ht_min: Momentum = 0.0
    sum_fatjet_mass_min: Momentum = 0.0


def find(events: ak.Array, config: EventConfig) -> Objects:
    """All events of a chunk (``id``, ``pv`` and ``jets`` read, and ``fatjets`` and ``met`` where the file has them);
    what cannot be worked out is 0."""
    from e2egraph.events.flat import flat  # imports Awkward, which trainings do not need

    size = len(events)
    event, columns = identity_columns(events, np.ones(size, np.int64))
    of_event, jets = _counted(flat(events.jets), config.jet_pt_min, config.jet_abs_eta_max)
    tagged = of_event[jets["b_tag"] > 0] if "b_tag" in jets else of_event[:0]
    columns |= {
        "ht": _sums(of_event, jets["pt"], size),
        "n_jets": np.bincount(of_event, minlength=size),
        "n_bjets": np.bincount(tagged, minlength=size),
    }
    masses = np.zeros(size)
    if "fatjets" in events.fields:
        of_event, fat = _counted(flat(events.fatjets), config.fatjet_pt_min, config.fatjet_abs_eta_max)
        masses = _sums(of_event, fat["mass"], size)
    columns["sum_fatjet_mass"] = masses
    columns["met"] = np.asarray(events.met, np.float64) if "met" in events.fields else np.zeros(size)
    return Objects(event, columns, _whole(size))


def from_columns(columns: dict[str, NDArray]) -> Objects:
    """Events of image files, with the columns that the file holds."""
    size = len(next(iter(columns.values()))) if columns else 0
    return Objects(np.arange(size), columns, _whole(size))


def cuts(objects: Objects, config: EventConfig) -> dict[str, NDArray[np.bool_]]:
    """The cuts asked for, on numbers of jets and on sums over them."""
    columns, passed = objects.columns, {}
    if config.jets_min:
        passed["n_jets"] = columns["n_jets"] >= config.jets_min
    if config.ht_min:
        passed["ht"] = columns["ht"] > config.ht_min
    if config.bjets_min:
        passed["n_bjets"] = columns["n_bjets"] >= config.bjets_min
    if config.sum_fatjet_mass_min:
        passed["sum_fatjet_mass"] = columns["sum_fatjet_mass"] > config.sum_fatjet_mass_min
    return passed


def needs(config: EventConfig) -> dict[str, str]:
    """Field of the event record that a cut needs → the option that asks for the cut."""
    asked = {
        "jets.pt": ("jets_min", "ht_min"),
        "jets.b_tag": ("bjets_min",),
        "fatjets": ("sum_fatjet_mass_min",),
    }
    found = {field: [name for name in names if getattr(config, name)] for field, names in asked.items()}
    return {field: f"object.{names[0]}" for field, names in found.items() if names}


def _counted(collection: Flat, pt_min: float, abs_eta_max: float) -> tuple[NDArray[np.int64], Mapping[str, NDArray]]:
    """The event of each member of a collection that counts, and their columns."""
    columns = collection.columns
    kept = collection.take((columns["pt"] > pt_min) & (np.abs(columns["eta"]) < abs_eta_max))
    return np.repeat(np.arange(len(kept.counts)), kept.counts), kept.columns


def _sums(of_event: NDArray[np.int64], values: NDArray, size: int) -> NDArray[np.float64]:
    # Of no member at all NumPy would make whole numbers.
    return np.bincount(of_event, values.astype(np.float64), minlength=size).astype(np.float64, copy=False)


def _whole(size: int) -> Centres:
    """No centre: η and φ stay those of the detector."""
    zeros, none = np.zeros(size), np.zeros(size, np.int64)
    return Centres(zeros, zeros, none, none)


def _quantity(name: str, unit: str, description: str, scale: Scale) -> Variable:
    return Variable(name=name, unit=unit, description=description, scale=scale)


# GeV, and numbers of jets, of events with many of them.
_QUANTITIES = (
    _quantity("ht", "GeV", "scalar sum of the jets' pT", Scale(unit=1000.0)),
    _quantity("n_jets", "", "number of jets", Scale(unit=10.0, linear=True)),
    _quantity("n_bjets", "", "number of jets with a b-tag", Scale(unit=3.0, linear=True)),
    _quantity("sum_fatjet_mass", "GeV", "sum of the masses of jets of large radius", Scale(unit=500.0)),
    _quantity("met", "GeV", "missing transverse momentum", Scale(unit=100.0)),
)

KIND = ObjectKind(
    name="event",
    configuration=EventConfig,
    collections=("jets",),
    optional_collections=("fatjets", "met"),
    columns={
        "ht": "float32",
        "n_jets": "uint16",
        "n_bjets": "uint16",
        "sum_fatjet_mass": "float32",
        "met": "float32",
    },
    quantities={quantity.name: quantity for quantity in _QUANTITIES},
    centres=("none",),
    find=find,
    cuts=cuts,
    cut_needs={"n_jets": "jets.pt", "ht": "jets.pt", "n_bjets": "jets.b_tag", "sum_fatjet_mass": "fatjets"},
    needs=needs,
    from_columns=from_columns,
    axis=None,
    column_needs={
        "ht": ("jets.pt",),
        "n_jets": ("jets.pt",),
        "n_bjets": ("jets.b_tag",),
        "sum_fatjet_mass": ("fatjets",),
        "met": ("met",),
    },
    spectra={"ht": "H_T [GeV]", "n_jets": "jets", "sum_fatjet_mass": "ΣM [GeV]"},
    bins={
        "ht": Binning("ht", "H_T [GeV]"),
        "n_jets": Binning("n_jets", "jets"),
        "sum_fatjet_mass": Binning("sum_fatjet_mass", "ΣM [GeV]"),
        "n_pv": Binning("n_pv", "primary vertices"),
    },
    one_per_event=True,
)
