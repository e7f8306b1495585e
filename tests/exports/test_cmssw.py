"""The CMSSW package: compiled against stand-ins for CMSSW's headers, and run on a made-up event."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from e2egraph.data.padding import pad
from e2egraph.errors import InputError
from e2egraph.inference.session import Bundle
from e2egraph.tasks.inputs import POINT_NAMES
from tests.export.bundles import CLASS_AND_MASS, CLASSES, MASS_AND_PT, export
from tests.exports.conftest import about, bundle_for, jet_linear_network, made_up_task
from tests.exports.cpp_build import ROOT, build_program, made_once
from tests.exports.cpp_events import JET
from tests.exports.cpp_oracle import python_jets

PACKAGE = ROOT / "exports" / "cmssw" / "E2EGraph" / "Tagger"
PLUGINS = PACKAGE / "plugins"
STANDINS = Path(__file__).with_name("cmssw_standins")


@pytest.fixture(scope="session")
def cmssw_run(tmp_path_factory: pytest.TempPathFactory, cpp_dependencies: Path) -> Path:
    """cmssw_run.cc with the package's sources, every warning an error."""
    source = Path(__file__).with_name("cmssw_run.cc")
    sources = [str(path) for path in sorted(PLUGINS.glob("*.cc"))]
    flags = (f"-I{PLUGINS}", f"-I{STANDINS}", f"-I{source.parent}", *sources)
    return made_once(
        tmp_path_factory, "cmssw_run", lambda output: build_program(source, output, cpp_dependencies, *flags)
    )


def execute(program: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(program), *map(str, words)], capture_output=True, text=True)


def lines(program: Path, *words: object) -> dict[str, list[list[str]]]:
    """First word of a line → the other words of all such lines."""
    result = execute(program, *words)
    assert result.returncode == 0, result.stderr
    found: dict[str, list[list[str]]] = {}
    for line in result.stdout.splitlines():
        kind, *others = line.split(" ")
        found.setdefault(kind, []).append(others)
    return found


def numbers(rows: list[list[str]]) -> np.ndarray:
    return np.array(rows, dtype=float)


# What the made-up event of cmssw_run.cc must become.
VERTEX = (0.1, -0.2, 3.0)

# Of its five jets the second has no pT, and around the fourth there is nothing.
SCORED = [0, 2, 4]


def at_the_end(
    without_nodes: int, unusable: int = 0, deposits: int = 0, instead: str = "score -1, prediction NaN"
) -> str:
    """What a job over this event says of it at its end."""
    return (
        f"E2EGraph: Of 5 jets {without_nodes} had no nodes and {unusable} were not finite ({instead}); {deposits} "
        "deposits held NaN or infinite values."
    )


def test_crystals_of_barrel_and_endcaps_are_rows_and_columns_of_the_image(cmssw_run, jet_linear):
    crystals = numbers(lines(cmssw_run, "run", jet_linear)["crystal"])
    # EB by EBDetId; EE: energies of a cell summed, no time, nothing below 1.479, nothing without energy. phi = 45.5
    # degrees is column 55; eta 1.49 lies in the first fifth of 1.479 … 1.566, 2.99 in the last of 2.65 … 3.
    expected = [(140, 0, 2.5, 0.5), (55, 359, 1.5, -1), (159, 26, 7.5, 0.25), (0, 55, 4, 0), (225, 55, 4, 0)]
    assert crystals == pytest.approx(np.array(expected, dtype=float))


def test_tower_depths_are_summed_and_wide_towers_shared(cmssw_run, jet_linear):
    towers = numbers(lines(cmssw_run, "run", jet_linear)["tower"])
    # Rows: ieta + 28 below 0, ieta + 27 above; columns: iphi + 1, modulo 72.
    expected = [(0, 2, 2), (0, 3, 2), (16, 38, 6), (31, 5, 7), (32, 5, 30), (48, 0, 4), (48, 1, 4)]
    assert towers == pytest.approx(np.array(expected, dtype=float))


def test_tracks_are_selected_and_relative_to_the_vertex(cmssw_run, jet_linear):
    tracks = numbers(lines(cmssw_run, "run", jet_linear)["track"])
    dx, dy, dz = 0.05, 0.1, 0.5
    expected = []
    for pt, eta, phi, charge in ((10, 0.25, 0.3, -1), (0.8, -0.5, 3.0, 1)):
        d0 = dx * np.sin(phi) - dy * np.cos(phi)
        z0 = dz - (dx * np.cos(phi) + dy * np.sin(phi)) * np.sinh(eta)
        # Errors of the stand-in's tracks: 0.02 and 0.03 cm; of the vertex: 0.003, 0.004 and 0.01 cm.
        d0_error, z0_error = np.sqrt(0.02**2 + 0.003**2 + 0.004**2), np.hypot(0.03, 0.01)
        turned = np.angle(np.exp(1j * (phi + 0.2)))
        expected.append((pt, eta, turned, d0, z0, d0 / d0_error, z0 / z0_error, charge))
    assert tracks == pytest.approx(np.array(expected), rel=1e-5)


