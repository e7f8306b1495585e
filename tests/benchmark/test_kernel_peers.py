"""``benchmark kernels --peers``: layers of other libraries are measured next to ours, or said not to be."""

import json
import sys

import pytest
import torch
from torch import nn

from e2egraph.benchmark.kernels.peer_layers import OURS, PEERS, NotInstalledError, Peer
from e2egraph.benchmark.kernels.peers import benchmark_peers
from e2egraph.cli import main

ABSENT = {"torch_cluster", "pyg_lib", "weaver.nn.model.ParticleNet", "performer_pytorch"}


class Slow(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return sum(self.layer(x) for _ in range(400))


def test_figures_of_a_peer_stand_over_those_of_our_kernel():
    peers = (Peer("slow", "torch", "transformer", Slow, most_nodes=32),)
    records = benchmark_peers(nodes=(16, 32, 64), width=8, repeats=2, peers=peers)
    found = {(r.case, r.n, r.metric): r.value for r in records}
    assert found["slow", 0, "measured"] == 1
    for n in (16, 32):
        for name, metric in (("forward", "forward_seconds"), ("train", "train_seconds"), ("memory", "memory_bytes")):
            ratio = found["slow", n, f"layer_{metric}"] / found["layer transformer", n, f"layer_{metric}"]
            assert found["slow", n, f"{name}_ratio_to_ours"] == pytest.approx(ratio)
        assert found["slow", n, "forward_ratio_to_ours"] > 5
    assert found["slow", 64, "measured"] == 0
    assert ("slow", 64, "layer_train_seconds") not in found


def test_a_peer_that_is_not_installed_is_listed_with_the_reason(tmp_path, monkeypatch):
    for name in ABSENT:
        monkeypatch.setitem(sys.modules, name, None)
    words = ["--model", "window", "--nodes", "32", "--total-nodes", "32", "--width", "8", "--depth", "1"]
    output = tmp_path / "kernels.json"
    assert main(["benchmark", "kernels", "--peers", "--repeats", "1", "--output", str(output), *words]) == 0
    records = json.loads(output.read_text())["records"]
    measured = {r["case"]: r for r in records if r["metric"] == "measured" and r["n"] == 0}
    assert measured.keys() == {peer.name for peer in PEERS}
    assert {name for name, r in measured.items() if r["value"]} == {"nn.MultiheadAttention", "PyG EdgeConv, our graph"}
    for name in ("weaver EdgeConvBlock", "PyG GravNetConv"):
        assert "cannot be imported" in measured[name]["note"] and "e2egraph[peers]" in measured[name]["note"]
    assert "window" in {r["case"] for r in records}


@pytest.mark.parametrize("peer", PEERS, ids=[peer.name for peer in PEERS])
def test_peer_and_kernel_do_the_same_kind_of_work(peer):
    try:
        layer = peer.make(16)
    except NotInstalledError as error:
        pytest.skip(str(error))
    x = torch.randn(2, 40, 16)
    for either in (layer, OURS[peer.ours](16)):
        assert either(x).shape == x.shape
