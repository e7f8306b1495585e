"""Networks with one row per node: every kernel's vectors through a readout, without pooling, and tokens un-pooled."""

import math

import pytest
import torch
from torch import Tensor, nn

from e2egraph.errors import UsageError
from e2egraph.models.layers.readout.node_readout import NodeReadout
from e2egraph.models.registry import build_model, load_model_config
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Head, Outputs
from tests.all_inputs import INPUTS
from tests.flow_dataset import flow_task
from tests.models.jets import jets
from tests.models.zoo import MODELS, graph_models, small_settings

OF_NODES = Outputs(heads=(Head(name="kind", columns=("noise", "signal", "pileup"), level="node"),))
TOKENS = ["tracks-and-cells", "tracks-and-cells-small"]
NETWORKS = [*graph_models(), *TOKENS]
FLOW = flow_task()


def network(name: str, *settings: str, inputs: Inputs = INPUTS, outputs: Outputs = OF_NODES) -> nn.Module:
    """A small network whose readout does not begin at zero."""
    torch.manual_seed(0)
    model = build_model(load_model_config(name, [*small_settings(name), *settings]), inputs, outputs).eval()
    readout = model.get_submodule("readout")
    assert isinstance(readout, NodeReadout)
    for head in readout.heads:
        assert isinstance(head, nn.Sequential)
        for parameter in head[-1].parameters():
            nn.init.normal_(parameter, std=0.3)
    return model


def event(angle: float = 0.0, nodes: int = 150, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    """Elements of one event, turned by ``angle`` [rad] around the beam."""
    generator = torch.Generator().manual_seed(5)
    inputs = FLOW.network_inputs
    eta, phi, value = torch.rand(3, 1, nodes, generator=generator, dtype=torch.float64)
    phi = (2 * phi - 1) * math.pi + angle
    features = torch.zeros(1, nodes, inputs.n_features, dtype=torch.float64)
    features[..., inputs.index("value")] = 20 * value**3
    features[..., inputs.index("energy")] = 30 * value**3
    kind = torch.nn.functional.one_hot(torch.arange(nodes) % 3, 3)
    features[..., len(inputs.variables) :] = kind
    points = torch.stack([(2 * eta - 1) * 2.4, phi - 2 * math.pi * torch.floor(phi / (2 * math.pi) + 0.5)], dim=-1)
    return points.to(dtype), features.to(dtype), torch.ones(1, nodes, dtype=torch.bool), torch.zeros(1, 0, dtype=dtype)


@pytest.mark.parametrize("name", NETWORKS)
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


@pytest.mark.parametrize("name", NETWORKS)
def test_turning_an_event_around_the_beam_changes_nothing_relative_to_its_elements(name: str) -> None:
    more = ("options.cone_sums=[0.05, 0.2]",) if name in graph_models() else ()
    model = network(name, *more, inputs=FLOW.network_inputs, outputs=FLOW.objective.outputs).double()
    with torch.no_grad():
        as_it_is = model(*event())
        for angle in (0.7, math.pi):
            torch.testing.assert_close(model(*event(angle)), as_it_is, rtol=0, atol=1e-4)
        mirrored = event()
        mirrored[0][..., 1] *= -1
        assert (model(*mirrored) - as_it_is).abs().max() > 1e-4


def test_a_new_network_says_that_every_node_is_itself() -> None:
    model = build_model(load_model_config("gnn-lsh", small_settings("gnn-lsh")), INPUTS, OF_NODES)
    assert model(*jets([20, 5])).abs().max() == 0


def test_tokens_come_back_to_the_nodes_that_they_are_made_of() -> None:
    """Two nodes of one cell, and a track, differ in their own vectors alone; another cell's energy is felt by both."""
    model = network("tracks-and-cells", "options.depth=1")
    points, features, mask, jet = jets([40], seed=4)
    with torch.no_grad():
        rows = model(points, features, mask, jet)
        features[0, -1, INPUTS.index("value")] += 50.0
        changed = (model(points, features, mask, jet) - rows).abs().amax(-1)[0]
    assert (changed > 1e-6).sum() > 20


@pytest.mark.parametrize("name", graph_models())
def test_merged_nodes_have_no_rows(name: str) -> None:
    with pytest.raises(
        UsageError, match=r"model\.options\.merge makes fewer nodes, but the objective asks for one row"
    ):
        network(name, "options.merge=[1,4]")


@pytest.mark.parametrize("name", [name for name in MODELS if name not in graph_models() and "tracks" not in name])
def test_networks_of_objects_refuse_to_be_asked_for_nodes(name: str) -> None:
    with pytest.raises(UsageError, match="gives one row per object, but the objective asks for one per node"):
        network(name)


@pytest.mark.parametrize(("name", "option"), [("tracks-and-cells-links", "links"), ("tracks-and-cells-mass", "object")])
def test_tokens_that_tell_of_whole_objects_alone_are_refused(name: str, option: str) -> None:
    with pytest.raises(UsageError, match=rf"^model\.options\.{option} is for outputs of whole objects"):
        network(name)
