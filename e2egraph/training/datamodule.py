"""What a training reads: a loader for each epoch, and what the splits must hold for training to make sense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from e2egraph.data.candidates import check_every_element
from e2egraph.data.loading.loader import AnyLoader, evaluation_loader, training_loader
from e2egraph.data.scores import target_columns
from e2egraph.data.share import ALONE, Share
from e2egraph.data.table import JetTable, read_table
from e2egraph.data.training_jets import training_jets
from e2egraph.errors import InputError, UsageError
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.objectives.objective import with_loss_settings
from e2egraph.tasks.outputs import Outputs
from e2egraph.tasks.variables import reflections_of
from e2egraph.training.objectives.learning import Learning, make_learning
from e2egraph.training.recipe import Recipe
from e2egraph.training.which_object import in_words


class JetDataModule:
    """Batches of a data set in the order of (seed, epoch); ``learning``: how its objective is learnt.

    InputError when the data set cannot be read, lacks nodes that the recipe selects, or when training or validation
    lacks what the objective learns from (``Learning.check``) or has weights that no loss can be made of. UsageError
    when the recipe asks for what the objective does not have.
    """

    def __init__(self, folder: Path, recipe: Recipe, seed: int) -> None:
        manifest = read_manifest(folder)
        objective = with_loss_settings(manifest.objective, recipe.objective, f"training on {folder}")
        self.learning: Learning[Any] = make_learning(objective, recipe.training)
        self.table: JetTable = read_table(folder, target_columns(manifest.objective.target_names))
        self.recipe, self.seed = recipe, seed
        self.learning.reads(self.table.inputs)
        if recipe.training.rotate_phi and not self.table.inputs.region.periodic:
            raise UsageError(
                f"training.rotate_phi=true: nodes of {folder} lie in {self.table.inputs.region.describe()}, which "
                "cannot be turned around the beam; leave it out."
            )
        if objective.node_targets:
            check_every_element(recipe.data.nodes, f"training on {folder}")
        turned = [name for name in objective.target_names if "phi" in reflections_of(name)]
        if recipe.training.rotate_phi and turned:
            raise UsageError(
                f"training.rotate_phi=true: {turned[0]} of {folder}, which is learnt, would not be turned along; leave "
                "rotate_phi out, or learn another target."
            )
        self.table.node_counts(recipe.data.nodes)  # kept for every epoch; refuses what the data set lacks
        self.training_jets = training_jets(self.table, recipe.data, self.learning.learnt_labels)
        for split, numbers in (("train", self.training_jets), ("validation", self.table.jets_of("validation"))):
            check_split(self.learning, self.table, numbers, split)

    @property
    def remarks(self) -> list[str]:
        """What the user should know of the training split, a sentence each: classes that it cannot teach."""
        names = self.learning.objective.class_names
        label, weight = (self.table.columns[name][self.training_jets] for name in ("label", "weight"))
        sums = np.bincount(label, weights=weight, minlength=len(names))
        labels = self.learning.learnt_labels or range(len(names))
        many = self.table.manifest.object_name.many
        return [
            f"no training {many} of class '{names[each]}' (with weight): it is not learnt"
            for each in labels
            if not sums[each] > 0
        ]

    @property
    def inputs(self) -> Inputs:
        """What a network reads of the data set."""
        return self.table.inputs

    @property
    def outputs(self) -> Outputs:
        """What a network must give."""
        return self.table.manifest.objective.outputs

    def class_weights(self) -> torch.Tensor:
        """Factors on the jets' weights for each loss and class, [H, C] (``Learning.class_weights``)."""
        numbers = self.training_jets
        return self.learning.class_weights(self.table.columns["label"][numbers], self.table.columns["weight"][numbers])

    def training(self, epoch: int, share: Share = ALONE, start: int = 0) -> AnyLoader:
        """Epoch ``epoch`` (from 0) from batch ``start`` on, this process's share of every batch."""
        loader = training_loader(
            self.table,
            self.recipe.data,
            self.recipe.training.batch_size,
            targets=self.learning.objective.target_names,
            node_targets=self.learning.objective.node_targets,
            labels=self.learning.learnt_labels,
            seed=self.seed,
            epoch=epoch,
            share=share,
            start=start,
        )
        return loader.to(_device())

    def validation(self, share: Share = ALONE) -> AnyLoader:
        """This process's share of the validation split."""
        loader = evaluation_loader(
            self.table,
            self.recipe.data,
            "validation",
            targets=self.learning.objective.target_names,
            node_targets=self.learning.objective.node_targets,
            share=share,
        )
        return loader.to(_device())


def check_split(learning: Learning[Any], table: JetTable, numbers: NDArray[np.int64], split: str) -> None:
    """InputError unless the objects ``numbers`` of ``split`` have weights that a loss can be made of, none of them
    negative and not all of them zero, and what the objective learns from (``Learning.check``)."""
    weight = table.columns["weight"][numbers]
    wrong = numbers[~(np.isfinite(weight) & (weight >= 0))]
    if len(wrong):
        first = f"{in_words(table, wrong[0])} ({table.columns['weight'][wrong[0]]})"
        raise InputError(
            f"{table.folder}: {table.manifest.object_name.count(len(wrong))} of split '{split}' with a weight that is "
            f"negative or not finite, first {first}, from which no loss can be made; build the data set from samples "
            "without them."
        )
    if len(numbers) and not weight.any():
        raise InputError(f"{table.folder}: all weights of split '{split}' are zero; build the data set again.")
    learning.check(table, numbers, split)


def _device() -> str:
    """Where batches are moved to."""
    return "cuda" if torch.cuda.is_available() else "cpu"
