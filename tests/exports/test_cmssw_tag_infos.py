"""TagInfos of the CMSSW package: CMSSW's own producer makes Python's scores of them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from e2egraph.data.padding import pad
from e2egraph.errors import InputError
from e2egraph.inference.session import Bundle
from e2egraph.tasks.inputs import POINT_NAMES
from tests.export.bundles import CLASS_AND_MASS, CLASSES, MASS_AND_PT
from tests.exports.cmssw_program import (
    SCORED,
    execute,
    lines,
)
from tests.exports.conftest import bundle_for, made_up_task
from tests.exports.cpp_events import JET
from tests.exports.cpp_oracle import python_jets


def tagged(program: Path, bundle: Path, *words: object) -> tuple[dict[tuple[int, str], list[float]], dict]:
    """What TagInfos hold, by jet and feature; and what CMSSW's producer makes of them, by label and jet."""
    found = lines(program, "tags", bundle, *words)
    features = {(int(row[0]), row[1]): [float(value) for value in row[2:]] for row in found["feature"]}
    return features, {(row[0], int(row[1])): float(row[2]) for row in found["tag"]}


@pytest.mark.parametrize("kind", ["classes", "jet quantities", "class and mass"])
def test_cmssw_s_own_producer_makes_of_tag_infos_the_scores_that_python_gives(kind, cmssw_run, jet_linear, tmp_path):
    bundle = jet_linear
    if kind != "jet quantities":
        task = made_up_task(CLASSES if kind == "classes" else CLASS_AND_MASS)
        bundle = bundle_for(task, tmp_path / "bundle")
    features, tags = tagged(cmssw_run, bundle)
    found = lines(cmssw_run, "run", bundle)
    # The library's deposits and jets as those of an event file, from which Python makes nodes and scores.
    opened = Bundle.open(bundle, 1)
    table = {
        "tracks": (("pt", "eta", "phi", "d0", "dz", "d0_sig", "dz_sig", "charge"), found["track"]),
        "ecal": (("ieta", "iphi", "energy", "time"), found["crystal"]),
        "hcal": (("ieta", "iphi", "energy"), found["tower"]),
        "hits": (("channel", "x", "y", "z"), [[opened.inputs.numbers[hit[0]], *hit[1:]] for hit in found["hit"]]),
    }
    event = {}
    for name, (columns, rows) in table.items():
        values = np.array(rows, dtype=np.float32).T
        event[name] = {
            column: values[number].astype(np.int32) if column in ("ieta", "iphi", "channel") else values[number]
            for number, column in enumerate(columns)
        }
    jets, seeds = np.array(found["jet"], dtype=np.float32).T, np.array(found["seed"], dtype=np.int32).T
    event["jets"] = dict(zip(JET, jets, strict=True)) | {"seed_ieta": seeds[1], "seed_iphi": seeds[2]}
    clouds = python_jets(opened, [event])
    padded = pad(clouds, opened.inputs)
    expected = opened.probabilities(padded)
    assert [label for label, jet in tags if jet == 0] == ["qcd", "top"]
    # The others have no features, of which CMSSW makes 0.
    assert {tags[label, jet] for label in ("qcd", "top") for jet in (1, 3)} == {0}
    assert not any(values for (jet, _), values in features.items() if jet in (1, 3))
    for column, label in enumerate(("qcd", "top")):
        produced = np.array([tags[label, jet] for jet in SCORED])
        np.testing.assert_allclose(produced, expected[SCORED, column], atol=1e-5)
        assert len(set(produced)) == 3
    for jet in SCORED:
        own = clouds.take(np.array([jet]))
        for name in (*POINT_NAMES, *opened.inputs.variable_names):
            assert features[jet, name] == pytest.approx(own.nodes[name], rel=1e-6), name
        assert features[jet, "mask"] == [1.0] * int(own.counts[0])
        for name in opened.inputs.object_names:
            assert features[jet, name] == pytest.approx([own.jets[name][0]], rel=1e-6)


def test_a_jet_without_nodes_has_a_tag_info_without_features(cmssw_run, tmp_path):
    bundle = bundle_for(made_up_task(channels=["BPIX1"], half_window=20), tmp_path / "bundle")
    features, tags = tagged(cmssw_run, bundle)
    assert [bool(features[jet, "value"]) for jet in range(5)] == [False, False, False, False, True]
    assert [tags["top", jet] != 0 for jet in range(5)] == [False, False, False, False, True]


def test_tag_infos_need_classes_as_the_first_output(cmssw_run, tmp_path):
    bundle = bundle_for(made_up_task(MASS_AND_PT), tmp_path / "bundle")
    result = execute(cmssw_run, "tags", bundle)
    assert result.returncode == 1
    assert re.match("Configuration: .*use E2EGraphJetTagsProducer", result.stderr)


def test_labels_of_classes_in_another_order_are_damage(cmssw_run, jet_linear, tmp_path):
    bundle = shutil.copytree(jet_linear, tmp_path / "bundle")
    content = json.loads((bundle / "preprocess.json").read_text())
    assert content["flav_names"] == ["qcd", "top"]
    content["flav_names"].reverse()
    (bundle / "preprocess.json").write_text(json.dumps(content))
    result = execute(cmssw_run, "run", bundle)
    assert (result.returncode, "flav_names are not the classes" in result.stderr) == (1, True)
    with pytest.raises(InputError, match="not as e2egraph export writes it"):
        Bundle.open(bundle, 1)
