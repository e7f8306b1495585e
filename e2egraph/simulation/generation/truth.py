"""Generator truth: which of Pythia's entries are stored, how they descend from one another, and what links to them.

Stored are (process.TruthConfig) the hard process with its resonances and their decay products, the last copies of b
and c hadrons and of τ leptons, and the final-state particles in the acceptance. Copies are collapsed: a resonance is
stored with the momentum of its last copy (after all recoils), an outgoing parton of the hard process, or a resonance's
decay product, with that after recoils but before its own first branching. ``mother`` is the nearest stored ancestor, so
top → b and top → W → quark → hadron can be followed.

A hadron comes from a string with many ends. It is given to the parton of the string that it is closest to in angle;
that is a convention, good for energetic prongs and arbitrary for soft hadrons between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from e2egraph.detector.geometry import Booleans, Floats, Integers
from e2egraph.simulation.generation.generated import Generated
from e2egraph.simulation.generation.process import TruthConfig

# Pythia status codes (manual, "Particle Properties"): 22 intermediate and 23 outgoing particles of the hardest process
# and of resonance decays, 81–89 primary hadrons.
INTERMEDIATE, OUTGOING = 22, 23
FIRST_HADRONIC, LAST_HADRONIC = 81, 89

# Statuses as CMS stores them for all other particles: 1 final state, 2 decayed.
FINAL_STATE, DECAYED = 1, 2

STRANGE, CHARM, BOTTOM, TAU = 3, 4, 5, 15


@dataclass(frozen=True)
class GenRecord:
    """Stored generator particles of a batch, flat [G], event after event (``counts`` [E]).

    ``mother`` is an index in the event's own list, −1 for none. ``link`` [M] gives for each entry of the ``Generated``
    batch the index in its event's list of the particle itself or of its nearest stored ancestor, else −1.
    """

    counts: Integers
    pdg: Integers
    pt: Floats
    eta: Floats
    phi: Floats
    mass: Floats
    mother: Integers
    status: Integers
    link: Integers


def gen_record(generated: Generated, config: TruthConfig) -> GenRecord:
    """The stored generator particles of a batch, and every entry's link to them."""
    first = generated.first
    status = np.abs(generated.status)
    parent = _parents(generated)
    hard = (status == INTERMEDIATE) | (status == OUTGOING)
    hadrons = _last_heavy(generated, parent)
    pt = np.hypot(generated.px, generated.py)
    eta = np.arcsinh(generated.pz / np.maximum(pt, 1e-12))
    wanted = (generated.status > 0) | np.isin(np.abs(generated.pdg), config.decayed)
    wanted &= (pt > config.final_state_min_pt) & (np.abs(eta) < config.final_state_max_eta)

    # owner: the flat index of the entry that an entry is stored as. A hard parton's momentum is taken at ``shown``.
    owner = np.full(len(pt), -1, dtype=np.int64)
    kept = np.flatnonzero(hadrons | (wanted & ~hard))
    owner[kept] = kept
    shown = np.arange(len(pt))
    starts = np.flatnonzero(hard)
    shown[starts] = _follow_copies(generated, first, starts, owner)

    is_stored = owner == np.arange(len(pt))
    ancestor = _nearest(owner, parent)
    stored = np.flatnonzero(is_stored)
    number = np.full(len(pt) + 1, -1, dtype=np.int64)
    number[stored] = np.arange(len(stored))
    counts = np.bincount(generated.event[stored], minlength=generated.n_events)
    begin = np.concatenate([[0], np.cumsum(counts)])[generated.event]
    link = np.where(ancestor >= 0, number[ancestor] - begin, -1)

    above = parent[stored]
    source = shown[stored]
    code = np.where(generated.status[stored] > 0, FINAL_STATE, DECAYED)
    return GenRecord(
        counts=counts,
        pdg=generated.pdg[stored],
        pt=pt[source],
        eta=eta[source],
        phi=np.arctan2(generated.py[source], generated.px[source]),
        mass=generated.mass[source],
        mother=np.where(above >= 0, link[above], -1),
        status=np.where(hard[stored], status[stored], code),
        link=link,
    )


