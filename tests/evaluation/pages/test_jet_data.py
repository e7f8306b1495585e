import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.loading.pools import columns_for, read_jets
from e2egraph.data.options import DataOptions
from e2egraph.data.padding import pad
from e2egraph.data.scores import Scores
from e2egraph.data.table import read_table
from e2egraph.evaluation.explain.chosen_jets import ChosenJet
from e2egraph.evaluation.objectives.evaluation import ShownJets
from e2egraph.evaluation.pages.jet_data import drawn, jet_data
from e2egraph.models.image.planes import chosen as chosen_planes
from e2egraph.models.image.rasterize import Rasterize
from tests.toy_dataset import write_toy_dataset

CHOSEN = (ChosenJet(25, "best"), ChosenJet(3, "worst"), ChosenJet(11, "random"), ChosenJet(4, "random"))


class Network(nn.Module):
    """Its log-odds are the energy and pT of all nodes, scaled; ``planes``: it holds a Rasterize of its own."""

    def __init__(self, inputs, *planes):
        super().__init__()
        self.value = inputs.index("value")
        self.image = Rasterize(inputs, planes, granularity=3) if planes else None

    def forward(self, points, features, mask, jet):
        odds = 0.01 * (features[..., self.value] * mask).sum(1)
        return torch.stack([torch.zeros_like(odds), odds], dim=1)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return read_table(write_toy_dataset(tmp_path_factory.mktemp("toy") / "data", 150, nodes=(0, 40)))


@pytest.fixture(scope="module")
def numbers(table):
    return table.jets_of("test")


@pytest.fixture(scope="module")
def inputs(table):
    return table.manifest.network_inputs


def made(table, numbers, network, **options):
    jets = {name: table.columns[name][numbers] for name in ("run", "lumi", "event", "jet", "label")}
    probabilities = np.stack([np.linspace(0, 1, len(numbers)), np.linspace(1, 0, len(numbers))], 1, dtype=np.float32)
    scores = Scores(jets, probabilities, ("score_qcd", "score_top"), {})
    shown = ShownJets(
        chosen=list(CHOSEN),
        column=1,
        is_class=True,
        effect="log-odds",
        of="top",
        headline=[f"jet {jet.place}" for jet in CHOSEN],
        outputs=[[("score (top)", f"{probabilities[jet.place, 1]:.4f}")] for jet in CHOSEN],
        strong=[False] * len(CHOSEN),
        words=(),
    )
    return jet_data(network, DataOptions(**options), table, numbers, scores, shown)


def read(table, number):
    wanted = np.array([number])
    return read_jets(table, table.group_of(wanted), wanted, [*columns_for(table.manifest.network_inputs), "n_pv"])[1]


def image_of(content, jet):
    planes = []
    for steps, values in jet["image"]:
        flat = np.zeros(content["pixels"] ** 2)
        flat[np.cumsum(steps, dtype=int)] = values
        planes.append(flat.reshape(content["pixels"], -1))
    return np.stack(planes)


def test_each_jet_holds_its_own_nodes_scores_and_quantities(table, numbers, inputs):
    content = made(table, numbers, Network(inputs))
    assert [jet["group"] for jet in content["jets"]] == ["best", "worst", "random", "random"]
    for chosen, jet in zip(CHOSEN, content["jets"], strict=True):
        number = int(numbers[chosen.place])
        stored = read(table, number)
        np.testing.assert_allclose(jet["nodes"]["deta"], stored.nodes["deta"], atol=5e-5)
        np.testing.assert_allclose(jet["nodes"]["value"], stored.nodes["value"], rtol=5e-4)
        names = [content["channels"][place] for place in jet["nodes"]["channel"]]
        assert [inputs.numbers[name] for name in names] == stored.nodes["channel"].tolist()
        assert jet["identity"]["event"] == table.columns["event"][number]
        assert jet["headline"] == f"jet {chosen.place}"
        assert jet["outputs"] == [["score (top)", f"{1 - chosen.place / (len(numbers) - 1):.4f}"]]
        quantities = dict(jet["quantities"])
        assert quantities["pT"] == f"{stored.jets['jet_pt'][0]:.0f} GeV"
        assert quantities["primary vertices"] == "10"
    json.dumps(content, allow_nan=False)


