"""A loss or gradient that is not finite ends the training, naming epoch, step and jets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from e2egraph.data.table import JetTable
from e2egraph.errors import InputError
from e2egraph.training.run_folder import write_json

MEND = "lower training.learning_rate or set training.gradient_clip, with --restart or another --output"

_IDS = ("run", "lumi", "event", "jet")


@dataclass(frozen=True)
class _Step:
    epoch: int
    step: int
    number: Tensor
    loss: Tensor
    norm: Tensor | None


class LossWatch:
    """Remembers the steps since the last look, as looking waits for the device and need not be done at each."""

    def __init__(self) -> None:
        self._steps: list[_Step] = []
        self._bad: _Step | None = None

    def add(self, epoch: int, step: int, number: Tensor, loss: Tensor, norm: Tensor | None) -> None:
        """``number``, ``loss`` [B]: of the jets of a step; ``norm``: of its gradient, where that is known."""
        self._steps.append(_Step(epoch, step, number, loss, norm))

    def look(self) -> tuple[bool, float]:
        """Whether every step since the last look was finite, and the mean loss of those steps."""
        if not self._steps:
            return True, float("nan")
        losses = torch.stack([step.loss.mean() for step in self._steps])
        norms = torch.stack([losses.new_zeros(()) if s.norm is None else s.norm.to(losses.dtype) for s in self._steps])
        means, checks = torch.stack([losses, losses + norms]).cpu()
        finite = checks.isfinite()
        if not finite.all():
            self._bad = self._steps[int((~finite).nonzero()[0])]
        self._steps.clear()
        return self._bad is None, float(means.mean())

    def error(self, table: JetTable, folder: Path, rank: int) -> InputError:
        """What to raise once ``look`` found something; the process's part of the batch is listed in ``folder``."""
        if self._bad is None:
            return InputError(f"training diverged in another process; {MEND}.")
        bad = self._bad
        loss, numbers = bad.loss.cpu(), bad.number.cpu()
        wrong = (~loss.isfinite()).nonzero().flatten().tolist()
        jets = [
            {"number": int(number), **_identity(table, int(number)), "loss": repr(float(value))}
            for number, value in zip(numbers, loss, strict=True)
        ]
        path = folder / (f"diverged-{rank}.json" if rank else "diverged.json")
        write_json(path, {"epoch": bad.epoch, "step": bad.step, "jets": jets})
        where = f"epoch {bad.epoch}, step {bad.step}"
        what = f"the gradient at {where} is not finite"
        if wrong:
            first = jets[wrong[0]]
            ids = ", ".join(f"{name} {first[name]}" for name in _IDS)
            count = f"{len(wrong)} of {len(jets)} jets, first {first['number']} ({ids})"
            what = f"the loss at {where} is not finite for {count}"
        return InputError(f"training diverged: {what}; the batch is listed in {path}; {MEND}.")


def _identity(table: JetTable, number: int) -> dict[str, int]:
    return {name: int(table.columns[name][number]) for name in _IDS}
