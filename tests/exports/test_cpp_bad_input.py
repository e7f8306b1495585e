"""Bad bundles and bad events: one sentence and exit code 1 from the C++ runner, and no score from Python either."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from e2egraph.errors import InputError
from e2egraph.export.bundle import BUNDLE_SCHEMA_VERSION
from e2egraph.inference.session import Bundle
from tests.exports.cpp_build import CPP
from tests.exports.cpp_events import awkward_event, with_values, write_events

SEEDS = np.array([[28, 36], [30, 71]])


def edited(name: str, change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """A way to spoil a bundle: ``change`` the JSON object in its file ``name``."""

    def edit(bundle: Path) -> None:
        content = json.loads((bundle / name).read_text())
        change(content)
        (bundle / name).write_text(json.dumps(content))

    return edit


def truncated(name: str, share: float) -> Callable[[Path], None]:
    def cut(bundle: Path) -> None:
        content = (bundle / name).read_bytes()
        (bundle / name).write_bytes(content[: int(share * len(content))])

    return cut


def flipped(bundle: Path) -> None:
    content = bytearray((bundle / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 4
    (bundle / "model.onnx").write_bytes(content)


def three_classes(content: dict[str, Any]) -> None:
    content["tensors"]["outputs"] = {"scores": ["batch", 3], "logits": ["batch", 3]}


def shorter_features(content: dict[str, Any]) -> None:
    content["tensors"]["inputs"]["features"][1] -= 1


PREPROCESS, METADATA = "preprocess.json", "metadata.json"

# What is done to the bundle → what the message must name.
SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated model": (truncated("model.onnx", 0.5), "model.onnx"),
    "empty model": (truncated("model.onnx", 0), "model.onnx"),
    "a bit of the model flipped": (flipped, "model.onnx"),
    "no model": (lambda bundle: (bundle / "model.onnx").unlink(), "model.onnx"),
    "a folder for a model": (
        lambda bundle: ((bundle / "model.onnx").unlink(), (bundle / "model.onnx").mkdir()),
        "model.onnx",
    ),
    "no preprocess.json": (lambda bundle: (bundle / PREPROCESS).unlink(), PREPROCESS),
    "truncated preprocess.json": (truncated(PREPROCESS, 0.9), PREPROCESS),
    "bytes that are no text": (lambda bundle: (bundle / PREPROCESS).write_bytes(b'{"a": "\xff\xfe"}'), PREPROCESS),
    "a list for an object": (lambda bundle: (bundle / METADATA).write_text("[1, 2]"), METADATA),
    "no median": (
        edited(PREPROCESS, lambda c: c["features"]["var_infos"]["dz"].pop("median")),
        "features.var_infos.dz.median",
    ),
    "a text for a number": (
        edited(PREPROCESS, lambda c: c["features"]["var_infos"]["dz"].update(norm_factor="1")),
        "features.var_infos.dz.norm_factor",
    ),
    "a number no float32 holds": (
        edited(PREPROCESS, lambda c: c["features"]["var_infos"]["dz"].update(median=1e60)),
        "features.var_infos.dz.median",
    ),
    "bounds the wrong way round": (
        edited(PREPROCESS, lambda c: c["mask"]["var_infos"]["mask"].update(lower_bound=2.0, upper_bound=1.0)),
        "mask.var_infos.mask.lower_bound",
    ),
    "no length": (edited(PREPROCESS, lambda c: c["points"].pop("max_length")), "points.max_length"),
    "a huge length": (edited(PREPROCESS, lambda c: c["points"].update(min_length=2**40, max_length=2**40)), "points"),
    "a negative length": (edited(PREPROCESS, lambda c: c["points"].update(max_length=-1)), "points.max_length"),
    "lengths that differ": (edited(PREPROCESS, lambda c: c["mask"].update(max_length=49)), "mask"),
    "variables in another order": (edited(PREPROCESS, lambda c: c["features"]["var_names"].reverse()), "features"),
    "points in another order": (edited(PREPROCESS, lambda c: c["points"]["var_names"].reverse()), "points"),
    "a group missing": (edited(PREPROCESS, lambda c: c["input_names"].remove("mask")), "mask"),
    "a group twice": (edited(PREPROCESS, lambda c: c["input_names"].append("mask")), "input_names"),
    "other outputs": (edited(PREPROCESS, lambda c: c.update(output_names=["logits"])), "output_names"),
    "an older schema": (edited(METADATA, lambda c: c.update(schema_version=1)), "schema version 1,"),
    "a newer schema": (edited(METADATA, lambda c: c.update(schema_version=99)), "schema version 99"),
    "no schema": (edited(METADATA, lambda c: c.pop("schema_version")), "schema"),
    "no info": (edited(METADATA, lambda c: c.pop("info")), "info"),
    "no inputs": (edited(METADATA, lambda c: c.pop("inputs")), "inputs"),
    "a class that is no text": (
        edited(METADATA, lambda c: c["outputs"]["heads"][0].update(columns=["qcd", 5])),
        "outputs.heads[0].columns",
    ),
    "a class twice": (
        edited(METADATA, lambda c: c["outputs"]["heads"][0].update(columns=["qcd", "qcd"])),
        "outputs.heads[0].columns",
    ),
    "two heads of one kind": (edited(METADATA, lambda c: c["outputs"]["heads"].extend(c["outputs"]["heads"])), "heads"),
    "no head": (edited(METADATA, lambda c: c["outputs"].update(heads=[])), "heads"),
    "outputs that the tensors contradict": (
        edited(METADATA, lambda c: c["tensors"]["outputs"].update(logits=["batch", 3])),
        "tensors.outputs.logits",
    ),
    "classes in another order": (edited(PREPROCESS, lambda c: c["flav_names"].reverse()), "preprocess.json"),
    "other outputs than the model's": (
        lambda bundle: (
            edited(METADATA, lambda c: (c["outputs"]["heads"][0].update(columns=["a", "b", "c"]), three_classes(c)))(
                bundle
            ),
            edited(PREPROCESS, lambda c: c.update(flav_names=["a", "b", "c"]))(bundle),
        ),
        "model.onnx",
    ),
    "other inputs than the model's": (
        lambda bundle: (
            edited(METADATA, lambda c: (c["inputs"]["variables"].pop(), shorter_features(c)))(bundle),
            edited(PREPROCESS, lambda c: c["features"]["var_names"].remove("time"))(bundle),
            edited(PREPROCESS, lambda c: c["features"]["var_infos"].pop("time"))(bundle),
        ),
        "model.onnx",
    ),
    "variables of metadata.json in another order": (
        edited(METADATA, lambda c: c["inputs"]["variables"].reverse()),
        PREPROCESS,
    ),
    "a variable twice": (
        edited(METADATA, lambda c: c["inputs"]["variables"][1].update(name="rho")),
        "inputs.variables[1]",
    ),
    "no channel": (edited(METADATA, lambda c: c["inputs"].update(channels=[])), "inputs.channels"),
    "a channel twice": (edited(METADATA, lambda c: c["inputs"]["channels"][1].update(name="TRACK")), "channels[1]"),
    "a number that no byte holds": (
        edited(METADATA, lambda c: c["inputs"]["channels"][1].update(number=256)),
        "inputs.channels[1].number",
    ),
    "a region without rows": (edited(METADATA, lambda c: c["inputs"]["region"].update(rows=0)), "inputs.region.rows"),
    "a pitch of nothing": (
        edited(METADATA, lambda c: c["inputs"]["region"].update(eta_pitch=0.0)),
        "inputs.region.eta_pitch",
    ),
    "an unknown centre": (edited(METADATA, lambda c: c["inputs"]["region"].update(centre="moon")), "region.centre"),
    "an unknown channel": (edited(METADATA, lambda c: c["info"]["node_selection"].update(channels=["MUON"])), "MUON"),
    "a cap of an unknown channel": (
        edited(METADATA, lambda c: c["info"]["node_selection"].update(caps={"MUON": 3})),
        "MUON",
    ),
    "a cap of nothing": (
        edited(METADATA, lambda c: c["info"]["node_selection"].update(caps={"ECAL": 0})),
        "caps.ECAL",
    ),
    "a window of text": (
        edited(METADATA, lambda c: c["info"]["node_selection"].update(half_window="wide")),
        "half_window",
    ),
}


def refused(runner: Path, *words: object) -> str:
    """Run the runner, which must refuse in one line; returns it."""
    result = subprocess.run([str(word) for word in (runner, *words)], capture_output=True, text=True)
    assert result.returncode == 1, (result.returncode, result.stderr)
    (line,) = result.stderr.splitlines()
    assert line.startswith("e2e_infer: ")
    assert line.endswith(".")
    return line


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("events") / "good.e2e"
    return write_events(path, [awkward_event(np.random.default_rng(n), 30, SEEDS) for n in range(3)])


@pytest.mark.parametrize("what", SPOILT)
def test_a_spoilt_bundle_is_refused_in_cpp_and_in_python(what, runner, jet_linear, events, tmp_path):
    spoil, named = SPOILT[what]
    bundle = Path(shutil.copytree(jet_linear, tmp_path / "bundle"))
    spoil(bundle)
    line = refused(runner, bundle, events)
    assert named in line
    assert str(bundle) in line
    with pytest.raises(InputError):
        Bundle.open(bundle, 1)


def task_of(content: dict[str, Any]) -> dict[str, Any]:
    configuration: dict[str, Any] = content["info"]["configuration"]
    return configuration


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda c: task_of(c).pop("object"), "info.configuration.object"),
        (lambda c: task_of(c)["object"].update(pt_min=None), "object.pt_min"),
        (lambda c: task_of(c)["object"].update(kind="muon"), "no objects of kind 'muon', jets, clusters"),
        (lambda c: task_of(c)["object"].update(kind="cluster"), "object.seed_min"),
        (lambda c: task_of(c)["inputs"].update(cap=0), "inputs.cap"),
        (lambda c: task_of(c)["inputs"].update(thresholds={"ECAL": "low"}), "thresholds.ECAL"),
        (lambda c: task_of(c)["inputs"].pop("suppress_displaced"), "inputs.suppress_displaced"),
        (lambda c: c["inputs"]["region"].update(centre="crystal"), "'inputs.region.centre' is not tower"),
        (lambda c: c["inputs"]["region"].update(centre="none"), "'inputs.region.centre' is not tower"),
        (lambda c: c["inputs"]["channels"][0].update(collection="muons"), "channel TRACK is made of 'muons'"),
        (lambda c: c["inputs"]["channels"][0].update(collection="ecal"), "the only channel of its collection"),
        (lambda c: c["inputs"]["channels"][0].update(number=9), "a name and a number of its own"),
        (lambda c: c["inputs"]["channels"][1].update(cms=[1]), "inputs.channels[1].cms"),
        (lambda c: c["inputs"]["variables"][3].update(name="chi2"), 'register_variable("chi2", function)'),
        (lambda c: c["inputs"]["object"][3].update(name="n_tracks"), "no quantity 'n_tracks' of a jet"),
        (lambda c: c["outputs"]["heads"][0].update(level="node"), "not of nodes"),
    ],
)
def test_what_only_cpp_reads_or_cannot_make_is_told_in_one_sentence(
    change, named, runner, jet_linear, events, tmp_path
):
    """Python takes the jets and nodes of a data set as they are; C++ makes them by the bundle's configuration."""
    bundle = Path(shutil.copytree(jet_linear, tmp_path / "bundle"))
    edited(METADATA, change)(bundle)
    assert named in refused(runner, bundle, events)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("collection", "column"),
    [("tracks", "pt"), ("tracks", "d0_sig"), ("hits", "z"), ("ecal", "energy"), ("ecal", "time"), ("hcal", "energy")],
)
def test_values_that_are_not_finite_are_refused_as_in_python_s_reading(
    collection, column, value, runner, jet_linear, tmp_path
):
    event = awkward_event(np.random.default_rng(0), 30, SEEDS)
    events = write_events(tmp_path / "events.e2e", [event, with_values(event, collection, **{column: value})])
    line = refused(runner, jet_linear, events)
    assert "event 1:2:1:" in line
    assert "NaN or infinite" in line


