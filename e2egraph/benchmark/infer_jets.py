"""The jets that inference is timed on: some of a data set, with the lengths they have, or made ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from e2egraph.data.loader import columns_for, read_jets
from e2egraph.data.padding import DenseArrays, pad
from e2egraph.data.table import read_table
from e2egraph.export.parity import made_jets
from e2egraph.graphs.pointclouds import PointClouds

# Nodes of made jets: as many as jets of 400 to 1000 GeV have in simulated samples.
MADE_NODES = (400, 1200)

Select = Callable[[PointClouds], PointClouds]


@dataclass(frozen=True)
class InferenceJets:
    """``clouds`` of a data set, or none and ``number`` jets are made; ``about`` says which."""

    number: int
    about: str
    clouds: PointClouds | None = None

    def batches(self, size: int, select: Select | None = None) -> Iterator[DenseArrays]:
        """The jets in order, ``size`` at a time and begun again where they end, padded to the longest of a batch.

        ``select``: the nodes of a data set's jets that are kept.
        """
        if self.clouds is None:
            yield from self._made(size)
            return
        clouds = self.clouds if select is None else select(self.clouds)
        for start in range(0, self.number, size):
            yield pad(clouds.take(np.arange(start, start + size) % self.number))

    def _made(self, size: int) -> Iterator[DenseArrays]:
        rng = np.random.default_rng(1)
        lengths = rng.integers(*MADE_NODES, self.number)
        for start in range(0, self.number, size):
            # The first of a batch is as long as the longest, one is empty, the rest end anywhere (``made_jets``).
            yield made_jets("random", size, int(lengths[start : start + size].max()), rng)


def inference_jets(data: Path | None, number: int) -> InferenceJets:
    """``number`` jets spread evenly over a data set's test split (all jets where it has none); None: made jets.

    InputError: not a data set, or no jet in it.
    """
    if data is None:
        return InferenceJets(number, f"{number} made jets of {MADE_NODES[0]} to {MADE_NODES[1]} nodes")
    table = read_table(data)
    split = "test" if (table.columns["split"] == "test").any() else None
    numbers = table.jets_of(split)
    wanted = numbers[np.unique(np.linspace(0, len(numbers) - 1, number).round().astype(np.int64))]
    _, clouds = read_jets(table, np.unique(table.group_of(wanted)), wanted, columns_for(()))
    # In an order that has nothing to do with classes and shards.
    clouds = clouds.take(np.random.default_rng(1).permutation(len(clouds)))
    of = f"{split} jets" if split else "jets"
    middle = int(np.median(clouds.counts))
    return InferenceJets(len(clouds), f"{len(clouds)} {of} of {data.resolve().name} (median {middle} nodes)", clouds)
