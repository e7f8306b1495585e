"""A run, and one that was stopped in its second epoch, which tests of going on begin from."""

import shutil

import pytest

from e2egraph.errors import Stopped
from e2egraph.training.train import train

# Eight batches an epoch; every part of the state is in use.
SETTINGS = (
    "training.epochs=3",
    "training.batch_size=16",
    "training.learning_rate=0.01",
    "training.optimizer=adamw",
    "training.weight_decay=0.1",
    "training.schedule=cosine",
    "training.warmup_epochs=1",
    "training.ema_decay=0.9",
    "training.label_smoothing=0.05",
    "training.gradient_clip=1.0",
    "training.reflect_eta=true",
    "training.reflect_phi=true",
    "training.class_weights=balanced",
    "training.patience=3",
    "training.checkpoint_steps=3",
    "data.pool_jets=64",
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data, model):
    output = tmp_path_factory.mktemp("runs") / "whole"
    train(model, data, output, settings=SETTINGS, seed=5, progress=False)
    return output


def stopped(monkeypatch, model, data, output, fault, settings=SETTINGS):
    monkeypatch.setenv("FRAGILE", fault)
    with pytest.raises(Stopped) as stop:
        train(model, data, output, settings=settings, seed=5, progress=False)
    monkeypatch.delenv("FRAGILE")
    return stop.value


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory, data, model):
    run = tmp_path_factory.mktemp("runs") / "interrupted"
    patch = pytest.MonkeyPatch()
    stopped(patch, model, data, run, "train:14:SIGTERM")
    return run


@pytest.fixture
def run(interrupted, tmp_path):
    return shutil.copytree(interrupted, tmp_path / "run")
