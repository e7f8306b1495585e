"""What a training reads: a loader for each epoch, and what the splits must hold for training to make sense."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from e2egraph.data.loader import JetLoader, evaluation_loader, training_loader
from e2egraph.data.share import ALONE, Share
from e2egraph.data.table import JetTable, read_table
from e2egraph.data.training_jets import training_jets
from e2egraph.errors import InputError
from e2egraph.training.recipe import Recipe


class JetDataModule:
    """Batches of a data set in the order of (seed, epoch).

    InputError when the data set cannot be read, has fewer than two classes, lacks nodes that the recipe selects, or
    when training or validation lacks signal or background or has weights that no loss can be made of.
    """

    def __init__(self, folder: Path, recipe: Recipe, seed: int) -> None:
        self.table: JetTable = read_table(folder)
        self.recipe, self.seed = recipe, seed
        manifest = self.table.manifest
        if len(manifest.classes) < 2:
            raise InputError(f"{folder}: only class '{manifest.classes[0]}'; build the data set with two or more.")
        self.table.node_counts(recipe.data.selection)  # kept for every epoch; refuses what the data set lacks
        self.signal = manifest.classes.index(manifest.signal)
        self.training_jets = training_jets(self.table, recipe.data)
        for split, numbers in (("train", self.training_jets), ("validation", self.table.jets_of("validation"))):
            self._check_weights(numbers, split)
            labels = self.table.columns["label"][numbers]
            for what, found in (("signal", labels == self.signal), ("background", labels != self.signal)):
                if not found.any():
                    raise InputError(
                        f"{folder}: no {what} jets in split '{split}'; build it from more events, or change the split."
                    )

    def class_weights(self) -> torch.Tensor:
        """Factor on the jets' weights for each class, [C], such that the mean weight of a training jet is 1."""
        numbers = self.training_jets
        label, weight = self.table.columns["label"][numbers], self.table.columns["weight"][numbers]
        n_classes = len(self.table.manifest.classes)
        sums = np.bincount(label, weights=weight, minlength=n_classes)
        if self.recipe.training.class_weights == "none":
            return torch.full((n_classes,), len(numbers) / sums.sum())
        present = sums > 0
        factors = np.where(present, len(numbers) / (present.sum() * np.where(present, sums, 1.0)), 0.0)
        return torch.from_numpy(factors)

    def _check_weights(self, numbers: NDArray[np.int64], split: str) -> None:
        weight = self.table.columns["weight"][numbers]
        wrong = numbers[~(np.isfinite(weight) & (weight >= 0))]
        if len(wrong):
            columns = self.table.columns
            jet = ", ".join(f"{name} {columns[name][wrong[0]]}" for name in ("run", "lumi", "event", "jet"))
            raise InputError(
                f"{self.table.folder}: {len(wrong)} jets of split '{split}' have weights that are negative or not "
                f"finite, first {jet} ({columns['weight'][wrong[0]]}); build the data set again."
            )
        if len(numbers) and not weight.any():
            raise InputError(f"{self.table.folder}: all weights of split '{split}' are zero; build the data set again.")

    def training(self, epoch: int, share: Share = ALONE, start: int = 0) -> JetLoader:
        """Epoch ``epoch`` (from 0) from batch ``start`` on, this process's share of every batch."""
        return training_loader(
            self.table,
            self.recipe.data,
            self.recipe.training.batch_size,
            seed=self.seed,
            epoch=epoch,
            pin=torch.cuda.is_available(),
            share=share,
            start=start,
        )

    def validation(self, share: Share = ALONE) -> JetLoader:
        """This process's share of the validation split."""
        return evaluation_loader(self.table, self.recipe.data, "validation", pin=torch.cuda.is_available(), share=share)
