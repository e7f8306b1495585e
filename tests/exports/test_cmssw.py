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

from tests.export.bundles import CLASS_AND_MASS, MASS_AND_PT, export
from tests.exports.conftest import about, bundle_for, jet_linear_network, made_up_task
from tests.exports.cpp_build import ROOT, build_program, made_once

PACKAGE = ROOT / "exports" / "cmssw" / "E2EGraph" / "Tagger"
PLUGINS = PACKAGE / "plugins"
STANDINS = Path(__file__).with_name("cmssw_standins")


@pytest.fixture(scope="session")
def cmssw_run(tmp_path_factory: pytest.TempPathFactory, cpp_dependencies: Path) -> Path:
    """cmssw_run.cc with the package's sources, every warning an error."""
    source = Path(__file__).with_name("cmssw_run.cc")
    sources = [str(path) for path in sorted(PLUGINS.glob("*.cc"))]
    flags = (f"-I{PLUGINS}", f"-I{STANDINS}", *sources)
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


def test_a_track_s_point_at_the_ecal_can_stand_for_its_direction(cmssw_run, jet_linear):
    tracks = numbers(lines(cmssw_run, "run", jet_linear, "trackMomentumDirection=0")["track"])
    assert tracks[:, 2] == pytest.approx(np.array([0.4, 3.1]), rel=1e-5)


def test_hits_lie_relative_to_the_vertex_in_the_layers_that_are_channels(cmssw_run, jet_linear):
    hits = lines(cmssw_run, "run", jet_linear)["hit"]
    assert [hit[0] for hit in hits] == ["BPIX1", "BPIX4", "TIB1", "TOB2", "TIB2"]
    # The stand-in's modules lie at (1, 2, 3).
    local = np.array([(3, 1, 0), (14, 3, 2), (25, 5, 1), (69, 10, 4), (33, 7, 2)])
    assert numbers([hit[1:] for hit in hits]) == pytest.approx(local + np.array([1, 2, 3]) - VERTEX, rel=1e-6)


def test_without_a_vertex_positions_are_absolute(cmssw_run, jet_linear):
    found = lines(cmssw_run, "run", jet_linear, "no-vertex")
    assert found["event"] == [["1", "2", "3", "0"]]
    assert numbers([found["hit"][0][1:]]) == pytest.approx(np.array([[4, 3, 3]]))


@pytest.mark.parametrize(("depth", "row"), [(1, 31), (0, 32)])
def test_the_seed_is_sought_in_the_depth_asked_for(cmssw_run, jet_linear, depth, row):
    # 30 GeV in depth 2 of row 32, 5 in depth 1 of row 31.
    seeds = lines(cmssw_run, "run", jet_linear, f"seedDepth={depth}")["seed"]
    assert seeds[0] == ["0", str(row), "5"]


@pytest.mark.parametrize("settings", [(), ("batchSize=1",), ("batchSize=2",), ("seedDepth=0", "no-vertex")])
def test_the_producer_puts_the_library_s_scores_and_refuses_with_minus_one(cmssw_run, jet_linear, settings):
    rows = lines(cmssw_run, "run", jet_linear, *settings)["score"]
    assert {row[0] for row in rows} == {"qcd", "top"}
    scores = {(row[0], int(row[1])): (float(row[2]), float(row[3])) for row in rows}
    assert len(scores) == 10
    for (_, jet), (produced, expected) in scores.items():
        assert produced == pytest.approx(expected, abs=1e-5)
        # The second jet has no pT.
        assert (produced == -1) == (jet == 1)
    sums = [scores["qcd", jet][0] + scores["top", jet][0] for jet in (0, 2, 3, 4)]
    assert sums == pytest.approx([1] * 4, abs=1e-5)
    assert len({scores["top", jet][0] for jet in (0, 2, 3, 4)}) == 4


def test_an_event_without_jets_is_no_error(cmssw_run, jet_linear):
    assert execute(cmssw_run, "run", jet_linear, "no-jets").returncode == 0


def test_jet_quantities_that_are_not_configured_are_warned_of(cmssw_run, jet_linear):
    assert execute(cmssw_run, "run", jet_linear).stderr == ""
    result = execute(cmssw_run, "run", jet_linear, "tau3=")
    assert result.returncode == 0
    assert result.stderr == "E2EGraph: The bundle reads tau3, which is not configured and taken as 0.\n"


def test_quantities_that_the_bundle_does_not_read_need_no_value_map(cmssw_run, tmp_path):
    task = made_up_task(object=["jet_mass", "tau21"])
    inputs = task.network_inputs
    bundle = tmp_path / "bundle"
    export(jet_linear_network(inputs), bundle, about("jet-linear", task), inputs=inputs)
    result = execute(cmssw_run, "run", bundle, "softDropMass=", "tau3=", "tau2=")
    assert result.returncode == 0
    assert result.stderr == "E2EGraph: The bundle reads tau2, which is not configured and taken as 0.\n"


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
    # The second jet has no pT.
    refused = np.array([row[1] == "1" for row in rows])
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
def producer(monkeypatch) -> SimpleNamespace:
    """The module of e2eGraphJetTags_cfi.py."""
    for name in ("FWCore", "FWCore.ParameterSet"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    config = Config("FWCore.ParameterSet.Config")
    monkeypatch.setitem(sys.modules, "FWCore.ParameterSet.Config", config)
    monkeypatch.setattr(sys.modules["FWCore.ParameterSet"], "Config", config, raising=False)
    monkeypatch.setattr(sys.modules["FWCore"], "ParameterSet", sys.modules["FWCore.ParameterSet"], raising=False)
    return runpy.run_path(str(PACKAGE / "python" / "e2eGraphJetTags_cfi.py"))["e2eGraphJetTags"]


def test_the_cfi_declares_what_fill_descriptions_does_with_the_same_defaults(cmssw_run, producer):
    described = {}
    for line in execute(cmssw_run, "describe").stdout.splitlines():
        name, kind, text = line.split("\t")
        described[name] = (kind, text)
    assert described.pop("bundle")[0] == producer.parameters.pop("bundle")[0] == "FileInPath"
    assert producer.parameters == described
    assert f"DEFINE_FWK_MODULE({producer.kind});" in (PLUGINS / f"{producer.kind}.cc").read_text()


def test_the_test_configuration_sets_parameters_that_exist(producer):
    text = (PACKAGE / "test" / "e2eGraphJetTags_cfg.py").read_text()
    compile(text, "e2eGraphJetTags_cfg.py", "exec")
    (loaded,) = re.findall(r'process\.load\("(E2EGraph\.[^"]+)"\)', text)
    subsystem, package, module = loaded.split(".")
    assert (PACKAGE.parents[1] / subsystem / package / "python" / f"{module}.py").is_file()
    named = set(re.findall(r"process\.e2eGraphJetTags\.(\w+) =", text))
    assert named
    assert named <= set(producer.parameters)


def test_the_build_file_uses_the_packages_of_the_included_headers_and_no_others():
    # scram reads several elements side by side.
    root = ET.fromstring(f"<file>{(PLUGINS / 'BuildFile.xml').read_text()}</file>")
    used = {use.get("name") for use in root.iter("use")}
    sources = "".join(path.read_text() for path in PLUGINS.glob("*.[ch]*"))
    included = set(re.findall(r'#include "(\w+/\w+)/interface/', sources))
    assert used == included | {"json"}
