"""The bundles that come with the project: small, described, and scoring new jets alike in Python and C++."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from e2egraph.api.run_description import SIMULATED_DEPTH, SIMULATED_DIRECTION
from e2egraph.cli import main
from e2egraph.config import as_dict, digest, validate
from e2egraph.data.scores import read_scores
from e2egraph.evaluation.metrics.roc.curve import roc_curve
from e2egraph.export.bundle import read_metadata
from e2egraph.export.card import card
from e2egraph.export.made_jets import made_jets
from e2egraph.inference.session import Bundle
from e2egraph.models.registry import ModelConfig, build_model, complete, parameter_count
from e2egraph.tasks.task import load_task, make_task
from e2egraph.training.recipe import Recipe
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.exports.cpp_files import infer
from tests.exports.test_cpp_equality import Sample, make_sample
from tests.made_once import made_once

FOLDER = Path(__file__).parents[2] / "exports" / "pretrained"
ALL = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())

LARGEST = 3_000_000  # bytes

# The first bundles, of nineteen features; later ones: test_pretrained_tasks.py. tracks-and-cells has the weights that
# were trained, its graph is a later one.
SHA256 = {
    "resnet15": "605fedad8eb2671c067b65a66a5f713f72bbf87a26a831248dc405dd374bca6d",
    "tracks-and-cells": "b31f78c3a1d70b9b6f40d9ca5c9972d67c7dd3055016983eda818ee60d7ce0b5",
    "tracks-and-cells-small": "802535e6e70103b2608410005d0c8c807c0a1f52cc75ef46b40831744e36824c",
}

BUNDLES = tuple(SHA256)

# logit_top − logit_qcd of three made jets, by the files that were exported at the end of the trainings.
FIRST_SCORES = {
    "resnet15": [0.197705, 0.010209, 0.009407],
    "tracks-and-cells": [-1.053888, -0.516817, -1.159104],
    "tracks-and-cells-small": [-4.204105, -9.124456, -5.892107],
}


@pytest.fixture(scope="module")
def as_trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data set of the shipped task and its events, of which C++ finds the seeds."""
    sample = Sample(made_once(tmp_path_factory, "sample", make_sample))

    def make(folder: Path) -> None:
        folder.mkdir()
        words = ["--task", "top", *sample.files, "--set", "resampling=null"]
        assert main(["build-graphs", *words, "--output", str(folder / "data")]) == 0
        assert main(["dump-events", *words, "--output", str(folder / "events.e2e"), "--find-seeds"]) == 0

    return made_once(tmp_path_factory, "as_trained", make)


@pytest.mark.parametrize("name", BUNDLES)
def test_a_network_is_the_one_that_was_published(name: str) -> None:
    assert sha256((FOLDER / name / "model.onnx").read_bytes()).hexdigest() == SHA256[name]


@pytest.mark.parametrize("name", BUNDLES)
def test_it_scores_as_its_first_file_did(name: str) -> None:
    jets = made_jets("random", 4, 300, np.random.default_rng(1), INPUTS)
    logits = Bundle.open(FOLDER / name, threads=1).logits(jets)[jets.mask.any(axis=1)]
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], FIRST_SCORES[name], atol=1e-5, rtol=0)


def within(stored: Any, now: Any) -> bool:
    """Whether ``now`` says all that ``stored`` does; keys that came later may stand beside."""
    if isinstance(stored, dict):
        return isinstance(now, dict) and all(key in now and within(stored[key], now[key]) for key in stored)
    if isinstance(stored, list):
        return isinstance(now, list) and len(stored) == len(now) and all(map(within, stored, now))
    return bool(stored == now)


@pytest.mark.parametrize("name", BUNDLES)
def test_it_reads_nineteen_features_and_says_which_task_made_its_nodes(name: str) -> None:
    bundle = Bundle.open(FOLDER / name, threads=1)
    metadata = bundle.metadata
    assert metadata.inputs == INPUTS
    # Named before exported models called them scores.
    (head,) = metadata.outputs.heads
    assert head.tensors == ("softmax", "logits")
    assert replace(head, tensor="scores") == TWO_CLASSES.heads[0]
    task = make_task(metadata.info.configuration, name)
    assert within(metadata.info.configuration, as_dict(task))
    assert task.inputs == load_task("top").inputs
    assert task.objective == load_task("top").objective
    assert (bundle.cap, metadata.info.signal) == (4096, "top")
    assert metadata.configuration_sha256 == digest(metadata.info.configuration)


