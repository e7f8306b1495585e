"""Devices, processes and precision: the recipe's wishes, or what ``torchrun`` started, as a Lightning Fabric."""

from __future__ import annotations

import atexit
import io
import os
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from lightning_fabric.plugins.precision import MixedPrecision, Precision
from lightning_fabric.strategies import DDPStrategy
from torch import nn

from e2egraph.errors import UsageError
from e2egraph.training.recipe import TrainingOptions
from e2egraph.training.workers import start_workers


class AutocastOnly(MixedPrecision):
    """Mixed precision that leaves a network's inputs in float32.

    Lightning's rounds them too: bfloat16 has 8 bits, so that Δη, Δφ would move by up to 0.2 crystals, and float16 ends
    at 65,504 of whatever unit. Autocast chooses the precision of each operation inside the network.
    """

    def convert_input(self, data: Any) -> Any:
        return data


def make_fabric(options: TrainingOptions) -> Fabric:
    """A Fabric that is not launched yet; UsageError for more devices than there are, or other than srun started."""
    cuda = torch.cuda.is_available()
    devices, nodes = _devices_and_nodes(options)
    environment = _environment(devices, nodes)
    if cuda and devices > torch.cuda.device_count():
        raise UsageError(f"training.devices={devices}: this machine has {torch.cuda.device_count()}; lower it.")
    precision = Precision()
    if options.precision != "32-true":
        precision = AutocastOnly(options.precision, "cuda" if cuda else "cpu")
    # Networks take their statistics over all processes, so that buffers are the same in each.
    together = DDPStrategy(broadcast_buffers=False)
    try:
        return Fabric(
            accelerator="cuda" if cuda else "cpu",
            devices=devices,
            num_nodes=nodes,
            strategy=together if devices * nodes > 1 else "auto",
            plugins=[precision, environment],
        )
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"training.devices={devices}, training.nodes={nodes}: {reason}") from error


def launch(fabric: Fabric, options: TrainingOptions) -> None:
    """Start the processes, or meet those that were started; UsageError when they are not as many as ``options`` say.

    All processes of a training that this program began go on with the program: none of them can train alone.
    """
    devices, nodes = _devices_and_nodes(options)
    together = torch.distributed.get_world_size() if _in_group() else None
    if together not in (None, devices * nodes):
        raise UsageError(
            f"training.devices={devices} on training.nodes={nodes}: {together} processes train together in this "
            "program already; train on as many, or in a program of its own."
        )
    environment = getattr(fabric.strategy, "cluster_environment", None)
    if devices > 1 and isinstance(environment, LightningEnvironment):
        start_workers(environment, devices, nodes)
    fabric.launch()
    if fabric.world_size > 1:
        atexit.register(leave_group)
    if fabric.world_size != devices * nodes:
        raise UsageError(
            f"training.devices={devices} on training.nodes={nodes} are {devices * nodes} processes, but "
            f"{fabric.world_size} began; start them with torchrun, or set both to what was started."
        )


def leave_group() -> None:
    """End this process's part in the group of processes, where it has one.

    The group's threads must have ended before the interpreter does, or now and then a process whose work is done is
    aborted (github.com/pytorch/pytorch/issues/190489). Lightning sees to it for NCCL alone.
    """
    if _in_group():
        torch.distributed.destroy_process_group()


def _in_group() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def _devices_and_nodes(options: TrainingOptions) -> tuple[int, int]:
    """Processes a machine, and machines: torchrun's, or else the recipe's."""
    if not TorchElasticEnvironment.detect():
        return options.devices, options.nodes
    devices = int(os.environ["LOCAL_WORLD_SIZE"])
    return devices, int(os.environ["WORLD_SIZE"]) // devices


def _environment(devices: int, nodes: int) -> ClusterEnvironment:
    """Who starts the processes: torchrun, an ``srun`` of several tasks, or (also in a job of SLURM) this program.

    SLURM describes the job in every process of it; ``SLURM_STEP_NUM_TASKS`` is there under ``srun`` only, and
    ``SLURM_NTASKS`` alone does not tell whether anything but this process was started.
    """
    if TorchElasticEnvironment.detect():
        return TorchElasticEnvironment()
    tasks = os.environ.get("SLURM_STEP_NUM_TASKS", "1")
    if tasks == "1":
        return LightningEnvironment()
    a_node = os.environ.get("SLURM_NTASKS_PER_NODE")
    if tasks != str(devices * nodes) or a_node != str(devices):
        raise UsageError(
            f"srun started {tasks} tasks ({a_node or 'unsaid'} a node), but training.devices={devices} and "
            f"training.nodes={nodes}; give srun --nodes={nodes} --ntasks-per-node={devices}, or start one task."
        )
    return SLURMEnvironment(auto_requeue=False)


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
