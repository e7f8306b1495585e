"""Anti-kT jets (FastJet), groomed masses, N-subjettiness, and the HCAL tower that each jet's window is centred on."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.geometry import (
    HCAL_COLUMNS,
    HCAL_ROWS,
    SEED_REACH,
    Floats,
    Integers,
    delta_phi,
    hcal_column,
    hcal_row,
)
from e2egraph.simulation.clustering import (
    Constituents,
    clustered,
    inclusive_jets,
    kinematics,
    library,
    momenta_of,
)
from e2egraph.simulation.generation.candidates import Candidates
from e2egraph.simulation.response.jetsconfig import JetsConfig

# Larger than any distance in η–φ: one exclusive jet then holds all constituents.
WHOLE_JET = 10.0

SUBJETS = (1, 2, 3)


@dataclass(frozen=True)
class Jets:
    """J jets, flat, by event and then falling pT. GeV; ``tau`` [3, J] is τ₁, τ₂, τ₃ (0 with too few constituents)."""

    event: Integers
    pt: Floats
    eta: Floats
    phi: Floats
    mass: Floats
    softdrop_mass: Floats
    tau: Floats


def cluster(candidates: Candidates, events: int, config: JetsConfig) -> Jets:
    """Jets above the configured pT and within |η|, of ``events`` events, with their corrected energies."""
    fastjet = library()
    momenta = np.stack([candidates.px, candidates.py, candidates.pz, candidates.energy])
    counts = np.bincount(candidates.event, minlength=events)
    sequence = clustered(Constituents(counts, momenta), fastjet.antikt_algorithm, config.radius)
    # No jet below this is above min_pt once corrected.
    least = config.min_pt / config.largest_scale
    event, found = inclusive_jets(sequence, least)
    pt, eta, phi, mass = kinematics(found)
    factor = config.scale(pt)
    order = np.lexsort((-pt, event))
    order = order[(np.abs(eta[order]) < config.max_eta) & (factor[order] * pt[order] >= config.min_pt)]
    parts = _constituents(sequence.constituent_index(min_pt=least), event, counts, momenta, order)
    return Jets(
        event=event[order],
        pt=factor[order] * pt[order],
        eta=eta[order],
        phi=phi[order],
        mass=factor[order] * mass[order],
        softdrop_mass=factor[order] * softdrop_masses(parts, config),
        tau=n_subjettiness(parts, config.radius),
    )


def softdrop_masses(constituents: Constituents, config: JetsConfig) -> Floats:
    """Soft-drop masses [J] of jets (Larkoski et al., arXiv:1402.2657, eq. 1.1).

    The last Cambridge/Aachen step is undone and the softer branch dropped, until that has its share of the pT.

    Jet by jet: FastJet's grooming of many jets at once takes eight times as long.
    """
    fastjet = library()
    definition = fastjet.JetDefinition(fastjet.cambridge_algorithm, WHOLE_JET)
    particles = [fastjet.PseudoJet(*momentum) for momentum in constituents.momenta.T.tolist()]
    ends = np.cumsum(constituents.counts).tolist()
    masses = []
    for start, end in pairwise([0, *ends]):
        tree = fastjet.ClusterSequence(particles[start:end], definition)
        masses.append(_groomed(tree.exclusive_jets(1)[0], config, fastjet.PseudoJet).m())
    # A single constituent has rounding noise for a mass squared, of either sign.
    return np.nan_to_num(np.maximum(np.array(masses, np.float64), 0.0))


def _groomed(jet: Any, config: JetsConfig, new: Callable[[], Any]) -> Any:
    """What soft drop leaves of a Cambridge/Aachen jet; ``new`` makes an empty one."""
    while jet.has_parents(one := new(), two := new()):
        first, second = one.pt(), two.pt()
        angle, power = one.squared_distance(two) / config.radius**2, 0.5 * config.softdrop_beta
        # Two branches in one direction, with a power below zero: no share is enough.
        least = config.softdrop_zcut * angle**power if angle > 0 or power >= 0 else np.inf
        if min(first, second) / (first + second) > least:
            break
        jet = one if first > second else two
    return jet


def n_subjettiness(constituents: Constituents, radius: float) -> Floats:
    """τ₁, τ₂, τ₃ [3, J] with β = 1 and the axes of N exclusive kT subjets (Thaler and Van Tilburg, arXiv:1011.2268,
    eq. 2.1).

    τ_N = Σ pT·min ΔR(axis) / (Σ pT·R₀); 0 for a jet with fewer than N constituents.
    """
    fastjet = library()
    result = np.zeros((len(SUBJETS), len(constituents.counts)))
    sequence = None
    for row, number in enumerate(SUBJETS):
        enough = constituents.counts >= number
        if not enough.any():
            break
        if sequence is None or not enough.all():
            # One tree gives the subjets of every number; jets that are too small for this one are left out of it.
            some = constituents.take(enough)
            sequence = clustered(some, fastjet.kt_algorithm, WHOLE_JET)
            owner = np.repeat(np.arange(len(some.counts)), some.counts)
            pt, eta, phi, _ = kinematics(some.momenta)
            whole = np.bincount(owner, pt) * radius
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            axes = sequence.exclusive_jets(n_jets=number)
        _, axis_eta, axis_phi, _ = (column.reshape(-1, number) for column in kinematics(momenta_of(axes)))
        distance = np.hypot(eta[:, None] - axis_eta[owner], delta_phi(phi[:, None], axis_phi[owner])).min(axis=1)
        result[row, enough] = np.bincount(owner, pt * distance) / whole
    return result


def seed_towers(event: Integers, eta: Floats, phi: Floats, energy: NDArray[np.floating]) -> tuple[Integers, Integers]:
    """Row and column of each jet's seed tower: the most energetic of the 7 × 7 around the tower under its axis.

    ``energy`` is the tower image [E, 56, 72]. φ wraps round; rows beyond the image are left out. Of equally energetic
    towers the first in row-major order of the window is taken; with no energy at all, the tower under the axis.
    """
    offset = np.arange(-SEED_REACH, SEED_REACH + 1)
    centre = np.clip(hcal_row(eta), 0, HCAL_ROWS - 1)
    rows = centre[:, None] + offset
    columns = (hcal_column(phi)[:, None] + offset) % HCAL_COLUMNS
    inside = (rows >= 0) & (rows < HCAL_ROWS)
    towers = energy[event[:, None, None], np.clip(rows, 0, HCAL_ROWS - 1)[:, :, None], columns[:, None, :]]
    towers = np.where(inside[:, :, None], towers, -np.inf).reshape(len(event), len(offset) ** 2)
    best = np.where(towers.max(axis=1, initial=-np.inf) > 0, towers.argmax(axis=1), towers.shape[1] // 2)
    jet = np.arange(len(event))
    return rows[jet, best // len(offset)], columns[jet, best % len(offset)]


def _constituents(index: Any, event: Integers, counts: Integers, momenta: Floats, jets: Integers) -> Constituents:
    """The particles of the jets numbered ``jets``, in that order. ``index``: of each event's jets' particles in their
    event; ``event``: of each jet; ``counts`` [E] and ``momenta`` [4, P]: of all events' particles."""
    sizes = ak.to_numpy(ak.flatten(ak.num(index, axis=2)))
    place = ak.to_numpy(ak.flatten(index, axis=None)) + np.repeat((np.cumsum(counts) - counts)[event], sizes)
    chosen = sizes[jets]
    begins = (np.cumsum(sizes) - sizes)[jets]
    members = np.repeat(begins - (np.cumsum(chosen) - chosen), chosen) + np.arange(chosen.sum())
    return Constituents(chosen, momenta[:, place[members]])
