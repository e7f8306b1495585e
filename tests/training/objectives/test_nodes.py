"""The loss of particle flow against sums written node by node, its figures, and events that are turned or mirrored."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch_geometric.data import Batch

from e2egraph.data.dataset import JetDataset, dense
from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.loading.loader import evaluation_loader
from e2egraph.data.options import DataOptions
from e2egraph.data.table import read_table
from e2egraph.errors import InputError, UsageError
from e2egraph.tasks.objectives.nodes import CLASSES, MASS_OFFSET, Nodes
from e2egraph.tasks.objectives.objective import make_objective
from e2egraph.training.datamodule import JetDataModule
from e2egraph.training.objectives.learning import check_settings, make_learning
from e2egraph.training.objectives.nodes import focal_loss
from e2egraph.training.recipe import load_recipe
from e2egraph.training.steps.augmentation import reflect, rotate
from e2egraph.training.steps.epoch_metrics import EpochScores
from tests.flow_dataset import flow_task, write_flow_dataset

INPUTS = flow_task().network_inputs
NONE, CHARGED, NEUTRAL, PHOTON = range(4)


def learning(**settings: float):
    made = make_learning(make_objective({"kind": "nodes", **settings}, "test"))
    made.reads(INPUTS)
    return made


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_flow_dataset(tmp_path_factory.mktemp("flow") / "data", 60)


@pytest.fixture(scope="module")
def batch(data) -> JetBatch:
    """Twenty events, one of them without nodes."""
    options = DataOptions(evaluation_batch_size=20)
    loaded = next(iter(evaluation_loader(read_table(data), options, None, node_targets=Nodes().node_targets)))
    mask = loaded.mask.clone()
    mask[3] = False
    return replace(loaded, mask=mask, node_target=loaded.node_target * mask.unsqueeze(-1))


def outputs(batch: JetBatch, seed: int = 0) -> Tensor:
    columns = Nodes().outputs.size
    return 0.3 * torch.randn(*batch.mask.shape, columns, generator=torch.Generator().manual_seed(seed))


def perfect(batch: JetBatch) -> Tensor:
    """Outputs that mean the truth."""
    label, pt, eta, phi, energy, pileup = batch.node_target.unbind(-1)
    points, features = batch.points, batch.features
    direction = [points[..., axis] + features[..., INPUTS.index(name)] for axis, name in enumerate(("deta0", "dphi0"))]
    excess = torch.log(energy / (pt * torch.cosh(eta))).clamp(min=1e-6)
    dphi = torch.remainder(phi - direction[1] + math.pi, 2 * math.pi) - math.pi
    momentum = [
        torch.log(pt / features[..., INPUTS.index("value")]),
        eta - direction[0],
        dphi,
        torch.log(torch.expm1(excess)) + MASS_OFFSET,
    ]
    true = label > 0
    momentum = [torch.where(true, column, 0.0) for column in momentum]
    classes = 40 * F.one_hot(label.long(), len(CLASSES)).float()
    particle = torch.where(true, 40.0, -40.0)
    share = torch.where(pileup > 0.5, 40.0, -40.0)
    return torch.cat([torch.stack([-particle, particle], -1), classes, torch.stack([*momentum, share], -1)], dim=-1)


@pytest.mark.parametrize("focusing", [0.5, 1.0, 2.0])
def test_a_class_that_is_certain_has_a_gradient(focusing):
    logits = torch.tensor([[[40.0, 0.0, 0.0], [0.0, 1.0, 2.0]]], requires_grad=True)
    focal_loss(logits, torch.tensor([[0, 1]]), focusing).sum().backward()
    assert logits.grad.isfinite().all() and logits.grad[0, 1].any()


@pytest.mark.parametrize("selection", ["thresholds={TRACK: 4}", "channels=[ECAL]", "caps={TRACK: 3}"])
def test_elements_between_others_are_not_left_out(data, selection):
    """Candidates say by its number which element they are of."""
    with pytest.raises(UsageError, match=r"reads every element up to a cap, not .*; set data\.nodes\.cap alone"):
        JetDataModule(data, load_recipe("short", [f"data.nodes.{selection}"]), 1)
    JetDataModule(data, load_recipe("short", ["data.nodes.cap=20"]), 1)


def test_the_loss_is_the_weighted_sum_of_means_over_nodes_and_true_particles(batch):
    o = Nodes()
    found, plain = learning().loss(outputs(batch), batch)
    assert found is plain
    event = -1  # that of most nodes
    values, target, features = outputs(batch)[event], batch.node_target[event], batch.features[event]
    binary, focal, momentum, direction, pileup, weights = [], [], [], [], [], []
    for n in torch.nonzero(batch.mask[event]).flatten().tolist():
        label = int(target[n, 0])
        binary.append(F.cross_entropy(values[n, :2], torch.tensor(int(label > 0))))
        if label == 0:
            continue
        p = values[n, 2:8].softmax(0)[label]
        focal.append((1 - p) ** o.focusing * -torch.log(p))
        pt, eta, phi, energy, share = target[n, 1:]
        ratio = torch.log(pt / features[n, INPUTS.index("value")])
        excess = torch.log(energy / (pt * torch.cosh(eta))).clamp(min=0)
        momentum.append(
            F.smooth_l1_loss(values[n, 8], ratio, beta=o.transition)
            + F.smooth_l1_loss(F.softplus(values[n, 11] - MASS_OFFSET), excess, beta=o.transition)
        )
        weights.append(pt.sqrt())
        own_eta = batch.points[event, n, 0] + features[n, INPUTS.index("deta0")]
        own_phi = batch.points[event, n, 1] + features[n, INPUTS.index("dphi0")]
        dphi = torch.atan2(torch.sin(phi - own_phi), torch.cos(phi - own_phi))
        direction.append(
            F.smooth_l1_loss(values[n, 9] / 0.0174, (eta - own_eta) / 0.0174)
            + F.smooth_l1_loss(values[n, 10] / (2 * math.pi / 360), dphi / (2 * math.pi / 360))
        )
        pileup.append(F.binary_cross_entropy(torch.sigmoid(values[n, 12]), share))
    weight = torch.stack(weights) / torch.stack(weights).mean()
    parts = [torch.stack(part).mean() for part in (binary, focal)]
    parts += [(weight * torch.stack(part)).mean() for part in (momentum, direction)] + [torch.stack(pileup).mean()]
    factors = [o.particle_weight, o.class_weight, o.momentum_weight, o.direction_weight, o.pileup_weight]
    expected = sum(factor * part for factor, part in zip(factors, parts, strict=True))
    assert float(found[0, event]) == pytest.approx(float(expected), rel=1e-4)


def test_the_truth_costs_nothing_and_is_found_whole(batch):
    made = learning(balance_weight=1.0, local_weight=1.0)
    output = perfect(batch)
    loss, _ = made.loss(output, batch)
    assert float(loss.max()) < 2e-2
    scores = EpochScores(made)
    scores.add(output, batch, batch.weight.unsqueeze(0), loss)
    figures = scores.finish()
    assert figures["particle_accuracy"] == 1
    assert figures["sum_pt_ratio"] == pytest.approx(1, rel=1e-4)
    assert figures["sum_momentum_resolution"] < 1e-2
    assert {name for name in figures if name.startswith("loss_")} == {
        f"loss_{part}" for part in ("particle", "class", "momentum", "direction", "pileup", "balance", "local")
    }


def test_the_local_part_is_what_sums_of_momenta_around_each_particle_lack(batch):
    width, event, n = 0.2, -1, int(batch.mask[-1].sum())
    output = outputs(batch)
    made, bare = (learning(local_weight=weight, local_width=width) for weight in (1.0, 0.0))
    found = float((made.loss(output, batch)[0] - bare.loss(output, batch)[0])[0, event])
    values, target, features = output[event, :n], batch.node_target[event, :n], batch.features[event, :n]
    share = values[:, :2].softmax(1)[:, 1] * torch.sigmoid(-values[:, 12])
    pt = features[:, INPUTS.index("value")] * torch.exp(values[:, 8]) * share
    true = torch.where(target[:, 0] > 0, target[:, 1] * (1 - target[:, 5]), 0.0)
    eta, phi = batch.points[event, :n].T
    dphi = torch.remainder(phi.unsqueeze(1) - phi + math.pi, 2 * math.pi) - math.pi
    around = torch.exp(-0.5 * ((eta.unsqueeze(1) - eta) ** 2 + dphi**2) / width**2)
    sums, expected = around @ pt, around @ true
    lacking = F.smooth_l1_loss((sums - expected) / expected.clamp(min=1).sqrt(), torch.zeros(n), reduction="none")
    # The sums are taken on a grid, whose points stand a width apart.
    assert found == pytest.approx(float((true * lacking).sum() / true.sum()), rel=0.1)


def test_sums_of_momenta_around_nodes_are_learnt_of_whole_events_alone():
    made = make_learning(make_objective({"kind": "nodes", "local_weight": 1.0}, "test"))
    with pytest.raises(UsageError, match=r"objective\.local_weight adds up momenta over whole events"):
        made.reads(replace(INPUTS, region=replace(INPUTS.region, periodic=False)))


def test_a_network_that_finds_nothing_has_no_momentum_in_its_sums(batch):
    made, output = learning(), outputs(batch)
    output[..., 0], output[..., 1] = 5.0, -5.0
    scores = EpochScores(made)
    scores.add(output, batch, batch.weight.unsqueeze(0), made.loss(output, batch)[0])
    figures = scores.finish()
    nodes, particles = int(batch.mask.sum()), int((batch.node_target[..., 0] > 0).sum())
    assert figures["sum_pt_ratio"] == 0
    assert figures["particle_accuracy"] == pytest.approx(1 - particles / nodes)
    assert figures["sum_momentum_resolution"] > 1


def test_events_without_nodes_cost_nothing_and_padding_does_not_matter(batch):
    output = outputs(batch)
    loss = learning().loss(output, batch)[0][0]
    assert loss[3] == 0
    other = torch.where(batch.mask.unsqueeze(-1), output, 7.0)
    torch.testing.assert_close(learning().loss(other, batch)[0][0], loss)
    output.requires_grad_()
    learning().loss(output, batch)[0].sum().backward()
    assert output.grad.isfinite().all()
    assert output.grad[~batch.mask].abs().max() == 0


def test_a_turned_event_has_the_same_truth_relative_to_its_elements(batch):
    output, towers = outputs(batch), torch.arange(len(batch)) * 5 % 72
    turned = rotate(batch, towers)
    apart = torch.remainder(turned.points[..., 1] - batch.points[..., 1] + 1e-3, 2 * math.pi)[batch.mask]
    expected = (towers * 2 * math.pi / 72).float().unsqueeze(1).expand_as(batch.mask)[batch.mask]
    torch.testing.assert_close(apart, expected + 1e-3, atol=1e-5, rtol=0)
    assert turned.points.abs().max() <= max(math.pi + 1e-6, float(batch.points.abs().max()))
    torch.testing.assert_close(learning().loss(output, turned)[0], learning().loss(output, batch)[0], atol=2e-4, rtol=0)
    assert learning().loss(perfect(turned), turned)[0].max() < 2e-2
    torch.testing.assert_close(turned.node_target[..., 4], batch.node_target[..., 4])


def test_a_mirrored_event_has_a_mirrored_truth(batch):
    signs = torch.where(torch.arange(len(batch)) % 2 == 0, 1.0, -1.0)
    for eta, phi in ((signs, torch.ones(len(batch))), (torch.ones(len(batch)), signs)):
        mirrored = reflect(batch, INPUTS, eta, phi)
        output = perfect(batch)
        columns = {9: eta, 10: phi}
        for column, sign in columns.items():
            output[..., column] = output[..., column] * sign.unsqueeze(1)
        assert float(learning().loss(output, mirrored)[0].max()) < 2e-2


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("node_class", 9, r"node_class of \d+ nodes of split 'train' is no class .* first in run 1, lumi 1, event \d+"),
        ("node_target_pt", np.nan, r"node_target_pt of \d+ nodes .* not finite, first in run 1"),
        ("node_class", 0, "no node of split 'train' stands for a particle; build it from more events"),
    ],
)
def test_truth_that_nothing_can_be_learnt_from_is_refused(data, monkeypatch, column, value, message):
    table = read_table(data)
    read = type(table).read_group

    def changed(self, group, columns, split=None):
        clouds = read(self, group, columns, split)
        return replace(clouds, nodes={**clouds.nodes, column: np.full_like(clouds.nodes[column], value)})

    monkeypatch.setattr(type(table), "read_group", changed)
    with pytest.raises(InputError, match=message):
        learning().check(table, table.jets_of("train"), "train")


def test_events_have_no_classes_to_balance():
    with pytest.raises(
        UsageError, match="class_weights=balanced: objective nodes has no classes of objects to balance"
    ):
        check_settings(learning(), ["training.class_weights=balanced"])
    check_settings(learning(), ["training.class_weights=none"])


def test_the_width_of_sums_that_are_not_learnt_is_refused():
    check_settings(learning(local_weight=1.0), ["objective.local_width=0.3"])
    with pytest.raises(UsageError, match=r"local_width=0\.3: changes nothing without objective\.local_weight above 0"):
        check_settings(learning(), ["objective.local_width=0.3"])


def test_nodes_without_a_momentum_are_refused():
    without = flow_task(inputs={"variables": ["value", "charge"]}).network_inputs
    made = make_learning(make_objective({"kind": "nodes"}, "test"))
    with pytest.raises(UsageError, match=r"objective nodes reads energy \(inputs.variables\), which the task's inputs"):
        made.reads(without)


def test_an_objective_without_a_class_for_none_is_refused():
    with pytest.raises(UsageError, match="classes must differ and begin with 'none'"):
        make_objective({"kind": "nodes", "classes": ["photon", "electron"]}, "test")


def test_a_data_set_for_pytorch_geometric_holds_what_is_learnt_of_nodes(data, batch):
    dataset = JetDataset(data, split=None)
    one = dense(Batch.from_data_list([dataset[int(number)] for number in batch.number]))
    there = batch.mask[:, : one.mask.shape[1]]  # one event of the batch was emptied
    torch.testing.assert_close(one.node_target[there], batch.node_target[batch.mask])
