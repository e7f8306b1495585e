"""Particle flow from a data set of elements to candidates: trained, resumed, exported and predicted; and bad input."""

import csv
import json
import math

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import e2egraph as e2e
from e2egraph.cli import main
from e2egraph.data.candidates import Decoding, read_candidates
from e2egraph.data.padding import pad
from e2egraph.data.table import read_table
from e2egraph.errors import InputError, UsageError
from e2egraph.evaluation.evaluate import evaluate
from e2egraph.evaluation.particles import find_particles
from e2egraph.evaluation.predictions import predict_run
from e2egraph.export.bundle import read_metadata
from e2egraph.export.cmssw_form import COLUMNS, PDG, CmsswForm, NodesOfElements
from e2egraph.export.cmssw_gate import elements_of
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.graphs.storage.shards import first_jets
from e2egraph.inference.particles import bundle_particles
from e2egraph.inference.predict import predict_dataset
from e2egraph.models.layers.ordering.serialization import GRID_BITS
from e2egraph.training.runs.load import load_run
from e2egraph.training.runs.run_folder import read_run
from e2egraph.training.train import train
from tests.flow_dataset import write_flow_dataset

SETTINGS = (
    "model.options.width=16",
    "model.options.bin=16",
    "model.options.depth=1",
    "model.options.cone_sums=[0.1]",
    "training.epochs=5",
    "training.batch_size=8",
    "training.learning_rate=0.01",
    "training.rotate_phi=true",
    "data.batch_nodes=1024",
    "objective.local_weight=0.1",
)
CAP = 90


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set, a run, and a bundle with the form for CMSSW."""
    folder = tmp_path_factory.mktemp("flow")
    write_flow_dataset(folder / "data", 100, particles=(0, 35), inputs={"cap": CAP})
    train("gnn-lsh", folder / "data", folder / "run", settings=SETTINGS, progress=False)
    words = ["export", folder / "run", "--output", folder / "bundle", "--layout", "cmssw"]
    assert main([str(word) for word in words]) == 0
    return folder


def test_an_epoch_reports_the_parts_of_the_loss_and_the_lowest_validation_loss_is_kept(folder):
    with (folder / "run" / "metrics.csv").open() as stream:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)]
    losses = [row["validation_loss"] for row in rows]
    assert losses[-1] < 0.6 * losses[0]
    assert rows[-1]["validation_particle_accuracy"] > 0.75
    assert 0.5 < rows[-1]["validation_sum_pt_ratio"] < 1.5
    assert {"validation_loss_class", "validation_loss_momentum", "validation_sum_momentum_resolution"} <= rows[0].keys()
    assert rows[-1]["validation_loss_local"] < rows[0]["validation_loss_local"]
    summary = json.loads((folder / "run" / "summary.json").read_text())
    assert summary["best_epoch"] == 1 + int(np.argmin(losses))
    assert summary["validation_loss"] == min(losses)


def test_a_run_and_its_bundle_find_the_same_particles(folder, tmp_path, capsys):
    for model in ("run", "bundle"):
        words = ["predict", folder / model, "--data", folder / "data", "--split", "test"]
        assert main([*map(str, words), "--output", str(tmp_path / f"{model}.parquet")]) == 0
    assert "candidates of" in capsys.readouterr().out
    run, bundle = (read_candidates(tmp_path / f"{model}.parquet") for model in ("run", "bundle"))
    assert len(run) > 50
    for name in ("row", "node", "class", "charge"):
        np.testing.assert_array_equal(run[name], bundle[name])
    for name in ("pt", "eta", "phi", "energy", "pileup", "probability"):
        np.testing.assert_allclose(run[name], bundle[name], rtol=1e-4, atol=1e-5)
    table = read_table(folder / "data")
    assert set(np.unique(run["row"])) <= set(table.jets_of("test").tolist())
    assert run.about["events"] == len(table.jets_of("test"))
    assert run.classes[1] == "charged_hadron"
    assert (run["energy"] >= run["pt"] * np.cosh(run["eta"]) * (1 - 1e-5)).all()  # no mass² is negative


def test_weights_of_the_loss_are_settings_of_the_run_and_not_of_its_data_set(folder):
    assert read_run(folder / "run").objective.local_weight == 0.1
    assert read_manifest(folder / "data").objective.local_weight == 0


def test_candidates_resemble_the_truth(folder):
    found = find_particles(folder / "run", folder / "data", split="test")
    clouds = read_table(folder / "data").read_group(0, ["node_class", "node_target_pt", "deta"], "test")
    rows = np.unique(found["row"])
    first = int(rows[0])
    own = found["row"] == first
    numbers = read_table(folder / "data").jets_of("test")
    place = int(np.searchsorted(numbers, first))
    nodes = slice(clouds.offsets[place], clouds.offsets[place + 1])
    true = clouds.nodes["node_class"][nodes] > 0
    assert abs(int(own.sum()) - int(true.sum())) < 0.4 * max(5, true.sum())


def test_soft_decoding_takes_every_element_with_the_momentum_expected_of_it(folder):
    hard, soft = (
        find_particles(folder / "run", folder / "data", split="test", decoding=Decoding(method=method))
        for method in ("hard", "soft")
    )
    assert len(soft) > len(hard)
    assert (soft["class"] > 0).all()
    assert hard["probability"].min() > 0.5 > soft["probability"].min() >= 0.01
    assert soft["pt"].sum() == pytest.approx(hard["pt"].sum(), rel=0.25)


def test_events_without_elements_have_no_candidates_and_never_reach_onnx_runtime(folder, tmp_path, monkeypatch, capsys):
    empty = write_flow_dataset(tmp_path / "data", 6, particles=(0, 0), inputs={"cap": CAP})
    monkeypatch.setattr(
        "e2egraph.inference.session.Bundle.outputs", lambda *given, **named: pytest.fail("ONNX Runtime was asked")
    )
    words = ["predict", folder / "bundle", "--data", empty, "--output", tmp_path / "c.parquet"]
    assert main([str(word) for word in words]) == 0
    assert "wrote 0 candidates of 6 events, 6 of them without elements" in capsys.readouterr().out
    assert len(read_candidates(tmp_path / "c.parquet")) == 0
    assert len(find_particles(folder / "run", empty)) == 0


@pytest.mark.parametrize("model", ["run", "bundle"])
def test_elements_beyond_the_cap_are_left_out_and_counted(folder, tmp_path, capsys, model):
    large = write_flow_dataset(tmp_path / "data", 6, particles=(80, 90), inputs={"cap": 20480})
    words = ["predict", folder / model, "--data", large, "--output", tmp_path / "c.parquet"]
    assert main([str(word) for word in words]) == 0
    assert "of 6 events, 6 of them cut to the model's elements" in capsys.readouterr().out
    assert read_candidates(tmp_path / "c.parquet")["node"].max() < CAP


def test_the_bundle_says_what_its_gate_found(folder):
    metadata = read_metadata(folder / "bundle")
    assert metadata.parity["largest_difference"] < 1e-4
    assert metadata.parity["nodes"]["permuted"] < 1e-4
    assert metadata.parity["nodes"]["turned"] == 0
    assert metadata.parity["nodes"]["sum_pt"] < 1e-4
    assert metadata.parity["cmssw"]["largest_difference"] < 1e-4
    card = (folder / "bundle" / "README.md").read_text()
    assert "e2e_flow" in card
    assert "Nodes in another order" in card


def test_the_form_for_cmssw_has_the_names_ranks_and_order_that_its_producer_reads(folder):
    proto = onnx.load(folder / "bundle" / "model-cmssw.onnx")
    assert [tensor.name for tensor in proto.graph.input] == ["Xfeat_normed", "mask"]
    assert [tensor.name for tensor in proto.graph.output] == ["bid", "id", "momentum", "pu"]
    sizes = [[dim.dim_value for dim in tensor.type.tensor_type.shape.dim] for tensor in proto.graph.output]
    assert sizes == [[0, 0, 2], [0, 0, len(PDG)], [0, 0, 5], [0, 0, 2]]
    columns = json.loads(next(entry.value for entry in proto.metadata_props if entry.key == "features"))
    assert columns[:55] == list(COLUMNS) and columns[55:] == ["dz"]
    assert {entry.domain for entry in proto.opset_import} <= {"", "ai.onnx"}


@pytest.mark.parametrize("file", ["model.onnx", "model-cmssw.onnx"])
def test_a_small_network_s_file_holds_nothing_larger_than_the_table_of_the_curve_through_an_event(folder, file):
    tensors = onnx.load(folder / "bundle" / file).graph.initializer
    assert max(math.prod(tensor.dims) for tensor in tensors) == 2**GRID_BITS


def test_elements_as_cmssw_writes_them_give_the_outputs_of_the_run(folder):
    network, info = load_run(folder / "run")
    events = pad(first_jets(folder / "data", 5), info.inputs)
    elements = torch.from_numpy(elements_of(events, info.inputs))
    points, features, valid = NodesOfElements(info.inputs)(elements, torch.from_numpy(events.mask).float())
    torch.testing.assert_close(points.transpose(1, 2), torch.from_numpy(events.points), atol=1e-6, rtol=0)
    torch.testing.assert_close(features.transpose(1, 2), torch.from_numpy(events.features), atol=1e-6, rtol=0)
    np.testing.assert_array_equal(valid[:, 0], events.mask)
    session = onnxruntime.InferenceSession(folder / "bundle" / "model-cmssw.onnx")
    mask = events.mask.astype(np.float32)
    bid, classes, momentum, pu = session.run(None, {"Xfeat_normed": elements.numpy(), "mask": mask})
    with torch.no_grad():
        native = network(
            *(torch.from_numpy(each) for each in (events.points, events.features, events.mask, events.jet))
        )
    native = native.numpy() * events.mask[..., None]
    np.testing.assert_allclose(bid, native[..., :2], atol=1e-4)
    for place, pdg in enumerate(PDG):
        ours = {0: 0, 211: 1, 130: 2, 22: 3, 11: 4, 13: 5}.get(pdg)
        expected = native[..., 2 + ours] if ours is not None else -30.0 * events.mask
        np.testing.assert_allclose(classes[..., place], expected, atol=1e-4)
    np.testing.assert_allclose(momentum[..., 0], native[..., 8], atol=1e-4)
    np.testing.assert_allclose(np.hypot(momentum[..., 2], momentum[..., 3])[events.mask], 1.0, atol=1e-5)
    np.testing.assert_allclose(pu[..., 1] - pu[..., 0], native[..., 12], atol=1e-4)
    assert (momentum[~events.mask] == 0).all()


def test_the_soft_form_for_cmssw_decoded_hard_gives_what_soft_decoding_finds(folder):
    network, info = load_run(folder / "run")
    events = pad(first_jets(folder / "data", 5), info.inputs)
    elements, mask = torch.from_numpy(elements_of(events, info.inputs)), torch.from_numpy(events.mask)
    with torch.no_grad():
        bid, classes, momentum, _ = CmsswForm(network, info.inputs, info.outputs, "soft")(elements, mask.float())
    event, node = torch.nonzero((bid[..., 1] > bid[..., 0]) & (classes.argmax(-1) > 0) & mask).T.numpy()
    pt, energy = (elements[..., at] * momentum[..., of].exp() for at, of in ((1, 0), (5, 4)))
    soft = find_particles(folder / "run", folder / "data", decoding=Decoding(method="soft", track_directions=False))
    chosen = soft["row"] < len(mask)
    np.testing.assert_array_equal(soft["row"][chosen], event)
    np.testing.assert_array_equal(soft["node"][chosen], node)
    np.testing.assert_allclose(pt[event, node], soft["pt"][chosen], rtol=1e-4)
    np.testing.assert_allclose(energy[event, node], soft["energy"][chosen], rtol=1e-4)


def test_what_needs_scores_of_objects_is_refused_in_one_sentence(folder, tmp_path, capsys):
    for call in (
        lambda: evaluate(folder / "run"),
        lambda: predict_run(folder / "run", folder / "data"),
        lambda: predict_dataset(folder / "bundle", folder / "data"),
    ):
        with pytest.raises(UsageError, match=r"e2egraph predict .* --output candidates.parquet'"):
            call()
    words = ["export", folder / "run", "--output", tmp_path / "b", "--int8"]
    assert main([str(word) for word in words]) == 1
    assert "int8: variants are measured by scores of objects" in capsys.readouterr().err


def test_a_jet_task_is_no_particle_flow(folder, tmp_path):
    from tests.all_inputs import INPUTS
    from tests.export.bundles import export, info
    from tests.export.test_heads import JetLinear
    from tests.toy_dataset import write_toy_dataset

    export(JetLinear(INPUTS), tmp_path / "jets", info())
    write_toy_dataset(tmp_path / "data", 20)
    with pytest.raises(InputError, match=r"jets: gives class of each object, which is no particle flow; give a run or"):
        bundle_particles(tmp_path / "jets", tmp_path / "data")
    words = [
        "predict",
        tmp_path / "jets",
        "--data",
        tmp_path / "data",
        "--output",
        tmp_path / "c",
        "--decoding",
        "soft",
    ]
    assert main([str(word) for word in words]) == 2
    with pytest.raises(InputError, match=r"objective is .*give a data set of the bundle's task"):
        bundle_particles(folder / "bundle", tmp_path / "data")
    with pytest.raises(UsageError, match="have no scores of objects that evaluate, compare and ablate work with"):
        e2e.compare([folder / "run", folder / "run"])
    with pytest.raises(UsageError, match=r"training.rotate_phi=true: nodes of .* lie in 125×125 pixels"):
        train("gnn-lsh", tmp_path / "data", tmp_path / "run", settings=("training.rotate_phi=true",), progress=False)


def test_the_python_interface_finds_the_same(folder):
    run, bundle = e2e.load(folder / "run"), e2e.load(folder / "bundle")
    found, other = (model.particles(folder / "data", split="validation") for model in (run, bundle))
    np.testing.assert_array_equal(found["row"], other["row"])
    np.testing.assert_allclose(found["pt"], other["pt"], rtol=1e-4)
    assert len(run.particles(folder / "data", split="validation", soft=True)) > len(found)
