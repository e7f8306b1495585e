"""Single layers next to those of other libraries: forward, and forward and backward, in turns in one run on a CPU."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from e2egraph.benchmark.kernels.memory import peak_bytes
from e2egraph.benchmark.kernels.peer_layers import OURS, PEERS, NotInstalledError, Peer
from e2egraph.benchmark.report import Record, cpu_timed
from e2egraph.benchmark.scaling.cores import torch_threads

NODES = (1024, 4096, 16384)
TOTAL_NODES = 4096

# Metrics, units, and the records of a peer's over ours.
METRICS = {
    "layer_forward_seconds": ("s", "forward_ratio_to_ours"),
    "layer_train_seconds": ("s", "train_ratio_to_ours"),
    "layer_memory_bytes": ("B", "memory_ratio_to_ours"),
}

Figures = dict[tuple[str, str, int], list[float]]


def benchmark_peers(
    *, nodes: Sequence[int] = NODES, width: int = 64, repeats: int = 3,
    peers: Sequence[Peer] = PEERS, progress: Callable[[int, int], None] | None = None,
) -> list[Record]:  # fmt: skip
    """CPU seconds (medians over ``repeats`` turns) and peak memory of each layer that is installed, and of ours.

    One CPU thread, random nodes, no padding. Ratios are a peer's figure over ours: above 1 ours is the better. Of every
    peer a record ``measured`` says whether it was (1) and of which version, or why it was not (0).
    """
    torch.manual_seed(1)
    records, found = [], []
    for peer in peers:
        try:
            found.append((peer, peer.make(width)))
            records.append(Record(peer.name, 0, "measured", 1.0, "", peer.version()))
        except NotInstalledError as error:
            records.append(Record(peer.name, 0, "measured", 0.0, "", str(error)))
    layers = {peer.name: layer for peer, layer in found}
    layers |= {peer.ours: OURS[peer.ours](width) for peer, _ in found}
    sizes = {name: _largest(name, found) for name in layers}
    figures: Figures = defaultdict(list)
    done, total = 0, sum(n <= sizes[name] for n in nodes for name in layers) * (repeats + 1)
    with torch_threads(1):
        for repeat in range(repeats + 1):
            for n in sorted(set(nodes)):
                x = torch.randn(max(1, TOTAL_NODES // n), n, width, generator=torch.Generator().manual_seed(n))
                for name, layer in layers.items():
                    if n > sizes[name]:
                        continue
                    _measure(figures, name, layer, x, warm=repeat > 0)
                    done += 1
                    if progress is not None:
                        progress(done, total)
    return [*records, *_records(figures, [peer for peer, _ in found], sorted(set(nodes)))]


def _largest(name: str, found: Sequence[tuple[Peer, nn.Module]]) -> int:
    """Nodes up to which a layer is measured; ours wherever one of its peers is."""
    return max(peer.most_nodes for peer, _ in found if name in (peer.name, peer.ours))


def _measure(figures: Figures, name: str, layer: nn.Module, x: Tensor, *, warm: bool) -> None:
    n = x.shape[1]

    def forward() -> None:
        with torch.no_grad():
            layer.eval()(x)

    def train() -> None:
        layer.train()(x.clone().requires_grad_()).sum().backward()

    if warm:
        figures["layer_forward_seconds", name, n].append(cpu_timed(forward)[0])
        figures["layer_train_seconds", name, n].append(cpu_timed(train)[0])
    else:
        train()
        layer.zero_grad(set_to_none=True)
        figures["layer_memory_bytes", name, n].append(peak_bytes(train))
    layer.zero_grad(set_to_none=True)


def _records(figures: Figures, peers: Sequence[Peer], nodes: Sequence[int]) -> Iterator[Record]:
    """Medians of all layers, ratios of the peers, and the sizes at which a peer was not measured."""
    for (metric, name, n), values in figures.items():
        note = f"one layer, {max(1, TOTAL_NODES // n)} × {n} nodes, CPU time, 1 CPU thread"
        yield Record(
            f"layer {name}" if name in OURS else name, n, metric, float(np.median(values)), METRICS[metric][0], note
        )
    for peer in peers:
        for n in nodes:
            if n > peer.most_nodes:
                yield Record(
                    peer.name, n, "measured", 0.0, "", f"up to {peer.most_nodes} nodes only: all pairs take too long"
                )
                continue
            for metric, (_, ratio) in METRICS.items():
                theirs, ours = (np.median(figures[metric, name, n]) for name in (peer.name, peer.ours))
                yield Record(peer.name, n, ratio, float(theirs / ours), "", f"over our {peer.ours}")
