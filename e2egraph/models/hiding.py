"""Node variables that a network does not get to see: zero whatever they were, in training, export and C++."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import torch
from pydantic import AfterValidator
from torch import Tensor, nn

from e2egraph.errors import UsageError
from e2egraph.tasks.inputs import Inputs


def _known(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names):
        raise ValueError("hidden variables must be different names")
    return names


# Type of the option that says which node variables are hidden.
Hidden = Annotated[tuple[str, ...], AfterValidator(_known)]


def hide(network: nn.Module, names: Sequence[str], inputs: Inputs) -> None:
    """From now on ``network`` gets zeros for these variables (the value of a variable without meaning, DESIGN §6).

    Its weights, their names and its shape stay as they are, so that rows of an ablation differ in their inputs alone.
    UsageError for a name that is no variable of the inputs.
    """
    unknown = [name for name in names if name not in inputs.variable_names]
    if unknown:
        raise UsageError(
            f"model.hide names {unknown[0]}, which is none of the task's variables {', '.join(inputs.variable_names)}."
        )
    hidden = torch.zeros(inputs.n_features, dtype=torch.bool)
    hidden[[inputs.index(name) for name in names]] = True
    network.register_buffer("hidden_variables", hidden, persistent=False)
    network.register_forward_pre_hook(_cleared)


def _cleared(network: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Any, ...]:
    points, features, *others = inputs
    return points, features.masked_fill(network.get_buffer("hidden_variables"), 0.0), *others
