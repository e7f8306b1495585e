"""Particle flow without confusion: the candidates that would be found if the particle of every deposit were known.

Particles with a track are their tracks; of others, the measured energies of cells are theirs by the shares of the true
ones, calibrated as rule-based particle flow does. Where all tracks of a particle are of what it became in the material
(a photon that converted, a hadron that interacted), the energy beyond these is a neutral candidate too, for others of
its daughters have none. What is left between this and the truth is resolution, thresholds
and noise; between this and any particle flow, confusion.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from e2egraph.detector.channels import Channel
from e2egraph.detector.geometry import Booleans, Floats, Integers
from e2egraph.graphs.particleflow.classes import CHARGED_HADRON, ELECTRON, MUON, NEUTRAL_HADRON, PHOTON
from e2egraph.graphs.particleflow.record import FlowRecord
from e2egraph.reconstruction.elements import Elements, centres, towards
from e2egraph.reconstruction.particles import ParticleColumns
from e2egraph.reconstruction.rules import PION_MASS
from e2egraph.reconstruction.rulesconfig import Calibration
from e2egraph.reconstruction.sums import sums


@dataclass(frozen=True)
class PerfectCandidates(ParticleColumns):
    """Candidates by the truth. ``pile_up``: a track of another vertex; ``particle``: its place among the true ones."""

    pile_up: Booleans
    particle: Integers


def perfect_candidates(record: FlowRecord, elements: Elements, calibration: Calibration) -> PerfectCandidates:
    """Those of all events; ``elements`` tell which tracks there are."""
    truth = record.truth
    track = elements.of(Channel.TRACK)
    particle = record.track_particle[elements.source[track]]
    track, particle = track[particle >= 0], particle[particle >= 0]
    column = elements.columns
    kind = truth.kind[particle]
    kind = np.select([np.isin(kind, (PHOTON, ELECTRON)), kind == MUON], [ELECTRON, MUON], CHARGED_HADRON)
    energy = np.where(kind == CHARGED_HADRON, np.hypot(column["energy"][track], PION_MASS), column["energy"][track])
    tracks = PerfectCandidates(
        event=elements.event[track],
        kind=kind.astype(np.uint8),
        pt=column["value"][track],
        eta=(column["deta"] + column["deta0"])[track],
        phi=(column["dphi"] + column["dphi0"])[track],
        energy=energy,
        pile_up=record.other_vertex[elements.source[track]],
        particle=particle,
    )
    whole = np.zeros(len(truth.event), bool)
    whole[particle[~record.track_secondary[elements.source[track]]]] = True
    others = _without_tracks(record, whole, sums(particle, energy, len(truth.event)), calibration)
    both = PerfectCandidates.joined([tracks, others])
    return both.take(np.argsort(both.event, kind="stable"))


def _without_tracks(
    record: FlowRecord, whole: Booleans, in_tracks: Floats, calibration: Calibration
) -> PerfectCandidates:
    """Of particles but those that a track has the ``whole`` of; ``in_tracks`` [GeV]: energy of tracks of each."""
    truth, size = record.truth, len(record.truth.event)
    energies, along = [], np.zeros((3, size))
    for channel, cells in ((Channel.ECAL, record.measured.ecal), (Channel.HCAL, record.measured.hcal)):
        links = record.links[channel]
        true = sums(links.cell, links.energy, len(cells["energy"]))
        measured = cells["energy"][links.cell] * links.energy / np.maximum(true[links.cell], 1e-12)
        eta, phi = centres(channel, cells["row"], cells["column"])
        eta, phi = towards(channel, eta, phi, record.measured.vertex[cells["event"]])
        for axis, direction in enumerate((np.cos(phi) / np.cosh(eta), np.sin(phi) / np.cosh(eta), np.tanh(eta))):
            along[axis] += sums(links.particle, measured * direction[links.cell], size)
        energies.append(sums(links.particle, measured, size))
    ecal, hcal = energies
    # Charged particles without a track look like neutral ones.
    light = np.isin(truth.kind, (PHOTON, ELECTRON))
    chosen = np.flatnonzero(~whole & (ecal + hcal > 0))
    eta = np.arcsinh(along[2] / np.maximum(np.hypot(along[0], along[1]), 1e-12))
    as_hadron = calibration.hadrons(ecal[chosen], hcal[chosen], eta[chosen])
    as_photon = calibration.photons(ecal[chosen], eta[chosen]) + hcal[chosen]
    energy = np.where(light[chosen], as_photon, as_hadron) - in_tracks[chosen]
    left = energy > 0
    chosen, energy = chosen[left], energy[left]
    eta = eta[chosen]
    kind = np.where(light[chosen], PHOTON, NEUTRAL_HADRON).astype(np.uint8)
    return PerfectCandidates(
        truth.event[chosen], kind, energy / np.cosh(eta), eta,
        np.arctan2(along[1], along[0])[chosen], energy, np.zeros(len(chosen), bool), chosen,
    )  # fmt: skip
