"""Simulated events, a data set, a run and a bundle, as a notebook user has them in the working folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import e2egraph as e2e
from tests.made_once import simulated_once

# A network for tests: one small block.
SMALL = {"model.options": {"width": 8, "depth": 1, "neighbors": 4}}


@pytest.fixture(scope="session")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``ttbar.root`` and ``qcd.root``."""
    folder = tmp_path_factory.mktemp("events")
    for seed, (process, events) in enumerate((("ttbar", 250), ("qcd", 400)), start=1):
        words = ("--process", process, "--events", str(events), "--seed", str(seed), "--no-images")
        shutil.copy(simulated_once(tmp_path_factory, *words), folder / f"{process}.root")
    return folder


@pytest.fixture(scope="session")
def made(events: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``data/top``, ``runs/g`` and ``exports/g``, not to be changed, and links to the events."""
    folder = tmp_path_factory.mktemp("made")
    for path in events.iterdir():
        (folder / path.name).symlink_to(path)
    samples = {"top": events / "ttbar.root", "qcd": [events / "qcd.root"]}
    e2e.build("top", samples, folder / "data/top")
    run = e2e.train("gravnet", folder / "data/top", folder / "runs/g", settings=SMALL, epochs=1, progress=False)
    run.export(folder / "exports/g")
    return folder


@pytest.fixture
def workspace(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same in the working folder: links, and a copy of the run, into which evaluations write."""
    for name in ("ttbar.root", "qcd.root", "data/top", "exports/g"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(made / name)
    shutil.copytree(made / "runs/g", tmp_path / "runs/g")
    monkeypatch.chdir(tmp_path)
    return tmp_path
