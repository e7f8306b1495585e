"""Many processes do what one does: the same training, the same evaluation, the same file of scores."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import multiprocessing

from e2egraph.cli import main
from e2egraph.data.scores import read_scores
from e2egraph.data.table import read_table
from e2egraph.models.layers.standardize import RunningStandardize
from tests.e2e.ranks_process import epoch_scores, jets, loss_of, norms, process
from tests.e2e.standardized_model import write_standardized_model
from tests.export.bundles import JetLinear, export, info
from tests.toy_dataset import write_toy_dataset
from tests.training.batches import batch_of

# Reflections and weight averages too: nothing of them may depend on the number of processes. SGD, as Adam makes steps
# of the learning rate's size out of the rounding of gradients that are all but zero.
SETTINGS = (
    "training.epochs=2",
    "training.batch_size=24",
    "training.optimizer=sgd",
    "training.learning_rate=0.1",
    "training.reflect_eta=true",
    "training.ema_decay=0.9",
    "training.loggers=[]",
    "data.pool_jets=60",
)
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    # 160 training jets, more or less: the last batch of 24 is never a whole one.
    return write_toy_dataset(tmp_path_factory.mktemp("toy") / "data", 270, nodes=(0, 30), shards_per_class=3)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return write_standardized_model(tmp_path_factory.mktemp("model"))


def training(model: str, data: Path, output: Path, *more: str) -> list[str]:
    settings = [word for setting in (*SETTINGS, *more) for word in ("--set", setting)]
    return ["train", "--model", model, "--data", str(data), "--output", str(output), *settings]


@pytest.fixture(scope="module")
def alone(tmp_path_factory, model, data) -> Path:
    """The run of one process."""
    output = tmp_path_factory.mktemp("runs") / "run"
    assert main(training(model, data, output)) == 0
    return output


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    output = tmp_path_factory.mktemp("bundles") / "linear"
    export(JetLinear().eval(), output, info(cap=20))
    return output


def python(*words: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


def weights(run: Path, name: str) -> dict[str, torch.Tensor]:
    return torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]


def rows(run: Path) -> list[dict[str, float]]:
    with (run / "metrics.csv").open() as stream:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)]


@pytest.mark.parametrize("way", ["training.devices=2", "torchrun with 4"])
def test_a_training_by_many_processes_ends_with_the_weights_and_metrics_of_one(alone, model, data, tmp_path, way):
    output = tmp_path / "run"
    if way.startswith("torchrun"):
        done = python(*TORCHRUN, "4", "-m", "e2egraph", *training(model, data, output))
    else:
        done = python("-m", "e2egraph", *training(model, data, output, way))
    assert done.stdout.count("wrote") == 1
    assert json.loads((output / "summary.json").read_text())["processes"] == int(way[-1])
    for name in ("best", "last"):
        one = weights(alone, name)
        for key, value in weights(output, name).items():
            torch.testing.assert_close(
                value, one[key], rtol=1e-3, atol=1e-5, msg=lambda text, key=key: f"{key}: {text}"
            )
    for many, one in zip(rows(output), rows(alone), strict=True):
        for figure in ("training_loss", "training_auc", "validation_loss", "validation_auc", "learning_rate"):
            assert many[figure] == pytest.approx(one[figure], rel=1e-4), figure


def test_two_processes_train_on_each_jet_exactly_once_an_epoch(model, data, tmp_path):
    script = str(Path(__file__).with_name("coverage_process.py"))
    python(*TORCHRUN, "2", script, str(tmp_path), *training(model, data, tmp_path / "run"))
    ranks = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    table = read_table(data)
    train, validation = (table.jets_of(split).tolist() for split in ("train", "validation"))
    batches = -(-len(train) // 24)
    orders = []
    for epoch in range(2):
        own = [rank["steps"][epoch * batches : (epoch + 1) * batches] for rank in ranks]
        assert all(abs(len(one) - len(other)) <= 1 for one, other in zip(*own, strict=True))
        assert [len(one) + len(other) for one, other in zip(*own, strict=True)][:-1] == [24] * (batches - 1)
        orders.append([number for steps in own for step in steps for number in step])
        assert sorted(orders[-1]) == train
    assert all(len(rank["steps"]) == 2 * batches for rank in ranks)
    assert orders[0] != orders[1]
    assert sorted(number for rank in ranks for number in rank["validated"]) == sorted(2 * validation)


def test_an_evaluation_under_torchrun_is_that_of_one_process(alone, tmp_path):
    many, one = (shutil.copytree(alone, tmp_path / name / "run") for name in ("many", "one"))
    done = python(*TORCHRUN, "2", "-m", "e2egraph", "evaluate", str(many))
    assert done.stdout.count("wrote") == 1
    assert main(["evaluate", str(one)]) == 0
    assert {path.name for path in many.iterdir()} == {path.name for path in one.iterdir()}
    reports = [json.loads((run / "metrics.json").read_text()) for run in (many, one)]
    assert reports[0]["auc"] == pytest.approx(reports[1]["auc"], abs=1e-6)
    assert reports[0]["jets"] == reports[1]["jets"]
    assert_same_scores(many / "scores.parquet", one / "scores.parquet")


@pytest.mark.parametrize("kind", ["bundle", "alone"])
@pytest.mark.parametrize(("world", "split"), [(2, ()), (4, ("--split", "test"))])
def test_scores_predicted_in_shares_are_those_of_one_process(
    request, data, tmp_path, monkeypatch, capsys, kind, world, split
):
    source = request.getfixturevalue(kind)
    words = ["predict", str(source), "--data", str(data), "--threads", "1", *split, "--output"]
    assert main([*words, str(tmp_path / "one.parquet")]) == 0
    capsys.readouterr()
    output = tmp_path / "many" / "scores.parquet"
    monkeypatch.setenv("WORLD_SIZE", str(world))
    for rank in reversed(range(world)):
        assert not output.exists()
        monkeypatch.setenv("RANK", str(rank))
        assert main([*words, str(output)]) == 0
        said = capsys.readouterr().out
        assert said == "" if rank else said.startswith("wrote scores of")
    assert [path.name for path in output.parent.iterdir()] == ["scores.parquet"]
    assert_same_scores(output, tmp_path / "one.parquet")


def assert_same_scores(many: Path, one: Path) -> None:
    first, second = read_scores(many), read_scores(one)
    assert first.about == second.about
    for name, column in second.jets.items():
        np.testing.assert_array_equal(first.jets[name], column)
    np.testing.assert_allclose(first.probabilities, second.probabilities, atol=1e-6)


def test_a_place_in_the_environment_that_makes_no_sense_is_refused(alone, data, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RANK", "4")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert main(["predict", str(alone), "--data", str(data), "--output", str(tmp_path / "scores.parquet")]) == 2
    assert "RANK=4 and WORLD_SIZE=4" in capsys.readouterr().err


def test_scores_and_statistics_are_taken_over_the_jets_of_all_processes(tmp_path):
    world = 3
    multiprocessing.spawn(process, (world, str(tmp_path)), nprocs=world)
    logits, label, weight, values = jets()
    scores, standardize = epoch_scores(), RunningStandardize(values.shape[1]).train()
    scores.add(logits, batch_of(label), weight[None], weight[None])
    for batch in values.split(10):
        standardize(batch)
    expected = scores.finish()
    results = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(world)]
    network = norms(values.shape[1])
    loss_of(network, values).backward()
    gradients = [parameter.grad for parameter in network.parameters()]
    for result in results:
        assert result["metrics"] == pytest.approx(list(expected.values()), rel=1e-6)
        assert result["restored"] == result["metrics"] == results[0]["metrics"]
        # Statistics are the same in all processes to the bit, and to rounding those of one.
        for name, module in (("standardize", standardize), ("norms", network)):
            for key, value in module.state_dict().items():
                torch.testing.assert_close(result[name][key], value, rtol=1e-5, atol=1e-6)
                assert result[name][key].equal(results[0][name][key])
        torch.testing.assert_close(result["gradients"], gradients, rtol=1e-9, atol=1e-9)
