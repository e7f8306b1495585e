"""``e2egraph export`` on a run that learnt a class and a quantity together."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from e2egraph.cli import main
from e2egraph.data.scores import read_scores
from e2egraph.evaluation.evaluate import evaluate
from e2egraph.export.bundle import read_metadata
from tests.export.bundles import CLASS_AND_MASS, outputs_of
from tests.toy_dataset import toy_task, write_toy_dataset


def check_timed_beside_its_run(run: Path, bundle: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of another run's bundle, or of two runs of one name, no time is shown as this run's."""
    bundles = folder / "bundles"
    mine, other = Path(shutil.copytree(bundle, bundles / run.name)), folder / "again" / run.name
    assert main(["compare", str(run), "--bundles", str(bundles)]) == 0
    shutil.copytree(run, other)
    capsys.readouterr()
    assert main(["compare", str(run), str(other), "--bundles", str(bundles)]) == 2
    assert f"two runs are called {run.name}" in capsys.readouterr().err
    about = json.loads((mine / "metadata.json").read_text())
    about["info"]["model_config"]["options"]["width"] += 8
    (mine / "metadata.json").write_text(json.dumps(about))
    assert main(["compare", str(run), "--bundles", str(bundles)]) == 1
    assert f"a bundle of tracks-and-cells-small, which is not the network of {run}" in capsys.readouterr().err


def test_a_run_of_two_heads_becomes_a_bundle_that_scores_as_the_run_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_toy_dataset(tmp_path / "data", jets=120, seed=1, objective=CLASS_AND_MASS)
    run, bundle = tmp_path / "run", tmp_path / "bundle"
    train = ["--model", "tracks-and-cells-small", "--data", str(data), "--set", "training.epochs=1"]
    assert main(["train", *train, "--set", "data.nodes.cap=40", "--output", str(run)]) == 0
    found = evaluate(run, plots=False).metrics
    triton = tmp_path / "triton"
    assert main(["export", str(run), "--output", str(bundle), "--fp16", "--triton", str(triton)]) == 0
    said = capsys.readouterr().out
    assert "is not recorded; give --track-direction and --seed-depth, or tell CMSSW's producer." in said
    assert "gen_mass: " in said
    assert f"next: e2egraph predict {bundle} --data {data} --output scores.parquet" in said
    metadata = read_metadata(bundle)
    assert metadata.inputs == toy_task().network_inputs
    assert metadata.outputs == outputs_of(CLASS_AND_MASS)
    assert metadata.info.cap == 40
    for name in ("auc", "mae", "mae_error"):
        assert metadata.info.metrics[f"test_{name}"] == pytest.approx(found[name])
    assert metadata.info.metrics["validation_auc"] > 0
    assert (triton / "tracks-and-cells-small" / "1" / "model.onnx").is_file()
    check_timed_beside_its_run(run, bundle, tmp_path, capsys)
    scores = []
    for model in (bundle, run):
        output = tmp_path / f"{model.name}.parquet"
        assert main(["predict", str(model), "--data", str(data), "--output", str(output)]) == 0
        scores.append(read_scores(output))
    of_bundle, of_run = scores
    assert of_bundle.columns == of_run.columns == ("score_qcd", "score_top", "predicted_gen_mass")
    np.testing.assert_allclose(of_bundle.probabilities, of_run.probabilities, atol=1e-4)
    np.testing.assert_allclose(of_bundle.predictions, of_run.predictions, atol=50.0 * 1e-4)
    words = ["export", str(run), "--output", str(tmp_path / "all" / "tracks-and-cells-small"), "--triton"]
    assert main([*words, str(tmp_path / "all")]) == 2
    assert not (tmp_path / "all").exists()
