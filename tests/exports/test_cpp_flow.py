"""Particle flow in C++: the candidates of Python's decoder, to 1e-4, from elements of a file; and bad input."""

from __future__ import annotations

import csv
import json
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from e2egraph.cli import main
from e2egraph.data.candidates import Candidates, Decoding
from e2egraph.inference.particles import bundle_particles
from e2egraph.models.output_scale import scale_outputs
from tests.export.bundles import export
from tests.exports.conftest import about
from tests.exports.cpp_build import CPP, build_program
from tests.exports.cpp_files import read_nodes
from tests.flow_dataset import flow_task, write_flow_dataset
from tests.made_once import made_once

COLUMNS = ("pt", "eta", "phi", "energy", "pileup", "probability")
TASK = flow_task(inputs={"cap": 60})


class PerNode(nn.Module):
    """Two layers for each node."""

    def __init__(self) -> None:
        super().__init__()
        inputs = TASK.network_inputs
        self.layers = nn.Sequential(
            nn.Linear(2 + inputs.n_features, 16), nn.ReLU(), nn.Linear(16, TASK.objective.outputs.size)
        )

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        return self.layers(torch.cat([points, torch.asinh(features)], dim=-1))


@pytest.fixture(scope="module")
def flow_runner(tmp_path_factory: pytest.TempPathFactory, cpp_dependencies: Path) -> Path:
    source = CPP / "runner" / "e2e_flow.cc"
    return made_once(tmp_path_factory, "e2e_flow", lambda output: build_program(source, output, cpp_dependencies))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, a data set with events beyond the cap and some without elements, and its elements as a file."""
    folder = tmp_path_factory.mktemp("flow")
    torch.manual_seed(1)
    network = PerNode().eval()
    scale_outputs(network, TASK.objective.outputs)
    export(network, folder / "bundle", about("per-node", TASK), inputs=TASK.network_inputs,
           outputs=TASK.objective.outputs)  # fmt: skip
    write_flow_dataset(folder / "data", 40, inputs={"cap": 20480})
    assert main(["dump-elements", str(folder / "data"), "--output", str(folder / "elements.bin")]) == 0
    return folder


def run(runner: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in (runner, *words)], capture_output=True, text=True)


@pytest.mark.parametrize("method", ["hard", "soft"])
def test_candidates_are_those_of_python(flow_runner: Path, folder: Path, tmp_path: Path, method: str) -> None:
    found = run(
        flow_runner, folder / "bundle", folder / "elements.bin", "--decoding", method, "--output", tmp_path / "c"
    )
    assert found.returncode == 0, found.stderr
    expected: Candidates = bundle_particles(
        folder / "bundle", folder / "data", decoding=Decoding(method="soft" if method == "soft" else "hard")
    )
    with (tmp_path / "c").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(expected) > 100
    assert [row["class"] for row in rows] == [expected.classes[number] for number in expected["class"]]
    for name, column in (("element", "node"), ("charge", "charge")):
        np.testing.assert_array_equal([int(row[name]) for row in rows], expected[column])
    for name in COLUMNS:
        np.testing.assert_allclose([float(row[name]) for row in rows], expected[name], rtol=1e-4, atol=1e-5)
    assert len({row["class"] for row in rows}) > 1
    assert f"{len(rows)} candidates of 40 events" in found.stderr
    assert f"{expected.about['events_cut']} of them cut to the 60 elements" in found.stderr
    assert expected.about["events_cut"] > 0


def test_an_event_without_elements_has_no_candidates(flow_runner: Path, folder: Path, tmp_path: Path) -> None:
    write_flow_dataset(tmp_path / "data", 3, particles=(0, 0), inputs={"cap": 60})
    assert main(["dump-elements", str(tmp_path / "data"), "--output", str(tmp_path / "none.bin")]) == 0
    found = run(flow_runner, folder / "bundle", tmp_path / "none.bin")
    assert (found.returncode, len(found.stdout.splitlines())) == (0, 1)
    assert found.stderr == "0 candidates of 3 events, 3 of them without elements\n"


def test_the_file_holds_the_nodes_of_the_data_set_in_its_order(folder: Path) -> None:
    nodes = read_nodes(folder / "elements.bin")
    assert len(nodes) == 40
    one = next(iter(nodes.values()))
    assert list(one) == ["channel", "deta", "dphi", *TASK.network_inputs.variable_names]
    assert (np.diff(one["channel"]) >= 0).all()


def far_away(content: bytes, names: list[str], at: int) -> bytes:
    """A node file, whose events begin at ``at``, with every element at η = 100: of more energy than a float32 holds."""
    changed = bytearray(content)
    while at < len(changed):
        (size,) = struct.unpack_from("<I", changed, at + 20)
        column = at + 24 + 4 * size * (1 + names.index("deta"))
        changed[column : column + 4 * size] = struct.pack("<f", 100.0) * size
        at += 24 + 4 * size * (1 + len(names))
    return bytes(changed)


def test_a_bundle_of_jets_and_damaged_files_are_refused_in_one_sentence(
    flow_runner: Path, folder: Path, tmp_path: Path, jet_linear: Path
) -> None:
    elements, whole = folder / "elements.bin", (folder / "elements.bin").read_bytes()
    (tmp_path / "cut.bin").write_bytes(whole[:-5])
    (tmp_path / "other.bin").write_bytes(b"E2EJETS1" + whole[8:])
    (length,) = struct.unpack_from("<I", whole, 8)
    wrong = whole[12 : 12 + length].replace(b"charge", b"change")
    (tmp_path / "names.bin").write_bytes(whole[:12] + wrong + whole[12 + length :])
    write_flow_dataset(tmp_path / "laxer", 3, inputs={"cap": 60, "thresholds": {"HCAL": 3.0}})
    assert main(["dump-elements", str(tmp_path / "laxer"), "--output", str(tmp_path / "laxer.bin")]) == 0
    (made,) = struct.unpack_from("<I", whole, 12 + length)
    start = 16 + length + made + 24
    (tmp_path / "channel.bin").write_bytes(whole[:start] + struct.pack("<i", 77) + whole[start + 4 :])
    (tmp_path / "far.bin").write_bytes(far_away(whole, whole[12 : 12 + length].decode().split(), start - 24))
    altered = shutil.copytree(folder / "bundle", tmp_path / "altered")
    (altered / "model.onnx").write_bytes((altered / "model.onnx").read_bytes() + b" ")
    selected = shutil.copytree(folder / "bundle", tmp_path / "selected")
    content = json.loads((selected / "metadata.json").read_text())
    content["info"]["node_selection"]["channels"] = ["TRACK"]
    (selected / "metadata.json").write_text(json.dumps(content))
    bundle = folder / "bundle"
    for words, message in (
        ((jet_linear, elements), "gives no particles; give a bundle of a task with objective nodes"),
        ((bundle, tmp_path / "cut.bin"), "cut.bin: ends inside an event"),
        ((bundle, tmp_path / "other.bin"), "other.bin: is no node file"),
        ((bundle, tmp_path / "names.bin"), "names.bin: has no column charge, which"),
        ((bundle, tmp_path / "channel.bin"), "channel.bin: an element is of channel 77, which"),
        ((bundle, tmp_path / "laxer.bin"), "laxer.bin: its elements were made or selected otherwise than those of"),
        ((bundle, tmp_path / "far.bin"), "gives a candidate whose energy is negative or not finite"),
        ((altered, elements), "damaged or altered (SHA-256 differs)"),
        ((selected, elements), "'info.node_selection.channels' is not null"),
        ((tmp_path / "no-bundle", elements), "cannot be read"),
    ):
        found = run(flow_runner, *words)
        assert found.returncode == 1
        assert message in found.stderr and found.stderr.startswith("e2e_flow: ")
        assert found.stderr.count("\n") == 1
    assert run(flow_runner, bundle).returncode == 2
    assert run(flow_runner, bundle, elements, "--decoding", "middle").returncode == 2
