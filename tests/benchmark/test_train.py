"""``benchmark train``: the same real batches for every model, through the loader that training uses."""

import json
from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn

from e2egraph.benchmark.scaling.steps import optimizer_of, time_steps
from e2egraph.benchmark.train import benchmark_train
from e2egraph.cli import main
from e2egraph.data.loading.loader import training_loader
from e2egraph.data.options import DataOptions
from e2egraph.data.table import read_table
from e2egraph.models.cost import cost
from e2egraph.models.registry import build_model, load_model_config
from e2egraph.training.objectives.learning import make_learning
from tests.models.jets import jets
from tests.toy_dataset import write_toy_dataset


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_toy_dataset(tmp_path_factory.mktemp("train") / "toy", 360, nodes=(10, 60))


class Noting(nn.Module):
    """One weight, and the sizes of the batches it was given."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.batches = []

    def forward(self, points, features, mask, jet):
        self.batches.append(len(points))
        return self.layer(points.sum(1))


def test_the_first_step_is_not_timed_and_a_short_epoch_ends_early(data):
    table = read_table(data)
    model = Noting()
    before = model.layer.weight.clone()
    loader = training_loader(table, DataOptions(), 64, seed=1, epoch=0)
    took = time_steps(model, optimizer_of(model), loader, make_learning(table.manifest.objective), 100)
    assert took.steps == len(loader) - 1 == len(model.batches) - 1
    assert took.jets == sum(model.batches[1:])
    assert sum(model.batches) == len(table.jets_of("train"))
    assert 0 <= took.waited <= took.seconds
    assert took.jets_per_second == took.jets / took.seconds
    assert not torch.equal(model.layer.weight, before)


def test_rates_and_costs_of_each_model_are_recorded(data, tmp_path, capsys):
    words = ["--data", str(data), "--output", str(tmp_path / "train.json"), "--steps", "1", "--repeats", "2"]
    words += ["--model", "gravnet", "--model", "resnet15", "--threads", "1"]
    assert main(["benchmark", "train", *words]) == 0
    assert "next: " in capsys.readouterr().out.splitlines()[-1]
    records = json.loads((tmp_path / "train.json").read_text())["records"]
    assert all(count == 1 for count in Counter((r["case"], r["metric"]) for r in records).values())
    found = {(r["case"], r["metric"]): r for r in records}

    table = read_table(data)
    inputs, outputs = table.manifest.network_inputs, table.manifest.objective.outputs
    counts = np.sort(table.columns["n_nodes"][table.jets_of("train")])
    n = int(counts[len(counts) // 2])
    for name in ("gravnet", "resnet15"):
        expected = cost(build_model(load_model_config(name), inputs, outputs), jets([n], inputs=inputs))
        assert found[name, "parameters"]["value"] == expected.parameters
        assert found[name, "forward_flops_per_jet"]["value"] == expected.flops
        assert found[name, "forward_flops_per_jet"]["n"] == n
        assert found[name, "train_jets_per_second"]["n"] == 2 * 64
        assert 0 <= found[name, "data_wait_share"]["value"] < 1
        ratio = found[name, "train_jets_per_second"]["value"] / found["resnet15", "train_jets_per_second"]["value"]
        assert found[name, "train_rate_over_resnet15"]["value"] == pytest.approx(ratio)
    assert "1 CPU thread" in found["gravnet", "train_jets_per_second"]["note"]


def test_too_few_training_jets_are_refused(data, tmp_path, capsys):
    words = ["--data", str(data), "--output", str(tmp_path / "train.json"), "--steps", "50"]
    assert main(["benchmark", "train", *words]) == 1
    error = capsys.readouterr().err
    assert f"{data}: " in error
    assert "fewer than the 3264 that 50 timed steps and one before need; lower --steps" in error
    assert not (tmp_path / "train.json").exists()


def test_targets_are_learnt_where_there_are_some(tmp_path):
    target = {"name": "gen_mass", "unit": "GeV", "offset": 120.0, "scale": 60.0}
    objective = {"kind": "regression", "classes": ["qcd", "top"], "targets": [target]}
    data = write_toy_dataset(tmp_path / "toy", 360, nodes=(10, 60), objective=objective)
    (rate, *_) = [
        r for r in benchmark_train(data, ["fcn"], steps=1, repeats=1, threads=1) if r.metric == "train_jets_per_second"
    ]
    assert rate.value > 0
