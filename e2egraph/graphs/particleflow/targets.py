"""What each element stands for: at most one particle an element, and no energy lost or counted twice.

A particle is one that a collision gave, and what became of it in the tracker's material is its own. One with tracks
is what these stand for, in parts by their pT. Of the others, the most energetic first, each takes the free cluster (or
cell) with most of its energy, out of those with at least a share of that; what finds none is merged into the element
with most of it: four-vectors add, and the most energetic decides the class. The definition follows that of
machine-learned particle flow (J. Pata et al., arXiv:2101.08578, §3, and its public code), but splits and adds energies
so that they come out exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.channels import Channel
from e2egraph.detector.geometry import Booleans, Floats, Integers
from e2egraph.errors import InputError
from e2egraph.graphs.particleflow.classes import (
    CHARGED_HADRON,
    ELECTRON,
    MUON,
    NEUTRAL_HADRON,
    PHOTON,
)
from e2egraph.graphs.particleflow.given import Given
from e2egraph.reconstruction.sums import sums
from e2egraph.tasks.elements import TargetsConfig

# Largest difference between the energies before and after, as a share of an event's.
CLOSURE = 1e-5


@dataclass(frozen=True)
class Truth:
    """P true particles of all events: ``event``, ``kind`` (``classes``), ``momentum`` [4, P] (px, py, pz, energy, in
    GeV), and whether they come from ``pile_up``."""

    event: Integers
    kind: NDArray[np.uint8]
    momentum: Floats
    pile_up: Booleans


@dataclass(frozen=True)
class TrueTracks:
    """R tracks that are no fakes: their ``element``, ``particle``, ``pt`` [GeV], and whether what made them was made in
    the material (``secondary``)."""

    element: Integers
    particle: Integers
    pt: Floats
    secondary: Booleans


@dataclass(frozen=True)
class Targets:
    """What S elements stand for: ``kind``, ``momentum`` [4, S], ``pile_up`` (share of the energy), ``particle`` (that
    with most of the energy, −1 for none). ``element`` [P]: where each particle went, −1 where nowhere.

    ``books``: number and energy [GeV] of particles, by what became of them.
    """

    kind: NDArray[np.uint8]
    momentum: Floats
    pile_up: Floats
    particle: Integers
    element: Integers
    books: dict[str, float]


def assign(
    truth: Truth, tracks: TrueTracks, given: Given, event: Integers, channel: Integers, config: TargetsConfig
) -> Targets:
    """The targets of S elements of these ``event`` and ``channel`` [S]. InputError when energies do not add up."""
    particles, elements = len(truth.event), len(channel)
    energy = truth.momentum[3]
    element = np.full(particles, -1, dtype=np.int64)

    part, has_track = _track_shares(tracks, particles, config)
    tracked = part > 0
    order = np.lexsort((tracks.element[tracked], part[tracked]))
    element[tracks.particle[tracked][order]] = tracks.element[tracked][order]  # the last, with most, stays

    amount = sums(given.particle, given.energy, particles)
    seen = ~has_track & (amount >= config.visible_energy) & (amount > 0)
    own, merged = _own_elements(given, seen, energy, elements, config.free_share)
    element = np.where(own >= 0, own, np.where(merged >= 0, merged, element))

    # Every contribution to a target: element, particle, share of the particle.
    alone = np.flatnonzero(seen)
    to = np.concatenate([tracks.element[tracked], element[alone]])
    of = np.concatenate([tracks.particle[tracked], alone])
    share = np.concatenate([part[tracked], np.ones(len(alone))])
    kind = np.concatenate(
        [_of_tracks(truth, tracks, config)[tracked], _of_others(truth, alone, channel[element[alone]])]
    )
    momentum = np.stack([sums(to, row[of] * share, elements) for row in truth.momentum])
    pile_up = sums(to, energy[of] * share * truth.pile_up[of], elements) / np.maximum(momentum[3], 1e-12)
    most = np.lexsort((-of, energy[of] * share))
    target_kind, particle = np.zeros(elements, np.uint8), np.full(elements, -1, np.int64)
    target_kind[to[most]], particle[to[most]] = kind[most], of[most]
    target_kind = _of_soft_leptons(target_kind, np.hypot(*momentum[:2]), channel, config)
    _check(truth, momentum[3], event, element)
    several = np.bincount(tracks.particle[tracked], minlength=particles) > 1
    books = _books(energy, element, has_track, several, merged >= 0)
    return Targets(target_kind, momentum, np.clip(pile_up, 0.0, 1.0), particle, element, books)


def _track_shares(tracks: TrueTracks, particles: int, config: TargetsConfig) -> tuple[Floats, Booleans]:
    """The share of its particle that each track stands for, and which particles have a track."""
    total = sums(tracks.particle, tracks.pt, particles)
    if config.split_tracks:
        return tracks.pt / np.maximum(total[tracks.particle], 1e-12), total > 0
    order = np.lexsort((-tracks.element, tracks.pt))
    first = np.full(particles, -1)
    first[tracks.particle[order]] = order
    return (first[tracks.particle] == np.arange(len(tracks.pt))).astype(np.float64), total > 0


def _own_elements(
    given: Given, seen: Booleans, energy: Floats, elements: int, free_share: float
) -> tuple[Integers, Integers]:
    """The element of its own of each particle that is ``seen`` [P], or that which it is merged into; −1 for none.

    As if the particles chose one after the other, in falling energy: all ask at once for the best that is left to them,
    each element keeps the most energetic, and those that it turns away ask for their next.
    """
    particles = len(seen)
    pairs = np.flatnonzero(seen[given.particle] & (given.energy > 0))
    # By particle, and for each the elements in falling order of what they hold.
    pairs = pairs[np.lexsort((given.element[pairs], -given.energy[pairs], given.particle[pairs]))]
    particle, where, amount = given.particle[pairs], given.element[pairs], given.energy[pairs]
    begins = np.searchsorted(particle, np.arange(particles))
    best = np.where(seen, np.append(where, -1)[np.minimum(begins, len(where))], -1)
    largest = np.append(amount, 0.0)[np.minimum(begins, len(amount))]
    choices = sums(particle, amount >= free_share * largest[particle], particles).astype(np.int64)
    # 0 for the most energetic; equal ones in their order.
    rank = np.empty(particles, np.int64)
    rank[np.lexsort((np.arange(particles), -energy))] = np.arange(particles)
    by_rank = np.empty(particles, np.int64)
    by_rank[rank] = np.arange(particles)
    nobody = particles
    holder = np.full(elements, nobody, np.int64)
    asked = np.zeros(particles, np.int64)
    asking = np.flatnonzero(seen & (choices > 0))
    while len(asking):
        to = where[begins[asking] + asked[asking]]
        before = holder.copy()
        np.minimum.at(holder, to, rank[asking])
        put_out = before[(holder != before) & (before != nobody)]
        refused = np.concatenate([asking[holder[to] != rank[asking]], by_rank[put_out]])
        asked[refused] += 1
        asking = refused[asked[refused] < choices[refused]]
    own = np.full(particles, -1, np.int64)
    held = np.flatnonzero(holder != nobody)
    own[by_rank[holder[held]]] = held
    return own, np.where(seen & (own < 0), best, -1)


def _of_tracks(truth: Truth, tracks: TrueTracks, config: TargetsConfig) -> NDArray[np.uint8]:
    """Class of what made each track: what photons and electrons make in the material are electrons."""
    kind = truth.kind[tracks.particle]
    return np.where(np.isin(kind, (PHOTON, ELECTRON)), ELECTRON, np.where(kind == MUON, MUON, CHARGED_HADRON)).astype(
        np.uint8
    )


def _of_others(truth: Truth, particle: Integers, channel: Integers) -> NDArray[np.uint8]:
    """Class of particles without a track: charged ones look like neutral ones of their calorimeter."""
    kind = truth.kind[particle]
    looks = np.where(channel == int(Channel.HCAL), NEUTRAL_HADRON, PHOTON)
    return np.where(np.isin(kind, (PHOTON, NEUTRAL_HADRON)), kind, looks).astype(np.uint8)


def _of_soft_leptons(
    kind: NDArray[np.uint8], pt: Floats, channel: Integers, config: TargetsConfig
) -> NDArray[np.uint8]:
    soft = np.isin(kind, (ELECTRON, MUON)) & (pt < config.lepton_pt)
    return np.where(soft, np.where(channel == int(Channel.TRACK), CHARGED_HADRON, NEUTRAL_HADRON), kind).astype(
        np.uint8
    )


def _check(truth: Truth, target_energy: Floats, event: Integers, element: Integers) -> None:
    """InputError unless the energies of an event's targets and of its particles that went nowhere are all it had."""
    energy, events = truth.momentum[3], int(max(truth.event.max(initial=-1), event.max(initial=-1))) + 1
    before = sums(truth.event, energy, events)
    nowhere = element < 0
    after = sums(event, target_energy, events) + sums(truth.event[nowhere], energy[nowhere], events)
    wrong = np.flatnonzero(np.abs(after - before) > CLOSURE * np.maximum(before, 1e-3))
    if len(wrong):
        raise InputError(
            f"true particles of an event have {before[wrong[0]]:.6g} GeV, but its targets and what is invisible "
            f"{after[wrong[0]]:.6g} GeV; make the file again."
        )


def _books(
    energy: Floats, element: Integers, has_track: Booleans, several: Booleans, merged: Booleans
) -> dict[str, float]:
    found = element >= 0
    kinds = {
        "particles": np.ones(len(energy), bool),
        "visible": found,
        "with_track": has_track,
        "split": several,
        "merged": merged,
        "invisible": ~found,
    }
    numbers = {name: float(mask.sum()) for name, mask in kinds.items()}
    energies = {f"{name}_gev": float(energy[mask].sum()) for name, mask in kinds.items()}
    return {**numbers, **energies}
