"""Scoring data sets with a bundle and ONNX Runtime alone."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

from e2egraph.data.padding import pad
from e2egraph.data.scores import read_scores
from e2egraph.errors import InputError, UsageError
from e2egraph.graphs.making.nodeselection import select_nodes
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.graphs.storage.pointclouds import PointClouds, concatenate
from e2egraph.graphs.storage.shards import ShardFile, open_shard
from e2egraph.inference.latency import latency
from e2egraph.inference.predict import predict_dataset
from e2egraph.inference.session import Bundle
from e2egraph.tasks.nodeselection import NodeSelection
from tests.all_inputs import INPUTS
from tests.changed_dataset import rewritten
from tests.export.bundles import JetLinear, export, export_small, info
from tests.toy_dataset import toy_clouds, write_toy_dataset

IDENTITY = ("run", "lumi", "event", "jet", "label", "weight", "split")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, nn.Module]:
    folder = tmp_path_factory.mktemp("bundles") / "gravnet"
    return folder, export_small("gravnet", folder)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_dataset(tmp_path_factory.mktemp("data") / "toy", jets=130, seed=3)


def all_jets(data: Path) -> PointClouds:
    parts = []
    for shard in read_manifest(data).shards:
        file = open_shard(data / shard.name)
        parts.append(file.read())
    return concatenate(parts)


def test_scores_never_take_the_place_of_what_they_are_made_of(trained, data: Path) -> None:
    before = {path: path.read_bytes() for folder in (data, trained[0]) for path in folder.iterdir() if path.is_file()}
    for path in before:
        with pytest.raises(InputError, match="is to be read too"):
            predict_dataset(trained[0], data, path, threads=1)
    assert {path: path.read_bytes() for path in before} == before


def test_every_jet_is_scored_once_in_data_set_order_as_torch_scores_it(trained, data: Path, tmp_path: Path) -> None:
    bundle, model = trained
    summary = predict_dataset(bundle, data, tmp_path / "scores.parquet", batch_size=16, threads=1)
    clouds = all_jets(data)
    assert summary.jets == len(clouds) == 130
    assert summary.jets_cut == 0
    table = pq.read_table(tmp_path / "scores.parquet")
    assert table.column_names == [*IDENTITY, "n_nodes", "score_qcd", "score_top"]
    for name in (*IDENTITY, "n_nodes"):
        assert table[name].to_pylist() == clouds.jets[name].tolist()
    jets = pad(clouds, INPUTS)
    with torch.no_grad():
        expected = model(*map(torch.from_numpy, (jets.points, jets.features, jets.mask, jets.jet))).softmax(1)
    # Not what the network makes of nothing.
    expected[clouds.counts == 0] = -1.0
    assert summary.jets_without_nodes == (clouds.counts == 0).sum() > 0
    scores = np.stack([table["score_qcd"].to_numpy(), table["score_top"].to_numpy()], axis=1)
    np.testing.assert_allclose(scores, expected.numpy(), atol=1e-5)


def test_one_split_alone_can_be_scored(trained, data: Path, tmp_path: Path) -> None:
    predict_dataset(trained[0], data, tmp_path / "all.parquet", threads=1)
    predict_dataset(trained[0], data, tmp_path / "test.parquet", split="test", threads=1)
    everything, test = read_scores(tmp_path / "all.parquet"), read_scores(tmp_path / "test.parquet")
    chosen = everything.jets["split"] == "test"
    assert 0 < chosen.sum() < len(everything)
    assert (test.jets["event"] == everything.jets["event"][chosen]).all()
    np.testing.assert_allclose(test.probabilities, everything.probabilities[chosen], atol=1e-6)


def test_of_a_split_no_nodes_of_others_are_read_and_of_an_object_none_beyond_the_cap_are_padded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(JetLinear().eval(), tmp_path / "bundle", info(cap=20))
    data = write_toy_dataset(tmp_path / "data", jets=40, seed=1)
    clouds, read, widths = all_jets(data), [], []
    original, feeds = ShardFile.read, Bundle.feeds

    def counted(self: ShardFile, *arguments: Any) -> PointClouds:
        found = original(self, *arguments)
        read.append(int(found.offsets[-1]))
        return found

    monkeypatch.setattr(ShardFile, "read", counted)
    monkeypatch.setattr(Bundle, "feeds", lambda self, jets: widths.append(jets.mask.shape[1]) or feeds(self, jets))
    predict_dataset(tmp_path / "bundle", data, split="test", threads=1)
    in_test = clouds.jets["split"] == "test"
    assert sum(read) == clouds.counts[in_test].sum() < clouds.counts.sum()
    assert max(widths) == 20 < clouds.counts[in_test].max()


def test_the_batch_size_changes_no_score(trained, data: Path, tmp_path: Path) -> None:
    scores = []
    for size in (1, 7, 1000):
        predict_dataset(trained[0], data, tmp_path / "scores.parquet", batch_size=size, threads=1)
        scores.append(read_scores(tmp_path / "scores.parquet").probabilities)
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-6)
    np.testing.assert_allclose(scores[0], scores[2], atol=1e-6)


def test_nodes_beyond_those_the_model_reads_are_cut_and_counted(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = JetLinear().eval()
    export(model, tmp_path / "bundle", info(cap=20))
    data = write_toy_dataset(tmp_path / "data", jets=40, seed=1)
    summary = predict_dataset(tmp_path / "bundle", data, tmp_path / "scores.parquet", threads=1)
    clouds = all_jets(data)
    assert summary.jets_cut == (clouds.counts > 20).sum() > 0
    jets = pad(clouds, INPUTS)
    with torch.no_grad():
        arrays = (jets.points[:, :20], jets.features[:, :20], jets.mask[:, :20], jets.jet)
        expected = model(*map(torch.from_numpy, arrays)).softmax(1)
    np.testing.assert_allclose(read_scores(tmp_path / "scores.parquet").probabilities, expected.numpy(), atol=1e-5)


def test_a_bundle_reads_the_nodes_that_its_selection_names(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, selection = JetLinear().eval(), NodeSelection(channels=["TRACK", "ECAL"], radius=0.5, cap=9)
    about = info(cap=20, node_selection=selection)
    assert about.cap == 9
    export(model, tmp_path / "bundle", about)
    data = write_toy_dataset(tmp_path / "data", jets=40, seed=1)
    summary = predict_dataset(tmp_path / "bundle", data, tmp_path / "scores.parquet", threads=1)
    clouds = all_jets(data)
    uncapped = select_nodes(clouds, NodeSelection(channels=["TRACK", "ECAL"], radius=0.5), INPUTS.numbers)
    assert summary.jets_cut == (uncapped.counts > 9).sum() > 0
    jets = pad(select_nodes(clouds, selection, INPUTS.numbers), INPUTS)
    with torch.no_grad():
        arrays = (jets.points, jets.features, jets.mask, jets.jet)
        expected = model(*map(torch.from_numpy, arrays)).softmax(1)
    expected[~jets.mask.any(1)] = -1.0
    scores = read_scores(tmp_path / "scores.parquet")
    np.testing.assert_allclose(scores.probabilities, expected.numpy(), atol=1e-5)
    np.testing.assert_array_equal(scores.jets["n_nodes"], jets.mask.sum(1))
    np.testing.assert_array_equal(scores.scored, jets.mask.any(1))
    assert summary.jets_without_nodes == (~scores.scored).sum() > (clouds.counts == 0).sum()


def test_scores_that_are_not_finite_are_refused_though_no_file_is_written(tmp_path: Path) -> None:
    export(JetLinear().eval(), tmp_path / "bundle", info())
    data = write_toy_dataset(tmp_path / "data", jets=10, seed=1)

    def spoilt(clouds: PointClouds) -> PointClouds:
        time = np.where(clouds.jet_of_node == 2, np.nan, clouds.nodes["time"]).astype(np.float32)
        return PointClouds(clouds.jets, {**clouds.nodes, "time": time}, clouds.offsets)

    manifest = rewritten(data, tmp_path / "spoilt", spoilt)
    (tmp_path / "spoilt" / "manifest.json").write_text(json.dumps(manifest))
    assert (all_jets(tmp_path / "spoilt").counts > 0).all()
    with pytest.raises(
        InputError, match=r"spoilt: 2 of 10 objects have a score that is not finite .* run 1, lumi 1, ev"
    ):
        predict_dataset(tmp_path / "bundle", tmp_path / "spoilt", threads=1)


def test_progress_ends_at_all_jets(trained, data: Path, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    predict_dataset(
        trained[0], data, tmp_path / "s.parquet", threads=1, progress=lambda done, total: steps.append((done, total))
    )
    assert steps[-1] == (130, 130)
    assert steps == sorted(steps)


def test_predicting_needs_no_torch(trained, data: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from e2egraph.inference.predict import predict_dataset;"
        "from e2egraph.inference.latency import latency;"
        "predict_dataset(*map(Path, sys.argv[1:]), threads=1);"
        "assert not {'torch', 'torch_geometric', 'lightning_fabric'} & set(sys.modules)"
    )
    output = tmp_path / "scores.parquet"
    subprocess.run([sys.executable, "-c", program, str(trained[0]), str(data), str(output)], check=True)
    assert len(read_scores(output)) == 130


def broken(trained, folder: Path) -> Path:
    return Path(shutil.copytree(trained[0], folder / "bundle"))


def test_a_missing_or_incomplete_bundle_is_named(trained, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such bundle"):
        Bundle.open(tmp_path / "nowhere")
    for name in ("model.onnx", "preprocess.json", "metadata.json", "config.pbtxt"):
        bundle = broken(trained, tmp_path / name)
        (bundle / name).unlink()
        with pytest.raises(InputError, match=rf"{name} is missing"):
            Bundle.open(bundle)


def change(path: Path, **values: object) -> None:
    content = json.loads(path.read_text())
    for key, value in values.items():
        if value is None:
            del content[key]
        else:
            content[key] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"schema_version": 99}, "schema version 99"),
        ({"info": None}, "damaged"),
        ({"parity": None}, "damaged"),
        ({"info": {"model": "x"}}, "damaged"),
        ({"info": 3}, "damaged"),
        ({"inputs": {}}, r"metadata\.json, inputs: 'variables' is wrong"),
        ({"outputs": {"heads": []}}, r"metadata\.json, outputs: 'heads' is wrong"),
        ({"tensors": {}}, "tensors are not those of inputs and outputs"),
        ({"model_sha256": "0"}, "damaged or altered"),
        ({"uses_jet": True}, "tensors are not those of inputs and outputs"),
    ],
)
def test_damaged_metadata_is_refused(trained, tmp_path: Path, values: dict[str, object], message: str) -> None:
    bundle = broken(trained, tmp_path)
    change(bundle / "metadata.json", **values)
    with pytest.raises(InputError, match=message) as failure:
        Bundle.open(bundle)
    assert "\n" not in str(failure.value)


def test_what_a_bundle_says_of_its_nodes_and_task_must_make_sense(trained, tmp_path: Path) -> None:
    bundle = broken(trained, tmp_path)
    about = json.loads((bundle / "metadata.json").read_text())["info"]
    configuration = about["configuration"]
    for wrong, message in (
        ({"node_selection": {"radius": -1}}, r"metadata\.json, info\.node_selection: 'radius' is wrong"),
        ({"node_selection": "all"}, "damaged"),
        ({"node_selection": 3}, "damaged"),
        ({"cap": 0}, "info.cap is 0"),
        ({"configuration": {"name": "toy"}}, "damaged"),
        ({"configuration": {**configuration, "inputs": {"channels": ["MUON"]}}}, "channels MUON of the nodes are not"),
        ({"configuration": {**configuration, "inputs": {"channels": []}}}, r"metadata\.json, task toy, inputs: 'chann"),
        ({"configuration": {**configuration, "objective": {"classes": ["a"], "signal": "b"}}}, "signal b is not"),
    ):
        change(bundle / "metadata.json", info=about | wrong)
        with pytest.raises(InputError, match=message) as failure:
            Bundle.open(bundle)
        assert "\n" not in str(failure.value)


def test_flipped_bytes_and_text_that_is_not_json_are_refused(trained, tmp_path: Path) -> None:
    bundle = broken(trained, tmp_path / "model")
    content = bytearray((bundle / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (bundle / "model.onnx").write_bytes(bytes(content))
    with pytest.raises(InputError, match="damaged or altered"):
        Bundle.open(bundle)
    for name in ("metadata.json", "preprocess.json"):
        bundle = broken(trained, tmp_path / name)
        for text in (b"{", b"[]", b"\xff\xfe"):
            (bundle / name).write_bytes(text)
            with pytest.raises(InputError, match=name):
                Bundle.open(bundle)


def test_a_model_that_onnx_runtime_cannot_load_is_refused(trained, tmp_path: Path) -> None:
    from hashlib import sha256

    bundle = broken(trained, tmp_path)
    (bundle / "model.onnx").write_bytes(b"not a model")
    change(bundle / "metadata.json", model_sha256=sha256(b"not a model").hexdigest())
    with pytest.raises(InputError, match="ONNX Runtime cannot load it"):
        Bundle.open(bundle)


def test_wrong_requests_are_refused(trained, data: Path, tmp_path: Path) -> None:
    output = tmp_path / "scores.parquet"
    with pytest.raises(UsageError, match="unknown split 'tset'"):
        predict_dataset(trained[0], data, output, split="tset")
    with pytest.raises(UsageError, match="batch size 0"):
        predict_dataset(trained[0], data, output, batch_size=0)
    with pytest.raises(InputError, match="no such data set"):
        predict_dataset(trained[0], tmp_path / "nothing", output)
    other = write_toy_dataset(tmp_path / "other", jets=8, classes=("gluon", "quark"), signal="quark")
    with pytest.raises(InputError, match="gluon, quark"):
        predict_dataset(trained[0], other, output)
    train_only = write_toy_dataset(tmp_path / "train", jets=8, split_fractions=(1.0, 0.0, 0.0))
    with pytest.raises(InputError, match="no jet in split 'test'"):
        predict_dataset(trained[0], train_only, output, split="test")
    assert not output.exists()


def test_a_damaged_shard_is_named_and_no_scores_are_written(trained, data: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(data, tmp_path / "data"))
    shard = sorted(copy.glob("part-*.parquet"))[1]
    content = bytearray(shard.read_bytes())
    content[200:400] = bytes(200)
    shard.write_bytes(bytes(content))
    with pytest.raises(InputError, match=shard.name):
        predict_dataset(trained[0], copy, tmp_path / "scores.parquet", threads=1)
    assert not (tmp_path / "scores.parquet").exists()


def test_latency_is_measured_for_each_batch_size(trained) -> None:
    clouds = toy_clouds(1, 5, np.random.default_rng(0))
    times = latency(trained[0], clouds, batch_sizes=(1, 8), repeats=4)
    assert set(times) == {1, 8}
    assert all(0.0 < value < 10_000.0 for value in times.values())
    with pytest.raises(InputError, match="at least one object"):
        latency(trained[0], clouds.take(np.zeros(0, np.int64)))
