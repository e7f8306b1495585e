"""Learning several objectives with one network: each has its loss, its weights and its figures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.table import JetTable
from e2egraph.errors import InputError
from e2egraph.tasks.objectives.joint import Joint
from e2egraph.training.objectives.learning import Floats, Integers, Learning, make_learning
from e2egraph.training.recipe import TrainingOptions


@dataclass(frozen=True)
class _Part:
    """One objective and its places among the columns, targets, losses (H) and recorded numbers (D) of all.

    ``members`` [C]: the classes that it learns from; ``factor``: on its loss.
    """

    learning: Learning[Any]
    columns: slice
    targets: slice
    losses: slice
    records: slice
    members: NDArray[np.bool_]
    factor: float

    def of(self, batch: JetBatch) -> tuple[JetBatch, Tensor]:
        """The batch with this objective's targets, and which of its objects count [B]; targets of others are 0."""
        counts = torch.from_numpy(self.members).to(batch.label.device, non_blocking=True)[batch.label]
        target = batch.target[:, self.targets].masked_fill(~counts.unsqueeze(1), 0.0)
        return replace(batch, target=target), counts


class JointLearning(Learning[Joint]):
    """The sum of the objectives' mean losses times their factors, each over the objects of its own classes."""

    def __init__(self, objective: Joint, options: TrainingOptions) -> None:
        super().__init__(objective, options)
        factors = objective.weights or [1.0] * len(objective.heads)
        self._parts: list[_Part] = []
        columns = targets = losses = records = 0
        for head, factor in zip(objective.heads, factors, strict=True):
            learning, wanted = make_learning(head, options), objective.classes_of(head.kind)
            part = _Part(
                learning,
                columns=slice(columns, columns + head.outputs.size),
                targets=slice(targets, targets + len(head.target_names)),
                losses=slice(losses, losses + learning.losses),
                records=slice(records, records + learning.record_size),
                members=np.array([name in wanted for name in objective.class_names]),
                factor=factor,
            )
            columns, targets, losses, records = (
                place.stop for place in (part.columns, part.targets, part.losses, part.records)
            )
            self._parts.append(part)
        self.smooths_labels = any(part.learning.smooths_labels for part in self._parts)

    @property
    def losses(self) -> int:
        return int(self._parts[-1].losses.stop)

    @property
    def record_size(self) -> int:
        return int(self._parts[-1].records.stop)

    def check(self, table: JetTable, numbers: Integers, split: str) -> None:
        """Each objective's own check over the objects that it learns from; every class of ``only`` must be there."""
        labels = table.columns["label"][numbers]
        for kind, names in self.objective.only.items():
            for name in names:
                if not (labels == self.objective.class_names.index(name)).any():
                    raise InputError(
                        f"{table.folder}: no objects of class '{name}' in split '{split}', which objective {kind} "
                        "learns from; build it from more events, or change the split."
                    )
        for part in self._parts:
            members = numbers[part.members[labels]]
            if not table.columns["weight"][members].any():
                raise InputError(
                    f"{table.folder}: all weights of the objects of split '{split}' that objective "
                    f"{part.learning.objective.kind} learns from are zero; build the data set again."
                )
            part.learning.check(table, members, split)

    def class_weights(self, label: Integers, weight: NDArray) -> Tensor:
        """For each loss over its own objects, 0 for other classes: objects that do not count change no mean."""
        rows = []
        for part in self._parts:
            counts = part.members[label]
            own = part.learning.class_weights(label[counts], weight[counts]) * (len(label) / counts.sum())
            rows.append(own * torch.from_numpy(part.members))
        return torch.cat(rows)

    def loss(self, output: Tensor, batch: JetBatch) -> tuple[Tensor, Tensor]:
        minimised: list[Tensor] = []
        plain: list[Tensor] = []
        for part in self._parts:
            own, counts = part.of(batch)
            for found, losses in zip((minimised, plain), part.learning.loss(output[:, part.columns], own), strict=True):
                found.append(part.factor * losses.masked_fill(~counts, 0.0))
        return torch.cat(minimised), torch.cat(plain)

    def record(self, output: Tensor, batch: JetBatch) -> Tensor:
        """What the objectives keep, 0 where an object does not count."""
        records = []
        for part in self._parts:
            own, counts = part.of(batch)
            records.append(part.learning.record(output[:, part.columns], own).masked_fill(~counts, 0.0))
        return torch.cat(records)

    def figures(self, records: Floats, weight: Floats) -> dict[str, float]:
        """All objectives' figures, each of the objects that count in it."""
        found: dict[str, float] = {}
        for part in self._parts:
            own = weight[part.losses]
            counts = np.flatnonzero((own > 0).any(axis=0))
            found |= part.learning.figures(records[part.records][:, counts], own[:, counts])
        return found
