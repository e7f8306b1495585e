"""Nodes into blocks and back, once for each of several orders of the same nodes, and fast in both directions.

What ``Blocks.split`` and ``Blocks.join`` do, but for several orders of each jet at once,
made by one ``serialize``.
Whole rows are read instead of single numbers (some ten times faster on a CPU), and since every node has one place in
each order, the gradient of each function is the other, again a reading of rows: nothing needs to be added up in memory.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from e2egraph.models.serialization import Blocks


def split_rounds(blocks: Blocks, x: Tensor, rounds: int) -> Tensor:
    """``x [B, N, D]`` → ``[B · rounds, n, size, D]``: the n blocks of each order; empty places hold zeros.

    ``blocks``: of B · rounds rows, the orders of one jet one after the other. Differentiable once.
    """
    if torch.compiler.is_exporting():
        return _split(blocks, x, rounds)
    result: Tensor = _Split.apply(x, blocks, rounds)
    return result


def join_rounds(blocks: Blocks, rows: Tensor, rounds: int) -> Tensor:
    """``[B · rounds, n, size, D]`` → ``[B, N, D]``: the sum over the orders; what lies in padding is of no account.

    Differentiable once; padding has no gradient.
    """
    if torch.compiler.is_exporting():
        return _join(blocks, rows, rounds)
    result: Tensor = _Join.apply(rows, blocks, rounds)
    return result


class _Split(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, blocks: Blocks, rounds: int) -> Tensor:
        ctx.blocks, ctx.rounds = blocks, rounds
        return _split(blocks, x, rounds)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        gradient = gradient.masked_fill(~ctx.blocks.mask.unsqueeze(-1), 0.0)
        return _join(ctx.blocks, gradient, ctx.rounds), None, None


class _Join(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, blocks: Blocks, rounds: int) -> Tensor:
        ctx.blocks, ctx.rounds = blocks, rounds
        return _join(blocks, rows, rounds)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _split(ctx.blocks, gradient, ctx.rounds), None, None


def _split(blocks: Blocks, x: Tensor, rounds: int) -> Tensor:
    n_jets, n_nodes, width = x.shape
    first = torch.arange(n_jets, device=x.device) * n_nodes
    node = blocks.node.view(n_jets, rounds, blocks.node.shape[1]) + first.view(-1, 1, 1)
    rows = x.reshape(n_jets * n_nodes, width).index_select(0, node.flatten())
    return rows.view(*blocks.mask.shape, width).masked_fill(~blocks.mask.unsqueeze(-1), 0.0)


def _join(blocks: Blocks, rows: Tensor, rounds: int) -> Tensor:
    n_orders, n_nodes = blocks.place.shape
    first = torch.arange(n_orders, device=rows.device).unsqueeze(1) * blocks.node.shape[1]
    n_jets = n_orders // rounds
    place = (blocks.place + first).view(n_jets, rounds, n_nodes)
    flat = rows.flatten(0, 2)
    orders = [flat.index_select(0, place[:, i].flatten()) for i in range(rounds)]
    total = sum(orders[1:], orders[0])
    return total.view(n_jets, n_nodes, rows.shape[-1])
