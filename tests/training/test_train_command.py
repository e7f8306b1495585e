"""``e2egraph train`` that fails: exit code 1 and one sentence that names the fault and what to do."""

import json

import pytest

from e2egraph.cli import main
from tests.toy_dataset import write_toy_dataset
from tests.training.fragile_model import write_fragile_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("command")
    write_toy_dataset(folder / "data", 120, nodes=(0, 8))
    write_toy_dataset(folder / "other", 120, seed=9, nodes=(0, 8))
    write_fragile_model(folder)
    return folder


@pytest.fixture
def fails(folder, capsys, monkeypatch):
    """Runs the command, which must fail; returns the only sentence it says."""

    def run(output, fault="never:0:", data="data", settings=("training.batch_size=16", "training.checkpoint_steps=2")):
        monkeypatch.setenv("FRAGILE", fault)
        capsys.readouterr()
        words = ["train", "--model", str(folder / "fragile.yaml"), "--data", str(folder / data)]
        changes = [word for setting in ("training.epochs=2", *settings) for word in ("--set", setting)]
        assert main([*words, "--output", str(output), *changes]) == 1
        error = capsys.readouterr().err
        assert "Traceback" not in error
        (sentence,) = [line for line in error.splitlines() if not line.startswith("fragile: ")]
        assert sentence.startswith("e2egraph: ")
        assert "a fault in e2egraph" not in sentence
        return sentence

    return run


@pytest.mark.parametrize("output", ["/proc/runs/one", "/dev/null/one"])
def test_a_folder_that_cannot_be_written(fails, output):
    sentence = fails(output)
    assert f"{output}: cannot be written" in sentence
    assert "choose another --output" in sentence


def test_a_loss_that_is_not_finite(fails, tmp_path):
    sentence = fails(tmp_path / "run", "train:3:nan")
    assert "the loss at epoch 1, step 3 is not finite for 1 of 16 jets" in sentence
    assert "lower training.learning_rate" in sentence
    listed = tmp_path / "run" / "diverged.json"
    assert str(listed) in sentence
    assert len(json.loads(listed.read_text())["jets"]) == 16


@pytest.mark.parametrize("where", ["device", "machine", "python"])
def test_full_memory_and_then_another_data_set(fails, tmp_path, where):
    sentence = fails(tmp_path / "run", f"train:4:{where}")
    assert "out of memory" in sentence
    assert "raise training.accumulate" in sentence
    sentence = fails(tmp_path / "run", data="other")
    assert "holds an unfinished run with another data set" in sentence
    assert "--restart" in sentence


def test_a_data_set_changed_on_the_disk(fails, folder, tmp_path):
    write_toy_dataset(tmp_path / "data", 120, nodes=(0, 8))
    shard = sorted((tmp_path / "data").rglob("*.parquet"))[0]
    content = bytearray(shard.read_bytes())
    shard.write_bytes(content[: len(content) // 2])
    assert shard.name in fails(tmp_path / "run", data=tmp_path / "data")
