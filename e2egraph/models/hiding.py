"""Node variables that a network does not get to see: zero whatever they were, in training, export and C++ alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from pydantic import AfterValidator
from torch import Tensor, nn

from e2egraph.graphs.columns import VARIABLES
from e2egraph.models.network import N_FEATURES, feature_index


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    wrong = [name for name in names if name not in VARIABLES]
    if wrong or len(set(names)) != len(names):
        raise ValueError(f"hidden variables must be different names out of {', '.join(VARIABLES)}")
    return names


# Type of the option that says which node variables are hidden.
Hidden = Annotated[tuple[str, ...], AfterValidator(_known)]


def hide(network: nn.Module, names: Sequence[str]) -> None:
    """From now on ``network`` gets zeros for these variables (the value of a variable without meaning, DESIGN §5).

    Its weights, their names and its shape stay as they are, so that rows of an ablation differ in their inputs alone.
    """
    hidden = torch.zeros(N_FEATURES, dtype=torch.bool)
    hidden[[feature_index(name) for name in names]] = True
    network.register_buffer("hidden_variables", hidden, persistent=False)
    network.register_forward_pre_hook(_cleared)


def _cleared(network: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Any, ...]:
    points, features, *others = inputs
    return points, features.masked_fill(network.get_buffer("hidden_variables"), 0.0), *others
