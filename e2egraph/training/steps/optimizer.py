"""The recipe's optimiser."""

from __future__ import annotations

import torch
from torch import nn

from e2egraph.training.recipe import TrainingOptions

_OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}


def make_optimizer(network: nn.Module, options: TrainingOptions) -> torch.optim.Optimizer:
    """Two groups of parameters: matrices and kernels, which ``weight_decay`` shrinks, and vectors, which it does not.

    Biases and the scales of norms (all of one dimension at most) are left alone, since shrinking them restrains no
    complexity (Goyal et al., arXiv:1706.02677, §5.1).
    """
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in trained if parameter.ndim > 1]
    vectors = [parameter for parameter in trained if parameter.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": options.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return _OPTIMIZERS[options.optimizer](groups, lr=options.learning_rate)  # type: ignore[call-arg]
