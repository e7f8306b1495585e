"""Artificial objects that fit any inputs: random ones, and those whose equal distances and copies make ties."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from e2egraph.data.padding import DenseArrays
from e2egraph.detector.geometry import between_phi_steps
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.variables import Variable

KINDS = ("random", "lattice", "coincident")


def made_jets(kind: str, batch: int, n: int, rng: np.random.Generator, inputs: Inputs) -> DenseArrays:
    """``batch`` artificial objects padded to ``n`` nodes, of the channels and in the region of ``inputs``.

    ``random``: as a jet looks; ``lattice``: equal deposits on crystal centres, equal distances everywhere;
    ``coincident``: several copies of few nodes. The first object is full; of the others one is empty.
    """
    full = (batch, n)
    channel = rng.integers(0, len(inputs.channels), full)
    half = np.array([inputs.region.half_rows, inputs.region.half_columns])
    cells = rng.normal(0.0, 1.0, (*full, 2)) * (half / 3)
    if kind != "random":
        step = np.maximum(half // (15 if kind == "lattice" else 3), 1)
        cells = np.round(cells / step) * step
    points = cells.clip(-half, half) * (inputs.region.eta_pitch, inputs.region.phi_pitch)
    spread = np.ones((*full, len(inputs.variables)))
    if kind == "random":
        spread = rng.normal(0.0, 1.0, spread.shape)
    features = np.zeros((*full, inputs.n_features), np.float32)
    for column, variable in enumerate(inputs.variables):
        features[..., column] = _values(variable, spread[..., column], channel, kind == "random", inputs)
    features[..., len(inputs.variables) :] = np.eye(len(inputs.channels), dtype=np.float32)[channel]
    counts = np.array([n, 0, *rng.integers(0, n + 1, max(0, batch - 2))])[:batch]
    mask = np.arange(n) < counts[:, None]
    quantities = np.array([quantity.scale.unit for quantity in inputs.object])
    return DenseArrays(
        points=(points * mask[..., None]).astype(np.float32),
        features=features * mask[..., None],
        mask=mask,
        jet=rng.exponential(1.0, (batch, len(quantities))).astype(np.float32) * quantities.astype(np.float32),
        label=np.zeros(batch, np.int64),
        weight=np.ones(batch, np.float32),
        target=np.zeros((batch, 0), np.float32),
    )


def on_phi_steps(objects: DenseArrays, inputs: Inputs) -> DenseArrays:
    """The same objects with φ as that of nodes of data sets: where regions close in φ on steps of it, so that no
    rounding brings one to another step."""
    if not inputs.region.periodic:
        return objects
    points = objects.points.copy()
    points[..., 1] = np.where(objects.mask, between_phi_steps(points[..., 1]), 0.0)
    return replace(objects, points=points)


def _values(
    variable: Variable, spread: NDArray[np.float64], channel: NDArray[np.int64], random: bool, inputs: Inputs
) -> NDArray[np.float64]:
    """A node variable [B, N], as tracks, hits, crystals and towers have it; one that is not known here varies by its
    scale for nodes of every channel."""
    of_tracks, of_crystals = (
        np.array([known.collection == name for known in inputs.channels])[channel] for name in ("tracks", "ecal")
    )
    has_energy = np.array([known.energy for known in inputs.channels])[channel]
    if variable.name == "rho":
        return np.array([known.radius for known in inputs.channels])[channel]
    if variable.name == "value":
        return np.where(has_energy, np.exp(1.5 * spread) if random else 1.0, 1.0)
    if variable.name == "energy":
        return np.where(has_energy, np.exp(1.5 * spread + 1.0) if random else 2.0, 0.0)
    if variable.name == "charge":
        return np.sign(spread) * of_tracks
    if variable.name == "time":
        return spread * of_crystals
    widths = {"d0": 0.02, "dz": 0.05, "d0_sig": 2.0, "dz_sig": 2.0}  # cm, and none
    if variable.name in widths:
        return widths[variable.name] * spread * of_tracks
    return variable.scale.unit * spread
