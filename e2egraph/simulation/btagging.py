"""Hadron flavour of jets from the generator record, and b-tags drawn with the efficiencies of a working point.

No tagger looks at tracks here: whether a jet is tagged depends on its true flavour and pT alone, as in the fast
simulations that searches are planned with (Delphes 3, arXiv:1307.6346, §3.3.3).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.geometry import Floats, Integers, delta_phi
from e2egraph.simulation.generation.truth import BOTTOM, CHARM, heavy_flavour
from e2egraph.simulation.response.jetsconfig import BTaggingConfig

LIGHT = 0

Columns = Mapping[str, NDArray]


def hadron_flavour(jets: Columns, gen: Columns, events: int, radius: float) -> Integers:
    """Flavour of each jet [J]: 5 with a b hadron in it, else 4 with a c hadron, else 0.

    ``jets`` and ``gen``: flat columns of ``events`` events, by event. A hadron, the last of its kind in its decay
    chain, is given to the closest jet within ``radius`` in η and φ: CMS's hadron flavour (JINST 13 (2018) P05011), with
    angles in place of ghosts in the clustering.
    """
    flavour = np.full(len(jets["event"]), LIGHT, dtype=np.int64)
    kind = heavy_flavour(gen["pdgId"])
    heavy = np.flatnonzero((kind == BOTTOM) | (kind == CHARM))
    counts = np.bincount(jets["event"], minlength=events)
    begins = np.cumsum(counts) - counts
    # Every pair of a heavy hadron and a jet of its event, hadron after hadron.
    heavy = heavy[counts[gen["event"][heavy]] > 0]
    sizes = counts[gen["event"][heavy]]
    if len(heavy) == 0:
        return flavour
    starts = np.cumsum(sizes) - sizes
    hadron = np.repeat(heavy, sizes)
    jet = np.repeat(begins[gen["event"][heavy]] - starts, sizes) + np.arange(int(sizes.sum()))
    turn = delta_phi(gen["phi"][hadron].astype(np.float64), jets["Phi"][jet].astype(np.float64))
    distance = np.hypot(gen["eta"][hadron] - jets["Eta"][jet], turn)
    closest = np.minimum.reduceat(distance, starts)
    here = (distance == np.repeat(closest, sizes)) & (distance < radius)
    np.maximum.at(flavour, jet[here], kind[hadron[here]])
    return flavour


def tag_probability(pt: Floats, flavour: Integers, config: BTaggingConfig) -> Floats:
    """Probability [J] of a tag for jets of pT ``pt`` [GeV] and hadron flavour ``flavour``."""
    place, points = np.log(np.maximum(pt, 1e-9)), np.log(config.pt)
    b, c, light = (np.interp(place, points, column) for column in (config.b, config.c, config.light))
    return np.where(flavour == BOTTOM, b, np.where(flavour == CHARM, c, light))


def draw_tags(
    jets: Columns, flavour: Integers, events: int, config: BTaggingConfig, seed: tuple[int, ...], first: int
) -> Integers:
    """1 for each jet that is tagged, else 0, [J].

    Each event has random numbers of its own, from ``seed`` and its number in the file (``first`` + index): they do not
    depend on how events are cut into batches, and no other random number of the simulation changes.
    """
    counts = np.bincount(jets["event"], minlength=events)
    drawn = [np.random.default_rng([*seed, first + event]).random(size) for event, size in enumerate(counts.tolist())]
    probability = tag_probability(jets["Pt"].astype(np.float64), flavour, config)
    return (np.concatenate([np.empty(0), *drawn]) < probability).astype(np.int64)
