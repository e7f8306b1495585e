"""Crops around photons in ``fevt/RHTree`` of the SCRegressor vintage (MLAnalyzer): each photon is an object of its own.

``SC_energy`` [GeV] and ``SC_time`` [ns] hold 32 × 32 pixels a photon, row-major in η × φ, one vector a photon or all in
one. ``SC_ieta`` (0–169) and ``SC_iphi`` (0–359) are row and column of the seed in the barrel, pixel (15, 15).
``SC_energyT`` and ``SC_energyZ`` are the same energies times 1/cosh η and |tanh η|, and not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.events.locations import closed_on_error
from e2egraph.events.sources import roottree
from e2egraph.events.sources.images.container import check_plain
from e2egraph.events.sources.rhtree_branches import TREES

SIDE = 32
ENERGY, TIME, SEED = "SC_energy", "SC_time", "SC_ieta"
IMAGE, NUMBER = "X", "SC_number"

# Numbers of the event, which each of its photons gets.
_OF_EVENT = ("runId", "lumiId", "eventId")
# Entries read at once.
_STEP = 64


def holds_crops(location: str) -> bool:
    """Whether a ROOT file is of this vintage; InputError when it holds no known tree."""
    tree = roottree.find_tree(location, (*TREES, roottree.HITS_TREE, roottree.DELPHES_TREE), "an MLAnalyzer ntuple")
    with closing(tree.file):
        return ENERGY in tree.keys(recursive=False)


class CropTree:
    """The photons of a tree as a ``Container``; images are [N, 2, 32, 32], without times [N, 1, 32, 32]."""

    def __init__(self, location: str) -> None:
        self._location = location
        self._tree = roottree.find_tree(location, TREES, "an MLAnalyzer ntuple")
        with closed_on_error(self._tree.file):
            self._recognise()

    def _recognise(self) -> None:
        location = self._location
        there = frozenset(self._tree.keys(recursive=False))
        if SEED not in there:
            raise InputError(
                f"{location}: no branch {SEED}, and so no crops of photons; leave out --image-preset and "
                "--image-channels to read its events."
            )
        self._planes = [name for name in (ENERGY, TIME) if name in there]
        self.names = frozenset({*there, IMAGE, NUMBER})
        self._entries = roottree.check_entries(location, self._tree, [self._tree[n] for n in (*self._planes, SEED)])
        seeds = self._read(SEED, 0, self._entries)
        if seeds.ndim != 2:
            raise InputError(f"{location}: {SEED} is no vector; give an ntuple with one entry a photon in each event.")
        self._counts = ak.to_numpy(ak.num(seeds))
        self._ends = np.cumsum(self._counts)

    @property
    def n_jets(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def close(self) -> None:
        self._tree.file.close()

    def column(self, name: str) -> NDArray:
        if name == NUMBER:
            return np.arange(self.n_jets) - np.repeat(self._ends - self._counts, self._counts)
        values = self._read(name, 0, self._entries)
        if name in _OF_EVENT and values.ndim == 1:
            return check_plain(self._location, name, np.repeat(ak.to_numpy(values), self._counts), self.n_jets)
        if values.ndim != 2 or (ak.to_numpy(ak.num(values)) != self._counts).any():
            raise InputError(f"{self._location}: {name} and {SEED} differ in length; make the file again.")
        return check_plain(self._location, name, ak.to_numpy(ak.flatten(values)), self.n_jets)

    def batches(self, start: int) -> Iterator[NDArray]:
        first = int(np.searchsorted(self._ends, start, side="right"))
        for low in range(first, self._entries, _STEP):
            high = min(low + _STEP, self._entries)
            counts = self._counts[low:high]
            planes = [self._images(name, self._read(name, low, high), counts) for name in self._planes]
            skip = start - int(self._ends[low] - self._counts[low]) if low == first else 0
            yield np.stack(planes, axis=1)[skip:]

    def _images(self, name: str, values: ak.Array, counts: NDArray[np.int64]) -> NDArray:
        """Pixels of the photons of some entries, [n, 32, 32]."""
        nested = values.ndim == 3
        pixels = ak.to_numpy(ak.num(ak.flatten(values, axis=2) if nested else values))
        whole = values.ndim in (2, 3) and (pixels == counts * SIDE**2).all()
        if not whole or (nested and not ak.all(ak.num(values, axis=2) == SIDE**2)):
            raise InputError(
                f"{self._location}: {name} does not hold {SIDE}×{SIDE} pixels for each entry of {SEED}; make the file "
                "again."
            )
        return ak.to_numpy(ak.flatten(values, axis=None)).reshape(-1, SIDE, SIDE)

    def _read(self, name: str, start: int, stop: int) -> ak.Array:
        return roottree.read_branch(self._location, self._tree[name], start, stop)
