"""A loss or gradient that is not finite ends the training, naming epoch, step and jets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from e2egraph.data.table import JetTable
from e2egraph.files import write_json
from e2egraph.training.which_object import identity, in_words

REMEDY = "lower training.learning_rate or set training.gradient_clip, with --restart or another --output"


@dataclass(frozen=True)
class _Batch:
    """``step`` None: of the validation."""

    epoch: int
    step: int | None
    number: Tensor
    loss: Tensor
    norm: Tensor | None


class LossWatch:
    """Remembers the batches since the last check, as checking waits for the device and need not be done at each."""

    def __init__(self) -> None:
        self._batches: list[_Batch] = []
        self._bad: _Batch | None = None

    def add(self, epoch: int, step: int | None, number: Tensor, loss: Tensor, norm: Tensor | None = None) -> None:
        """``number``, ``loss`` [B]: of the jets of a step (None: of the validation), perhaps none; ``norm``: of its
        gradient, where that is known.
        """
        if len(loss):
            self._batches.append(_Batch(epoch, step, number, loss, norm))

    def check(self) -> tuple[bool, float]:
        """Whether all that was added since the last check was finite, and the mean loss of those batches."""
        if not self._batches:
            return self._bad is None, float("nan")
        losses = torch.stack([batch.loss.mean() for batch in self._batches])
        zero = losses.new_zeros(())
        norms = torch.stack([zero if batch.norm is None else batch.norm.to(losses) for batch in self._batches])
        means, checks = torch.stack([losses, losses + norms]).cpu()
        finite = checks.isfinite()
        if not finite.all():
            self._bad = self._batches[int((~finite).nonzero()[0])]
        self._batches.clear()
        return self._bad is None, float(means.mean())

    def found(self, table: JetTable, folder: Path, rank: int) -> str | None:
        """What was not finite in this process, whose part of the batch is then listed in ``folder``; None: nothing."""
        if self._bad is None:
            return None
        bad = self._bad
        loss, numbers = bad.loss.cpu(), bad.number.cpu()
        wrong = (~loss.isfinite()).nonzero().flatten().tolist()
        jets = [
            {"number": int(number), **identity(table, int(number)), "loss": repr(float(value))}
            for number, value in zip(numbers, loss, strict=True)
        ]
        path = folder / (f"diverged-{rank}.json" if rank else "diverged.json")
        write_json(path, {"epoch": bad.epoch, "step": bad.step, "jets": jets})
        where = f"epoch {bad.epoch}, step {bad.step}" if bad.step is not None else f"epoch {bad.epoch}, validation,"
        what = f"the gradient at {where} is not finite"
        if wrong:
            first = jets[wrong[0]]
            of = table.manifest.object_name.count(len(jets))
            count = f"{len(wrong)} of {of}, first {first['number']} ({in_words(table, first['number'])})"
            what = f"the loss at {where} is not finite for {count}"
        return f"{what}; the batch is listed in {path}"


def describe(found: list[str | None]) -> str:
    """One sentence for every process, of what ``LossWatch.found`` said in each.

    A loss that is not finite in one process spoils the gradient in all of them, so it is the cause.
    """
    said = [what for what in found if what is not None]
    causes = [what for what in said if what.startswith("the loss")] or said
    return f"training diverged: {causes[0]}; {REMEDY}."
