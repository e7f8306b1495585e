"""Generator records by hand, and which particle stands behind an object, found by loops over them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import awkward as ak

from e2egraph.tasks.decays import Decay

FIELDS = ("pdg_id", "mother", "pt", "eta", "phi", "mass", "status")


@dataclass(frozen=True)
class P:
    """An entry of a record; ``mother``: its index there."""

    pdg_id: int
    mother: int = -1
    eta: float = 0.0
    phi: float = 0.0
    pt: float = 100.0
    mass: float = 0.0
    status: int = 1


# top → copy → b W, W → copy → u d̄
TOP = (
    P(6, -1, 0.9, 0.0), P(6, 0, 0.0, 0.1), P(5, 1, 0.2, 0.0), P(24, 1, 0.9, 0.9), P(24, 3, -0.2, 0.0),
    P(2, 4, -0.3, 0.1), P(-1, 4, 0.1, -0.3),
)  # fmt: skip


def changed(record: Sequence[P], index: int, **fields) -> list[P]:
    """A record with another entry at ``index``."""
    return [*record[:index], replace(record[index], **fields), *record[index + 1 :]]


def gen(*records: Sequence[P], without: Sequence[str] = ()) -> ak.Array:
    """One record an event, as sources read them."""
    fields = [name for name in FIELDS if name not in without]
    return ak.zip({name: ak.Array([[getattr(p, name) for p in record] for record in records]) for name in fields})


def distance(eta: float, phi: float, other: tuple[float, float]) -> float:
    """ΔR."""
    dphi = abs(phi - other[1]) % (2 * math.pi)
    return math.hypot(eta - other[0], min(dphi, 2 * math.pi - dphi))


@dataclass(frozen=True)
class Loops:
    """A record looked through entry by entry, without any code of the package."""

    record: Sequence[P]

    def first(self, i: int) -> int:
        """The first copy of a particle."""
        mother = self.record[i].mother
        while mother >= 0 and self.record[mother].pdg_id == self.record[i].pdg_id:
            i, mother = mother, self.record[mother].mother
        return i

    def is_last(self, i: int) -> bool:
        return all(p.mother != i or p.pdg_id != self.record[i].pdg_id for p in self.record)

    def daughters(self, i: int) -> list[int]:
        """First copies of the daughters of any copy of a particle."""
        firsts = {self.first(j) for j in range(len(self.record))}
        mothers = {j: self.record[j].mother for j in firsts}
        return sorted(j for j, m in mothers.items() if m >= 0 and self.first(m) == self.first(i))

    def decayed_to(self, i: int) -> list[int]:
        """Last copies of what the last copy of a particle decays to."""
        mothers = {j: self.record[self.first(j)].mother for j in range(len(self.record)) if self.is_last(j)}
        return [j for j, m in mothers.items() if m >= 0 and self.is_last(m) and self.first(m) == self.first(i)]

    def visible(self, i: int) -> tuple[float, float, float, float]:
        """pT, η, φ and mass of what a particle decays to but neutrinos."""
        total = [0.0] * 4
        for p in (self.record[j] for j in self.decayed_to(i)):
            if abs(p.pdg_id) not in (12, 14, 16):
                momentum = (p.pt * math.cos(p.phi), p.pt * math.sin(p.phi), p.pt * math.sinh(p.eta))
                energy = math.sqrt(sum(x * x for x in momentum) + p.mass**2)
                total = [a + b for a, b in zip(total, (*momentum, energy), strict=True)]
        px, py, pz, energy = total
        pt = math.hypot(px, py)
        mass = math.sqrt(max(energy**2 - pt**2 - pz**2, 0.0))
        return pt, math.asinh(pz / pt) if pt else 0.0, math.atan2(py, px), mass

    def apart(self, i: int, chain: Decay, axis: tuple[float, float]) -> float:
        """ΔR of an entry to an object, infinite when it has no direction."""
        if not chain.visible:
            return distance(self.record[i].eta, self.record[i].phi, axis)
        pt, eta, phi, _ = self.visible(i)
        return distance(eta, phi, axis) if pt > 0 else math.inf

    def complete(self, i: int, chain: Decay, axis: tuple[float, float], radius: float) -> bool:
        """Whether entry ``i`` and the daughters asked for lie within ``radius`` of an object."""
        p, below = self.record[i], self.daughters(i)
        counts = self.is_last(i) if chain.status is None else p.status in chain.status
        if abs(p.pdg_id) not in chain.pdg_id or not counts or self.apart(i, chain, axis) >= radius:
            return False
        if any(abs(self.record[j].pdg_id) in chain.without for j in below):
            return False
        charged = [j for j in self.decayed_to(i) if abs(self.record[j].pdg_id) in (11, 13, 15, 24, 211, 321)]
        if chain.prongs is not None and len(charged) not in chain.prongs:
            return False
        copies = {d: [j for j in range(len(self.record)) if self.first(j) == d] for d in below}
        return any(
            all(
                any(self.complete(j, wanted, axis, radius) for j in copies[d])
                for d, wanted in zip(chosen, chain.daughters, strict=True)
            )
            for chosen in permutations(below, len(chain.daughters))
        )

    def nearest(self, chain: Decay, axes: Sequence[tuple[float, float]], radius: float) -> list[tuple[int, float]]:
        """For each object the entry behind it (−1 for none) and its ΔR."""
        pairs = [
            (self.apart(i, chain, axis), i, number)
            for number, axis in enumerate(axes)
            for i in range(len(self.record))
            if self.complete(i, chain, axis, radius)
        ]
        if chain.nearest:
            best = {}
            for apart, i, number in sorted(pairs, key=lambda pair: (pair[0], pair[2])):
                best.setdefault(self.first(i), (apart, i, number))
            pairs = list(best.values())
        behind = [
            min(((a, i) for a, i, n in pairs if n == number), default=(math.inf, -1)) for number in range(len(axes))
        ]
        return [(i, apart) for apart, i in behind]
