"""What ``torch.compile`` captures of a network is the network: scores and gradients, in sizes it has not seen too.

Those whose code a compiler cannot take as it stands: gradients of their own, searches, random draws. Captured as in a
real training and run without generated C++, which takes minutes: ``scripts/check_compiled.py`` does so for all.
"""

import copy

import pytest
import torch

from tests.models.jets import jets
from tests.models.zoo import build


@pytest.mark.parametrize("name", ["gnn-lsh", "gravnet", "performer", "tracks-and-cells-small"])
def test_a_captured_network_trains_as_the_plain_one(name: str) -> None:
    torch.compiler.reset()
    plain = build(name, settings=("options.depth=1",)).double().train()
    network = copy.deepcopy(plain)
    captured = torch.compile(network, backend="eager", dynamic=True)
    for counts in ([30, 12, 0], [41, 8]):
        inputs = [tensor.double() if tensor.is_floating_point() else tensor for tensor in jets(counts)]
        scores = [called(*inputs) for called in (plain, captured)]
        torch.testing.assert_close(scores[1], scores[0], rtol=1e-12, atol=1e-12)
        for score, model in zip(scores, (plain, network), strict=True):
            model.zero_grad()
            score.square().sum().backward()
        for ours, expected in zip(network.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(ours.grad, expected.grad, rtol=1e-9, atol=1e-12)
