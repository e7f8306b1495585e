"""What the CMSSW package reads of a bundle, and bundles that it refuses."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest

from tests.export.bundles import CLASS_AND_MASS, MASS_AND_PT, export
from tests.exports.cmssw_program import (
    SCORED,
    at_the_end,
    execute,
    lines,
    numbers,
)
from tests.exports.conftest import about, bundle_for, jet_linear_network, made_up_task


def test_a_model_with_other_outputs_is_refused_when_the_bundle_is_opened(cmssw_run, jet_linear, tmp_path):
    """Before any event; its own output is renamed, or has a column more than the bundle says."""
    bundle = shutil.copytree(jet_linear, tmp_path / "bundle")
    content = json.loads((bundle / "metadata.json").read_text())
    content["outputs"]["heads"][0]["columns"] = ["qcd", "top", "higgs"]
    content["tensors"]["outputs"] = {"scores": ["batch", 3], "logits": ["batch", 3]}
    (bundle / "metadata.json").write_text(json.dumps(content))
    preprocess = json.loads((bundle / "preprocess.json").read_text())
    del preprocess["flav_names"]
    (bundle / "preprocess.json").write_text(json.dumps(preprocess))
    result = execute(cmssw_run, "run", bundle, "no-jets")
    assert result.returncode == 1
    assert "the model's output 'scores' is not that of metadata.json, 3 columns; export" in result.stderr


def test_jet_quantities_that_are_not_configured_are_warned_of(cmssw_run, jet_linear):
    assert execute(cmssw_run, "run", jet_linear).stderr == at_the_end(1) + "\n"
    result = execute(cmssw_run, "run", jet_linear, "tau3=")
    assert result.returncode == 0
    assert result.stderr.startswith("E2EGraph: The bundle reads tau3, which is not configured and taken as 0.\n")


def test_quantities_that_the_bundle_does_not_read_need_no_value_map(cmssw_run, tmp_path):
    task = made_up_task(object=["jet_mass", "tau21"])
    inputs = task.network_inputs
    bundle = tmp_path / "bundle"
    export(jet_linear_network(inputs), bundle, about("jet-linear", task), inputs=inputs)
    result = execute(cmssw_run, "run", bundle, "softDropMass=", "tau3=", "tau2=")
    assert result.returncode == 0
    assert result.stderr.splitlines()[:-1] == [
        "E2EGraph: The bundle reads tau2, which is not configured and taken as 0."
    ]


@pytest.mark.parametrize(
    ("objective", "outputs"),
    [(MASS_AND_PT, ["gen_mass", "gen_pt"]), (CLASS_AND_MASS, ["qcd", "top", "gen_mass"])],
    ids=["regression", "joint"],
)
def test_predicted_quantities_have_value_maps_of_their_own(objective, outputs, cmssw_run, tmp_path):
    bundle = bundle_for(made_up_task(objective), tmp_path / "bundle")
    rows = lines(cmssw_run, "run", bundle, "batchSize=2")["score"]
    assert [row[:2] for row in rows] == [[name, str(jet)] for name in outputs for jet in range(5)]
    produced, expected = numbers([row[2:] for row in rows]).T
    assert produced == pytest.approx(expected, rel=1e-5, nan_ok=True)
    refused = np.array([int(row[1]) not in SCORED for row in rows])
    of_class = np.array([row[0] in ("qcd", "top") for row in rows])
    assert (produced[refused & of_class] == -1).all()
    assert (np.isnan(produced) == (refused & ~of_class)).all()


def test_a_layer_from_outside_is_read_where_the_bundle_says(own_rows, cmssw_run, tmp_path):
    """FPIX1: subdetector 2, layer 1, which no channel of the library's is."""
    bundle = bundle_for(made_up_task(channels=["FPIX1", "TRACK"]), tmp_path / "bundle")
    found = lines(cmssw_run, "run", bundle)
    assert [hit[0] for hit in found["hit"]] == ["FPIX1"]
    assert numbers([found["hit"][0][1:]]) == pytest.approx(np.array([[5.9, 7.2, 40]]), rel=1e-6)
    content = json.loads((bundle / "metadata.json").read_text())
    for cms in (None, [7, 1]):
        content["inputs"]["channels"][0]["cms"] = cms
        (bundle / "metadata.json").write_text(json.dumps(content))
        result = execute(cmssw_run, "run", bundle)
        assert result.returncode == 1
        assert re.match("Configuration: .*channel FPIX1, but its 'cms' names no subdetector", result.stderr)


def test_known_layers_are_read_from_where_they_are_if_the_bundle_does_not_say(cmssw_run, jet_linear, tmp_path):
    bundle = shutil.copytree(jet_linear, tmp_path / "bundle")
    content = json.loads((bundle / "metadata.json").read_text())
    for channel in content["inputs"]["channels"]:
        channel["cms"] = None
    (bundle / "metadata.json").write_text(json.dumps(content))
    assert lines(cmssw_run, "run", bundle)["hit"] == lines(cmssw_run, "run", jet_linear)["hit"]


def test_collections_of_channels_that_the_bundle_does_not_read_are_not_touched(cmssw_run, tmp_path):
    bundle = bundle_for(made_up_task(channels=["HCAL"]), tmp_path / "bundle")
    found = lines(cmssw_run, "run", bundle, "unknown-module", "tracks=none", "ebHits=none", "pixelHits=none")
    assert "tower" in found
    assert not {"track", "hit", "crystal"} & set(found)


def test_two_outputs_of_one_product_name_are_an_exception(cmssw_run, jet_linear, tmp_path):
    bundle = shutil.copytree(jet_linear, tmp_path / "bundle")
    content = json.loads((bundle / "metadata.json").read_text())
    content["outputs"]["heads"][0]["columns"] = ["top_1", "top1"]
    (bundle / "metadata.json").write_text(json.dumps(content))
    preprocess = json.loads((bundle / "preprocess.json").read_text())
    preprocess["flav_names"] = ["top1", "top1"]
    (bundle / "preprocess.json").write_text(json.dumps(preprocess))
    result = execute(cmssw_run, "run", bundle)
    assert result.returncode == 1
    assert re.match("E2EGraph: .*two outputs that would be called 'top1'", result.stderr)


def test_damaged_bundles_and_impossible_settings_are_exceptions_of_cms(cmssw_run, jet_linear, tmp_path):
    broken = shutil.copytree(jet_linear, tmp_path / "broken")
    (broken / "model.onnx").write_bytes((broken / "model.onnx").read_bytes()[:-1])
    older = shutil.copytree(jet_linear, tmp_path / "older")
    (older / "preprocess.json").unlink()
    for words, expected in (
        ((broken,), "E2EGraph: .*model.onnx: damaged or altered"),
        ((older,), "E2EGraph: .*preprocess.json"),
        ((jet_linear, "variant=int8"), "E2EGraph: .*no int8 variant"),
        ((jet_linear, "unknown-module"), "E2EGraph: .*no module"),
        ((jet_linear, "batchSize=0"), "Configuration: batchSize"),
        ((jet_linear, "stripHits=", "matchedStripHits="), "Configuration: .*strip layers"),
    ):
        result = execute(cmssw_run, "run", *words)
        assert result.returncode == 1
        assert re.match(expected, result.stderr), result.stderr
