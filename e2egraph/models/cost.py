"""What a network costs: its parameters, and the floating-point operations of its forward pass."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from e2egraph.models.registry import parameter_count


def _attention_flops(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))


# torch knows the fused attention of GPUs alone; this is that of CPUs.
_CPU_ATTENTION: dict[Any, Any] = {torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops}


@dataclass(frozen=True)
class Cost:
    """Trainable ``parameters``, and ``flops`` of a forward pass for one jet (see ``forward_flops``)."""

    parameters: int
    flops: float


def cost(model: nn.Module, inputs: Sequence[Tensor]) -> Cost:
    """Cost of a network; ``inputs`` are its forward's (points [B, N, 2], …), whose N is what the FLOPs are for."""
    return Cost(parameter_count(model), forward_flops(model, inputs) / len(inputs[0]))


def forward_flops(model: nn.Module, inputs: Sequence[Tensor]) -> int:
    """Floating-point operations of ``model(*inputs)``, B jets padded to N, in evaluation mode.

    Counted: matrix products, convolutions and attention (Q·K and P·V), a multiplication and an addition as two. Not
    counted: element-wise work, normalisation, softmax, reductions, neighbour search and its distances, sorting,
    gathering, drawing of images. The model is left as it is.
    """
    model = copy.deepcopy(model).eval()
    with _no_fused_encoder(), torch.no_grad(), FlopCounterMode(display=False, custom_mapping=_CPU_ATTENTION) as counter:
        model(*inputs)
    return int(counter.get_total_flops())


@contextmanager
def _no_fused_encoder() -> Iterator[None]:
    """Without torch's fused transformer layer, whose matrix products nothing sees."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
