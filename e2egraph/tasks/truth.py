"""Truth matching: which jets hold a whole decay chain of the generator record, or carry the right jet label."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.geometry import delta_phi
from e2egraph.errors import InputError
from e2egraph.events.schema import EventSource, PointSource
from e2egraph.tasks.objects.jet import Jets
from e2egraph.tasks.task import Decay, Truth

TruthSource = Literal["generator", "jet_label", "sample_name"]


def truth_source(truth: Truth, name: str, source: EventSource | PointSource) -> TruthSource:
    """Where the label of class ``name`` comes from in this file; InputError when the file holds none of it."""
    has_label = "jets.truth_label" not in source.missing and name in truth.jet_labels
    if has_label and (truth.source == "jet_label" or (truth.source == "auto" and isinstance(source, PointSource))):
        # Files of images often hold several classes: their label counts for every class, whatever the sample.
        return "jet_label"
    if truth.source == "sample_name" or name not in truth.decays:
        return "sample_name"
    # A generator record without mother links (some vintages) holds no decay chains.
    has_generator = "gen" not in source.missing and "gen.mother" not in source.missing
    if truth.source in ("auto", "generator") and has_generator:
        return "generator"
    if truth.source in ("auto", "jet_label") and has_label:
        return "jet_label"
    looked_for = {"generator": "gen_mother", "jet_label": "jet_truthLabel"}.get(
        truth.source, "gen_mother or jet_truthLabel"
    )
    raise InputError(
        f"{source.path}: no truth for class '{name}' (no branch {looked_for}); "
        "add --trust-sample-names to label every jet by its sample."
    )


def matched(jets: Jets, events: ak.Array, truth: Truth, name: str, source: TruthSource) -> NDArray[np.bool_]:
    """Jets [J] that truly belong to class ``name``."""
    if source == "sample_name":
        return np.ones(len(jets), bool)
    if source == "jet_label":
        return np.asarray(jets.columns["truth_label"] == truth.jet_labels[name])
    pairs = _pair(jets, events.gen)
    return _holds(pairs, truth.decays[name], truth.radius, len(jets))


@dataclass(frozen=True)
class _Pairs:
    """Every (jet, particle of its event) pair, P in all; copies of a particle (same PDG id in a row) count once.

    ``first_copy`` and ``parent`` are pair indices: of the particle's first copy, and of the first copy of its mother
    (−1 for none); ``last_copy`` marks the copy whose direction counts, after all its radiation.
    """

    jet: NDArray[np.int64]
    absolute_id: NDArray[np.int64]
    distance: NDArray[np.float64]
    first_copy: NDArray[np.int64]
    parent: NDArray[np.int64]
    last_copy: NDArray[np.bool_]


def _pair(jets: Jets, gen: ak.Array) -> _Pairs:
    particles = ak.to_numpy(ak.num(gen))
    first_particle = np.concatenate([[0], np.cumsum(particles)])[:-1]
    flat = {field: ak.to_numpy(ak.flatten(gen[field])) for field in ("pdg_id", "eta", "phi", "mother")}
    pdg_id = flat["pdg_id"].astype(np.int64)
    owner = np.repeat(first_particle, particles)
    mother = flat["mother"].astype(np.int64)
    if ((mother >= np.repeat(particles, particles)) | (mother < -1)).any():
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

    # Lay the particles of each jet's event side by side.
    per_jet = particles[jets.event]
    pair_start = np.concatenate([[0], np.cumsum(per_jet)])[:-1]
    jet = np.repeat(np.arange(len(jets)), per_jet)
    shift = np.repeat(pair_start - first_particle[jets.event], per_jet)
    particle = np.arange(len(jet)) - shift
    distance = np.hypot(
        flat["eta"][particle] - jets.columns["jet_eta"][jet],
        delta_phi(flat["phi"][particle], jets.columns["jet_phi"][jet]),
    )
    return _Pairs(
        jet=jet,
        absolute_id=np.abs(pdg_id[particle]),
        distance=distance,
        first_copy=first_copy[particle] + shift,
        parent=np.where(parent[particle] >= 0, parent[particle] + shift, -1),
        last_copy=last_copy[particle],
    )


def _holds(pairs: _Pairs, chain: Decay, radius: float, n_jets: int) -> NDArray[np.bool_]:
    found = _complete(pairs, chain, radius)
    return np.bincount(pairs.jet[found], minlength=n_jets) > 0


def _complete(pairs: _Pairs, chain: Decay, radius: float) -> NDArray[np.bool_]:
    """Pairs [P] whose particle, and all daughters that ``chain`` asks for, lie within ``radius`` of the jet.

    True at the particle's last copy only, so that each particle counts once.
    """
    found = np.isin(pairs.absolute_id, chain.pdg_id) & (pairs.distance < radius) & pairs.last_copy
    # Alike daughters (two quarks of a W) must be that many different particles.
    wanted = Counter(repr(daughter) for daughter in chain.daughters)
    for daughter in {repr(daughter): daughter for daughter in chain.daughters}.values():
        below = _complete(pairs, daughter, radius)
        parents = pairs.parent[below]
        number = np.bincount(parents[parents >= 0], minlength=len(pairs.jet))
        found &= number[pairs.first_copy] >= wanted[repr(daughter)]
    return found
