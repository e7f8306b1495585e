"""Anti-kT jets (FastJet), groomed masses, N-subjettiness, and the HCAL tower that each jet's window is centred on."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.geometry import HCAL_COLUMNS, HCAL_ROWS, Floats, Integers, delta_phi, hcal_column, hcal_row
from e2egraph.errors import InputError
from e2egraph.simulation.generation.candidates import Candidates
from e2egraph.simulation.response.response import JetsConfig

# The seed is the most energetic tower within ±3 of the tower under the jet's axis (MLAnalyzer, 7 × 7 towers).
SEED_REACH = 3

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
    fastjet = _fastjet()
    momenta = ak.unflatten(
        ak.zip({"px": candidates.px, "py": candidates.py, "pz": candidates.pz, "E": candidates.energy}),
        np.bincount(candidates.event, minlength=events),
    )
    sequence = fastjet.ClusterSequence(momenta, fastjet.JetDefinition(fastjet.antikt_algorithm, config.radius))
    # No jet below this is above min_pt once corrected.
    least = config.min_pt / config.largest_scale
    found = sequence.inclusive_jets(min_pt=least)
    constituents = sequence.constituents(min_pt=least)
    pt, eta, _, _ = _kinematics(found)
    scale = ak.unflatten(config.scale(ak.to_numpy(ak.flatten(pt)).astype(np.float64)), ak.num(pt))
    order = ak.argsort(pt, axis=1, ascending=False, stable=True)
    order = order[(np.abs(eta[order]) < config.max_eta) & (scale[order] * pt[order] >= config.min_pt)]
    found, constituents = found[order], ak.flatten(constituents[order], axis=1)
    event = np.repeat(np.arange(events), ak.to_numpy(ak.num(found)))
    pt, eta, phi, mass = (ak.to_numpy(column).astype(np.float64) for column in _kinematics(ak.flatten(found, axis=1)))
    factor = config.scale(pt)
    if len(event) == 0:
        return Jets(event, pt, eta, phi, mass, softdrop_mass=mass, tau=np.zeros((len(SUBJETS), 0)))
    return Jets(
        event=event,
        pt=factor * pt,
        eta=eta,
        phi=phi,
        mass=factor * mass,
        softdrop_mass=factor * softdrop_masses(constituents, config),
        tau=np.stack([n_subjettiness(constituents, number, config.radius) for number in SUBJETS]),
    )


def softdrop_masses(constituents: ak.Array, config: JetsConfig) -> Floats:
    """Soft-drop masses [J] of jets given by their constituents (Larkoski et al., arXiv:1402.2657)."""
    fastjet = _fastjet()
    tree = fastjet.ClusterSequence(constituents, fastjet.JetDefinition(fastjet.cambridge_algorithm, WHOLE_JET))
    groomed = tree.exclusive_jets_softdrop_grooming(
        1, beta=config.softdrop_beta, symmetry_cut=config.softdrop_zcut, R0=config.radius
    )
    # A single constituent has rounding noise for a mass squared, of either sign.
    return np.nan_to_num(np.maximum(ak.to_numpy(groomed.msoftdrop).astype(np.float64), 0.0))


def n_subjettiness(constituents: ak.Array, number: int, radius: float) -> Floats:
    """τ_N [J] with β = 1 and the axes of N exclusive kT subjets (Thaler and Van Tilburg, arXiv:1011.2268, eq. 2.1).

    τ_N = Σ pT·min ΔR(axis) / (Σ pT·R₀); 0 for a jet with fewer than N constituents.
    """
    fastjet = _fastjet()
    result = np.zeros(len(constituents))
    enough = ak.to_numpy(ak.num(constituents)) >= number
    if not enough.any():
        return result
    some = constituents[enough]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        tree = fastjet.ClusterSequence(some, fastjet.JetDefinition(fastjet.kt_algorithm, WHOLE_JET))
        axes = tree.exclusive_jets(n_jets=number)
    counts = ak.to_numpy(ak.num(some))
    owner = np.repeat(np.arange(len(counts)), counts)
    pt, eta, phi, _ = (ak.to_numpy(column) for column in _kinematics(ak.flatten(some, axis=1)))
    _, axis_eta, axis_phi, _ = (
        ak.to_numpy(column).reshape(-1, number) for column in _kinematics(ak.flatten(axes, axis=1))
    )
    distance = np.hypot(eta[:, None] - axis_eta[owner], delta_phi(phi[:, None], axis_phi[owner])).min(axis=1)
    result[enough] = np.bincount(owner, pt * distance) / (np.bincount(owner, pt) * radius)
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


def _kinematics(momenta: Any) -> tuple[Any, Any, Any, Any]:
    """pT, η, φ and mass of Awkward four-momenta."""
    pt = np.hypot(momenta.px, momenta.py)
    mass2 = momenta.E**2 - momenta.px**2 - momenta.py**2 - momenta.pz**2
    return pt, np.arcsinh(momenta.pz / pt), np.arctan2(momenta.py, momenta.px), np.sqrt(np.maximum(mass2, 0.0))


def _fastjet() -> Any:
    try:
        import fastjet
    except ImportError as error:
        raise InputError(
            "simulate needs FastJet, which is not installed; install it with pip install 'e2egraph[sim]'."
        ) from error
    with contextlib.suppress(AttributeError):
        # FastJet (M. Cacciari, G. Salam and G. Soyez, arXiv:1111.6097) would print a banner amid the progress bar.
        fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)
    return fastjet
