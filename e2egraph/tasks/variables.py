"""What nodes and objects carry: one table of node variables and one of object quantities, with units and scales.

Other packages can add rows (``register``). A row says where its values come from for each collection of the event
record; a variable has no meaning for a collection that it does not name, and is 0 there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from e2egraph.config import configuration
from e2egraph.detector.geometry import ECAL_RADIUS, HCAL_RADIUS, ecal_eta

Reflection = Literal["eta", "phi"]

# The field's name, a constant, or a function of the collection's flat fields (name → [S]) that gives [S].
Origin = str | float | Callable[[Mapping[str, NDArray]], NDArray]


@configuration
class Scale:
    """How a network brings a quantity to order one: gain · asinh(x / unit), or gain · x / unit where ``linear``.

    ``unit``: size of the quantity. ``gain``: factor on the result. ``linear``: no asinh.
    """

    unit: Annotated[float, Field(gt=0)]
    gain: float = 1.0
    linear: bool = False


@configuration
class Variable:
    """A number that nodes (or objects) carry.

    ``unit``: of the stored number, empty for none. ``scale``: fixed, chosen at the size at which the quantity begins to
    say something about the detector. ``reflected_by``: mirrorings (η → −η, φ → −φ) that change its sign.

    ``name``: of the column. ``description``: in words.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    unit: str
    description: str
    scale: Scale = Field(default_factory=lambda: Scale(unit=1.0, linear=True))
    reflected_by: tuple[Reflection, ...] = ()


def reflections_of(name: str) -> tuple[Reflection, ...]:
    """Mirrorings that change the sign of an object's column that is learnt: of its own η or φ, or of a particle's."""
    axes: tuple[Reflection, ...] = ("eta", "phi")
    return tuple(axis for axis in axes if name.endswith(f"_{axis}"))


@dataclass(frozen=True)
class NodeVariable:
    """A row of the table: the variable, and collection → where its values come from."""

    variable: Variable
    origin: Mapping[str, Origin]


_TABLE: dict[str, NodeVariable] = {}

# arXiv:2104.14659, §3: displacements beyond these [cm] are not lifetimes and are set to zero, their significances with
# them, where the task's ``inputs`` say so.
DISPLACEMENT_LIMITS = {"d0": 10.0, "dz": 20.0}
SUPPRESS = "suppress_displaced"

# Names that mean something else in a shard.
RESERVED = ("deta", "dphi", "channel", "neighbors")


def register(row: NodeVariable) -> NodeVariable:
    """Add a node variable; ValueError when its name is taken by another one."""
    name = row.variable.name
    if name in RESERVED or (name in _TABLE and _TABLE[name].variable != row.variable):
        raise ValueError(f"variable {name} exists already; choose another name")
    _TABLE[name] = row
    return row


def variables() -> dict[str, NodeVariable]:
    """Name → row, all that are known, in the order they were added."""
    return dict(_TABLE)


def suppressed(inputs: Mapping[str, Any]) -> tuple[str, ...]:
    """Displacements that a task of the stored ``inputs`` sets to zero beyond ``DISPLACEMENT_LIMITS``: of its variables,
    where it asks for that. A significance without its displacement is not told to be large, and stays."""
    if not inputs.get(SUPPRESS, True):
        return ()
    return tuple(name for name in DISPLACEMENT_LIMITS if name in inputs.get("variables", DISPLACEMENT_LIMITS))


def values_of(row: NodeVariable, collection: str, deposits: Mapping[str, NDArray], size: int) -> NDArray[np.float32]:
    """The variable [S] for ``size`` deposits of a collection, each by its own fields.

    ValueError: a field is missing, or values worked out from several are not finite in single precision. Those of a
    field were looked at when it was read.
    """
    origin = row.origin.get(collection, 0.0)
    if isinstance(origin, str):
        if origin not in deposits:
            raise ValueError(f"variable {row.variable.name} needs the field {collection}.{origin}")
        return deposits[origin].astype(np.float32)
    found = origin(deposits) if callable(origin) else origin
    with np.errstate(over="ignore"):
        values = np.broadcast_to(np.asarray(found), size).astype(np.float32)
    if wrong := int(np.count_nonzero(~np.isfinite(values))):
        raise ValueError(f"{wrong} of {size} values are NaN or infinite")
    return values


def distance_to_beam(hits: Mapping[str, NDArray]) -> NDArray[np.float64]:
    """ρ = √(x² + y²) [cm] of hits, in float64."""
    return np.hypot(hits["x"].astype(np.float64), hits["y"].astype(np.float64))


