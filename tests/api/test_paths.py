"""Paths as a notebook user writes them, and folders that are not what they are taken for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import e2egraph as e2e
from e2egraph.cli import main
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


def test_what_commands_refuse_functions_refuse_before_any_work(made: Path, tmp_path: Path) -> None:
    run, data, other = e2e.Run(made / "runs/g"), made / "data/top", tmp_path / "scores.csv"
    wrong = {
        "unknown track_direction 'inwards'; choose one of ecal_point": lambda: run.export(
            tmp_path / "bundle", track_direction="inwards"
        ),
        "seed_depth=8: give a depth from 1 to 7": lambda: run.export(tmp_path / "bundle", seed_depth=8),
        "unknown pruner 'quick'; choose one of median": lambda: e2e.tune(
            "gravnet", data, tmp_path / "search", pruner="quick"
        ),
        "timeout=-1: give minutes from 0": lambda: e2e.tune("gravnet", data, tmp_path / "search", timeout=-1),
        "resamples=0: give 100 or more": lambda: e2e.compare(run, resamples=0),
        "resamples=99: give 100 or more": lambda: e2e.ablate(["gravnet"], data, tmp_path / "ablation", resamples=99),
        "threads=-1: give a number from 1": lambda: e2e.load(made / "exports/g", threads=-1),
        "a run is scored by torch": lambda: e2e.load(made / "runs/g", threads=2),
        "written as .parquet; give a name": lambda: run.predict(data, output=other),
        "is written as .parquet; give a name": lambda: e2e.Tagger(made / "exports/g").predict(data, output=other),
        "written as .root; give a name": lambda: e2e.simulate("ttbar", 1, tmp_path / "events.h5"),
    }
    for reason, call in wrong.items():
        with pytest.raises(e2e.UsageError, match=re.escape(reason)):
            call()
    for point in ((50,), (50, 3), 0, True, "all", [[50], [1]]):
        with pytest.raises(e2e.UsageError, match=r"learning_curve: .* is no point; give a number of jets"):
            e2e.ablate(["gravnet"], data, tmp_path / "ablation", learning_curve=[point])
    for point in ([50, [1, 2]], (None, range(2)), 50, None):
        with pytest.raises(e2e.InputError, match="no run is finished"):
            e2e.ablate(["gravnet"], data, tmp_path / "ablation", learning_curve=[point], report_only=True)
    assert not list(tmp_path.iterdir())


def test_threads_are_those_that_score_a_run_or_a_bundle(made: Path, tmp_path: Path, monkeypatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    for number in ("0", "2"):
        words = ("--data", made / "data/top", "--output", tmp_path / "scores.parquet", "--threads", number)
        assert main(["predict", *map(str, (made / "runs/g", *words))]) == 0
    assert asked == [2]


def test_numbers_of_workers_and_trials_begin_at_one(made: Path, tmp_path: Path) -> None:
    with pytest.raises(e2e.UsageError, match="workers=0: give a number from 1"):
        e2e.build(task="top", samples={"top": made / "ttbar.root"}, output=tmp_path / "data", workers=0)
    with pytest.raises(e2e.UsageError, match="workers=2: those of the Dask scheduler tcp://a:1 do the work"):
        e2e.build("top", {"top": made / "ttbar.root"}, tmp_path / "data", workers=2, dask="tcp://a:1")
    with pytest.raises(e2e.UsageError, match="--trials 0: give a number from 1"):
        e2e.tune("gravnet", data=made / "data/top", output=tmp_path / "search", trials=0)
    assert not list(tmp_path.iterdir())
