"""What every network is: one forward signature (DESIGN §7), typed options, and inputs and outputs it is made for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from e2egraph.errors import UsageError
from e2egraph.tasks.inputs import FLAG_PREFIX, Inputs
from e2egraph.tasks.outputs import Outputs


class Network(nn.Module, ABC):
    """Base of the networks; a user's own needs only its interface.

    A subclass is made as ``Class(options, inputs, outputs)`` with ``options`` an instance of its ``Options``, a
    configuration class, and finds its features by name in ``inputs``. ``uses_jet`` says whether ``jet`` is read: only
    then does the exported model ask for it.
    ``least_nodes``: the exported model appends this many padded nodes, so that N is never less.
    """

    Options: ClassVar[type[Any]]
    uses_jet: bool = False
    least_nodes: int = 1

    @abstractmethod
    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        """The columns of ``outputs``, classes before softmax.

        ``points`` [B, N, 2]: Δη, Δφ [rad] to the region's centre; ``features`` [B, N, V]: raw physical variables and
        channel flags, in the order of ``inputs.feature_names``; ``mask`` [B, N]: true (or 1) for a node, false (or 0)
        for padding, whose content is never read; ``jet`` [B, G]: raw ``inputs.object``. N may be 0. Returns [B, C], or
        [B, N, C] for outputs of nodes.
        """


def require(network: str, inputs: Inputs, *names: str, quantities: Sequence[str] = ()) -> None:
    """UsageError unless ``inputs`` holds the features ``names`` (``value``, ``is_TRACK``) and the object ``quantities``
    that ``network`` reads."""
    absent = [name for name in names if not inputs.has(name)]
    lacking = {
        "inputs.variables": [name for name in absent if not name.startswith(FLAG_PREFIX)],
        "inputs.channels": [name.removeprefix(FLAG_PREFIX) for name in absent if name.startswith(FLAG_PREFIX)],
        "inputs.object": [name for name in quantities if name not in inputs.object_names],
    }
    parts = [f"{', '.join(names)} ({where})" for where, names in lacking.items() if names]
    if parts:
        raise UsageError(
            f"{network} reads {' and '.join(parts)}, which the task's inputs do not hold; choose another model, or add "
            "what is missing to the task and build the data set again."
        )


def of_objects(network: str, outputs: Outputs) -> None:
    """UsageError unless ``outputs`` are of whole objects, as ``network`` gives them."""
    if outputs.level != "object":
        raise UsageError(f"{network} gives one row per object, but the objective asks for one per node.")


def clear_padding(
    points: Tensor, features: Tensor, mask: Tensor, channels_first: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Zero whatever stands in padded places (NaN too) and bring ``mask`` to bool [B, N].

    ``channels_first``: ``points`` [B, 2, N] and ``features`` [B, V, N] instead of [B, N, 2] and [B, N, V].
    The one place where masks are read in either of their forms: bool in torch, float32 0/1 in ONNX. While a network is
    exported nothing is cleared: ``export.onnx.OnnxForm`` has done it.
    """
    valid = mask > 0.5 if mask.is_floating_point() else mask.bool()
    if torch.compiler.is_exporting():
        return points, features, valid
    absent = ~valid.unsqueeze(1 if channels_first else -1)
    return points.masked_fill(absent, 0.0), features.masked_fill(absent, 0.0), valid