def _parents(generated: Generated) -> Integers:
    """Flat index of each entry's one mother (−1: the beams); for a string's hadrons the parton closest in angle."""
    first = generated.first
    parent = np.where(generated.mother1 > 0, generated.mother1 + first, -1)
    status = np.abs(generated.status)
    several = (status >= FIRST_HADRONIC) & (status <= LAST_HADRONIC) & (generated.mother2 > generated.mother1)
    hadrons = np.flatnonzero(several)
    if len(hadrons) == 0:
        return parent
    sizes = (generated.mother2 - generated.mother1 + 1)[hadrons]
    begins = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    partons = np.repeat((generated.mother1 + first)[hadrons] - begins, sizes) + np.arange(sizes.sum())
    length = np.sqrt(generated.px**2 + generated.py**2 + generated.pz**2)
    direction = np.stack([generated.px, generated.py, generated.pz]) / np.maximum(length, 1e-12)
    cosine = np.einsum("ij,ij->j", direction[:, np.repeat(hadrons, sizes)], direction[:, partons])
    best = np.repeat(np.maximum.reduceat(cosine, begins), sizes)
    # Written backwards, so that of several equally close partons the first stays.
    match = np.flatnonzero(cosine == best)[::-1]
    parent[np.repeat(hadrons, sizes)[match]] = partons[match]
    return parent


def heavy_flavour(pdg: Integers) -> Integers:
    """5 for b hadrons, 4 for c hadrons, 0 for all else (digits of the PDG's numbering scheme of hadrons)."""
    code = np.abs(pdg)
    flavour = np.maximum((code // 100) % 10, (code // 1000) % 10)
    hadron = (code > 100) & (code < 1_000_000) & ((flavour == CHARM) | (flavour == BOTTOM))
    return np.where(hadron, flavour, 0)


def _last_heavy(generated: Generated, parent: Integers) -> Booleans:
    """b and c hadrons and τ leptons without a further one of their kind among their daughters."""
    kind = np.where(np.abs(generated.pdg) == TAU, TAU, heavy_flavour(generated.pdg))
    children = np.flatnonzero((kind > 0) & (parent >= 0))
    again = children[kind[children] == kind[parent[children]]]
    last = kind > 0
    last[parent[again]] = False
    return last


def _follow_copies(generated: Generated, first: Integers, starts: Integers, owner: Integers) -> Integers:
    """Walk from hard-process entries along their copies; returns the entry whose momentum is stored.

    Marks in ``owner`` every copy passed as belonging to its start. Resonances (22) are followed through branchings to
    their last copy; partons (23) only through recoils, which leave a single daughter.
    """
    current = starts.copy()
    resonance = np.abs(generated.status[starts]) == INTERMEDIATE
    active = np.arange(len(starts))
    owner[starts] = starts
    while len(active):
        here = current[active]
        below1, below2 = generated.daughter1[here], generated.daughter2[here]
        one, two = first[here] + below1, first[here] + below2
        same1 = (below1 > 0) & (generated.pdg[one] == generated.pdg[here])
        same2 = (below2 > 0) & (generated.pdg[two] == generated.pdg[here])
        recoil = same1 & ((below2 == below1) | (below2 == 0))
        go = recoil | (resonance[active] & (same1 | same2))
        step = np.where(same1, one, two)[go]
        active = active[go]
        current[active] = step
        owner[step] = starts[active]
    return current


def _nearest(owner: Integers, parent: Integers) -> Integers:
    """Owner of each entry or of its nearest owned ancestor, else −1 (pointer doubling, so a few rounds suffice)."""
    end = len(owner)
    # Entry ``end`` stands for "no ancestor" and, like owned entries, points to itself.
    hop = np.where(owner >= 0, np.arange(end), np.where(parent >= 0, parent, end))
    hop = np.append(hop, end)
    while True:
        further = hop[hop]
        if np.array_equal(further, hop):
            break
        hop = further
    return np.append(owner, -1)[hop[:end]]