@pytest.mark.parametrize("column", ["pt", "eta", "phi", "tau32"])
def test_a_jet_that_is_not_finite_is_refused(column, runner, jet_linear, tmp_path):
    event = with_values(awkward_event(np.random.default_rng(0), 30, SEEDS), "jets", **{column: np.nan})
    assert "a jet's axis" in refused(runner, jet_linear, write_events(tmp_path / "events.e2e", [event]))


@pytest.mark.parametrize(
    ("collection", "columns", "named"),
    [
        ("ecal", {"ieta": 280}, "crystal"),
        ("ecal", {"iphi": -1}, "crystal"),
        ("hcal", {"ieta": 56}, "tower"),
        ("hcal", {"iphi": 72}, "tower"),
        ("jets", {"seed_ieta": -1}, "seed"),
        ("jets", {"seed_iphi": 72}, "seed"),
        ("hits", {"channel": 9}, "channel 9"),
        ("hits", {"channel": 256}, "channel 256"),
        ("hits", {"channel": -1}, "channel -1"),
    ],
)
def test_cells_outside_the_detector_are_refused(collection, columns, named, runner, jet_linear, tmp_path):
    event = with_values(awkward_event(np.random.default_rng(0), 30, SEEDS), collection, **columns)
    assert named in refused(runner, jet_linear, write_events(tmp_path / "events.e2e", [event]))


