import csv
import json
import os
from dataclasses import replace

import pytest
from optuna.trial import TrialState

from e2egraph.errors import InputError
from e2egraph.tasks.objectives.objective import Best
from e2egraph.training.tuning import journal, ownership
from e2egraph.training.tuning.results import write_results
from e2egraph.training.tuning.search import outcome_in_words
from e2egraph.training.tuning.space import read_space
from e2egraph.training.tuning.study import STARTS, Search, Study
from tests.training.tuning.searches import SPACE


@pytest.fixture
def search(tmp_path):
    (tmp_path / "space.yaml").write_text(SPACE)
    (tmp_path / "out" / "trials").mkdir(parents=True)
    return Search(
        model="tiny",
        data=tmp_path,
        output=tmp_path / "out",
        recipe="published",
        settings=(),
        space=read_space(str(tmp_path / "space.yaml")),
        best=Best("auc", "AUC", highest=True),
        seed=1,
        trials=3,
        epochs=2,
        pruner="none",
        name="toy",
        storage=str(tmp_path / "out" / "study.journal"),
    )


def finish(study, trial):
    study.record(trial.number, TrialState.COMPLETE, trial.params["training.learning_rate"], "")
    ownership.release(study.search.folder(trial.number))


def kill_owner(search, number):
    """As if the process that trains the trial were gone."""
    path = ownership.owner_file(search.folder(number))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"started": "long ago"}))


def run(search, times):
    study, drawn = Study(search), []
    for _ in range(times):
        trial = study.claim()
        drawn.append(trial.params)
        finish(study, trial)
    return drawn


def test_two_workers_never_begin_more_trials_than_asked_for(search):
    one, other = Study(search), Study(search)
    numbers = [one.claim().number, other.claim().number, one.claim().number]
    assert numbers == [0, 1, 2]
    assert one.claim() is None
    assert other.claim() is None
    assert len(Study(search).trials()) == 3


@pytest.mark.parametrize(("url", "trials"), [("{}.journal", 12), ("sqlite:///{}.db", 3)])
def test_a_search_opened_again_draws_what_an_uninterrupted_one_draws(search, tmp_path, url, trials):
    # TPE draws at random among the first ten, and from what it has seen after them.
    one, other = (replace(search, trials=trials, storage=url.format(tmp_path / name)) for name in ("one", "other"))
    whole = run(one, trials)
    assert run(other, 2) + run(other, trials - 2) == whole
    assert len({params["training.learning_rate"] for params in whole}) == trials


def test_the_trial_of_a_dead_process_is_taken_up_with_its_settings_and_of_a_living_one_not(search):
    study = Study(search)
    first, second = study.claim(), study.claim()
    kill_owner(search, first.number)
    again = Study(search).claim()
    assert (again.number, again.params) == (first.number, first.params)
    assert study.claim().number == second.number + 1
    assert study.claim() is None


def test_a_trial_that_kills_its_process_again_and_again_is_recorded_as_failed(search):
    study = Study(search)
    for _ in range(STARTS):
        assert study.claim().number == 0
        kill_owner(search, 0)
    assert study.claim().number == 1
    failed = study.trials()[0]
    assert failed.state is TrialState.FAIL
    assert "killed 3 times" in failed.user_attrs["reason"]


def test_another_machines_trial_is_abandoned_only_after_long_silence(search):
    folder = search.folder(0)
    ownership.take(folder, 1)
    path = ownership.owner_file(folder)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"host": "elsewhere"}))
    assert not ownership.is_abandoned(folder)
    long_ago = path.stat().st_mtime - ownership.PATIENCE - 1
    os.utime(path, (long_ago, long_ago))
    assert ownership.is_abandoned(folder)


@pytest.mark.parametrize(("figures", "best"), [([float("nan")], ""), ([0.7, float("nan")], "0.7")])
def test_a_trial_pruned_for_a_figure_that_is_no_number_is_told_and_listed(search, figures, best):
    study = Study(replace(search, trials=1))
    trial = study.claim()
    for epoch, figure in enumerate(figures, 1):
        trial.report(figure, epoch)
    study.record(trial.number, TrialState.PRUNED, None, "")
    told = outcome_in_words(study.search, study.trials()[0])
    assert told.startswith(f"pruned after epoch {len(figures)}, validation AUC not a number; ")
    write_results(study)
    (row,) = csv.DictReader((search.output / "trials.csv").open())
    assert (row["state"], row["validation_auc"], row["epochs"]) == ("pruned", best, str(len(figures)))


def test_signs_of_life_are_given_while_a_trial_runs_and_its_owner_is_gone_after(search, monkeypatch):
    monkeypatch.setattr(ownership, "BEAT", 0.01)
    folder = search.folder(0)
    ownership.take(folder, 1)
    path = ownership.owner_file(folder)
    os.utime(path, (0, 0))
    with ownership.alive(folder):
        while path.stat().st_mtime == 0:
            pass
    assert not path.exists()


def test_a_half_written_last_line_of_the_journal_is_cut_off_and_the_study_goes_on(search):
    first = run(search, 1)
    path = search.output / "study.journal"
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code": 4, "worker')
    study = Study(search)
    assert [trial.params for trial in study.trials()] == first
    assert path.read_bytes().startswith(whole)
    finish(study, study.claim())
    assert len(Study(search).trials()) == 2
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_a_journal_damaged_in_its_middle_is_refused_by_name(search):
    run(search, 1)
    path = search.output / "study.journal"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"\x00\x01\n", *lines[2:]]))
    with pytest.raises(InputError, match=r"study\.journal: damaged journal"):
        Study(search).trials()


def test_a_database_that_cannot_be_opened_is_named_without_its_password():
    with pytest.raises(InputError, match="--storage nosuch://…@host/db: cannot be opened") as caught:
        journal.open_storage("nosuch://user:secret@host/db")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://user:secret@host:5432/db", "postgresql://…@host:5432/db"),
        ("postgresql+psycopg2://user:se/cr@et?x#y@host/db", "postgresql+psycopg2://…@host/db"),
        ("postgresql://user:se%2Fcret@host/db?sslmode=require", "postgresql://…@host/db?sslmode=require"),
        ("mysql://host/db?user=me&password=secret&charset=utf8", "mysql://host/db?user=me&password=…&charset=utf8"),
        ("postgresql://host/db", "postgresql://host/db"),
        ("sqlite:////home/me@work/study.db", "sqlite:////home/me@work/study.db"),
    ],
)
def test_urls_are_shown_without_passwords(url, shown):
    assert journal.without_password(url) == shown
