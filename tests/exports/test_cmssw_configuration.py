"""The CMSSW package's Python and build files against its C++."""

from __future__ import annotations

import re
import runpy
import shutil
import sys
import xml.etree.ElementTree as ET
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.exports.cmssw_program import (
    PACKAGE,
    PLUGINS,
    execute,
)


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
