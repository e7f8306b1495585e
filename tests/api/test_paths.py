"""Paths as a notebook user writes them, and folders that are not what they are taken for."""

from __future__ import annotations

from pathlib import Path

import pytest

import e2egraph as e2e
from e2egraph.folders import user_path


def test_a_tilde_is_the_home_folder_unless_something_is_called_so(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert user_path("~/data/top") == tmp_path / "home/data/top"
    assert user_path(Path("data/~")) == Path("data/~")
    assert user_path("~nobody-of-this-name/data") == Path("~nobody-of-this-name/data")
    (tmp_path / "~").mkdir()
    assert user_path("~/data/top") == Path("~/data/top")


def test_data_sets_and_bundles_in_the_home_folder_are_found(made: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(made))
    assert len(e2e.Dataset("~/data/top", split="train")) == len(e2e.Dataset(made / "data/top", split="train"))
    assert e2e.inspect("~/data/top").jets == e2e.inspect(made / "data/top").jets
    assert e2e.inspect("~/ttbar.root").entries == 250
    assert len(e2e.load("~/exports/g").predict("~/data/top", split="test")) > 0


def test_what_is_neither_run_nor_bundle_is_said_to_be_neither(made: Path, tmp_path: Path) -> None:
    with pytest.raises(e2e.InputError, match="nothing: no such run or bundle; give a folder made by 'e2egraph train'"):
        e2e.load(tmp_path / "nothing")
    with pytest.raises(e2e.InputError, match="top: neither a run nor a bundle"):
        e2e.load(made / "data/top")


def test_runs_and_bundles_where_others_are_asked_for_are_called_what_they_are(made: Path) -> None:
    for place, what in (("runs/g", "a run"), ("exports/g", "a bundle")):
        with pytest.raises(e2e.InputError, match=f"g: is {what} and no data set; give a folder made by"):
            e2e.inspect(made / place)
    with pytest.raises(e2e.InputError, match="exports/g: is a bundle; give folders that 'e2egraph train' made"):
        e2e.compare(made / "exports/g")
    with pytest.raises(e2e.InputError, match="data/top: is no run; give folders that"):
        e2e.compare(made / "data/top")


def test_a_single_run_or_a_single_file_of_events_is_taken_as_one(made: Path, tmp_path: Path) -> None:
    with pytest.raises(e2e.InputError, match=r"runs/g/metrics\.json: not there; run 'e2egraph evaluate"):
        e2e.compare(made / "runs/g")
    with pytest.raises(e2e.InputError, match=r"runs/g/metrics\.json: not there; run 'e2egraph evaluate"):
        e2e.compare(str(made / "runs/g"))
    with pytest.raises(e2e.UsageError, match=r"ttbar\.root: give \{class: files\}"):
        e2e.build("top", str(made / "ttbar.root"), tmp_path / "data")


def test_numbers_of_workers_and_trials_begin_at_one(made: Path, tmp_path: Path) -> None:
    with pytest.raises(e2e.UsageError, match="workers=0: give a number from 1"):
        e2e.build(task="top", samples={"top": made / "ttbar.root"}, output=tmp_path / "data", workers=0)
    with pytest.raises(e2e.UsageError, match="--trials 0: give a number from 1"):
        e2e.tune("gravnet", data=made / "data/top", output=tmp_path / "search", trials=0)
    assert not list(tmp_path.iterdir())
