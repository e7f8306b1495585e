"""Plain anti-kT jets, without substructure: for filters on generated events, and jets of large radius made of jets."""

from __future__ import annotations

from dataclasses import dataclass

import awkward as ak
import numpy as np

from e2egraph.detector.geometry import Floats, Integers
from e2egraph.simulation.generation.candidates import Candidates
from e2egraph.simulation.jets import Jets, _fastjet
from e2egraph.simulation.response.response import FatJetsConfig


@dataclass(frozen=True)
class PlainJets:
    """J jets, flat, by event and then falling pT. GeV."""

    event: Integers
    pt: Floats
    eta: Floats
    phi: Floats
    mass: Floats


def fat_jets(jets: Jets, events: int, config: FatJetsConfig) -> PlainJets:
    """Jets of large radius made of ``jets`` in ``events`` events."""
    used = jets.pt > config.constituent_min_pt
    pt, eta, phi, mass = (column[used] for column in (jets.pt, jets.eta, jets.phi, jets.mass))
    pz = pt * np.sinh(eta)
    momenta = Candidates(jets.event[used], pt * np.cos(phi), pt * np.sin(phi), pz, np.sqrt(pt**2 + pz**2 + mass**2))
    return cluster_plain(momenta, events, config.radius, config.min_pt, config.max_eta)


def cluster_plain(momenta: Candidates, events: int, radius: float, min_pt: float, max_eta: float) -> PlainJets:
    """Anti-kT jets of ``momenta``, which come in the order of their ``events`` events."""
    fastjet = _fastjet()
    parts = ak.unflatten(
        ak.zip({"px": momenta.px, "py": momenta.py, "pz": momenta.pz, "E": momenta.energy}),
        np.bincount(momenta.event, minlength=events),
    )
    sequence = fastjet.ClusterSequence(parts, fastjet.JetDefinition(fastjet.antikt_algorithm, radius))
    found = sequence.inclusive_jets(min_pt=min_pt)
    event = np.repeat(np.arange(events), ak.to_numpy(ak.num(found)))
    px, py, pz, energy = (ak.to_numpy(ak.flatten(found[name])).astype(np.float64) for name in ("px", "py", "pz", "E"))
    pt = np.hypot(px, py)
    eta = np.arcsinh(pz / np.maximum(pt, 1e-12))
    mass = np.sqrt(np.maximum(energy**2 - pt**2 - pz**2, 0.0))
    kept = np.flatnonzero((pt >= min_pt) & (np.abs(eta) < max_eta))
    order = kept[np.lexsort((-pt[kept], event[kept]))]
    return PlainJets(event[order], pt[order], eta[order], np.arctan2(py, px)[order], mass[order])
