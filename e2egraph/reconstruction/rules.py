"""Particle flow by rules: particles out of tracks and clusters, as CMS makes them (JINST 12 (2017) P10003, §5).

ECAL clusters are linked to the nearest track and tracks to the nearest HCAL cluster; what is linked is worked out
together. Tracks are charged hadrons, electrons or muons. Where the calorimeters saw more than the tracks explain, the
rest is photons up to what the ECAL saw, then, where the HCAL saw anything, a neutral hadron; what has no track is a
photon or a neutral hadron. Less than there is in CMS: no bremsstrahlung, no depths, no refit of tracks, no nuclear
interactions put together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from e2egraph.detector.channels import Channel
from e2egraph.detector.geometry import PHI_PITCH, Booleans, Floats, Integers, wrap_phi
from e2egraph.reconstruction.elements import Elements
from e2egraph.reconstruction.links import nearest
from e2egraph.reconstruction.particles import ParticleColumns
from e2egraph.reconstruction.rulesconfig import RulesConfig
from e2egraph.reconstruction.sums import sums

PION_MASS = 0.13957

# Numbers of classes, in the order of ``graphs.particleflow.classes``.
_CHARGED, _NEUTRAL, _PHOTON, _ELECTRON, _MUON = range(1, 6)


@dataclass(frozen=True)
class FlowCandidates(ParticleColumns):
    """Particles found by rules. ``pile_up``: a track of another vertex; ``element``: what gives their direction."""

    pile_up: Booleans
    element: Integers


@dataclass(frozen=True)
class _Tracks:
    """The tracks among the elements, [T], and what they are linked to; ``group``: with what they are worked out."""

    p: Floats
    pt: Floats
    d0_sig: Floats
    muon: Booleans
    electron: Booleans
    group: Integers


def rule_based(elements: Elements, pile_up: Booleans, config: RulesConfig) -> FlowCandidates:
    """The particles of all events out of their tracks and clusters.

    ``pile_up`` [T]: which tracks are of another vertex than the primary one (``from_other_vertex``); they take part in
    everything, for they leave energy too.
    """
    track, ecal, hcal = (elements.of(channel) for channel in (Channel.TRACK, Channel.ECAL, Channel.HCAL))
    column = elements.columns
    eta, phi, energy = column["deta"], column["dphi"], column["energy"]
    eta0, phi0 = eta + column["deta0"], wrap_phi(phi + column["dphi0"])
    event = elements.event
    calibration = config.calibration

    of_track = nearest(
        event[ecal], eta[ecal], phi[ecal], event[track], eta[track], phi[track], config.link_ecal * PHI_PITCH
    )
    behind = nearest(
        event[track], elements.hcal_eta[track], elements.hcal_phi[track], event[hcal], eta[hcal], phi[hcal],
        config.link_hcal,
    )  # fmt: skip
    linked = of_track >= 0
    photon_energy = calibration.photons(energy[ecal], eta[ecal])
    in_front = sums(of_track[linked], photon_energy[linked], len(track))
    raw_behind = np.append(energy[hcal], 0.0)[behind]
    muon = column["muon"][track] > 0
    low, high = config.electron_ratio
    momentum = energy[track]
    electron = (
        ~muon
        & (column["value"][track] > config.electron_pt)
        & (in_front > low * momentum)
        & (in_front < high * momentum)
        & (raw_behind < config.electron_hcal * in_front)
    )
    # A group is an HCAL cluster with its tracks, or a track without one.
    group = np.where(behind >= 0, behind, len(hcal) + np.arange(len(track)))
    tracks = _Tracks(momentum, column["value"][track], column["d0_sig"][track], muon, electron, group)
    groups = len(hcal) + len(track)

    # ECAL clusters of hadrons' tracks are worked out with their group; those of electrons are theirs.
    in_group = linked & ~np.append(electron, False)[of_track]
    group_of_cluster = np.where(in_group, np.append(group, -1)[of_track], -1)
    where = group_of_cluster[in_group]
    raw_ecal = sums(where, energy[ecal][in_group], groups)
    photons = sums(where, photon_energy[in_group], groups)
    raw_hcal = np.concatenate([energy[hcal], np.zeros(len(track))])
    muons = np.bincount(group[muon], minlength=groups)
    raw_ecal = np.maximum(raw_ecal - config.muon_ecal * muons, 0.0)
    photons = np.maximum(photons - config.muon_ecal * muons, 0.0)
    raw_hcal = np.maximum(raw_hcal - config.muon_hcal * muons, 0.0)
    # A group is where its HCAL cluster is, else where its track enters the HCAL; its photons where its largest cluster
    # of the ECAL is.
    group_eta = np.concatenate([eta[hcal], elements.hcal_eta[track]])
    measured = calibration.hadrons(raw_ecal, raw_hcal, group_eta)
    fake = _fakes(tracks, measured, groups, config)
    hadron = ~muon & ~electron & ~fake
    explained = sums(group[hadron], momentum[hadron], groups)
    sigma = np.sqrt(config.stochastic**2 * explained + (config.constant * explained) ** 2)
    excess = measured - explained
    has_track = sums(group, ~electron, groups) > 0
    excess = np.where(has_track & (excess > config.excess_sigmas * sigma), excess, 0.0)
    to_photon = np.minimum(excess, photons)
    to_photon = np.where(to_photon > config.least_photon, to_photon, 0.0)
    # What the ECAL alone saw is photons: its factors for hadrons are those of soft ones that do not reach the HCAL.
    to_neutral = np.where(raw_hcal > 0, excess - to_photon, 0.0)
    to_neutral = np.where(to_neutral > config.least_neutral, to_neutral, 0.0)

    brightest = _brightest(group_of_cluster, energy[ecal], groups)
    some_photon = np.flatnonzero(to_photon > 0)
    some_neutral = np.flatnonzero(to_neutral > 0)
    # Without a track. What leaks behind an electron is in its momentum already.
    lone = np.flatnonzero(np.bincount(group, minlength=groups)[: len(hcal)] == 0)
    alone = ~linked
    charged = track[~fake]
    kind = np.where(muon, _MUON, np.where(electron, _ELECTRON, _CHARGED))[~fake]
    mass = np.where(kind == _CHARGED, PION_MASS, 0.0)
    lone_energy = calibration.neutral_hadrons(raw_hcal[lone], eta[hcal[lone]])
    parts = [
        (charged, kind, np.hypot(momentum[~fake], mass), column["value"][charged], pile_up[~fake]),
        (ecal[alone], _PHOTON, photon_energy[alone], None, None),
        (ecal[brightest[some_photon]], _PHOTON, to_photon[some_photon], None, None),
        (hcal[some_neutral], _NEUTRAL, to_neutral[some_neutral], None, None),
        (hcal[lone], _NEUTRAL, lone_energy, None, None),
    ]
    made = []
    for element, what, energies, pt, of_other in parts:
        size = len(element)
        pt = energies / np.cosh(eta0[element]) if pt is None else pt
        other = np.zeros(size, bool) if of_other is None else of_other
        kinds = np.broadcast_to(np.asarray(what, np.uint8), size)
        made.append(FlowCandidates(event[element], kinds, pt, eta0[element], phi0[element], energies, other, element))
    together = FlowCandidates.joined(made)
    together = together.take(together.energy > 0)
    return together.take(np.lexsort((-together.pt, together.kind, together.event)))


def from_other_vertex(event: Integers, dz: Floats, vertex_event: Integers, z: Floats, charged_dz: float) -> Booleans:
    """Which tracks [T] are further than ``charged_dz`` [cm] along the beam from the primary vertex and nearer to
    another (charged-hadron subtraction, JINST 12 (2017) P10003, §5.1).

    ``dz``: to the primary vertex. ``vertex_event``, ``z`` [cm]: of all vertices, of each event the primary one first.
    """
    if len(vertex_event) == 0:
        return np.zeros(len(event), bool)
    begins = np.searchsorted(vertex_event, vertex_event)
    first = begins == np.arange(len(z))
    others = np.flatnonzero(~first)
    distance = np.full(len(event), np.inf)
    if len(others):
        height = z[others] - z[begins[others]]
        tree_event = vertex_event[others]
        # One coordinate for both: events stand further apart than any two vertices.
        far = 1e4
        order = np.argsort(far * tree_event + height, kind="stable")
        line = (far * tree_event + height)[order]
        here = far * event + dz
        right = np.searchsorted(line, here)
        for near in (np.maximum(right - 1, 0), np.minimum(right, len(line) - 1)):
            same = tree_event[order][near] == event
            distance = np.where(same, np.minimum(distance, np.abs(here - line[near])), distance)
    return (np.abs(dz) > charged_dz) & (distance < np.abs(dz))


def _fakes(tracks: _Tracks, measured: Floats, groups: int, config: RulesConfig) -> Booleans:
    """Tracks [T] whose momentum the calorimeters say nothing of: of each group that lacks energy the hardest one that
    does not come from the vertex."""
    hadron = ~tracks.muon & ~tracks.electron
    explained = sums(tracks.group[hadron], tracks.p[hadron], groups)
    sigma = np.sqrt(config.stochastic**2 * explained + (config.constant * explained) ** 2)
    lacking = explained - measured > config.deficit_sigmas * sigma
    suspect = (
        hadron & lacking[tracks.group] & (tracks.pt > config.fake_pt) & (np.abs(tracks.d0_sig) > config.fake_d0_sig)
    )
    fake = np.zeros(len(tracks.p), bool)
    chosen = np.flatnonzero(suspect)
    order = chosen[np.argsort(tracks.p[chosen], kind="stable")]
    hardest = np.full(groups, -1)
    hardest[tracks.group[order]] = order
    fake[hardest[hardest >= 0]] = True
    return fake


def _brightest(group: Integers, energy: Floats, groups: int) -> Integers:
    """Of each group the index of its most energetic ECAL cluster; −1 for none."""
    order = np.argsort(energy, kind="stable")
    order = order[group[order] >= 0]
    found = np.full(groups, -1)
    found[group[order]] = order
    return found
