"""How much of a network's score comes from each node: integrated gradients, and occlusion.

Both attribute the *log-odds* of a class, ln p/(1 − p), which does not saturate as a probability does. Occlusion takes
nodes away through the mask; every network reads it, so that image and graph are asked the same question and the answer
is exact for both. Integrated gradients follow the derivative to the nodes' numbers: they say nothing of what a network
takes from a node's place or channel, and are zero for hits, which an image only counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from e2egraph.data.loading.batch import JetBatch
from e2egraph.detector.geometry import CRYSTALS_PER_TOWER
from e2egraph.errors import InputError
from e2egraph.models.layers.geometry.grid import region_pixels
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs
from e2egraph.tasks.region import Region

# Sundararajan et al., §5: 20 to 300 steps; Gauss–Legendre points reach their accuracy with the fewest.
STEPS = 32

# Copies of a jet in one forward pass.
ROWS = 64

# Says where a node is; the other variables say what it has left, and are zero for one that left nothing.
PLACE = "rho"

# Outputs of a network [B, C] → the number of each object [B] that is explained.
Score = Callable[[Tensor], Tensor]

ALL = slice(None)


def column_score(outputs: Outputs, column: int) -> Score:
    """What is explained of column ``column`` of a network's output [B, C], ``outputs``: the log-odds of a class among
    the logits of its own softmax, or the number of any other column as it is.

    IndexError: no such column.
    """
    for head, columns in zip(outputs.heads, outputs.slices.values(), strict=True):
        if columns.start <= column < columns.stop:
            softmax = head.activation == "softmax"
            return class_score(column - columns.start, columns) if softmax else quantity_score(column)
    raise IndexError(f"column {column} of outputs that have {outputs.size}")


def class_score(class_index: int, logits: slice = ALL) -> Score:
    """The log-odds of a class, out of the columns ``logits`` of the output (all of a network that gives no more)."""
    return lambda outputs: log_odds(outputs[:, logits], class_index)


def quantity_score(column: int) -> Score:
    """One column of the outputs as it is, such as a mass."""
    return lambda outputs: outputs[:, column]


def log_odds(logits: Tensor, class_index: int) -> Tensor:
    """ln p/(1 − p) [B] of class ``class_index``, p the softmax of ``logits`` [B, C] with C ≥ 2."""
    if logits.shape[1] < 2:
        raise ValueError("log-odds need at least two classes")
    others = [index for index in range(logits.shape[1]) if index != class_index]
    return logits[:, class_index] - logits[:, others].logsumexp(dim=1)


def integrated_gradients(
    model: nn.Module, batch: JetBatch, *, score: Score, inputs: Inputs, steps: int = STEPS, rows: int = ROWS
) -> Tensor:
    """Share of each node in the log-odds' change from the baseline to the jet, [B, N]; 0 in padding.

    M. Sundararajan, A. Taly, Q. Yan, ICML 2017 (arXiv:1703.01365), eq. 1, summed over all variables of a
    node but its place; the integral by ``steps`` Gauss–Legendre points. The baseline is the jet with those
    variables zero: every node keeps its place and channel and has left nothing. Where the path is smooth the shares
    add up to the whole change (``completeness_gap`` is what they miss). ``rows``: jets in one forward pass, or all of
    ``batch`` if it has more. InputError: a derivative that is not finite.
    """
    device = _device(model)
    batch = batch.to(device)
    moved = _moved(device, inputs)
    places, weights = np.polynomial.legendre.leggauss(steps)
    total = torch.zeros(batch.mask.shape, device=device)
    with _evaluating(model), torch.enable_grad():
        alphas = torch.tensor((places + 1.0) / 2.0, dtype=torch.float32, device=device)
        shares = torch.tensor(weights / 2.0, dtype=torch.float32, device=device)
        copies = max(1, rows // max(len(batch), 1))
        for alpha, share in zip(alphas.split(copies), shares.split(copies), strict=True):
            scale = torch.where(moved, alpha.view(-1, 1, 1, 1), 1.0)
            path = (batch.features * scale).flatten(0, 1).requires_grad_()
            points, mask, jet = (
                tensor.repeat(len(alpha), *[1] * (tensor.dim() - 1)) for tensor in (batch.points, batch.mask, batch.jet)
            )
            explained = score(model(points, path, mask, jet))
            (slope,) = torch.autograd.grad(explained.sum(), path, materialize_grads=True, allow_unused=True)
            slope = slope.view(len(alpha), *batch.features.shape)
            # Padding is not read, but its derivative may be anything, NaN too.
            along = torch.where(batch.mask, (slope * batch.features * moved).sum(3), 0.0)
            total += (share.view(-1, 1, 1) * along).sum(0)
    if not torch.isfinite(total).all():
        raise InputError("the derivative of the score to a node is not finite; attribute by occlusion.")
    return total.cpu()


def completeness_gap(model: nn.Module, batch: JetBatch, attribution: Tensor, *, score: Score, inputs: Inputs) -> Tensor:
    """What integrated gradients miss, [B]: log-odds of the jet minus those of its baseline minus Σ ``attribution``."""
    device = _device(model)
    batch = batch.to(device)
    baseline = torch.where(_moved(device, inputs), 0.0, batch.features)
    with _evaluating(model), torch.no_grad():
        ends = [score(model(batch.points, features, batch.mask, batch.jet)) for features in (batch.features, baseline)]
    return (ends[0] - ends[1]).cpu() - attribution.sum(1)


def occlusion(model: nn.Module, batch: JetBatch, groups: Tensor, *, score: Score, rows: int = ROWS) -> Tensor:
    """Log-odds of each jet minus those without one group of its nodes, [B, G]: the evidence of the group for the class.

    Occlusion as M. Zeiler, R. Fergus, ECCV 2014 (arXiv:1311.2901), §4.2, by the mask in place of a grey square.
    ``groups`` [B, N] int64: the group of each node, from 0; −1 for nodes that always stay. G is the highest number
    and one; a group without a node in a jet has 0. ``rows``: jets in one forward pass, whose number is what this costs.
    """
    device = _device(model)
    batch, groups = batch.to(device), groups.to(device)
    groups = torch.where(batch.mask, groups, -1)
    count = int(groups.max()) + 1 if groups.numel() else 0
    present = torch.zeros(len(batch), count + 1, dtype=torch.bool, device=device)
    # The last place takes the nodes of no group.
    present.scatter_(1, torch.where(groups < 0, count, groups), True)
    jet_of, group_of = present[:, :count].nonzero(as_tuple=True)
    change = torch.zeros(len(batch), count, device=device)
    with _evaluating(model), torch.no_grad():
        whole = torch.cat(
            [
                score(model(*(tensor[part] for tensor in batch.inputs)))
                for part in torch.arange(len(batch), device=device).split(rows)
            ]
        )
        for jets, own in zip(jet_of.split(rows), group_of.split(rows), strict=True):
            points, features, mask, jet = (tensor[jets] for tensor in batch.inputs)
            left = mask & (groups[jets] != own.unsqueeze(1))
            change[jets, own] = whole[jets] - score(model(points, features, left, jet))
    return change.cpu()


def occlusion_by_node(model: nn.Module, batch: JetBatch, *, score: Score, rows: int = ROWS) -> Tensor:
    """``occlusion`` of each node by itself, [B, N]; 0 in padding. As many forward passes of a jet as it has nodes."""
    size = batch.mask.shape[1]
    alone = torch.arange(size).expand(len(batch), size)
    change = occlusion(model, batch, alone, score=score, rows=rows)
    return nn.functional.pad(change, (0, size - change.shape[1]))


def occlusion_by_channel(
    model: nn.Module, batch: JetBatch, *, score: Score, inputs: Inputs, rows: int = ROWS
) -> Tensor:
    """``occlusion`` of all nodes of a detector layer at once, [B, channels] in the order of the inputs."""
    change = occlusion(model, batch, _channels(batch, inputs), score=score, rows=rows)
    return nn.functional.pad(change, (0, len(inputs.channels) - change.shape[1]))


def occlusion_by_cell(
    model: nn.Module,
    batch: JetBatch,
    *,
    score: Score,
    region: Region,
    crystals: int = CRYSTALS_PER_TOWER,
    rows: int = ROWS,
) -> Tensor:
    """For each node the ``occlusion`` of its cell, all channels together, [B, N]; 0 in padding and outside the window.

    Cells are squares of ``crystals`` × ``crystals`` of the jet's window, towers by default. Where neighbours say the
    same, taking one node changes nothing and this shows what they say together. Every node of a cell has the whole
    change, which is not shared out among them.
    """
    row, column, inside = region_pixels(batch.points, region)
    across = -(-region.columns // crystals)
    cells = torch.where(inside & batch.mask, (row // crystals) * across + column // crystals, -1)
    change = occlusion(model, batch, cells, score=score, rows=rows)
    # One more place for the nodes in no cell.
    return nn.functional.pad(change, (0, 1)).gather(1, torch.where(cells < 0, change.shape[1], cells))


def _channels(batch: JetBatch, inputs: Inputs) -> Tensor:
    """Position of each node's channel among those of the inputs, [B, N]."""
    return batch.features[..., len(inputs.variables) :].argmax(dim=2)


def _moved(device: torch.device, inputs: Inputs) -> Tensor:
    """Which of the features [V] the path of integrated gradients changes."""
    return torch.tensor(
        [name in inputs.variable_names and name != PLACE for name in inputs.feature_names], device=device
    )


def _device(model: nn.Module) -> torch.device:
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """The network in evaluation mode, and as it was afterwards, module by module."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
