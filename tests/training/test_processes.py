"""Who starts the processes of a training: torchrun, srun, or the training itself, also in a job of SLURM."""

import json
import os

import pytest
from lightning_fabric.plugins.environments import LightningEnvironment, SLURMEnvironment

from e2egraph.cli import main
from e2egraph.errors import UsageError
from e2egraph.training.processes import launch, make_fabric
from e2egraph.training.recipe import TrainingOptions
from tests.toy_dataset import write_toy_dataset
from tests.training.tiny_model import write_tiny_model

JOB = {"SLURM_JOB_ID": "4711", "SLURM_JOB_NAME": "train", "SLURM_NTASKS": "1", "SLURM_PROCID": "0"} | {
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
    "SLURM_NNODES": "1",
    "SLURM_NODELIST": "node1",
}


@pytest.fixture
def slurm(monkeypatch):
    """Puts this process into a job of SLURM with the variables given on top."""
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)

    def enter(**more):
        for name, value in (JOB | more).items():
            monkeypatch.setenv(name, value)

    return enter


@pytest.mark.parametrize("tasks", ["1", "2"])
def test_a_job_of_slurm_without_several_tasks_of_srun_starts_its_own_processes(slurm, tasks):
    slurm(SLURM_NTASKS=tasks)
    fabric = make_fabric(TrainingOptions(devices=2))
    assert isinstance(fabric.strategy.cluster_environment, LightningEnvironment)
    assert fabric.world_size == 2


def test_as_many_tasks_of_srun_as_devices_are_the_processes(slurm):
    slurm(SLURM_NTASKS="2", SLURM_STEP_NUM_TASKS="2", SLURM_NTASKS_PER_NODE="2", SLURM_PROCID="1", SLURM_LOCALID="1")
    fabric = make_fabric(TrainingOptions(devices=2))
    assert isinstance(fabric.strategy.cluster_environment, SLURMEnvironment)
    assert (fabric.world_size, fabric.global_rank) == (2, 1)


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slurm")
    data = write_toy_dataset(folder / "data", 60, nodes=(0, 8))
    return ["train", "--model", write_tiny_model(folder), "--data", str(data), "--set", "training.epochs=1"]


@pytest.mark.parametrize(
    "step", [{}, {"SLURM_NTASKS_PER_NODE": "2"}, {"SLURM_NTASKS_PER_NODE": "1", "SLURM_NNODES": "2"}]
)
def test_other_tasks_of_srun_than_devices_are_refused_in_one_sentence(slurm, words, tmp_path, capsys, step):
    slurm(SLURM_NTASKS="2", SLURM_STEP_NUM_TASKS="2", **step)
    assert main([*words, "--output", str(tmp_path / "run")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("e2egraph: srun started 2 tasks")
    assert "training.devices=1" in line
    assert "--ntasks-per-node=1" in line
    assert not (tmp_path / "run").exists()


def test_a_job_that_asked_for_two_tasks_trains_without_srun(slurm, words, tmp_path):
    slurm(SLURM_NTASKS="2")
    assert main([*words, "--output", str(tmp_path / "run")]) == 0
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["processes"] == 1


def test_fewer_processes_than_asked_for_are_an_error():
    fabric = make_fabric(TrainingOptions())
    with pytest.raises(UsageError, match=r"training\.devices=2 on training\.nodes=1 are 2 processes, but 1 began"):
        launch(fabric, TrainingOptions(devices=2))


def test_what_lightning_refuses_is_told_in_one_sentence(monkeypatch):
    def refuse(**options):
        raise RuntimeError("You set\n this, but that.")

    monkeypatch.setattr("e2egraph.training.processes.Fabric", refuse)
    with pytest.raises(UsageError, match=r"training\.devices=1, training\.nodes=1: You set this, but that\."):
        make_fabric(TrainingOptions())


def test_a_program_whose_processes_train_together_does_not_train_on_one_device(monkeypatch):
    """The others of the group would go on with it, in the same folder."""
    monkeypatch.setattr("torch.distributed.is_initialized", lambda: True)
    monkeypatch.setattr("torch.distributed.get_world_size", lambda: 2)
    options = TrainingOptions()
    with pytest.raises(UsageError, match="2 processes train together in this program already"):
        launch(make_fabric(options), options)
