"""Networks with one row per node: every kernel's vectors through a head, without pooling."""

import pytest
import torch

from e2egraph.errors import UsageError
from e2egraph.models.registry import build_model, load_model_config
from e2egraph.tasks.outputs import Head, Outputs
from tests.all_inputs import INPUTS
from tests.models.jets import jets
from tests.models.zoo import MODELS, graph_models, small_settings

OF_NODES = Outputs(heads=(Head(name="kind", columns=("noise", "signal", "pileup"), level="node"),))


def network(name: str, *settings: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_model(load_model_config(name, [*small_settings(name), *settings]), INPUTS, OF_NODES).eval()


@pytest.mark.parametrize("name", graph_models())
def test_every_kernel_gives_a_row_for_each_node_whatever_their_order_and_the_padding(name: str) -> None:
    model, counts = network(name), [41, 17, 1, 0]
    points, features, mask, jet = jets(counts, lattice=True, n=43)
    order = torch.randperm(43, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        rows = model(points, features, mask, jet)
        shuffled = model(points[:, order], features[:, order], mask[:, order], jet)
        assert rows.shape == (4, 43, 3)
        torch.testing.assert_close(shuffled[mask[:, order]], rows[:, order][mask[:, order]], atol=2e-5, rtol=0)
        for i, n in enumerate(counts):
            alone = model(points[i : i + 1, :n], features[i : i + 1, :n], mask[i : i + 1, :n], jet[i : i + 1])
            torch.testing.assert_close(alone[0], rows[i, :n], atol=1e-5, rtol=0)
    assert len(rows[mask].unique(dim=0)) > 30
    (model.train()(points, features, mask, jet) * mask.unsqueeze(-1)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.parametrize("name", graph_models())
def test_merged_nodes_have_no_rows(name: str) -> None:
    with pytest.raises(
        UsageError, match=r"model\.options\.merge makes fewer nodes, but the objective asks for one row"
    ):
        network(name, "options.merge=[1,4]")


@pytest.mark.parametrize("name", [name for name in MODELS if name not in graph_models()])
def test_networks_of_objects_refuse_to_be_asked_for_nodes(name: str) -> None:
    with pytest.raises(UsageError, match="gives one row per object, but the objective asks for one per node"):
        network(name)
