"""What every network is: one forward signature (DESIGN §6), typed options, and how many inputs there are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from e2egraph.data.padding import FEATURE_NAMES
from e2egraph.graphs.columns import JET_VARIABLES

N_FEATURES = len(FEATURE_NAMES)
N_JET_VARIABLES = len(JET_VARIABLES)


class Network(nn.Module, ABC):
    """Base of the networks; a user's own needs only its interface.

    A subclass is made as ``Class(options, n_outputs)`` with ``options`` an instance of its ``Options``, a
    configuration class. ``uses_jet`` says whether ``jet`` is read: only then does the exported model ask for it.
    ``least_nodes``: the exported model appends so many padded nodes, so that N is never less.
    """

    Options: ClassVar[type[Any]]
    uses_jet: ClassVar[bool] = False
    least_nodes: int = 1

    @abstractmethod
    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        """Scores before softmax.

        ``points`` [B, N, 2]: Δη, Δφ [rad] to the window's centre; ``features`` [B, N, V]: raw physical variables and
        the one-hot channel, in the order of ``FEATURE_NAMES``; ``mask`` [B, N]: true (or 1) for a node, false (or 0)
        for padding, whose content is never read; ``jet`` [B, G]: raw ``JET_VARIABLES``. N may be 0. Returns [B, C].
        """


def feature_index(name: str) -> int:
    """Position of a node variable (``value``) or channel flag (``is_TRACK``) in ``features [..., V]``."""
    return FEATURE_NAMES.index(name)


def clear_padding(points: Tensor, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Zero whatever stands in padded places (NaN too) and bring ``mask`` to bool [B, N].

    The one place where masks are read in either of their forms: bool in torch, float32 0/1 in ONNX. While a network is
    exported nothing is cleared: ``export.onnx.OnnxForm`` has done it.
    """
    valid = mask > 0.5 if mask.is_floating_point() else mask.bool()
    if torch.compiler.is_exporting():
        return points, features, valid
    absent = ~valid.unsqueeze(-1)
    return points.masked_fill(absent, 0.0), features.masked_fill(absent, 0.0), valid
