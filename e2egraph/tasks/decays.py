"""Decay chains in a generator record: which particle, with all the daughters that are asked for, is near an object."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from e2egraph.config import configuration
from e2egraph.detector.geometry import Floats, Integers, delta_phi, wrap_phi
from e2egraph.errors import InputError
from e2egraph.tasks.surface import Surface, at_surface, charge_of

if TYPE_CHECKING:
    import awkward as ak

NEUTRINOS = (12, 14, 16)


@configuration
class Decay:
    """A generator particle and the daughters that must be found with it.

    ``pdg_id``: its |PDG id| is one of these. ``daughters``: each must be another of its daughters. ``without``: |PDG
    ids| that none of its daughters has (leptons of a hadronic τ, say). ``prongs``: numbers of charged daughters that it
    may have in the record, which lacks soft ones. ``status``: generator status of the entry that
    counts; by default the last copy, after all radiation. ``nearest``: an object belongs to the particle only if no
    other object of the event is nearer to it. ``visible``: direction and momentum are those of all its daughters but
    neutrinos. ``prompt``: no hadron stands above it in the record (a photon of a π⁰, say, is none).
    """

    pdg_id: list[int] = Field(min_length=1)
    daughters: list[Decay] = Field(default_factory=list)
    without: list[int] = Field(default_factory=list)
    prongs: list[int] | None = None
    status: list[int] | None = None
    nearest: bool = False
    visible: bool = False
    prompt: bool = False

    @property
    def needs_status(self) -> bool:
        """Whether it or a daughter asks for a status."""
        return self.status is not None or any(daughter.needs_status for daughter in self.daughters)

    @property
    def needs_mass(self) -> bool:
        """Whether it or a daughter is found by its visible daughters, whose masses enter."""
        return self.visible or any(daughter.needs_mass for daughter in self.daughters)


@dataclass(frozen=True)
class Momentum:
    """pT, mass [GeV], η and φ [rad] of M particles, each [M]."""

    pt: Floats
    eta: Floats
    phi: Floats
    mass: Floats


@dataclass(frozen=True)
class Record:
    """The generator records of a chunk, flat, M entries in all; copies of a particle (same PDG id in a row) are known.

    ``count`` [E], ``first`` [E]: entries of each event and where they begin; ``first_of_event`` [M] the same for each
    entry. ``first_copy`` and ``parent`` [M] are flat indices: of the particle's first copy, and of the first copy of
    its mother (−1 for none). ``last_copy`` [M] marks the copy after all radiation; ``of_decay`` [M] what comes from
    such a copy of its mother, and was not radiated before. ``status``: 0 where the file has none. ``surface``: where
    particles are when objects are matched to them; None: they have the direction they were made with.
    """

    count: Integers
    first: Integers
    first_of_event: Integers
    pdg_id: Integers
    status: Integers
    momentum: Momentum
    first_copy: Integers
    parent: Integers
    last_copy: NDArray[np.bool_]
    of_decay: NDArray[np.bool_]
    surface: Surface | None = None

    @cached_property
    def direction(self) -> tuple[Floats, Floats]:
        """η and φ [M] that objects are matched to; NaN for particles that do not reach ``surface``."""
        of = self.momentum
        if self.surface is None:
            return of.eta, of.phi
        return at_surface(self.pdg_id, of.pt, of.eta, of.phi, self.surface)

    @cached_property
    def of_hadron(self) -> NDArray[np.bool_]:
        """Whether a hadron stands above each particle, [M]."""
        hadron, above = np.append(_is_hadron(self.pdg_id), False), np.append(self.parent, -1)
        found = hadron[above]
        for _ in range(64):  # as for copies
            further = found | found[above]
            if (further == found).all():
                break
            found, above = further, above[above]
        return found[:-1]

    @cached_property
    def prongs(self) -> Integers:
        """Charged daughters of each particle, all copies alike, [M]."""
        counted = self.of_decay & self.last_copy & (charge_of(self.pdg_id) != 0)
        return np.bincount(self.parent[counted], minlength=len(self.pdg_id))[self.first_copy]

    @cached_property
    def visible(self) -> Momentum:
        """Of each particle, the sum of what it decays to but neutrinos; zero pT where that is nothing."""
        size = len(self.pdg_id)
        counted = self.of_decay & self.last_copy & ~np.isin(np.abs(self.pdg_id), NEUTRINOS)
        mother, of = self.parent[counted], self.momentum
        pt, eta, phi, mass = (values[counted] for values in (of.pt, of.eta, of.phi, of.mass))
        px, py, pz, energy = (
            np.bincount(mother, values, minlength=size)[self.first_copy]
            for values in (pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), np.hypot(pt * np.cosh(eta), mass))
        )
        total = np.hypot(px, py)
        mass2 = energy**2 - total**2 - pz**2
        return Momentum(
            pt=total,
            eta=np.arcsinh(np.divide(pz, total, out=np.zeros(size), where=total > 0)),
            phi=wrap_phi(np.arctan2(py, px)),
            mass=np.sqrt(np.maximum(mass2, 0.0)),
        )


@dataclass(frozen=True)
class Matches:
    """``particle`` [J]: flat index of the particle behind each object, −1 for none; ``distance`` [J]: ΔR to it."""

    particle: Integers
    distance: Floats


def read_record(gen: ak.Array, surface: Surface | None = None) -> Record:
    """The generator records of a chunk, for matching at ``surface``; InputError when a mother points outside its
    event."""
    from e2egraph.events.flat import flat as flat_columns  # imports Awkward, which trainings do not need

    particles = flat_columns(gen)
    count, first, flat = particles.counts, particles.offsets[:-1], particles.columns
    pdg_id = flat["pdg_id"].astype(np.int64)
    owner = np.repeat(first, count)
    mother = flat["mother"].astype(np.int64)
    if ((mother >= np.repeat(count, count)) | (mother < -1)).any():
        raise InputError("gen_mother points outside its event; make the file again.")
    mother = np.where(mother >= 0, mother + owner, -1)

    is_copy = (mother >= 0) & (pdg_id[mother] == pdg_id)
    first_copy = np.where(is_copy, mother, np.arange(len(mother)))
    for _ in range(64):  # pointer doubling: covers chains far longer than any generator writes
        further = first_copy[first_copy]
        if (further == first_copy).all():
            break
        first_copy = further
    parent = mother[first_copy]
    parent = np.where(parent >= 0, first_copy[parent], -1)
    last_copy = np.ones(len(mother), bool)
    last_copy[mother[is_copy]] = False
    of_first = mother[first_copy]
    of_decay = (of_first >= 0) & last_copy[of_first]
    zeros = np.zeros(len(pdg_id))
    return Record(
        count=count,
        first=first,
        first_of_event=owner,
        pdg_id=pdg_id,
        status=flat.get("status", zeros).astype(np.int64),
        momentum=Momentum(*(flat.get(name, zeros).astype(np.float64) for name in ("pt", "eta", "phi", "mass"))),
        first_copy=first_copy,
        parent=parent,
        last_copy=last_copy,
        of_decay=of_decay,
        surface=surface,
    )


@dataclass(frozen=True)
class Near:
    """How near a particle must be to an object: ΔR below ``radius``, and |Δη| and |Δφ| below limits of their own."""

    radius: float
    deta: float = np.inf
    dphi: float = np.inf


def matches(record: Record, event: Integers, eta: NDArray, phi: NDArray, chain: Decay, near: Near) -> Matches:
    """For each of J objects (``event`` [J] in the chunk, axis ``eta``, ``phi`` [J]) the nearest whole ``chain``.

    Every member of the chain lies ``near`` the axis.
    """
    pairs = _pair(record, event, eta, phi)
    found = np.flatnonzero(_complete(pairs, record, chain, near))
    owner, particle, distance = pairs.object[found], pairs.particle[found], pairs.distance(record, chain.visible, found)
    # Nearest first; the earlier entry of the record of two at the same distance.
    order = np.lexsort((particle, distance, owner))
    owner, particle, distance = owner[order], particle[order], distance[order]
    if chain.nearest:
        keep = _nearest_object(record.first_copy[particle], distance, owner)
        owner, particle, distance = owner[keep], particle[keep], distance[keep]
    owner, place = np.unique(owner, return_index=True)
    best, apart = np.full(len(event), -1), np.full(len(event), np.inf)
    best[owner], apart[owner] = particle[place], distance[place]
    return Matches(best, apart)


@dataclass(frozen=True)
class _Pairs:
    """Every (object, particle of its event) pair, P in all, as indices; ``shift`` [P] + flat index = pair index."""

    object: Integers
    particle: Integers
    shift: Integers
    eta: NDArray
    phi: NDArray

    def apart(self, record: Record, visible: bool, place: Integers) -> tuple[Floats, Floats]:
        """Δη and Δφ between object and particle (or its visible daughters) of the pairs at ``place``."""
        eta, phi = (record.visible.eta, record.visible.phi) if visible else record.direction
        particle, owner = self.particle[place], self.object[place]
        return eta[particle] - self.eta[owner], delta_phi(phi[particle], self.phi[owner])

    def distance(self, record: Record, visible: bool, place: Integers) -> Floats:
        """ΔR of the same."""
        return np.hypot(*self.apart(record, visible, place))


def _pair(record: Record, event: Integers, eta: NDArray, phi: NDArray) -> _Pairs:
    """The particles of each object's event laid side by side."""
    per_object = record.count[event]
    start = np.concatenate([[0], np.cumsum(per_object)])[:-1]
    owner = np.repeat(np.arange(len(event)), per_object)
    shift = np.repeat(start - record.first[event], per_object)
    return _Pairs(owner, np.arange(len(owner)) - shift, shift, eta, phi)


