import json

import numpy as np
import pytest
import torch
from torch import nn

from e2egraph.data.batch import JetBatch
from e2egraph.data.loader import columns_for, read_jets
from e2egraph.data.options import DataOptions
from e2egraph.data.padding import pad
from e2egraph.data.scores import Scores
from e2egraph.data.table import read_table
from e2egraph.detector.channels import Channel, channels
from e2egraph.evaluation.explain.chosen_jets import ChosenJet
from e2egraph.evaluation.pages.jet_data import jet_data
from e2egraph.models.image.rasterize import PUBLISHED_CHANNELS, Rasterize
from tests.toy_dataset import write_toy_dataset

CHOSEN = (ChosenJet(25, "best"), ChosenJet(3, "worst"), ChosenJet(11, "random"), ChosenJet(4, "random"))


class Network(nn.Module):
    """Its log-odds are the energy and pT of all nodes, scaled; ``planes``: it holds a Rasterize of its own."""

    def __init__(self, *planes):
        super().__init__()
        self.image = Rasterize(planes, granularity=3) if planes else None

    def forward(self, points, features, mask, jet):
        odds = 0.01 * (features[..., 1] * mask).sum(1)
        return torch.stack([torch.zeros_like(odds), odds], dim=1)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return read_table(write_toy_dataset(tmp_path_factory.mktemp("toy") / "data", 150, nodes=(0, 40)))


@pytest.fixture(scope="module")
def numbers(table):
    return table.jets_of("test")


def made(table, numbers, network, **options):
    jets = {name: table.columns[name][numbers] for name in ("run", "lumi", "event", "jet", "label")}
    probabilities = np.stack([np.linspace(0, 1, len(numbers)), np.linspace(1, 0, len(numbers))], 1, dtype=np.float32)
    scores = Scores(jets, probabilities, ("qcd", "top"), {})
    return jet_data(network, DataOptions(**options), table, numbers, scores, 1, CHOSEN)


def read(table, number):
    wanted = np.array([number])
    return read_jets(table, table.group_of(wanted), wanted, [*columns_for(()), "n_pv"])[1]


def image_of(content, jet):
    planes = []
    for steps, values in jet["image"]:
        flat = np.zeros(content["pixels"] ** 2)
        flat[np.cumsum(steps, dtype=int)] = values
        planes.append(flat.reshape(content["pixels"], -1))
    return np.stack(planes)


def test_each_jet_holds_its_own_nodes_scores_and_quantities(table, numbers):
    content = made(table, numbers, Network())
    assert [jet["group"] for jet in content["jets"]] == ["best", "worst", "random", "random"]
    for chosen, jet in zip(CHOSEN, content["jets"], strict=True):
        number = int(numbers[chosen.place])
        stored = read(table, number)
        np.testing.assert_allclose(jet["nodes"]["deta"], stored.nodes["deta"], atol=5e-5)
        np.testing.assert_allclose(jet["nodes"]["value"], stored.nodes["value"], rtol=5e-4)
        np.testing.assert_array_equal(jet["nodes"]["channel"], stored.nodes["channel"])
        assert jet["identity"]["event"] == table.columns["event"][number]
        assert jet["label"] == table.columns["label"][number]
        assert sum(jet["probabilities"]) == pytest.approx(1.0)
        quantities = dict(jet["quantities"])
        assert quantities["pT"] == f"{stored.jets['jet_pt'][0]:.0f} GeV"
        assert quantities["primary vertices"] == "10"
    json.dumps(content, allow_nan=False)


def test_the_image_is_that_of_rasterize_from_the_same_nodes(table, numbers):
    for network, planes in ((Network(), PUBLISHED_CHANNELS), (Network("ECAL", "track_d0"), ("ECAL", "track_d0"))):
        content = made(table, numbers, network)
        assert [plane["name"] for plane in content["planes"]] == list(planes)
        assert content["image_is_input"] == (network.image is not None)
        for chosen, jet in zip(CHOSEN, content["jets"], strict=True):
            batch = JetBatch.from_arrays(pad(read(table, int(numbers[chosen.place]))))
            expected = (network.image or Rasterize())(batch.points, batch.features, batch.mask)[0].numpy()
            np.testing.assert_allclose(image_of(content, jet), expected, rtol=1e-3)


def test_effects_are_what_the_score_loses_without_the_nodes(table, numbers):
    for jet in made(table, numbers, Network())["jets"]:
        nodes = {name: np.array(values) for name, values in jet["nodes"].items()}
        for channel in channels().values():
            expected = 0.01 * nodes["value"][nodes["channel"] == channel].sum()
            assert jet["channel_effect"][channel] == pytest.approx(expected, rel=2e-3, abs=1e-6)
        assert (nodes["effect"] >= 0.01 * nodes["value"] * 0.99).all()
        assert len(nodes["effect"]) == len(nodes["value"])


def test_jets_have_the_nodes_that_the_network_was_given(table, numbers):
    content = made(table, numbers, Network(), nodes={"channels": ["ECAL"]})
    shown = {channel for jet in content["jets"] for channel in jet["nodes"]["channel"]}
    assert shown == {Channel.ECAL}


def test_a_quantity_that_no_jet_has_is_null(tmp_path):
    folder = write_toy_dataset(tmp_path / "data", 150, nodes=(0, 0))
    table = read_table(folder)
    original = table.read_group

    def without_mass(group, columns):
        clouds = original(group, columns)
        clouds.jets["softdrop_mass"][:] = 0
        return clouds

    object.__setattr__(table, "read_group", without_mass)
    jets = made(table, table.jets_of("test"), Network())["jets"]
    assert dict(jets[0]["quantities"])["soft-drop mass"] is None
    assert jets[0]["nodes"]["effect"] == []
    assert jets[0]["image"][0] == [[], []]
