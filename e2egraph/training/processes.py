"""Devices, processes and precision: the recipe's wishes, or what ``torchrun`` started, as a Lightning Fabric."""

from __future__ import annotations

import io
import os
from typing import Any

import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments import TorchElasticEnvironment
from lightning.fabric.plugins.precision import MixedPrecision, Precision
from lightning.fabric.strategies import DDPStrategy
from torch import nn

from e2egraph.errors import UsageError
from e2egraph.training.recipe import TrainingOptions


class AutocastOnly(MixedPrecision):
    """Mixed precision that leaves a network's inputs in float32.

    Lightning's rounds them too: bfloat16 has 8 bits, so that Δη, Δφ would move by up to 0.2 crystals, and float16 ends
    at 65,504 of whatever unit. Autocast chooses the precision of each operation inside the network.
    """

    def convert_input(self, data: Any) -> Any:
        return data


def make_fabric(options: TrainingOptions, network_has_batch_norm: bool) -> Fabric:
    """A Fabric that is not launched yet; UsageError for more devices than there are."""
    cuda = torch.cuda.is_available()
    devices, nodes = options.devices, options.nodes
    if TorchElasticEnvironment.detect():
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        nodes = int(os.environ["WORLD_SIZE"]) // devices
    if cuda and devices > torch.cuda.device_count():
        raise UsageError(f"training.devices={devices}: this machine has {torch.cuda.device_count()}; lower it.")
    precision = Precision()
    if options.precision != "32-true":
        precision = AutocastOnly(options.precision, "cuda" if cuda else "cpu")
    # Statistics that processes take on their own (batch norms where they cannot be joined) follow those of the first.
    alone = DDPStrategy(broadcast_buffers=network_has_batch_norm and not cuda)
    try:
        return Fabric(
            accelerator="cuda" if cuda else "cpu",
            devices=devices,
            num_nodes=nodes,
            strategy=alone if devices * nodes > 1 else "auto",
            plugins=precision,
        )
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"training.devices={devices}, training.nodes={nodes}: {reason}") from error


def has_batch_norm(network: nn.Module) -> bool:
    """Whether a network takes statistics of its batches in torch's batch norms."""
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())


def any_process(fabric: Fabric, *flags: bool) -> list[bool]:
    """Each flag: whether it is set in any process; every process must ask."""
    if fabric.world_size == 1:
        return list(flags)
    values = torch.tensor(flags, dtype=torch.int32, device=fabric.device)
    torch.distributed.all_reduce(values, torch.distributed.ReduceOp.MAX)
    return [bool(value) for value in values.tolist()]


def gather_states(fabric: Fabric, state: dict[str, Any]) -> list[dict[str, Any]]:
    """The state (tensors and plain values) of every process, in each of them."""
    if fabric.world_size == 1:
        return [state]
    stream = io.BytesIO()
    torch.save(state, stream)
    data = torch.frombuffer(bytearray(stream.getvalue()), dtype=torch.uint8).to(fabric.device)
    sizes = [torch.zeros(1, dtype=torch.int64, device=fabric.device) for _ in range(fabric.world_size)]
    torch.distributed.all_gather(sizes, torch.tensor([len(data)], device=fabric.device))
    longest = max(int(size) for size in sizes)
    parts = [torch.zeros(longest, dtype=torch.uint8, device=fabric.device) for _ in range(fabric.world_size)]
    torch.distributed.all_gather(parts, nn.functional.pad(data, (0, longest - len(data))))
    return [
        torch.load(io.BytesIO(part[: int(size)].cpu().numpy().tobytes()), map_location="cpu", weights_only=True)
        for part, size in zip(parts, sizes, strict=True)
    ]
