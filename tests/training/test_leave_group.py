"""Processes of one training end without being aborted by threads of their group."""

import atexit
from types import SimpleNamespace
from unittest import mock

import torch.distributed as dist

from e2egraph.training import processes
from e2egraph.training.recipe import TrainingOptions


def test_a_group_is_left_and_nothing_happens_without_one():
    processes.leave_group()
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    processes.leave_group()
    assert not dist.is_initialized()
    processes.leave_group()


def test_processes_of_several_leave_their_group_when_they_end(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("WORLD_SIZE", "2")
    fabric = SimpleNamespace(launch=lambda: None, world_size=2, strategy=None)
    with mock.patch.object(atexit, "register") as register:
        processes.launch(fabric, TrainingOptions())
        register.assert_called_once_with(processes.leave_group)
    fabric.world_size = 1
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")
    monkeypatch.setenv("WORLD_SIZE", "1")
    with mock.patch.object(atexit, "register") as register:
        processes.launch(fabric, TrainingOptions())
        register.assert_not_called()
