"""What each process of a test runs; apart from the test, as each process imports this file."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, distributed, nn

from e2egraph.data.share import Share, current_share
from e2egraph.models.layers.batchnorm import join_batch_norms
from e2egraph.models.layers.standardize import RunningStandardize
from e2egraph.tasks.objectives.classification import Classification
from e2egraph.training.objectives.learning import make_learning
from e2egraph.training.steps.epoch_metrics import EpochScores
from tests.training.batches import batch_of


def process(rank: int, world: int, folder: str) -> None:
    """Scores and statistics of this process's part of what ``jets`` makes; the last process has no scores at all."""
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world)
    assert current_share() == Share(rank, world)
    logits, label, weight, values = jets()
    scores = epoch_scores()
    mine = np.arange(len(label))[rank :: world - 1] if rank < world - 1 else np.empty(0, int)
    for part in np.array_split(mine, 3):
        scores.add(logits[part], batch_of(label[part]), weight[part][None], weight[part][None])
    first = epoch_scores()
    first.load_state_dict(scores.state_dict())
    standardize = RunningStandardize(values.shape[1]).train()
    for batch in values.split(10):
        standardize(batch[rank::world])
    network = join_batch_norms(norms(values.shape[1]), cuda=False)
    loss_of(network, values[rank::world]).backward()
    gradients = [parameter.grad for parameter in network.parameters()]
    for gradient in gradients:
        distributed.all_reduce(gradient)
    metrics, restored = scores.finish(), first.finish()
    result = {
        "metrics": list(metrics.values()),
        "restored": list(restored.values()),
        "standardize": standardize.state_dict(),
        "norms": network.state_dict(),
        "gradients": gradients,
    }
    torch.save(result, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def epoch_scores() -> EpochScores:
    return EpochScores(make_learning(Classification(classes=["qcd", "top"], signal="top")))


def jets() -> tuple[torch.Tensor, ...]:
    random = torch.Generator().manual_seed(3)
    logits, label = torch.randn(61, 2, generator=random), torch.randint(0, 2, (61,), generator=random)
    values = 5 + torch.randn(34, 7, generator=random)
    return logits, label, torch.rand(61, generator=random), values


def norms(width: int) -> nn.Module:
    """Batch norms of each kind, the same in every process."""
    torch.manual_seed(1)
    flat = nn.Sequential(nn.Linear(width, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Unflatten(1, (2, 2, 1)))
    image = (nn.BatchNorm2d(2, momentum=None), nn.Flatten())
    return nn.Sequential(flat, *image, nn.Linear(4, 2), nn.BatchNorm1d(2)).double()


def loss_of(network: nn.Module, values: Tensor) -> Tensor:
    values = values.double()
    return (network(values) * values[:, :2]).pow(2).sum()