def test_enormous_values_give_a_finite_score_or_an_error(runner, jet_linear, tmp_path):
    event = awkward_event(np.random.default_rng(0), 30, SEEDS)
    event = with_values(event, "tracks", pt=3e38, eta=3e38, phi=-3e38, d0=-3e38, dz_sig=3e38)
    event = with_values(event, "ecal", energy=1e31)
    event = with_values(event, "hits", x=3e38, y=-3e38)
    events = write_events(tmp_path / "events.e2e", [event])
    result = subprocess.run([runner, jet_linear, events], capture_output=True, text=True)
    if result.returncode:
        assert "not finite" in result.stderr
    else:
        assert "nan" not in result.stdout
        assert "inf" not in result.stdout


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"", "shorter"),
        (b"E2EEVT02", "shorter"),
        (b"E2EEVT01" + bytes(8), "version"),
        (b"root" + bytes(100), "E2EEVT02"),
        (b"E2EEVT02" + (1).to_bytes(8, "little"), "event 1 of 1"),
        (b"E2EEVT02" + bytes(8) + b"x", "1 bytes after"),
        (b"E2EEVT02" + (1).to_bytes(8, "little") + bytes(32) + b"\xff" * 20, "more than the file"),
    ],
)
def test_an_event_file_that_is_none_or_is_damaged_is_refused(content, named, runner, jet_linear, tmp_path):
    path = tmp_path / "events.e2e"
    path.write_bytes(content)
    line = refused(runner, jet_linear, path)
    assert named in line
    assert str(path) in line


def test_files_that_are_not_there_and_outputs_that_cannot_be_are_named(runner, jet_linear, events, tmp_path):
    assert "none/metadata.json" in refused(runner, tmp_path / "none", events)
    assert "none.e2e" in refused(runner, jet_linear, tmp_path / "none.e2e")
    assert str(tmp_path) in refused(runner, jet_linear, tmp_path)
    assert "no/out.csv" in refused(runner, jet_linear, events, "--output", tmp_path / "no" / "out.csv")
    assert "/dev/full" in refused(runner, jet_linear, events, "--output", "/dev/full")


@pytest.mark.parametrize(
    "words",
    [
        "",
        "a",
        "a b c",
        "a b --batch 0",
        "a b --batch",
        "a b --threads x",
        "a b --repeat -1",
        "a b --format xml",
        "a b --color red",
    ],
)
def test_wrong_usage_is_told_apart(words, runner):
    result = subprocess.run([runner, *words.split()], capture_output=True, text=True)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1


def test_cpp_reads_the_schema_that_python_writes():
    text = (CPP / "include" / "e2egraph" / "metadata.h").read_text()
    assert f"bundle_schema_version = {BUNDLE_SCHEMA_VERSION};" in text
