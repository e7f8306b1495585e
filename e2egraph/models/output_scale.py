"""Outputs in physical units: what a network's raw numbers mean, applied inside it, so that training, export and C++
see the same.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from e2egraph.tasks.outputs import Outputs


def scale_outputs(network: nn.Module, outputs: Outputs) -> None:
    """From now on ``network`` gives ``offset + scale · r`` for its raw numbers r [..., C], as ``outputs`` says.

    A network that begins with raw numbers near 0 thus begins with predictions near the offset. Weights, their names and
    shapes stay as they are. Nothing at all is done where raw numbers and outputs are the same, as for classes.
    """
    if not any(head.scaled for head in outputs.heads):
        return
    network.register_buffer("physical_offset", torch.tensor(outputs.offset), persistent=False)
    network.register_buffer("physical_scale", torch.tensor(outputs.scale), persistent=False)
    network.register_forward_hook(_scaled)


def _scaled(network: nn.Module, inputs: tuple[Any, ...], raw: Tensor) -> Tensor:
    # Float32 also of half-precision numbers: 292 GeV has no more than steps of 2 GeV in bfloat16.
    return network.get_buffer("physical_offset") + network.get_buffer("physical_scale") * raw