def read_otherwise(bundle: Path, folder: Path, **reading: Any) -> Path:
    """A copy of ``bundle`` that says of its training files that they were read otherwise; None: says nothing."""
    shutil.copytree(bundle, folder)
    content = json.loads((folder / "metadata.json").read_text())
    content["info"] |= reading
    (folder / "metadata.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("direction", "phi", "number"), [("ecal_point", 0.4, 2), ("ecal_momentum", 0.5, 2), ("vertex", 0.3, 3)]
)
def test_the_bundle_says_where_directions_of_tracks_are_taken(cmssw_run, jet_linear, tmp_path, direction, phi, number):
    """The stand-in bends tracks by 0.1 rad on the way, and by 0.2 in direction; one does not reach the ECAL."""
    bundle = read_otherwise(jet_linear, tmp_path / "bundle", track_direction=direction)
    tracks = numbers(lines(cmssw_run, "run", bundle)["track"])
    assert tracks[0, 2] == pytest.approx(phi, rel=1e-5)
    assert len(tracks) == number
    # A parameter may repeat what the bundle says.
    assert numbers(lines(cmssw_run, "run", bundle, f"trackDirection={direction}")["track"]) == pytest.approx(tracks)


def test_a_parameter_that_contradicts_the_bundle_or_is_missing_is_refused_in_one_sentence(
    cmssw_run, jet_linear, tmp_path
):
    silent = read_otherwise(jet_linear, tmp_path / "silent", track_direction=None, seed_depth=None)
    given = ("trackDirection=vertex", "seedDepth=0")
    for words, expected in (
        (
            (jet_linear, "trackDirection=vertex"),
            r"trackDirection is vertex, but the bundle's network was trained with ecal_momentum; leave .*\.",
        ),
        ((jet_linear, "seedDepth=0"), r"seedDepth is 0, but the bundle's network was trained with 1; leave .*\."),
        (
            (jet_linear, "trackDirection=moon"),
            r"trackDirection is 'moon'; give ecal_point, ecal_momentum or vertex.*\.",
        ),
        ((jet_linear, "seedDepth=8"), r"seedDepth is 8; give 0 .* to 7.*\."),
        ((silent, given[0]), r"The bundle does not say which seedDepth .*set it to 0 \(depths summed\) or a depth.*\."),
        ((silent, given[1]), r"The bundle does not say which trackDirection .*set it to ecal_point.*\."),
    ):
        for command in ("run", "tags"):
            result = execute(cmssw_run, command, *words)
            assert result.returncode == 1
            assert re.fullmatch(f"Configuration: {expected}\n", result.stderr), result.stderr
    found = lines(cmssw_run, "run", silent, *given)
    assert (found["seed"][0], len(found["track"])) == (["0", "32", "5"], 3)


def test_a_bundle_that_is_read_in_no_known_way_is_damaged(cmssw_run, jet_linear, tmp_path):
    for number, (name, value) in enumerate([("track_direction", "moon"), ("seed_depth", 9), ("seed_depth", "deep")]):
        bundle = read_otherwise(jet_linear, tmp_path / str(number), **{name: value})
        result = execute(cmssw_run, "run", bundle)
        assert (result.returncode, f"'info.{name}' is not " in result.stderr) == (1, True), result.stderr
        with pytest.raises(InputError, match=f"info.{name} is {value}"):
            Bundle.open(bundle, 1)


def test_hits_lie_relative_to_the_vertex_in_the_layers_that_are_channels(cmssw_run, jet_linear):
    hits = lines(cmssw_run, "run", jet_linear)["hit"]
    # Not the matched hit, whose rphi and stereo hits count already, unless it is asked for.
    assert [hit[0] for hit in hits] == ["BPIX1", "BPIX4", "TIB1", "TOB2"]
    matched = lines(cmssw_run, "run", jet_linear, "matchedStripHits=matchedRecHit")["hit"]
    assert [hit[0] for hit in matched] == ["BPIX1", "BPIX4", "TIB1", "TOB2", "TIB2"]
    # The stand-in's modules lie at (1, 2, 3).
    local = np.array([(3, 1, 0), (14, 3, 2), (25, 5, 1), (69, 10, 4)])
    assert numbers([hit[1:] for hit in hits]) == pytest.approx(local + np.array([1, 2, 3]) - VERTEX, rel=1e-6)


