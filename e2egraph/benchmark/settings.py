"""Where and how networks are measured: the CPU in float32 always; a GPU in bfloat16, eager and compiled, if there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

# Compiled forms that one piece of code may have: all networks share the frame's forward, and each has several sizes.
MOST_COMPILED_FORMS = 1000


@dataclass(frozen=True)
class Setting:
    """``suffix`` is added to a model's name where its figures are recorded."""

    device: str = "cpu"
    compiled: bool = False
    suffix: str = ""

    def case(self, model: str) -> str:
        return model + self.suffix

    def prepare(self, model: nn.Module, *, dynamic: bool) -> Any:
        """The network on its device, compiled where that is the setting; ``dynamic``: for batches of any size."""
        model = model.to(self.device)
        return torch.compile(model, dynamic=dynamic) if self.compiled else model

    @contextmanager
    def active(self) -> Iterator[None]:
        """Around all work in this setting: as many compiled networks as there are, and never uncompiled in silence."""
        if not self.compiled:
            yield
            return
        import torch._dynamo.config as dynamo

        limits = dict.fromkeys(("recompile_limit", "accumulated_recompile_limit"), MOST_COMPILED_FORMS)
        with dynamo.patch({**limits, "fail_on_recompile_limit_hit": True}):
            yield
        torch.compiler.reset()

    def precision(self) -> AbstractContextManager[object]:
        """bfloat16 autocast on a GPU, float32 on a CPU."""
        return torch.autocast("cuda", torch.bfloat16) if self.device == "cuda" else nullcontext()

    def synchronize(self) -> None:
        """Wait until all work that was begun is done; a CPU's is."""
        if self.device == "cuda":
            torch.cuda.synchronize()

    def describe(self, threads: int) -> str:
        """For the note of a record."""
        if self.device == "cuda":
            return torch.cuda.get_device_name() + ", bfloat16 autocast" + (", torch.compile" if self.compiled else "")
        return f"{threads} CPU thread{'s' if threads > 1 else ''}"


CPU = Setting()
GPU = (Setting("cuda", suffix=" (GPU)"), Setting("cuda", compiled=True, suffix=" (GPU, compiled)"))


def available_settings() -> tuple[Setting, ...]:
    """The CPU, and the GPU's two where torch finds one."""
    return (CPU, *GPU) if torch.cuda.is_available() else (CPU,)
