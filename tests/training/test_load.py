import os
import shutil

import pytest
import torch
import yaml

from e2egraph.errors import InputError, UsageError
from e2egraph.training.runs.load import load_run
from e2egraph.training.train import train
from tests.toy_dataset import write_toy_dataset
from tests.training.tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("load")
    data = write_toy_dataset(folder / "data", 60)
    train(write_tiny_model(folder), data, folder / "run", settings=("training.epochs=1",), progress=False)
    return folder / "run"


@pytest.fixture
def run(original, tmp_path):
    return shutil.copytree(original, tmp_path / "run")


def test_a_loaded_network_is_in_evaluation_mode_and_trains_no_further_by_accident(run):
    network, info = load_run(run)
    assert not network.training
    assert info.summary["epochs"] == 1


def test_folders_that_are_no_runs_are_refused(run, tmp_path):
    with pytest.raises(InputError, match="absent: no such run; give a folder"):
        load_run(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: not a run \(config\.yaml is missing\)"):
        load_run(tmp_path / "empty")
    (run / "config.yaml").write_text("model: [")
    with pytest.raises(InputError, match=r"config\.yaml: damaged"):
        load_run(run)
    (run / "config.yaml").write_text("model: {name: x}")
    with pytest.raises(InputError, match=r"config\.yaml: damaged"):
        load_run(run)


def test_a_run_of_an_earlier_version_is_refused_in_one_sentence(run):
    path = run / "config.yaml"
    content = yaml.safe_load(path.read_text())
    content["data_set"] |= {"classes": ["qcd", "top"], "signal": "top"}
    del content["data_set"]["inputs"]
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=r"config\.yaml: made by an earlier version, .*; train again\.$"):
        load_run(run)


def test_a_run_whose_extension_is_not_there_says_which(run):
    path = run / "config.yaml"
    content = yaml.safe_load(path.read_text())
    content["data_set"]["configuration"]["extensions"] = ["somebodys_channels"]
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(UsageError, match=r"config\.yaml: extension 'somebodys_channels' cannot be imported"):
        load_run(run)


def test_missing_damaged_and_unfitting_checkpoints_are_refused(run):
    best = run / "checkpoints" / "best.ckpt"
    content = best.read_bytes()
    best.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"best\.ckpt: damaged checkpoint"):
        load_run(run)
    torch.save({"format": 1, "state_dict": {"network.other": torch.zeros(3)}}, best)
    with pytest.raises(InputError, match="does not fit the model"):
        load_run(run)
    best.unlink()
    with pytest.raises(InputError, match="no such checkpoint"):
        load_run(run)


def test_code_hidden_in_a_checkpoint_is_not_executed(run, tmp_path):
    witness = tmp_path / "executed"

    class Payload:
        def __reduce__(self):
            return os.mkdir, (str(witness),)

    torch.save({"state_dict": Payload()}, run / "checkpoints" / "best.ckpt")
    with pytest.raises(InputError, match="damaged checkpoint"):
        load_run(run)
    assert not witness.exists()