@pytest.mark.parametrize("name", BUNDLES)
def test_it_says_how_the_simulation_that_it_was_trained_on_was_read(name: str) -> None:
    info = read_metadata(FOLDER / name).info
    assert (info.track_direction, info.seed_depth) == (SIMULATED_DIRECTION, SIMULATED_DEPTH) == ("ecal_point", 0)
    text = (FOLDER / name / "README.md").read_text()
    assert "of the point where it meets the ECAL's surface; towers that compete for the seed: depths summed" in text
    assert "BPIX1 4.4, BPIX2 7.3, BPIX3 10.2" in text and "the pixel detector before 2017" in text
    assert json.loads((FOLDER / name / "preprocess.json").read_text())["flav_names"] == ["qcd", "top"]
    # The name is that of the model's tensor, or Triton refuses it.
    assert re.findall(r'output \[\s+\{\s+name: "(\w+)"', (FOLDER / name / "config.pbtxt").read_text()) == ["softmax"]


@pytest.mark.parametrize("name", BUNDLES)
def test_its_model_and_recipe_can_be_trained_again(name: str) -> None:
    info = read_metadata(FOLDER / name).info
    model = complete(validate(ModelConfig, info.model_config, name), name)
    assert within(info.model_config, as_dict(model))
    assert parameter_count(build_model(model, INPUTS, TWO_CLASSES)) == read_metadata(FOLDER / name).parameters
    assert within(info.training["recipe"], as_dict(validate(Recipe, info.training["recipe"], name)))
    assert (FOLDER / name / "README.md").read_text() == card(read_metadata(FOLDER / name))


@pytest.mark.parametrize("name", ALL)
def test_a_bundle_is_small_and_its_card_says_what_it_is(name: str) -> None:
    bundle = FOLDER / name
    metadata = read_metadata(bundle)
    assert sum(path.stat().st_size for path in bundle.iterdir()) <= LARGEST
    card = (bundle / "README.md").read_text()
    assert "parametric detector simulation, not the CMS simulation" in card
    assert f"--seed {metadata.info.training['seed']}" in card
    listed = (FOLDER / "README.md").read_text()
    classes = {"test_auc": 4, "test_signal_efficiency_at_1pct_mistag": 3}
    for metric, digits in (classes if metadata.info.signal else {"test_mae": 3}).items():
        value = metadata.info.metrics[metric]
        assert f"{value:.6g}" in card
        (row,) = [line for line in listed.splitlines() if line.startswith(f"| `{name}` |")]
        assert f"{value:.{digits}f}" in row


@pytest.mark.parametrize("name", BUNDLES)
def test_it_tells_tops_from_qcd_in_python_and_cpp_alike(name: str, as_trained: Path, runner: Path, tmp_path) -> None:
    output = tmp_path / "scores.parquet"
    assert main(["predict", str(FOLDER / name), "--data", str(as_trained / "data"), "--output", str(output)]) == 0
    scores = read_scores(output)
    top = read_metadata(FOLDER / name).info.classes.index("top")
    probability = scores.probabilities[:, top]
    is_top = scores.jets["label"] == top
    assert min(is_top.sum(), (~is_top).sum()) > 20
    # 0.98 on 20,000 jets; this few scatter by some 0.015.
    assert roc_curve(is_top, probability).auc > 0.93
    found = infer(runner, FOLDER / name, as_trained / "events.e2e", tmp_path)
    identities = zip(*(scores.jets[column].tolist() for column in ("run", "lumi", "event", "jet")), strict=True)
    for number, identity in enumerate(identities):
        np.testing.assert_allclose(found.scores(identity)[top], probability[number], atol=1e-4)