def _complete(pairs: _Pairs, record: Record, chain: Decay, near: Near) -> NDArray[np.bool_]:
    """Pairs [P] whose particle, and all daughters that ``chain`` asks for, lie ``near`` the object.

    True at one entry of each particle: its last copy, or those of the status asked for.
    """
    particle = pairs.particle
    counts = record.last_copy[particle] if chain.status is None else np.isin(record.status[particle], chain.status)
    found = np.isin(np.abs(record.pdg_id[particle]), chain.pdg_id) & counts
    # Few pairs are left of which a distance is needed.
    candidates = np.flatnonzero(found)
    deta, dphi = pairs.apart(record, chain.visible, candidates)
    found[candidates] = (np.hypot(deta, dphi) < near.radius) & (np.abs(deta) < near.deta) & (np.abs(dphi) < near.dphi)
    if chain.prompt:
        found &= ~record.of_hadron[particle]
    if chain.prongs is not None:
        found &= np.isin(record.prongs[particle], chain.prongs)
    if chain.visible:
        found &= record.visible.pt[particle] > 0
    first_copy = record.first_copy[particle] + pairs.shift
    parent = record.parent[particle]
    parent = np.where(parent >= 0, parent + pairs.shift, -1)
    if chain.without:
        unwanted = (parent >= 0) & np.isin(np.abs(record.pdg_id[particle]), chain.without)
        found &= np.bincount(parent[unwanted], minlength=len(particle))[first_copy] == 0
    # Every daughter asked for must be another particle. That is possible if and only if any of them, taken together,
    # are found at least as often as they are asked for (P. Hall, J. London Math. Soc. 10 (1935) 26).
    wanted = Counter(repr(daughter) for daughter in chain.daughters)
    below = {
        repr(daughter): _complete(pairs, record, daughter, near)
        for daughter in {repr(daughter): daughter for daughter in chain.daughters}.values()
    }
    for size in range(1, len(below) + 1):
        for names in combinations(below, size):
            any_of_them = np.flatnonzero(np.logical_or.reduce([below[name] for name in names]))
            # Each particle once, however many of its copies have the status asked for.
            _, once = np.unique(first_copy[any_of_them], return_index=True)
            parents = parent[any_of_them[once]]
            number = np.bincount(parents[parents >= 0], minlength=len(particle))
            found &= number[first_copy] >= sum(wanted[name] for name in names)
    return found


def _is_hadron(pdg_id: Integers) -> NDArray[np.bool_]:
    """Mesons and baryons by PDG's numbering: two quarks among the last digits but one (diquarks have one, others
    none)."""
    number = np.abs(pdg_id)
    return np.asarray((number > 100) & (number // 10 % 10 > 0) & (number // 100 % 10 > 0))


def _nearest_object(particle: Integers, distance: Floats, owner: Integers) -> NDArray[np.bool_]:
    """Of pairs of particles and objects, the nearest object of each particle; the first of equally near ones."""
    order = np.lexsort((owner, distance, particle))
    _, place = np.unique(particle[order], return_index=True)
    keep = np.zeros(len(particle), bool)
    keep[order[place]] = True
    return keep
