"""Particle-flow-like candidates with charged-hadron subtraction: what jets are made of.

Charged candidates are the tracks, less those that belong to another vertex. Neutral ones are calorimeter clusters of
the energy that particles *without* a reconstructed track gave: which energy a track explains is taken from the
simulation, as if particle flow (JINST 12 (2017) P10003) linked tracks and clusters without confusion. Energies are the
measured ones, with noise, resolution and suppression. Jets come out better than CMS's: the pT of those of 400-600 GeV
is measured to some 3%.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from e2egraph.detector.geometry import (
    ECAL_COLUMNS,
    ECAL_RADIUS,
    ECAL_ROWS,
    HCAL_COLUMNS,
    HCAL_RADIUS,
    Booleans,
    Floats,
    Integers,
    centre_crystal,
    ecal_eta,
    ecal_phi,
    face_radius,
)
from e2egraph.simulation.generation.particles import PION_MASS
from e2egraph.simulation.response.calorimeter import Cells
from e2egraph.simulation.response.response import CandidatesConfig
from e2egraph.simulation.response.tracking import Tracks
from e2egraph.simulation.response.vertices import Vertices


@dataclass(frozen=True)
class Candidates:
    """Flat four-momenta [GeV], ordered by event."""

    event: Integers
    px: Floats
    py: Floats
    pz: Floats
    energy: Floats


def make_candidates(
    tracks: Tracks, ecal: Cells, hcal: Cells, vertices: Vertices, config: CandidatesConfig
) -> Candidates:
    """Charged, photon and neutral-hadron candidates of a batch; ``tracks`` relative to the primary vertex."""
    charged = tracks.take(~from_pile_up(tracks, vertices, config.charged_dz))
    momentum = charged.pt * np.cosh(charged.eta0)
    parts = [
        Candidates(
            event=charged.event,
            px=charged.pt * np.cos(charged.phi0),
            py=charged.pt * np.sin(charged.phi0),
            pz=charged.pt * np.sinh(charged.eta0),
            energy=np.hypot(momentum, PION_MASS),
        ),
        _photons(ecal, vertices, config),
        _neutral_hadrons(hcal, vertices, config),
    ]
    event = np.concatenate([part.event for part in parts])
    order = np.argsort(event, kind="stable")
    return Candidates(
        **{
            name: np.concatenate([getattr(part, name) for part in parts])[order]
            for name in Candidates.__dataclass_fields__
        }
    )


def from_pile_up(tracks: Tracks, vertices: Vertices, charged_dz: float) -> Booleans:
    """Which tracks are nearer in z to another vertex than to the primary one, and over ``charged_dz`` from that."""
    most = int(vertices.counts.max(initial=1))
    heights = np.full((len(vertices.counts), most), np.inf)
    event = np.repeat(np.arange(len(vertices.counts)), vertices.counts)
    heights[event, np.arange(len(event)) - vertices.primary[event]] = vertices.z
    others = heights[:, 1:] - heights[:, :1]
    distance = np.abs(others[tracks.event] - tracks.dz[:, None]).min(axis=1, initial=np.inf)
    return (np.abs(tracks.dz) > charged_dz) & (distance < np.abs(tracks.dz))


def _photons(ecal: Cells, vertices: Vertices, config: CandidatesConfig) -> Candidates:
    """Neutral ECAL energy in squares of ``cluster_cells``², each at its energy-weighted centre."""
    row, column = ecal.cell // ECAL_COLUMNS, ecal.cell % ECAL_COLUMNS
    across = -(-ECAL_COLUMNS // config.cluster_cells)
    down = -(-ECAL_ROWS // config.cluster_cells)
    square = (ecal.event * down + row // config.cluster_cells) * across + column // config.cluster_cells
    places, where = np.unique(square, return_inverse=True)
    neutral = ecal.energy * ecal.neutral
    energy: Floats = np.bincount(where, weights=neutral, minlength=len(places)).astype(np.float64)
    weight = np.maximum(energy, 1e-12)
    centre_row = np.bincount(where, neutral * row, minlength=len(places)) / weight
    centre_column = np.bincount(where, neutral * column, minlength=len(places)) / weight
    kept = energy > config.photon_threshold
    event = places[kept] // (down * across)
    eta, phi = ecal_eta(centre_row[kept]), ecal_phi(centre_column[kept])
    return _towards(event, energy[kept], eta, phi, ECAL_RADIUS, vertices)


def _neutral_hadrons(hcal: Cells, vertices: Vertices, config: CandidatesConfig) -> Candidates:
    """Neutral HCAL energy tower by tower."""
    energy = hcal.energy * hcal.neutral
    kept = energy > config.neutral_threshold
    eta = ecal_eta(centre_crystal(hcal.cell[kept] // HCAL_COLUMNS))
    phi = ecal_phi(centre_crystal(hcal.cell[kept] % HCAL_COLUMNS))
    return _towards(hcal.event[kept], energy[kept], eta, phi, HCAL_RADIUS, vertices)


def _towards(
    event: Integers, energy: Floats, eta: Floats, phi: Floats, radius: float, vertices: Vertices
) -> Candidates:
    """Massless candidates from the primary vertex to the point (η, φ) of the face of a calorimeter of ``radius``."""
    primary = vertices.primary[event]
    rho = face_radius(radius, eta)
    x = rho * np.cos(phi) - vertices.x[primary]
    y = rho * np.sin(phi) - vertices.y[primary]
    z = rho * np.sinh(eta) - vertices.z[primary]
    scale = energy / np.sqrt(x**2 + y**2 + z**2)
    return Candidates(event=event, px=scale * x, py=scale * y, pz=scale * z, energy=energy)
