"""Hits in the barrel layers of pixels and strips: every crossing of every charged particle, loopers, and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from e2egraph.detector.channels import Channel, hit_channels
from e2egraph.detector.geometry import ECAL_RADIUS, Floats, Integers
from e2egraph.detector.helix import Helices, position, to_cylinder
from e2egraph.errors import UsageError
from e2egraph.simulation.generation.particles import Particles
from e2egraph.simulation.response.response import HitsConfig, LayerConfig

NOISE = -1

# Path lengths that differ by less are one point [cm].
_ON_LAYER = 1e-6


@dataclass(frozen=True)
class Hits:
    """H hits, flat, in the order of their events: layer, position in the detector's frame [cm], true particle (−1)."""

    event: Integers
    channel: Integers
    particle: Integers
    x: Floats
    y: Floats
    z: Floats


_Columns = tuple[Integers, Integers, Integers, Floats, Floats, Floats]
_NONE, _NOWHERE = np.zeros(0, dtype=np.int64), np.zeros(0)
_NO_HITS: _Columns = (_NONE, _NONE, _NONE, _NOWHERE, _NOWHERE, _NOWHERE)


def layers(config: HitsConfig) -> dict[Channel, LayerConfig]:
    """The configured layers by channel, from the inside out; UsageError on a layer that the detector lacks."""
    known = {channel.name: channel for channel in hit_channels() if channel.cms is not None}
    unknown = [name for name in config.layers if name not in known]
    if unknown:
        names = ", ".join(known)
        raise UsageError(f"detector.hits.layers: unknown layer '{unknown[0]}'; choose among {names}.")
    return {channel: config.layers[name] for name, channel in known.items() if name in config.layers}


def make_hits(particles: Particles, helix: Helices, events: int, config: HitsConfig, rng: np.random.Generator) -> Hits:
    """All hits of a batch of ``events`` events; none where no layer is configured."""
    charged = np.flatnonzero(particles.charge != 0)
    true, path = particles.take(charged), helix.take(charged)
    # What reaches the ECAL, or ends in the material, never comes back.
    end = to_cylinder(path, np.minimum(true.stop_radius, ECAL_RADIUS))[0]
    parts = [_NO_HITS]
    for channel, layer in layers(config).items():
        crossed, point = _crossings(true, path, end, layer, config.max_turns)
        parts.append(_signal(true, charged, crossed, point, channel, layer, rng))
        parts.append(_noise(events, channel, layer, rng))
    hits = Hits(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    order = np.argsort(hits.event, kind="stable")
    return Hits(
        hits.event[order], hits.channel[order], hits.particle[order], hits.x[order], hits.y[order], hits.z[order]
    )


def _crossings(
    particles: Particles, helix: Helices, end: Floats, layer: LayerConfig, max_turns: float
) -> tuple[Integers, tuple[Floats, Floats]]:
    """Index of the particle at each crossing of a layer, and the crossing's (z, φ): outwards, inwards, and again.

    ``end`` is the path length at which a particle is gone (NaN: it loops). What ends on the layer has crossed it, what
    is born there has not.
    """
    first, second = to_cylinder(helix, layer.radius)
    loops = np.isnan(end) & np.isinf(particles.stop_radius)
    alive = particles.stop_radius >= layer.radius
    last = np.where(np.isnan(end), np.inf, end + _ON_LAYER)
    index, heights, azimuths = [], [], []
    for turn in range(int(np.ceil(max_turns))):
        # Without a turn ``last`` bounds both: what moves inwards crosses a layer twice on its way to the calorimeter.
        once = alive & (loops | np.isfinite(end))
        for start, able in ((first, alive if turn == 0 else loops), (second, once if turn == 0 else loops)):
            with np.errstate(invalid="ignore"):
                path = start + turn * helix.period if turn else start
                met = able & (path > _ON_LAYER) & (path <= last) & (path <= max_turns * helix.period)
            ok = np.flatnonzero(met & np.isfinite(path))
            x, y, z = position(helix.take(ok), path[ok])
            inside = np.abs(z) < layer.half_length
            index.append(ok[inside])
            heights.append(z[inside])
            azimuths.append(np.arctan2(y[inside], x[inside]))
    return np.concatenate(index), (np.concatenate(heights), np.concatenate(azimuths))


def _signal(
    particles: Particles,
    charged: Integers,
    crossed: Integers,
    point: tuple[Floats, Floats],
    channel: Channel,
    layer: LayerConfig,
    rng: np.random.Generator,
) -> _Columns:
    z, phi = point
    radius = layer.radius
    event = particles.event[crossed]
    # Crossings in one cell make one cluster, credited to the particle that comes first.
    row = np.floor((z + layer.half_length) / layer.merge_z).astype(np.int64)
    column = np.floor((phi + np.pi) * radius / layer.merge_rphi).astype(np.int64)
    rows, columns = row.max(initial=0) + 1, column.max(initial=0) + 1
    _, alone = np.unique((event * rows + row) * columns + column, return_index=True)
    kept = np.sort(alone[rng.uniform(size=len(alone)) < layer.efficiency])
    phi = phi[kept] + rng.normal(0.0, layer.sigma_rphi / radius, len(kept))
    z = z[kept] + rng.normal(0.0, layer.sigma_z, len(kept))
    code = np.full(len(kept), int(channel), dtype=np.int64)
    return event[kept], code, charged[crossed[kept]], radius * np.cos(phi), radius * np.sin(phi), z


def _noise(events: int, channel: Channel, layer: LayerConfig, rng: np.random.Generator) -> _Columns:
    number = rng.poisson(layer.noise, events)
    size = int(number.sum())
    phi = rng.uniform(-np.pi, np.pi, size)
    z = rng.uniform(-layer.half_length, layer.half_length, size)
    radius = layer.radius
    event = np.repeat(np.arange(events), number)
    code = np.full(size, int(channel), dtype=np.int64)
    return event, code, np.full(size, NOISE, dtype=np.int64), radius * np.cos(phi), radius * np.sin(phi), z
