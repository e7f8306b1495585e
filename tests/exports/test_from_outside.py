"""Channels, variables and objectives of another package, through every command and C++; older results stay."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from e2egraph.cli import main
from e2egraph.detector import channels as channel_table
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.tasks import variables as variable_table
from e2egraph.tasks.objectives import objective as objective_table
from e2egraph.tasks.task import load_task
from tests import rhtree_files

# The variable ``depth`` is that of own_variables.cc; the objective learns a quantile in place of the mean.
PACKAGE = """
from typing import ClassVar, Literal

import torch

from e2egraph.config import configuration
from e2egraph.detector import channels
from e2egraph.tasks import variables
from e2egraph.tasks.objectives.objective import register
from e2egraph.tasks.objectives.regression import Regression
from e2egraph.training.objectives.regression import RegressionLearning

channels.register(channels.Channel("FPIX1", 20, "hits", 8.0, cms=(2, 1)))
scale = variables.Scale(unit=10.0, linear=True)
depth = variables.Variable(name="depth", unit="cm", description="z of a hit", scale=scale)
variables.register(
    variables.NodeVariable(depth, {"hits": "z", "tracks": 2.0, "hcal": lambda towers: -towers["energy"]})
)


@register("quantile")
@configuration
class Quantile(Regression):
    kind: Literal["quantile"] = "quantile"
    quantile: float = 0.5
    learning: ClassVar[str] = "outer_detector:QuantileLearning"


class QuantileLearning(RegressionLearning):
    def loss(self, output, batch):
        scale = torch.tensor([target.scale for target in self.objective.targets])
        short = (batch.target - output) / scale
        loss = torch.maximum(self.objective.quantile * short, (self.objective.quantile - 1) * short).sum(1)
        return loss.unsqueeze(0), loss.unsqueeze(0)
"""

TASK = """
name: outside
description: masses of jets, with a layer of forward pixels
extensions: [outer_detector]
object: {kind: jet, pt_min: 0.0, abs_eta_max: 9.0, edge_towers: 1}
region: {centre: tower, half_window: 62}
inputs: {channels: [TRACK, BPIX1, FPIX1, ECAL, HCAL], variables: [value, depth, d0], cap: 300}
truth: {source: sample_name}
objective:
  kind: quantile
  classes: [jets]
  targets: [{name: jet_mass, unit: GeV, offset: 100.0, scale: 50.0}]
  quantile: 0.8
"""

SMALL = ("training.epochs=2", "training.batch_size=16", "model.options.width=8", "model.options.depth=1")


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Path]]:
    """A call that puts the other package on the path, and gives its task; all is as before after the test."""
    load_task("top")  # fills the table of objectives with those of the package
    for module in (channel_table, variable_table):
        monkeypatch.setattr(module, "_TABLE", dict(module._TABLE))
    monkeypatch.setattr(objective_table, "_KINDS", dict(objective_table._KINDS))

    def install() -> Path:
        (tmp_path / "outer_detector.py").write_text(PACKAGE)
        monkeypatch.syspath_prepend(str(tmp_path))
        (tmp_path / "outside.yaml").write_text(TASK)
        return tmp_path / "outside.yaml"

    yield install
    sys.modules.pop("outer_detector", None)


@pytest.fixture
def ntuple(tmp_path: Path) -> Path:
    """Jets in which the hits of the third barrel layer are those of the first forward one."""
    deposits = rhtree_files.random_deposits(60, 5)
    for sub, layer in zip(deposits.branches["hit_sub_det"], deposits.branches["hit_layer"], strict=True):
        forward = (sub == 1) & (layer == 3)
        sub[forward], layer[forward] = 2, 1
    return rhtree_files.write(tmp_path / "jets.root", deposits, without=rhtree_files.IMAGE_PREFIXES)


def command(*words: object) -> None:
    assert main([str(word) for word in words]) == 0, words


def settings(*values: str) -> list[str]:
    return [word for value in values for word in ("--set", value)]


def test_a_package_s_own_rows_go_through_every_command_and_cpp(
    outside: Callable[[], Path], ntuple: Path, own_runner: Path, tmp_path: Path
) -> None:
    task, sample = outside(), ("--sample", f"jets={ntuple}")
    data, run, bundle, events = (tmp_path / name for name in ("data", "run", "bundle", "events.e2e"))
    command("build-graphs", "--task", task, *sample, "--output", data)
    inputs = read_manifest(data).network_inputs
    assert inputs.variable_names == ("value", "depth", "d0")
    assert inputs.numbers["FPIX1"] == 20
    command("train", "--model", "gravnet", "--data", data, "--output", run, *settings(*SMALL))
    command("evaluate", run)
    command("export", run, "--output", bundle)
    command("predict", bundle, "--data", data, "--output", tmp_path / "scores.parquet")
    command("dump-events", "--task", task, *sample, "--output", events)
    subprocess.run([own_runner, bundle, events, "--output", tmp_path / "cpp.csv"], check=True, capture_output=True)

    scored = pq.read_table(tmp_path / "scores.parquet")
    key = ("run", "lumi", "event", "jet")
    predicted = {
        tuple(int(row[name]) for name in key): row["predicted_jet_mass"]
        for row in scored.select([*key, "predicted_jet_mass"]).to_pylist()
    }
    with (tmp_path / "cpp.csv").open() as file:
        of_cpp = {
            tuple(int(row[name]) for name in key): float(row["predicted_jet_mass"]) for row in csv.DictReader(file)
        }
    assert len(predicted) > 60 and predicted.keys() == of_cpp.keys()
    np.testing.assert_allclose([of_cpp[jet] for jet in predicted], list(predicted.values()), rtol=1e-5)
    evaluated = pq.read_table(run / "scores.parquet")
    for row in evaluated.select([*key, "predicted_jet_mass"]).to_pylist():
        jet = tuple(int(row[name]) for name in key)
        assert row["predicted_jet_mass"] == pytest.approx(predicted[jet], abs=1e-2)


def test_data_sets_runs_and_bundles_made_before_give_what_they_gave(
    outside: Callable[[], Path], ntuple: Path, tmp_path: Path
) -> None:
    plain = settings("truth.source=sample_name", "object.pt_min=0", "object.abs_eta_max=9", "resampling=null")
    other = rhtree_files.write(
        tmp_path / "qcd.root", rhtree_files.random_deposits(60, 6), without=rhtree_files.IMAGE_PREFIXES
    )
    samples = ("--sample", f"top={ntuple}", "--sample", f"qcd={other}")
    data, run, bundle = tmp_path / "plain", tmp_path / "plain_run", tmp_path / "plain_bundle"
    command("build-graphs", "--task", "top", *samples, "--output", data, *plain)
    command("train", "--model", "gravnet", "--data", data, "--output", run, *settings(*SMALL))
    command("export", run, "--output", bundle)

    def score(name: str) -> list[bytes]:
        files = [tmp_path / f"{name}_{kind}.parquet" for kind in ("run", "bundle")]
        command("predict", run, "--data", data, "--output", files[0])
        command("predict", bundle, "--data", data, "--output", files[1])
        return [pq.read_table(file)["score_top"].to_numpy().tobytes() for file in files]

    before, digest = score("before"), read_manifest(data).digest
    outside()
    __import__("outer_detector")
    assert "FPIX1" in channel_table.channels()
    assert score("after") == before
    assert read_manifest(data).digest == digest
