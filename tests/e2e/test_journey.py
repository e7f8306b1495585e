"""From simulated ROOT files to scores of an exported model, through the command line, for both models."""

import contextlib
import io
import json

import numpy as np
import onnxruntime
import pyarrow.parquet as pq
import pytest
import torch

from e2egraph.cli import main
from e2egraph.data.padding import pad
from e2egraph.export.bundle import read_metadata
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.graphs.storage.shards import first_jets, open_shard
from e2egraph.models.image.rasterize import Rasterize
from tests.dense_crops import BUILD_SETTINGS, CHANNELS, DenseFile

pytestmark = pytest.mark.journey

SMALL = {"gravnet": ["--set", "model.options.width=16", "--set", "model.options.depth=1"], "resnet15": []}


@pytest.fixture(scope="module")
def data_set(simulated, tmp_path_factory):
    output = tmp_path_factory.mktemp("data") / "top"
    samples = ["--sample", f"top={simulated}/ttbar.root", "--sample", f"qcd={simulated}/qcd.root"]
    assert main(["build-graphs", "--task", "top", *samples, "--output", str(output)]) == 0
    return output


@pytest.fixture(scope="module", params=sorted(SMALL))
def trained(request, data_set, tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / request.param
    words = ["--model", request.param, "--data", str(data_set), "--output", str(run), "--set", "training.epochs=2"]
    assert main(["train", *words, *SMALL[request.param]]) == 0
    return run


@pytest.fixture(scope="module")
def evaluated(trained):
    """What the evaluation said; its files lie in the run."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert main(["evaluate", str(trained), "--no-report"]) == 0
    return out.getvalue()


@pytest.fixture(scope="module")
def bundle(trained, tmp_path_factory):
    output = tmp_path_factory.mktemp("exports") / trained.name
    assert main(["export", str(trained), "--output", str(output)]) == 0
    return output


def test_simulated_images_equal_the_rasterised_points_exactly(simulated, tmp_path):
    settings = [word for setting in BUILD_SETTINGS for word in ("--set", setting)]
    samples = ["--sample", f"top={simulated}/ttbar.root", "--sample", f"qcd={simulated}/qcd.root"]
    assert main(["build-graphs", "--task", "top", *samples, *settings, "--output", str(tmp_path / "all")]) == 0
    manifest = read_manifest(tmp_path / "all")
    inputs = manifest.network_inputs
    (shard,) = (shard for shard in manifest.shards if shard.sample == "top")
    clouds = open_shard(tmp_path / "all" / shard.name).read(blocks=[0])
    arrays, dense = pad(clouds, inputs), DenseFile(simulated / "ttbar.root")
    read = (torch.from_numpy(a) for a in (arrays.points, arrays.features, arrays.mask))
    drawn = Rasterize(inputs, CHANNELS)(*read).numpy()
    for jet in range(len(clouds)):
        identity = (int(clouds.jets[name][jet]) for name in ("event", "seed_ieta", "seed_iphi"))
        for name, image in dense.crop(*identity).items():
            scale = 1e-6 * max(abs(image).max(), 1e-30)
            np.testing.assert_allclose(drawn[jet, CHANNELS.index(name)], image, rtol=2e-6, atol=scale, err_msg=name)


def test_evaluation_writes_metrics_scores_and_plots(trained, evaluated, data_set):
    metrics = json.loads((trained / "metrics.json").read_text())
    assert 0.0 <= metrics["auc"] <= 1.0
    assert f"{metrics['auc']:.4f}" in evaluated
    assert {"auc_error", "signal_efficiency_at_1pct_mistag", "jets", "parameters"} <= metrics.keys()
    scores = pq.read_table(trained / "scores.parquet")
    expected = sum(splits["test"] for splits in read_manifest(data_set).counts.values())
    assert scores.num_rows == expected == metrics["jets"]
    for name in ("roc.png", "roc.pdf", "scores.png"):
        assert (trained / name).stat().st_size > 0


@pytest.mark.usefixtures("evaluated")
def test_the_exported_model_gives_the_scores_of_the_run(run, trained, bundle, data_set, tmp_path):
    words = ("--data", data_set, "--split", "test", "--output", tmp_path / "scores.parquet")
    code, out, _ = run("predict", bundle, *words)
    assert code == 0
    assert "next: " in out
    # Known of files by e2egraph simulate.
    about = read_metadata(bundle).info
    assert (about.track_direction, about.seed_depth) == ("ecal_point", 0)
    of_run, of_bundle = pq.read_table(trained / "scores.parquet"), pq.read_table(tmp_path / "scores.parquet")
    for name in ("run", "lumi", "event", "jet", "label"):
        assert of_run[name].equals(of_bundle[name])
    np.testing.assert_allclose(of_bundle["score_top"].to_numpy(), of_run["score_top"].to_numpy(), atol=1e-5)
    assert (
        run("predict", trained, "--data", data_set, "--split", "test", "--output", tmp_path / "by_torch.parquet")[0]
        == 0
    )
    assert pq.read_table(tmp_path / "by_torch.parquet").equals(of_run)


def test_the_bundle_runs_in_plain_onnx_runtime_on_channels_first_input(bundle, data_set):
    arrays = pad(first_jets(data_set, 3), read_manifest(data_set).network_inputs)
    feeds = {
        "points": arrays.points.transpose(0, 2, 1),
        "features": arrays.features.transpose(0, 2, 1),
        "mask": arrays.mask[:, None, :].astype(np.float32),
    }
    session = onnxruntime.InferenceSession(bundle / "model.onnx", providers=["CPUExecutionProvider"])
    assert {entry.name: entry.type for entry in session.get_inputs()} == dict.fromkeys(feeds, "tensor(float)")
    softmax, logits = session.run(["scores", "logits"], {k: np.ascontiguousarray(v) for k, v in feeds.items()})
    np.testing.assert_allclose(softmax.sum(axis=1), 1.0, atol=1e-5)
    exponential = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(softmax, exponential / exponential.sum(axis=1, keepdims=True), atol=1e-5)


@pytest.mark.usefixtures("evaluated")
def test_runs_are_compared_beside_the_baseline(run, trained, bundle, data_set, tmp_path):
    code, out, _ = run("compare", trained, "--bundles", bundle.parent, "--output", tmp_path / "table.md")
    assert code == 0
    table = (tmp_path / "table.md").read_text()
    assert table in out
    assert f"| {trained.name}" in table
    assert "soft-drop mass + τ32" in table


def test_the_data_set_is_inspected(run, data_set):
    code, out, _ = run("inspect", data_set)
    assert code == 0
    for word in ("every checksum fits", "TRACK", "ECAL", "kB each", "resampling"):
        assert word in out
    shard = next(data_set.glob("*.parquet"))
    content = shard.read_bytes()
    try:
        middle = len(content) // 2
        shard.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        code, _, error = run("inspect", data_set)
        assert code == 1
        assert f"{shard}: shard altered" in error
    finally:
        shard.write_bytes(content)
