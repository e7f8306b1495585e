"""Particles, detectors and simulated files for the tests of the simulation."""

from dataclasses import replace
from pathlib import Path

import awkward as ak
import numpy as np
import uproot

from e2egraph.simulation.generation.particles import Particles
from e2egraph.simulation.response.response import DetectorConfig
from e2egraph.simulation.simulate import read_settings

# Settings of Pythia that leave out all but the hard process and its beam remnants: thousands of events per second.
HARD_PROCESS_ALONE = (
    "PartonLevel:MPI = off",
    "PartonLevel:ISR = off",
    "PartonLevel:FSR = off",
    "BeamRemnants:primordialKT = off",
    "HadronLevel:all = off",
)


def gun(pdg=211, charge=1.0, mass=0.13957, pt=10.0, eta=0.0, phi=0.0, size=None, **columns) -> Particles:
    """``size`` particles of one kind; pt, eta, phi and the ``columns`` may be arrays."""
    size = size or max(np.size(value) for value in (pt, eta, phi, charge, *columns.values()))
    floats = {name: np.zeros(size) for name in ("x", "y", "z", "t")}
    integers = {name: np.zeros(size, dtype=np.int64) for name in ("event", "collision")}
    result = Particles(
        **integers,
        **floats,
        gen=np.arange(size),
        pdg=np.full(size, pdg, dtype=np.int64),
        charge=np.full(size, charge, dtype=float),
        mass=np.full(size, mass, dtype=float),
        px=np.broadcast_to(pt * np.cos(phi), size).astype(float),
        py=np.broadcast_to(pt * np.sin(phi), size).astype(float),
        pz=np.broadcast_to(pt * np.sinh(eta), size).astype(float),
        stop_radius=np.full(size, np.inf),
    )
    return replace(result, **{name: np.broadcast_to(value, size).copy() for name, value in columns.items()})


def detector(*settings: str) -> DetectorConfig:
    """The shipped detector with ``--set``-like changes, such as ``ecal.noise=0.01``."""
    return read_settings("ttbar", [f"detector.{setting}" for setting in settings]).detector


def read(path: Path) -> ak.Array:
    """Every branch of a simulated file."""
    with uproot.open(path) as file:
        return file["fevt/RHTree"].arrays()