def test_the_image_is_that_of_rasterize_from_the_same_nodes(table, numbers, inputs):
    for network, planes in (
        (Network(inputs), chosen_planes(None, inputs)),
        (Network(inputs, "ECAL", "track_d0"), ("ECAL", "track_d0")),
    ):
        content = made(table, numbers, network)
        assert [plane["name"] for plane in content["planes"]] == list(planes)
        assert content["image_is_input"] == (network.image is not None)
        for chosen, jet in zip(CHOSEN, content["jets"], strict=True):
            batch = JetBatch.from_arrays(pad(read(table, int(numbers[chosen.place])), inputs))
            expected = (network.image or Rasterize(inputs))(batch.points, batch.features, batch.mask)[0].numpy()
            np.testing.assert_allclose(image_of(content, jet), expected, rtol=1e-3)


class WithMass(Network):
    """The same classes, and a mass in GeV of the number of nodes."""

    def forward(self, points, features, mask, jet):
        return torch.cat([super().forward(points, features, mask, jet), 50.0 * mask.sum(1, keepdim=True)], dim=1)


def test_effects_on_a_class_do_not_depend_on_a_mass_that_the_network_gives_as_well(tmp_path, table, numbers, inputs):
    target = {"name": "gen_mass", "unit": "GeV", "offset": 100.0, "scale": 100.0}
    heads = [
        {"kind": "classification", "classes": ["qcd", "top"], "signal": "top"},
        {"kind": "regression", "classes": ["qcd", "top"], "targets": [target]},
    ]
    objective = {"kind": "joint", "heads": heads}
    joint = read_table(write_toy_dataset(tmp_path / "data", 150, nodes=(0, 40), objective=objective))
    np.testing.assert_array_equal(joint.jets_of("test"), numbers)
    with_mass, alone = made(joint, numbers, WithMass(inputs)), made(table, numbers, Network(inputs))
    for one, other in zip(with_mass["jets"], alone["jets"], strict=True):
        assert (one["channel_effect"], one["nodes"]) == (other["channel_effect"], other["nodes"])


def test_effects_are_what_the_score_loses_without_the_nodes(table, numbers, inputs):
    for jet in made(table, numbers, Network(inputs))["jets"]:
        nodes = {name: np.array(values) for name, values in jet["nodes"].items()}
        for place in range(len(inputs.channels)):
            expected = 0.01 * nodes["value"][nodes["channel"] == place].sum()
            assert jet["channel_effect"][place] == pytest.approx(expected, rel=2e-3, abs=1e-6)
        assert (nodes["effect"] >= 0.01 * nodes["value"] * 0.99).all()
        assert len(nodes["effect"]) == len(nodes["value"])


def test_jets_have_the_nodes_that_the_network_was_given(table, numbers, inputs):
    content = made(table, numbers, Network(inputs), nodes={"channels": ["ECAL"]})
    shown = {content["channels"][place] for jet in content["jets"] for place in jet["nodes"]["channel"]}
    assert shown == {"ECAL"}


def test_a_quantity_that_no_jet_has_is_null(tmp_path):
    folder = write_toy_dataset(tmp_path / "data", 150, nodes=(0, 0))
    table = read_table(folder)
    original = table.read_group

    def without_mass(group, columns, split=None):
        clouds = original(group, columns, split)
        clouds.jets["softdrop_mass"] = np.zeros(len(clouds), np.float32)
        return clouds

    object.__setattr__(table, "read_group", without_mass)
    jets = made(table, table.jets_of("test"), Network(table.manifest.network_inputs))["jets"]
    assert dict(jets[0]["quantities"])["soft-drop mass"] is None
    assert jets[0]["nodes"]["effect"] == []
    assert jets[0]["image"][0] == [[], []]


def test_impact_parameters_stand_as_a_task_stores_them(table, numbers, inputs):
    _, clouds = read_jets(table, np.unique(table.group_of(numbers)), numbers, columns_for(inputs))
    image = np.zeros((1, 2, 2), np.float32)
    both = drawn(clouds, 0, image, inputs, None)["nodes"]
    assert "d0_sig" in both and "d0" not in both
    lengths = {name: column for name, column in clouds.nodes.items() if not name.endswith("_sig")}
    alone = drawn(replace(clouds, nodes=lengths), 0, image, inputs, None)["nodes"]
    assert len(alone["d0"]) == len(alone["dz"]) == len(alone["deta"]) and "d0_sig" not in alone
