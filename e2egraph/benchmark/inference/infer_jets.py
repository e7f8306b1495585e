"""The jets that inference is timed on: some of a data set, with the lengths they have, or made ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from e2egraph.data.loading.pools import read_jets
from e2egraph.data.padding import DenseArrays, pad
from e2egraph.data.table import read_table
from e2egraph.export.made_jets import made_jets
from e2egraph.graphs.storage.manifest import Manifest
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs
from e2egraph.tasks.task import load_task

# Nodes of made jets: as many as jets of 400 to 1000 GeV have in simulated samples.
MADE_NODES = (400, 1200)

# The task whose inputs and outputs untrained models have where there is no data set.
TASK = "top"

Select = Callable[[PointClouds], PointClouds]


@dataclass(frozen=True)
class InferenceJets:
    """``clouds`` of the data set ``folder`` with ``manifest``, or none of these and ``number`` jets are made; ``about``
    says which. ``inputs``, ``outputs``: of the task, for models that are made for these jets."""

    number: int
    about: str
    inputs: Inputs
    outputs: Outputs
    clouds: PointClouds | None = None
    folder: Path | None = None
    manifest: Manifest | None = None

    def batches(self, size: int, inputs: Inputs | None = None, select: Select | None = None) -> Iterator[DenseArrays]:
        """The jets in order, ``size`` at a time and begun again where they end, padded to the longest of a batch.

        ``inputs``: the order of the features, the task's where not given; ``select``: the nodes of a data set's jets
        that are kept.
        """
        inputs = inputs or self.inputs
        if self.clouds is None:
            yield from self._made(size, inputs)
            return
        clouds = self.clouds if select is None else select(self.clouds)
        for start in range(0, self.number, size):
            yield pad(clouds.take(np.arange(start, start + size) % self.number), inputs)

    def _made(self, size: int, inputs: Inputs) -> Iterator[DenseArrays]:
        rng = np.random.default_rng(1)
        lengths = rng.integers(*MADE_NODES, self.number)
        for start in range(0, self.number, size):
            # The first of a batch is as long as the longest, one is empty, the rest end anywhere (``made_jets``).
            yield made_jets("random", size, int(lengths[start : start + size].max()), rng, inputs)


def inference_jets(data: Path | None, number: int) -> InferenceJets:
    """``number`` jets spread evenly over a data set's test split (all jets where it has none); None: made jets.

    InputError: not a data set, or no jet in it.
    """
    if data is None:
        task = load_task(TASK)
        about = f"{number} made jets of {MADE_NODES[0]} to {MADE_NODES[1]} nodes"
        return InferenceJets(number, about, task.network_inputs, task.objective.outputs)
    table = read_table(data)
    split = "test" if (table.columns["split"] == "test").any() else None
    numbers = table.jets_of(split)
    wanted = numbers[np.unique(np.linspace(0, len(numbers) - 1, number).round().astype(np.int64))]
    # All columns: a bundle may read others than the task's networks do.
    with open_shard(data / table.manifest.shards[0].name) as file:
        columns = list(file.names)
    _, clouds = read_jets(table, np.unique(table.group_of(wanted)), wanted, columns)
    # In an order that has nothing to do with classes and shards.
    clouds = clouds.take(np.random.default_rng(1).permutation(len(clouds)))
    of = f"{split} jets" if split else "jets"
    middle = int(np.median(clouds.counts))
    return InferenceJets(
        number=len(clouds),
        about=f"{len(clouds)} {of} of {data.resolve().name} (median {middle} nodes)",
        inputs=table.manifest.network_inputs,
        outputs=table.manifest.objective.outputs,
        clouds=clouds,
        folder=data,
        manifest=table.manifest,
    )
