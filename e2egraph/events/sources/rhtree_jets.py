"""Jets of ``RHTree``: what follows from other branches, and each jet's own seed where the file has them in two orders.

MLAnalyzer looks for a jet's seed among the 7 × 7 HCAL towers around the one under its axis. Its tau selection
(``RHAnalyzer_runEvtSel_jet_dijet_tau.cc``) writes ``jet_*`` in the order of the generator's taus, but ``jetSeed_*`` in
that of the jets, so that the two differ in some events. Files without jet η or φ cannot be checked; those of their
selections are in one order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from e2egraph.detector import geometry
from e2egraph.detector.geometry import SEED_REACH
from e2egraph.errors import InputError
from e2egraph.events.flat import Flat
from e2egraph.events.sources.rhtree_branches import VECTORS
from e2egraph.events.whole import entry_of

Floats = NDArray[np.float64]

SEED_BRANCHES = ("jetSeed_ieta", "jetSeed_iphi")
# What rounding may add to the reach, in towers.
_ROUNDING = 0.05
# Beyond this tower those of CMS are wider than the rows of the image, so that there distances in rows say nothing.
_LAST_EVEN_TOWER = 20


def extra_branches(derived: Mapping[str, Collection[str]]) -> list[str]:
    """Branches to be read next to the jets' own, for fields that are ``derived`` (field → branches) from others."""
    return sorted({branch for branches in derived.values() for branch in branches} - set(SEED_BRANCHES))


def complete(
    path: str, jets: Flat, derived: Mapping[str, tuple[str, ...]], branches: Mapping[str, str], start: int
) -> tuple[Flat, int]:
    """The jets with η, φ and mass, each with its own seed, and the number of events whose seeds stood in another order.

    ``jets`` come with the ``extra_branches``; η or φ that no branch tells is that of the seed tower's centre (≈ 0.05
    off), and then no order is checked. ``branches``: field → branch; ``start``: entry of the first event. InputError,
    naming branches and entry, where no order of an event's seeds lies within reach of its jets.
    """
    of = dict(jets.columns)
    if "eta" in derived and "jet_Pz" in derived["eta"]:
        pt = np.maximum(np.hypot(of["jet_Px"], of["jet_Py"]), 1e-9)
        of["eta"] = np.arcsinh(of["jet_Pz"] / pt).astype(np.float32)
    if "phi" in derived and "jet_Py" in derived["phi"]:
        of["phi"] = np.arctan2(of["jet_Py"], of["jet_Px"]).astype(np.float32)
    moved = 0
    if "eta" in of and "phi" in of:
        own, moved = _own_seeds(path, Flat(jets.counts, of), branches, start)
        of |= {name: of[name][own] for name in ("seed_ieta", "seed_iphi")}
    if "eta" not in of:
        of["eta"] = geometry.ecal_eta(geometry.centre_crystal(of["seed_ieta"])).astype(np.float32)
    if "phi" not in of:
        of["phi"] = geometry.ecal_phi(geometry.centre_crystal(of["seed_iphi"])).astype(np.float32)
    if "mass" in derived:
        squared = of["jet_Energy"] ** 2 - (of["pt"] * np.cosh(of["eta"])) ** 2
        of["mass"] = np.sqrt(np.maximum(squared, 0)).astype(np.float32)
    return Flat(jets.counts, {name: of[name] for name in VECTORS["jets"] if name in of}), moved


def _own_seeds(path: str, jets: Flat, branches: Mapping[str, str], start: int) -> tuple[NDArray[np.int64], int]:
    """Which of all seeds [J] is each jet's own, [J], and the number of events in which it is not the one beside it.

    Where all seeds are within reach as they stand, so they stay. Else those of the event are shared out so that the sum
    of the squared distances to the axes is least.
    """
    of = jets.columns
    own = np.arange(len(of["eta"]))
    rows, columns = _towers(of["eta"], of["phi"])
    eta, phi = _apart(rows, columns, of["seed_ieta"], of["seed_iphi"])
    astray = np.maximum(eta, phi) > SEED_REACH + _ROUNDING
    if not astray.any():
        return own, 0
    events = np.unique(np.searchsorted(jets.offsets, np.flatnonzero(astray), side="right") - 1)
    for event in events:
        here = np.arange(jets.offsets[event], jets.offsets[event + 1])
        eta, phi = _apart(rows[here, None], columns[here, None], of["seed_ieta"][here], of["seed_iphi"][here])
        within = np.maximum(eta, phi) <= SEED_REACH + _ROUNDING
        beyond = 1e3 * len(here) * geometry.HCAL_COLUMNS**2
        _, seed = linear_sum_assignment(np.where(within, eta**2 + phi**2, beyond))
        lost = ~within[np.arange(len(here)), seed]
        if lost.any():
            jet = here[np.argmax(lost)]
            raise InputError(
                f"{path}: {branches['seed_ieta']} and {branches['seed_iphi']} of entry "
                f"{start + entry_of(int(jet), jets.counts)} have no tower within {SEED_REACH} of the axis of its jet "
                f"at η {of['eta'][jet]:.2f}, φ {of['phi'][jet]:.2f} that is not another's; make the file again."
            )
        own[here] = here[seed]
    return own, len(events)


def _towers(eta: NDArray, phi: NDArray) -> tuple[Floats, Floats]:
    """Place of axes in the tower image, in towers: row and column, whole numbers at the towers' edges."""
    rows = np.asarray(eta, np.float64) / (geometry.CRYSTALS_PER_TOWER * geometry.ETA_PITCH) + geometry.HCAL_ROWS // 2
    degrees = np.degrees(np.asarray(phi, np.float64)) - geometry.FIRST_COLUMN_DEGREES
    return rows, degrees * geometry.HCAL_COLUMNS / 360.0


def _apart(rows: Floats, columns: Floats, seed_ieta: NDArray, seed_iphi: NDArray) -> tuple[Floats, Floats]:
    """Towers from axes to the nearest edges of seed towers in η and in φ, below 0 within the tower."""
    middle = geometry.HCAL_ROWS // 2
    axis = np.clip(rows, middle - _LAST_EVEN_TOWER, middle + _LAST_EVEN_TOWER)
    seed = np.clip(seed_ieta, middle - _LAST_EVEN_TOWER, middle + _LAST_EVEN_TOWER - 1)
    half = geometry.HCAL_COLUMNS / 2
    turn = np.mod(columns - seed_iphi - 0.5 + half, geometry.HCAL_COLUMNS) - half
    return np.abs(axis - seed - 0.5) - 0.5, np.abs(turn) - 0.5