def test_without_a_vertex_positions_are_absolute(cmssw_run, jet_linear):
    found = lines(cmssw_run, "run", jet_linear, "no-vertex")
    assert found["event"] == [["1", "2", "3", "0"]]
    assert numbers([found["hit"][0][1:]]) == pytest.approx(np.array([[4, 3, 3]]))


@pytest.mark.parametrize(("depth", "row"), [(1, 31), (0, 32)])
def test_the_seed_is_sought_in_the_depth_that_the_bundle_says(cmssw_run, jet_linear, tmp_path, depth, row):
    # 30 GeV in depth 2 of row 32, 5 in depth 1 of row 31.
    seeds = lines(cmssw_run, "run", read_otherwise(jet_linear, tmp_path / "bundle", seed_depth=depth))["seed"]
    assert seeds[0] == ["0", str(row), "5"]


@pytest.mark.parametrize("settings", [(), ("batchSize=1",), ("batchSize=2",), ("no-vertex",)])
def test_the_producer_puts_the_library_s_scores_and_refuses_with_minus_one(cmssw_run, jet_linear, settings):
    rows = lines(cmssw_run, "run", jet_linear, *settings)["score"]
    assert {row[0] for row in rows} == {"qcd", "top"}
    scores = {(row[0], int(row[1])): (float(row[2]), float(row[3])) for row in rows}
    assert len(scores) == 10
    for (_, jet), (produced, expected) in scores.items():
        assert produced == pytest.approx(expected, abs=1e-5)
        assert (produced == -1) == (jet not in SCORED)
    sums = [scores["qcd", jet][0] + scores["top", jet][0] for jet in SCORED]
    assert sums == pytest.approx([1] * 3, abs=1e-5)
    assert len({scores["top", jet][0] for jet in SCORED}) == 3


def test_an_event_without_jets_is_no_error(cmssw_run, jet_linear):
    for command in ("run", "tags"):
        assert execute(cmssw_run, command, jet_linear, "no-jets").returncode == 0


@pytest.mark.parametrize("objective", [CLASSES, CLASS_AND_MASS], ids=["classification", "joint"])
def test_jets_without_nodes_have_score_minus_one_and_are_counted(objective, cmssw_run, tmp_path):
    """The one hit of BPIX1 lies in the region of the last jet alone."""
    bundle = bundle_for(made_up_task(objective, channels=["BPIX1"], half_window=20), tmp_path / "bundle")
    result = execute(cmssw_run, "run", bundle)
    rows = [line.split(" ")[1:] for line in result.stdout.splitlines() if line.startswith("score ")]
    produced, library = numbers([row[2:] for row in rows]).T
    of_class = np.array([row[0] in ("qcd", "top") for row in rows])
    last = np.array([row[1] == "4" for row in rows])
    assert ((produced >= 0) & (produced <= 1))[last & of_class].all()
    assert (produced[~last & of_class] == -1).all()
    assert np.isnan(produced[~last & ~of_class]).all() and np.isfinite(produced[last]).all()
    np.testing.assert_allclose(produced, library, rtol=1e-5)
    # The second jet is refused, and not counted.
    assert result.stderr == at_the_end(3) + "\n"


def test_a_deposit_that_is_not_finite_is_left_out_with_a_warning(cmssw_run, jet_linear):
    """Two tracks, a hit, a crystal of the barrel and one of an endcap, and a tower; of one crystal only the time."""
    good, bad = (lines(cmssw_run, "run", jet_linear, *words) for words in ((), ("nan",)))
    assert bad["crystal"].pop(3) == ["163", "26", "4.5", "0"]
    for kind in ("track", "hit", "crystal", "tower", "seed"):
        assert bad[kind] == good[kind], kind
    for command, instead in (("run", "score -1, prediction NaN"), ("tags", "TagInfo without features")):
        assert execute(cmssw_run, command, jet_linear, "nan").stderr.splitlines() == [
            "E2EGraph: event 1:2:3: 7 deposits hold NaN or infinite values; they are left out, a time alone set to 0.",
            at_the_end(1, deposits=7, instead=instead),
        ]


def test_a_jet_that_is_not_finite_is_refused_with_a_warning_and_the_others_are_scored(cmssw_run, jet_linear):
    result = execute(cmssw_run, "run", jet_linear, "bad-jet")
    assert result.returncode == 0, result.stderr
    *jets, end = result.stderr.splitlines()
    # tau1 of the third, and phi of the fourth.
    assert [line.split(" is not scored: ")[0] for line in jets] == ["E2EGraph: jet 2", "E2EGraph: jet 3"]
    assert all("NaN or infinite" in line for line in jets)
    assert end == at_the_end(0, unusable=2)
    scores = {(row[0], row[1]): float(row[2]) for row in lines(cmssw_run, "run", jet_linear, "bad-jet")["score"]}
    assert [scores["top", str(jet)] == -1 for jet in range(5)] == [False, True, True, True, False]


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