def transverse_energy(crystals: Mapping[str, NDArray]) -> NDArray[np.float64]:
    """E / cosh η [GeV] of crystals, η of their centre seen from the detector's."""
    return crystals["energy"].astype(np.float64) / np.cosh(ecal_eta(crystals["ieta"]))


def longitudinal_energy(crystals: Mapping[str, NDArray]) -> NDArray[np.float64]:
    """E · |tanh η| [GeV] of crystals."""
    return crystals["energy"].astype(np.float64) * np.abs(np.tanh(ecal_eta(crystals["ieta"])))


def _row(name: str, unit: str, description: str, scale: Scale, origin: Mapping[str, Origin], *by: Reflection) -> None:
    variable = Variable(name=name, unit=unit, description=description, scale=scale, reflected_by=by)
    register(NodeVariable(variable, origin))


# z → −z turns η and dz over. The solenoid's field along z is an axial vector and stays, so charges do too. y → −y turns
# φ and d0 over, and the field with them: only with charges turned over as well is it the same detector.
_row(
    "rho", "cm", "distance to the beam line", Scale(unit=ECAL_RADIUS, linear=True),  # 1 at the crystals
    {"tracks": ECAL_RADIUS, "hits": distance_to_beam, "ecal": ECAL_RADIUS, "hcal": HCAL_RADIUS},
)  # fmt: skip
_row(
    "value", "GeV", "pT of a track, energy of a crystal or tower, 1 for a hit",
    Scale(unit=0.1, gain=0.25),  # the noise of a few crystals (CMS ECAL TDR); 1.9 at 100 GeV; a hit: 0.75
    {"tracks": "pt", "hits": 1.0, "ecal": "energy", "hcal": "energy"},
)  # fmt: skip
_row(
    "d0", "cm", "transverse impact parameter to the primary vertex",
    Scale(unit=0.01, gain=0.3),  # the resolution of a 1 GeV track (CMS, JINST 9 (2014) P10009)
    {"tracks": "d0"}, "phi",
)  # fmt: skip
_row(
    "dz", "cm", "longitudinal impact parameter to the primary vertex",
    Scale(unit=0.02, gain=0.3),  # likewise
    {"tracks": "dz"}, "eta",
)  # fmt: skip
_row("d0_sig", "", "d0 over its uncertainty", Scale(unit=1.0, gain=0.5), {"tracks": "d0_sig"}, "phi")
_row("dz_sig", "", "dz over its uncertainty", Scale(unit=1.0, gain=0.5), {"tracks": "dz_sig"}, "eta")
_row("charge", "e", "electric charge of a track", Scale(unit=1.0, linear=True), {"tracks": "charge"}, "phi")
_row(
    "time", "ns", "time of a crystal's deposit",
    Scale(unit=1.0, gain=0.5),  # the spread of low-energy crystals (CMS, JINST 5 (2010) T03011)
    {"ecal": "time"},
)  # fmt: skip
# Of the elements of particle flow (``tasks.elements``), ``value``: pT of tracks, transverse energy of others.
_row("energy", "GeV", "energy of a cluster or cell, momentum of a track", Scale(unit=0.1, gain=0.25), {})
_row("deta0", "", "η at the primary vertex less that of the place", Scale(unit=0.01, gain=0.3), {}, "eta")
_row("dphi0", "rad", "φ at the primary vertex less that of the place", Scale(unit=0.02, gain=0.3), {}, "phi")
_row(
    "dphi_hcal", "rad", "φ where a track enters the HCAL less that of its place", Scale(unit=0.02, gain=0.3), {}, "phi"
)
_row("pt_err", "GeV", "uncertainty of a track's pT", Scale(unit=0.01, gain=0.25), {})
_row("muon", "", "1 for a track that the muon system found", Scale(unit=1.0, linear=True), {})
_row("size", "", "cells of a cluster, each by its share", Scale(unit=10.0, linear=True), {})
_row("sigma_eta", "", "width of a cluster in η", Scale(unit=0.0174, linear=True), {})
_row("sigma_phi", "rad", "width of a cluster in φ", Scale(unit=0.0174, linear=True), {})
_row("peak", "", "share of a cluster's largest cell in its energy", Scale(unit=1.0, linear=True), {})
# The two planes of the field's mass regressions (arXiv:2204.12313), which together tell the energy and where it lies.
_row(
    "energy_t", "GeV", "transverse energy of a crystal, seen from the detector's centre", Scale(unit=0.1, gain=0.25),
    {"ecal": transverse_energy},
)  # fmt: skip
_row(
    "energy_z", "GeV", "energy of a crystal along the beams, without sign", Scale(unit=0.1, gain=0.25),
    {"ecal": longitudinal_energy},
)  # fmt: skip
