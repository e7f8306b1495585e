"""Values of every process of torch's process group, joined in each of them."""

from __future__ import annotations

import torch
from torch import Tensor, distributed

from e2egraph.data.share import current_share


def of_all_processes(values: Tensor) -> Tensor:
    """``values`` [D, J], with any J in each process, joined along J in the order of ranks; all processes must call.

    The result is on the device of ``values``; without a process group it is ``values``.
    """
    share = current_share()
    if share.world == 1:
        return values
    # NCCL moves data between GPUs alone, also for a process that had no jets and so no device.
    own = values.cuda() if distributed.get_backend() == "nccl" else values.cpu()
    sizes = [torch.zeros(1, dtype=torch.int64, device=own.device) for _ in range(share.world)]
    distributed.all_gather(sizes, torch.tensor([own.shape[1]], device=own.device))
    jets = [int(size) for size in sizes]
    parts = [own.new_empty(len(own), max(jets)) for _ in range(share.world)]
    distributed.all_gather(parts, torch.nn.functional.pad(own, (0, max(jets) - own.shape[1])).contiguous())
    joined = [part[:, :number] for part, number in zip(parts, jets, strict=True)]
    return torch.cat(joined, dim=1).to(values.device)
