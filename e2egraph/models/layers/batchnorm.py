"""Batch normalisation over the jets of all processes that train together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed, nn

from e2egraph.models.layers.standardize import trains_with_others


class _Sum(torch.autograd.Function):
    """The sum over all processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total


def _summed(values: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(values)
    return total


class JoinedBatchNorm(nn.modules.batchnorm._BatchNorm):
    """``nn.BatchNorm1d … 3d`` whose batch is that of all processes, on any device; x [B, D, …] → the same shape.

    What ``nn.SyncBatchNorm`` is on GPUs. Every process must pass its part of every batch, of one jet at least.
    """

    @staticmethod
    def like(norm: nn.modules.batchnorm._BatchNorm) -> JoinedBatchNorm:
        """The same norm, with the very parameters and statistics of ``norm``."""
        options = (norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        joined = JoinedBatchNorm(*options)
        joined.weight, joined.bias, joined.training = norm.weight, norm.bias, norm.training
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            setattr(joined, name, getattr(norm, name))
        return joined

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2 dimensions, got {input.dim()}")

    def forward(self, input: Tensor) -> Tensor:
        if not (self.training and trains_with_others()):
            return super().forward(input)
        self._check_input_dim(input)
        return self._joined(input)

    @torch.compiler.disable
    def _joined(self, input: Tensor) -> Tensor:
        x = input.to(torch.promote_types(input.dtype, torch.float32))
        across = [0, *range(2, x.dim())]
        sums = _summed(torch.cat([x.sum(across), x.new_tensor([x.numel() / x.shape[1]])]))
        count = sums[-1]
        shape = (1, -1, *[1] * (x.dim() - 2))
        mean = sums[:-1] / count
        centred = x - mean.view(shape)
        variance = _summed(centred.square().sum(across)) / count
        self._follow(mean.detach(), variance.detach() * count / (count - 1))
        result = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            result = result * self.weight.view(shape) + self.bias.view(shape)
        return result.to(input.dtype)

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Update the running statistics as torch's batch norms do: variance with n − 1."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        share = 1.0 / self.num_batches_tracked if self.momentum is None else self.momentum
        self.running_mean += share * (mean - self.running_mean)
        self.running_var += share * (variance - self.running_var)


def join_batch_norms(network: nn.Module, cuda: bool) -> nn.Module:
    """``network`` with its batch norms taken over all processes: by NCCL's own way on GPUs, else by ours."""
    if cuda:
        return nn.SyncBatchNorm.convert_sync_batchnorm(network)
    if isinstance(network, nn.modules.batchnorm._BatchNorm):
        return JoinedBatchNorm.like(network)
    for name, child in network.named_children():
        setattr(network, name, join_batch_norms(child, cuda))
    return network
