"""The C++ runner, built once a session, and small bundles for it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from e2egraph.config import as_dict
from e2egraph.detector import channels as channel_table
from e2egraph.detector.channels import Channel, channels
from e2egraph.export.bundle import BundleInfo, read_metadata, write_metadata
from e2egraph.export.preprocess import preprocessing, write_preprocess
from e2egraph.tasks import variables as variable_table
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.nodeselection import NodeSelection
from e2egraph.tasks.outputs import Outputs
from e2egraph.tasks.task import TaskConfig, load_task, make_task
from e2egraph.tasks.variables import NodeVariable, Scale, Variable
from tests.all_inputs import INPUTS
from tests.export.bundles import CLASSES, JetLinear, export, two_layers
from tests.exports.cmssw_program import PLUGINS, STANDINS
from tests.exports.cpp_build import CPP, SANITIZERS, build_program, build_runner, fetch_dependencies
from tests.made_once import made_once

# Made-up jets: of any pT and anywhere in η, nearly to the image's edge.
LOOSE = ("object.pt_min=0", "object.abs_eta_max=9", "object.edge_towers=1", "resampling=null")

# A layer of pixels that the library does not come with.
FPIX1 = Channel("FPIX1", 20, "hits", 8.0, cms=(2, 1))


@pytest.fixture(scope="session")
def cpp_dependencies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """include/ and lib/ of ONNX Runtime and nlohmann/json."""
    return fetch_dependencies(tmp_path_factory)


@pytest.fixture(scope="session")
def runner(tmp_path_factory: pytest.TempPathFactory, cpp_dependencies: Path) -> Path:
    """e2e_infer, built by the README's command."""
    return made_once(tmp_path_factory, "e2e_infer", lambda output: build_runner(cpp_dependencies, output))


@pytest.fixture(scope="session")
def own_runner(tmp_path_factory: pytest.TempPathFactory, cpp_dependencies: Path) -> Path:
    """e2e_infer built together with own_variables.cc."""
    own = str(Path(__file__).with_name("own_variables.cc"))
    source = CPP / "runner" / "e2e_infer.cc"
    return made_once(
        tmp_path_factory, "own_runner", lambda output: build_program(source, output, cpp_dependencies, own)
    )


@pytest.fixture(scope="session")
def many_runs(tmp_path_factory: pytest.TempPathFactory, cpp_dependencies: Path) -> Path:
    """The runner's code under AddressSanitizer and UBSan, many command lines a process."""
    source = Path(__file__).with_name("many_runs.cc")
    return made_once(
        tmp_path_factory,
        "many_runs",
        lambda output: build_program(source, output, cpp_dependencies, *SANITIZERS),
    )


def jet_linear_network(inputs: Inputs = INPUTS) -> JetLinear:
    """With small weights: jets of hundreds of GeV would drive the probabilities to 0 and 1."""
    torch.manual_seed(5)
    network = JetLinear(inputs).eval()
    with torch.no_grad():
        for weights in network.parameters():
            weights *= 0.02
    return network


def about(name: str, task: TaskConfig, selection: NodeSelection | None = None) -> BundleInfo:
    """What a bundle says of a network for ``task``."""
    return BundleInfo(
        model=name,
        model_config={"name": name},
        task=task.name,
        configuration=as_dict(task),
        node_selection=selection or NodeSelection(),
        cap=task.inputs.cap,
        track_direction="ecal_momentum",
        seed_depth=1,
    )


@pytest.fixture(scope="session")
def jet_linear(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that reads jet quantities and the nodes of all channels, of which its task keeps at most 50."""
    names = ", ".join(channels())
    task = load_task("top", [*LOOSE, f"inputs.channels=[{names}]", "inputs.cap=50"])

    def make(folder: Path) -> None:
        export(jet_linear_network(), folder, about("jet-linear", task))

    return made_once(tmp_path_factory, "jet-linear", make)


def variant(bundle: Path, folder: Path, *settings: str, selection: NodeSelection | None = None) -> Path:
    """The network of ``bundle`` for another task, "top" with ``LOOSE`` and ``settings``, and another selection."""
    shutil.copytree(bundle, folder)
    metadata = read_metadata(folder)
    info = about(metadata.info.model, load_task("top", [*LOOSE, *settings]), selection)
    write_metadata(folder, replace(metadata, info=info))
    form = (metadata.inputs, metadata.outputs)
    write_preprocess(folder, preprocessing(*form, info.cap, metadata.uses_jet))
    return folder


def bundle_for(task: TaskConfig, folder: Path, inputs: Inputs | None = None, outputs: Outputs | None = None) -> Path:
    """A bundle of a small network with every head of ``task``, which reads the task's inputs or others, and gives its
    outputs or others."""
    inputs, outputs = inputs or task.network_inputs, outputs or task.objective.outputs
    export(two_layers(inputs, outputs), folder, about("two-layers", task), inputs=inputs, outputs=outputs)
    return folder


def made_up_task(objective: Mapping[str, Any] = CLASSES, half_window: int = 62, **inputs: Any) -> TaskConfig:
    """A task of any jets."""
    return make_task(
        {
            "name": "made-up",
            "description": "made-up jets",
            "object": {"kind": "jet", "pt_min": 0.0, "abs_eta_max": 9.0, "edge_towers": 1},
            "region": {"centre": "tower", "half_window": half_window},
            "inputs": {"channels": ["TRACK", "BPIX1", "TIB2", "ECAL", "HCAL"], "cap": 80} | inputs,
            "objective": dict(objective),
        },
        "made-up task",
    )


@pytest.fixture
def own_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel and the variables of own_variables.cc in the tables, for one test."""
    monkeypatch.setattr(channel_table, "_TABLE", dict(channel_table._TABLE))
    monkeypatch.setattr(variable_table, "_TABLE", dict(variable_table._TABLE))
    channel_table.register(FPIX1)
    depth = Variable(name="depth", unit="cm", description="z of a hit", scale=Scale(unit=10.0, linear=True))
    origin = {"hits": "z", "tracks": 2.0, "hcal": lambda towers: -towers["energy"]}
    variable_table.register(NodeVariable(depth, origin))
    raw = Variable(name="raw", unit="um", description="d0 as measured, or a row")
    as_measured = {"tracks": lambda tracks: tracks["d0"] * np.float32(1e4), "ecal": "ieta"}
    variable_table.register(NodeVariable(raw, as_measured))
    variable_table.register(NodeVariable(Variable(name="broken", unit="", description="1"), {"tracks": 1.0}))


@pytest.fixture(scope="session")
def cmssw_run(tmp_path_factory: pytest.TempPathFactory, cpp_dependencies: Path) -> Path:
    """cmssw_run.cc with the package's sources, every warning an error."""
    source = Path(__file__).with_name("cmssw_run.cc")
    sources = [str(path) for path in sorted(PLUGINS.glob("*.cc"))]
    flags = (f"-I{PLUGINS}", f"-I{STANDINS}", f"-I{source.parent}", *sources)
    return made_once(
        tmp_path_factory, "cmssw_run", lambda output: build_program(source, output, cpp_dependencies, *flags)
    )
