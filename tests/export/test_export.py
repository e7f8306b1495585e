"""Bundles as their callers see them: plain ONNX Runtime, CMSSW's preprocessing, Triton; and the gate before them."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from e2egraph import __version__
from e2egraph.config import digest
from e2egraph.data.padding import pad
from e2egraph.errors import InputError
from e2egraph.export.bundle import BUNDLE_FILES, read_metadata
from e2egraph.export.card import card
from e2egraph.export.made_jets import made_jets
from e2egraph.export.preprocess import preprocessing, read_cap
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.export.bundles import JetLinear, Linear, export, export_small, info, small_model
from tests.toy_dataset import toy_clouds


@pytest.fixture(scope="module", params=["gravnet", "resnet15"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("export") / request.param
    model = export_small(request.param, folder)
    return SimpleNamespace(name=request.param, folder=folder, model=model)


def session(folder: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(folder / "model.onnx"), options)


@pytest.mark.parametrize("n", [0, 1, 3, 17, 100, 1000])
def test_one_file_serves_every_batch_and_every_number_of_nodes(exported: SimpleNamespace, n: int) -> None:
    runtime = session(exported.folder)
    for batch in (1, 4):
        for kind in ("random", "lattice"):
            jets = made_jets(kind, batch, n, np.random.default_rng(n), INPUTS)
            feeds = {
                "points": jets.points.transpose(0, 2, 1),
                "features": jets.features.transpose(0, 2, 1),
                "mask": jets.mask[:, None, :].astype(np.float32),
            }
            scores, logits = runtime.run(["scores", "logits"], feeds)
            with torch.no_grad():
                expected = exported.model(*map(torch.from_numpy, (jets.points, jets.features, jets.mask, jets.jet)))
            np.testing.assert_allclose(logits, expected.numpy(), atol=1e-5)
            np.testing.assert_allclose(scores, expected.softmax(1).numpy(), atol=1e-5)


def test_the_file_is_what_old_runtimes_read(exported: SimpleNamespace) -> None:
    model = onnx.load(exported.folder / "model.onnx")
    assert model.ir_version == 8
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]
    assert not {"Attention"} & {node.op_type for node in model.graph.node}
    inputs = {i.name: (i.type, i.shape) for i in session(exported.folder).get_inputs()}
    assert inputs == {
        "points": ("tensor(float)", ["batch", 2, "nodes"]),
        "features": ("tensor(float)", ["batch", 19, "nodes"]),
        "mask": ("tensor(float)", ["batch", 1, "nodes"]),
    }
    outputs = {o.name: (o.type, o.shape) for o in session(exported.folder).get_outputs()}
    assert outputs == {
        "scores": ("tensor(float)", ["batch", 2]),
        "logits": ("tensor(float)", ["batch", 2]),
    }


def test_the_file_says_nothing_of_the_machine_it_was_made_on(exported: SimpleNamespace) -> None:
    content = (exported.folder / "model.onnx").read_bytes()
    assert b"site-packages" not in content
    assert str(Path(__file__).parents[2]).encode() not in content


def test_a_bundle_is_its_files_and_a_model_card(exported: SimpleNamespace) -> None:
    assert sorted(path.name for path in exported.folder.iterdir()) == sorted([*BUNDLE_FILES, "README.md"])
    assert [path.name for path in exported.folder.parent.iterdir()] == [exported.name]


def test_metadata_says_what_the_model_is_and_how_well_it_agrees(exported: SimpleNamespace) -> None:
    metadata = read_metadata(exported.folder)
    assert metadata.info.classes == ("qcd", "top")
    assert metadata.info.signal == "top"
    assert metadata.info.metrics == {"auc": 0.93}
    assert metadata.info.model_config["options"]
    assert metadata.inputs == INPUTS
    assert metadata.outputs == TWO_CLASSES
    assert metadata.parameters == sum(p.numel() for p in exported.model.parameters())
    assert metadata.parity["cases"] >= 30
    assert 0 <= metadata.parity["largest_difference"] <= 1e-4
    assert metadata.software["onnxruntime"] == onnxruntime.__version__


def test_the_file_alone_says_what_it_is(exported: SimpleNamespace) -> None:
    found = session(exported.folder).get_modelmeta().custom_metadata_map
    assert found["version_e2egraph"] == __version__
    assert found["version_onnxruntime"] == onnxruntime.__version__
    assert found["configuration_sha256"] == digest(info().configuration)
    assert found["configuration_sha256"] == read_metadata(exported.folder).configuration_sha256
    assert found["dataset_sha256"] == "0" * 64
    assert json.loads(found["metrics"]) == {"auc": 0.93}
    assert json.loads(found["classes"]) == ["qcd", "top"]
    assert found["model"] == exported.name


def test_metadata_holds_inputs_and_outputs_whole(exported: SimpleNamespace) -> None:
    content = json.loads((exported.folder / "metadata.json").read_text())
    assert content["schema_version"] == 2
    assert [entry["name"] for entry in content["inputs"]["variables"]] == list(INPUTS.variable_names)
    assert {entry["name"]: entry["unit"] for entry in content["inputs"]["variables"]}["d0"] == "cm"
    assert content["inputs"]["channels"][9] == {
        "name": "ECAL", "number": 9, "collection": "ecal", "radius": 129.0, "energy": True, "cms": None
    }  # fmt: skip
    assert (content["inputs"]["region"]["rows"], content["inputs"]["region"]["centre"]) == (125, "tower")
    assert content["outputs"]["heads"][0]["columns"] == ["qcd", "top"]
    assert content["tensors"]["outputs"] == {"scores": ["batch", 2], "logits": ["batch", 2]}
    assert content["info"]["cap"] == 300


def test_a_bundle_of_the_first_schema_is_refused(exported: SimpleNamespace, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(exported.folder, tmp_path / "bundle"))
    content = json.loads((bundle / "metadata.json").read_text())
    (bundle / "metadata.json").write_text(json.dumps(content | {"schema_version": 1}))
    with pytest.raises(InputError, match=r"schema version 1, but this e2egraph reads 2; train and export") as failure:
        read_metadata(bundle)
    assert "\n" not in str(failure.value)


def as_cmssw(preprocess: dict, group: str, columns: dict[str, np.ndarray]) -> np.ndarray:
    """``deep_helpers.cc``, step by step, for one jet: (1, variables, length)."""
    description = preprocess[group]
    size = len(next(iter(columns.values())))
    length = min(max(size, description["min_length"]), description["max_length"])
    rows = []
    for name in description["var_names"]:
        how = description["var_infos"][name]
        row = np.full(length, how.get("pad", 0.0), np.float32)
        for i, value in enumerate(columns[name][:length]):
            usable = value if np.isfinite(value) and abs(value) <= 1e32 else how["replace_inf_value"]
            scaled = (usable - how["median"]) * how["norm_factor"]
            row[i] = min(max(scaled, how["lower_bound"]), how["upper_bound"])
        rows.append(row)
    return np.stack(rows)[None].astype(np.float32)


@pytest.mark.parametrize("n", [0, 1, 60, 400])
def test_inputs_made_as_cmssw_makes_them_give_torchs_scores(exported: SimpleNamespace, n: int) -> None:
    clouds = toy_clouds(1, 1, np.random.default_rng(2), nodes=(n, n))
    jets = pad(clouds, INPUTS)
    preprocess = json.loads((exported.folder / "preprocess.json").read_text())
    columns = {
        "points": dict(zip(("deta", "dphi"), jets.points[0].T, strict=True)),
        "features": dict(zip(INPUTS.feature_names, jets.features[0].T, strict=True)),
        "mask": {"mask": np.ones(n)},
    }
    feeds = {name: as_cmssw(preprocess, name, columns[name]) for name in preprocess["input_names"]}
    (probabilities,) = session(exported.folder).run(preprocess["output_names"], feeds)
    # 300 is the node cap of this bundle: CMSSW keeps the first 300.
    kept = [torch.from_numpy(array[:, :300]) for array in (jets.points, jets.features, jets.mask)]
    with torch.no_grad():
        expected = exported.model(*kept, torch.from_numpy(jets.jet)).softmax(1)
    np.testing.assert_allclose(probabilities, expected.numpy(), atol=1e-5)


def test_preprocessing_has_every_key_that_cmssw_requires(exported: SimpleNamespace) -> None:
    content = json.loads((exported.folder / "preprocess.json").read_text())
    assert content["output_names"] == ["scores"]
    assert content["flav_names"] == ["qcd", "top"]
    for group in content["input_names"]:
        assert {"var_names", "var_infos", "min_length", "max_length"} == set(content[group])
        assert list(content[group]["var_infos"]) == content[group]["var_names"]
        for variable in content[group]["var_infos"].values():
            assert {"median", "norm_factor", "replace_inf_value", "lower_bound", "upper_bound"} <= set(variable)


def test_triton_is_told_the_inputs_of_the_model_and_its_scores_alone(exported: SimpleNamespace) -> None:
    text = (exported.folder / "config.pbtxt").read_text()
    assert f'name: "{exported.name}"' in text
    assert 'platform: "onnxruntime_onnx"' in text
    assert "dynamic_batching" in text
    found = re.findall(r'name: "(\w+)"\s+data_type: (\w+)\s+dims: \[ ([-\d, ]+) \]', text)
    runtime = session(exported.folder)
    expected = [
        (tensor.name, "TYPE_FP32", ", ".join(str(d) if isinstance(d, int) else "-1" for d in tensor.shape[1:]))
        for tensor in (*runtime.get_inputs(), *runtime.get_outputs())
        if tensor.name != "logits"
    ]
    assert found == expected
    assert text.count("output [") == 1 and found[-1][0] == "scores"


def test_exporting_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    model = small_model("gravnet").train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    export(model, tmp_path / "b", sample=pad(toy_clouds(0, 9, np.random.default_rng(0)), INPUTS))
    assert model.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_model_that_reads_jet_quantities_asks_for_them(tmp_path: Path) -> None:
    model = JetLinear().eval()
    metadata = export(model, tmp_path / "bundle")
    assert metadata.parity["largest_difference"] <= 1e-4
    assert [i.name for i in session(tmp_path / "bundle").get_inputs()] == ["points", "features", "mask", "jet"]
    assert read_metadata(tmp_path / "bundle").uses_jet
    preprocess = json.loads((tmp_path / "bundle" / "preprocess.json").read_text())
    assert preprocess["jet"]["min_length"] == preprocess["jet"]["max_length"] == 1


def test_how_training_files_were_read_is_recorded_and_checked(tmp_path: Path) -> None:
    export(Linear(), tmp_path / "bundle", info(track_direction="vertex", seed_depth=2))
    about = read_metadata(tmp_path / "bundle").info
    assert (about.track_direction, about.seed_depth) == ("vertex", 2)
    text = (tmp_path / "bundle" / "README.md").read_text()
    assert "η and φ of a track of its momentum at the vertex; towers that compete for the seed: depth 2." in text
    for name, value in (("track_direction", "moon"), ("seed_depth", 8), ("seed_depth", "1")):
        content = json.loads((tmp_path / "bundle" / "metadata.json").read_text())
        content["info"][name] = value
        (tmp_path / "bundle" / "metadata.json").write_text(json.dumps(content))
        with pytest.raises(InputError, match=f"info.{name} is {value}"):
            read_metadata(tmp_path / "bundle")
        content["info"][name] = None
        (tmp_path / "bundle" / "metadata.json").write_text(json.dumps(content))


def test_bundles_that_do_not_yet_name_tensors_classes_and_reading_are_read(tmp_path: Path) -> None:
    """As they were exported before, with probabilities called softmax."""
    bundle = tmp_path / "bundle"
    export(Linear(), bundle)
    content = json.loads((bundle / "metadata.json").read_text())
    del content["info"]["track_direction"], content["info"]["seed_depth"], content["outputs"]["heads"][0]["tensor"]
    content["tensors"]["outputs"] = {"softmax": ["batch", 2], "logits": ["batch", 2]}
    (bundle / "metadata.json").write_text(json.dumps(content))
    preprocess = json.loads((bundle / "preprocess.json").read_text())
    del preprocess["flav_names"]
    (bundle / "preprocess.json").write_text(json.dumps(preprocess | {"output_names": ["softmax"]}))
    metadata = read_metadata(bundle)
    assert metadata.outputs.heads[0].tensors == ("softmax", "logits")
    assert (metadata.info.track_direction, metadata.info.seed_depth) == (None, None)
    assert read_cap(bundle, metadata.inputs, metadata.outputs, False) == 300
    assert "not recorded (CMSSW's producer must be told)" in card(metadata)


def test_a_preprocessing_changed_by_hand_is_refused(tmp_path: Path) -> None:
    content = preprocessing(INPUTS, TWO_CLASSES, 50, False)
    (tmp_path / "preprocess.json").write_text(json.dumps(content))
    assert read_cap(tmp_path, INPUTS, TWO_CLASSES, False) == 50
    content["features"]["var_infos"]["value"]["norm_factor"] = 0.5
    (tmp_path / "preprocess.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="not as e2egraph export writes it"):
        read_cap(tmp_path, INPUTS, TWO_CLASSES, False)
