"""Which jets a network learns from: the training split, or a part of it."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from e2egraph.data.options import DataOptions
from e2egraph.data.table import Integers, JetTable
from e2egraph.errors import InputError

# One draw for all trainings, whatever their seed: a smaller part lies in every larger one.
SEED = 1


def training_jets(table: JetTable, options: DataOptions, labels: Collection[int] | None = None) -> Integers:
    """Numbers of the training split's jets, rising; ``options.training_jets`` of them at random, where it is set.

    ``labels``: of the classes that are learnt from; None for all. InputError when the split is empty or has fewer.
    """
    numbers = table.jets_of("train")
    if labels is not None:
        numbers = numbers[np.isin(table.columns["label"][numbers], list(labels))]
    wanted = options.training_jets
    if wanted is None:
        return numbers
    if wanted > len(numbers):
        raise InputError(
            f"{table.folder}: {len(numbers)} training {table.manifest.object_name.many}, but "
            f"data.training_jets={wanted}; lower it, or build from more events."
        )
    return np.sort(np.random.default_rng(SEED).permutation(numbers)[:wanted])
