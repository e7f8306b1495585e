"""Made-up events full of awkward places and ties, for C++ as an event file and for Python as an event record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.channels import hit_channels
from e2egraph.detector.geometry import ECAL_COLUMNS, ECAL_ROWS, ETA_PITCH, HCAL_COLUMNS, HCAL_ROWS, PHI_PITCH
from e2egraph.events.eventfile import EventFileWriter

Collections = dict[str, dict[str, NDArray]]

JET = ("pt", "eta", "phi", "mass", "softdrop_mass", "tau21", "tau32")


def awkward_event(rng: np.random.Generator, size: int, seeds: NDArray[np.int64]) -> Collections:
    """``size`` deposits of each kind, and a jet at each of the towers ``seeds`` [J, 2] (row, column).

    Half of the tracks and hits lie on edges of pixels to the last bit, several at the same place; few different pT and
    energies, some negative; displacements on both sides of what is suppressed; hits on the beam line.
    """
    eta, phi = rng.integers(-85, 85, (2, size)) * [[ETA_PITCH], [PHI_PITCH]]
    free = rng.random(size) < 0.5
    eta, phi = np.where(free, rng.uniform(-1.6, 1.6, size), eta), np.where(free, rng.uniform(-np.pi, np.pi, size), phi)
    phi[:4] = [np.pi, -np.pi, np.nextafter(np.float32(np.pi), np.float32(4)), 0.0]
    again = rng.integers(0, size, size // 4)
    eta[again], phi[again] = eta[0], phi[0]
    values = rng.choice(np.array([0.25, 0.5, 1.0, 3.5, -1.0, 0.0]), size)
    rho = rng.choice(np.array([4.4, 7.3, 10.2, 60.8]), size)
    x, y = rho * np.cos(phi), rho * np.sin(phi)
    x[-3:], y[-3:] = 0.0, [0.0, -0.0, 1e-12]
    seed_ieta, seed_iphi = seeds.T
    jets = len(seeds)
    return {
        "tracks": _floats(
            pt=np.abs(values) + 0.5,
            eta=eta,
            phi=phi,
            d0=rng.choice(np.array([0.01, -9.99, 10.0, 10.01, -30.0]), size),
            dz=rng.choice(np.array([0.0, 19.9, -20.0, 20.1]), size),
            d0_sig=rng.normal(0, 3, size),
            dz_sig=rng.normal(0, 3, size),
            charge=rng.choice(np.array([-1.0, 1.0]), size),
        ),
        "hits": {
            "channel": rng.choice(np.array(hit_channels(), np.int32), size),
            **_floats(x=x, y=y, z=rho * np.sinh(eta)),
        },
        "ecal": {
            "ieta": rng.integers(0, ECAL_ROWS, size).astype(np.int32),
            "iphi": rng.integers(0, ECAL_COLUMNS, size).astype(np.int32),
            **_floats(energy=values, time=rng.normal(0, 2, size)),
        },
        "hcal": {
            "ieta": rng.integers(0, HCAL_ROWS, size).astype(np.int32),
            "iphi": rng.integers(0, HCAL_COLUMNS, size).astype(np.int32),
            **_floats(energy=rng.choice(np.array([2.0, 4.0, -0.5]), size)),
        },
        "jets": {
            "index": np.arange(jets, dtype=np.int32),
            "label": np.full(jets, -1, np.int32),
            **_floats(**{name: rng.uniform(0.1, 1.2, jets) for name in JET}),
            "seed_ieta": seed_ieta.astype(np.int32),
            "seed_iphi": seed_iphi.astype(np.int32),
        },
    }


def write_events(path: Path, events: list[Collections], vertex: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Path:
    """An event file of run 1, lumi 2, events 0, 1, …, all from one vertex."""
    with EventFileWriter(path) as file:
        for number, collections in enumerate(events):
            file.write({"run": 1, "lumi": 2, "event": number, "n_pv": 1}, collections, vertex)
    return path


def record(events: list[Collections]) -> ak.Array:
    """The deposits as the event record that ``make_nodes`` reads."""
    names = ("tracks", "hits", "ecal", "hcal")
    return ak.zip({name: _jagged([event[name] for event in events]) for name in names}, depth_limit=1)


def with_values(event: Collections, collection: str, **columns: NDArray | float) -> Collections:
    """A copy of ``event`` with columns of one collection replaced."""
    changed: Mapping[str, NDArray] = event[collection]
    size = len(next(iter(changed.values())))
    new = {name: np.broadcast_to(value, size).astype(changed[name].dtype) for name, value in columns.items()}
    return {**event, collection: {**changed, **new}}


def _floats(**columns: NDArray) -> dict[str, NDArray]:
    return {name: np.asarray(column, np.float32) for name, column in columns.items()}


def _jagged(parts: list[dict[str, NDArray]]) -> ak.Array:
    counts = [len(next(iter(part.values()))) for part in parts]
    flat = ak.zip({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
    return ak.unflatten(flat, counts)
