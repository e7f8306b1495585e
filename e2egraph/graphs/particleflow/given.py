"""Which true particle gave how much of which element: links of cells, summed over the cells of each element."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.channels import Channel
from e2egraph.detector.geometry import Floats, Integers
from e2egraph.reconstruction.clusters import Shares


@dataclass(frozen=True)
class Given:
    """True energies [GeV], [G], each pair of ``element`` and ``particle`` once, ordered by element and particle."""

    element: Integers
    particle: Integers
    energy: Floats

    def of_elements(self, place: Integers) -> Given:
        """Those of the elements that ``place`` [S] gives a new number (−1: left out)."""
        there = place[self.element]
        kept = np.flatnonzero(there >= 0)
        order = kept[np.lexsort((self.particle[kept], there[kept]))]
        return Given(there[order], self.particle[order], self.energy[order])


@dataclass(frozen=True)
class Links:
    """Who deposited what in which cell [L]: ``cell`` and ``particle`` count in all events; ``energy`` [GeV]."""

    cell: Integers
    particle: Integers
    energy: Floats


def given_energies(shares: Mapping[Channel, Shares], links: Mapping[Channel, Links], particles: int) -> Given:
    """What each of the ``particles`` gave to each element. ``shares``, ``links``: of each calorimeter."""
    found = [_joined(shares[channel], links[channel]) for channel in shares]
    element, particle, energy = (np.concatenate(column) for column in zip(*found, strict=True))
    key = element * max(particles, 1) + particle
    order = np.argsort(key, kind="stable")
    key = key[order]
    begins = np.flatnonzero(np.diff(key, prepend=-1))
    total = np.add.reduceat(energy[order], begins) if len(begins) else np.zeros(0)
    return Given(key[begins] // max(particles, 1), key[begins] % max(particles, 1), total)


def _joined(shares: Shares, links: Links) -> tuple[NDArray, NDArray, NDArray]:
    """Element, particle and energy of every link of a cell with every element that the cell belongs to."""
    order = np.argsort(shares.cell, kind="stable")
    cell = shares.cell[order]
    first, last = np.searchsorted(cell, links.cell, "left"), np.searchsorted(cell, links.cell, "right")
    number = last - first
    link = np.repeat(np.arange(len(number)), number)
    place = np.arange(len(link)) - np.repeat(np.cumsum(number) - number, number) + first[link]
    share = order[place]
    return shares.cluster[share], links.particle[link], links.energy[link] * shares.share[share]