class Config(ModuleType):
    """FWCore.ParameterSet.Config: every parameter as (type, text), modules and paths as they are called."""

    def __getattr__(self, name: str) -> Any:
        if name in ("EDProducer", "OutputModule", "Source"):
            return lambda kind, **parameters: SimpleNamespace(kind=kind, parameters=parameters)
        if name == "InputTag":
            return lambda *words: ("InputTag", ":".join(words))
        if name == "VInputTag":
            return lambda *words: ("VInputTag", ",".join(words))
        if name in ("FileInPath", "string", "bool", "int32", "uint32"):
            return lambda value: (name, str(value))
        raise AttributeError(name)


@pytest.fixture
def configurations(monkeypatch) -> None:
    """FWCore.ParameterSet.Config can be imported."""
    for name in ("FWCore", "FWCore.ParameterSet"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    config = Config("FWCore.ParameterSet.Config")
    monkeypatch.setitem(sys.modules, "FWCore.ParameterSet.Config", config)
    monkeypatch.setattr(sys.modules["FWCore.ParameterSet"], "Config", config, raising=False)
    monkeypatch.setattr(sys.modules["FWCore"], "ParameterSet", sys.modules["FWCore.ParameterSet"], raising=False)


def module_of(name: str) -> SimpleNamespace:
    """The module that NAME_cfi.py defines."""
    module: SimpleNamespace = runpy.run_path(str(PACKAGE / "python" / f"{name}_cfi.py"))[name]
    return module


@pytest.fixture(params=["e2eGraphJetTags", "e2eGraphTagInfos"])
def producer(request, configurations) -> SimpleNamespace:
    return module_of(request.param)


def test_the_cfi_declares_what_fill_descriptions_does_with_the_same_defaults(cmssw_run, producer):
    described = {}
    for line in execute(cmssw_run, "describe", producer.kind).stdout.splitlines():
        name, kind, text = line.split("\t")
        described[name] = (kind, text)
    assert described.pop("bundle")[0] == producer.parameters.pop("bundle")[0] == "FileInPath"
    assert producer.parameters == described
    assert f"DEFINE_FWK_MODULE({producer.kind});" in (PLUGINS / f"{producer.kind}.cc").read_text()


def test_jet_tags_are_those_of_cmssw_s_producer_with_the_bundle_s_files_and_classes(jet_linear, monkeypatch, tmp_path):
    shutil.copytree(jet_linear, tmp_path / "E2EGraph" / "Tagger" / "data" / "mine")
    monkeypatch.setenv("CMSSW_SEARCH_PATH", f"{tmp_path / 'none'}:{tmp_path}")
    stock = ModuleType("RecoBTag.ONNXRuntime.boostedJetONNXJetTagsProducer_cfi")
    stock.boostedJetONNXJetTagsProducer = SimpleNamespace(clone=lambda **parameters: parameters)
    for name in ("RecoBTag", "RecoBTag.ONNXRuntime"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, stock.__name__, stock)
    make = runpy.run_path(str(PACKAGE / "python" / "e2eGraphBoostedJetTags.py"))["e2e_graph_boosted_jet_tags"]
    folder = "E2EGraph/Tagger/data/mine"
    assert make(folder) == {
        "src": "e2eGraphTagInfos",
        "preprocess_json": f"{folder}/preprocess.json",
        "model_path": f"{folder}/model.onnx",
        "flav_names": ["qcd", "top"],
    }
    with pytest.raises(OSError, match="not in CMSSW_SEARCH_PATH"):
        make("E2EGraph/Tagger/data/other")


def test_the_test_configuration_sets_parameters_that_exist(configurations):
    text = (PACKAGE / "test" / "e2eGraphJetTags_cfg.py").read_text()
    compile(text, "e2eGraphJetTags_cfg.py", "exec")
    for loaded in re.findall(r'process\.load\("(E2EGraph\.[^"]+)"\)', text):
        subsystem, package, module = loaded.split(".")
        assert (PACKAGE.parents[1] / subsystem / package / "python" / f"{module}.py").is_file()
        name = module.removesuffix("_cfi")
        named = set(re.findall(rf"process\.{name}\.(\w+) =", text))
        assert named and named <= set(module_of(name).parameters)


def test_the_build_file_uses_the_packages_of_the_included_headers_and_no_others():
    # scram reads several elements side by side.
    root = ET.fromstring(f"<file>{(PLUGINS / 'BuildFile.xml').read_text()}</file>")
    used = {use.get("name") for use in root.iter("use")}
    sources = "".join(path.read_text() for path in PLUGINS.glob("*.[ch]*"))
    included = set(re.findall(r'#include "(\w+/\w+)/interface/', sources))
    assert used == included | {"json"}
