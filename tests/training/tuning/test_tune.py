import csv
import re

import pytest
import yaml

from e2egraph.cli import main
from e2egraph.errors import Stopped
from e2egraph.training.tuning import trial as trial_module
from tests.toy_dataset import write_toy_dataset
from tests.training.tiny_model import write_tiny_model
from tests.training.tuning.searches import FAST, SPACE, DiesOnce, FailsWhenNarrow, write_model


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_toy_dataset(tmp_path_factory.mktemp("toy") / "data", 200, nodes=(0, 30))


@pytest.fixture(scope="module")
def tune(tmp_path_factory, data):
    """Run ``e2egraph tune`` on the tiny model; a later option overrides an earlier one."""
    folder = tmp_path_factory.mktemp("search")
    (folder / "space.yaml").write_text(SPACE)
    given = ["tune", "--model", write_tiny_model(folder), "--data", str(data), "--space", str(folder / "space.yaml")]

    def _tune(output, *words):
        return main([*given, *FAST, "--output", str(output), *map(str, words)])

    return _tune


@pytest.fixture(scope="module")
def found(tmp_path_factory, tune):
    output = tmp_path_factory.mktemp("found") / "search"
    assert tune(output, "--trials", 4) == 0
    return output


def table(output):
    with (output / "trials.csv").open() as stream:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(stream)]


def test_a_search_leaves_a_table_a_plot_and_the_best_settings(found):
    rows = table(found)
    assert [(row["trial"], row["state"], row["epochs"]) for row in rows] == [
        (str(n), "finished", "2") for n in range(4)
    ]
    best = yaml.safe_load((found / "best.yaml").read_text())
    assert best["validation_auc"] == max(float(row["validation_auc"]) for row in rows)
    assert float(rows[best["trial"]]["training.learning_rate"]) == best["settings"]["training.learning_rate"]
    assert all(1e-4 <= float(row["training.learning_rate"]) <= 1e-2 for row in rows)
    assert (found / "importance.png").read_bytes().startswith(b"\x89PNG")
    assert (found / "importance.pdf").read_bytes().startswith(b"%PDF")


def test_the_best_configuration_trains_to_the_validation_auc_it_was_chosen_for(found, data, tmp_path, capsys):
    words = ["--model", found / "model.yaml", "--recipe", found / "recipe.yaml", "--data", data]
    assert main(["train", *map(str, words), "--output", str(tmp_path / "run")]) == 0
    best = yaml.safe_load((found / "best.yaml").read_text())
    assert f"validation AUC {best['validation_auc']:.4f}" in capsys.readouterr().out


def test_the_same_command_goes_on_to_the_total_and_then_finds_it_complete(found, tune, tmp_path, capsys):
    output = tmp_path / "search"
    assert tune(output, "--trials", 1) == 0
    assert "no importance plot" in capsys.readouterr().err
    assert tune(output, "--trials", 4) == 0
    captured = capsys.readouterr()
    assert "holds 1 trials of 4: the search goes on" in captured.err
    assert "4 trials (4 finished), 1 of them before" in captured.out
    assert table(output) == table(found)
    assert tune(output, "--trials", 4) == 0
    assert f"found {output} complete" in capsys.readouterr().out


def test_an_interrupted_search_ends_as_an_uninterrupted_one(found, tune, tmp_path, monkeypatch, capsys):
    output, train, calls = tmp_path / "search", trial_module.train, []

    def interrupted(*arguments, **options):
        calls.append(options)
        if len(calls) == 3:
            raise Stopped("stopped; the same command goes on.", 143)
        return train(*arguments, **options)

    monkeypatch.setattr(trial_module, "train", interrupted)
    assert tune(output, "--trials", 4) == 143
    assert len([row for row in table(output) if row["state"] == "finished"]) == 2
    assert tune(output, "--trials", 4) == 0
    assert table(output) == table(found)
    assert not list((output / "trials").glob("*.owner"))
    # the interrupted trial was trained again with the very same settings
    assert calls[3]["settings"] == calls[2]["settings"]


def test_poor_trials_are_pruned_and_keep_no_weights(tune, tmp_path, capsys):
    output = tmp_path / "search"
    assert tune(output, "--trials", 8, "--pruner", "hyperband", "--set", "training.epochs=3") == 0
    rows = table(output)
    pruned = [row for row in rows if row["state"] == "pruned"]
    finished = [row for row in rows if row["state"] == "finished"]
    assert pruned
    assert all(int(row["epochs"]) < 3 for row in pruned)
    assert all(int(row["epochs"]) == 3 for row in finished)
    assert len(pruned) + len(finished) == 8
    for row in pruned:
        run = output / "trials" / f"{int(row['trial']):04d}"
        assert (run / "metrics.csv").is_file()
        assert not (run / "checkpoints").exists()
    assert re.search(r"trial \d \(\d/8\): pruned after epoch \d, validation AUC 0\.\d{4}", capsys.readouterr().err)


def test_settings_of_a_schedule_are_searched_with_it_and_refused_without(tune, tmp_path, capsys):
    space = tmp_path / "space.yaml"
    space.write_text("training.schedule: {choices: [step, cosine]}\ntraining.step_factor: {low: 0.1, high: 0.9}\n")
    assert tune(tmp_path / "search", "--space", space, "--trials", 4) == 0
    rows = table(tmp_path / "search")
    assert {row["state"] for row in rows} == {"finished"}
    assert {row["training.schedule"] for row in rows} == {"step", "cosine"}
    words = ("--space", space, "--set", "training.schedule=cosine")
    space.write_text("training.step_factor: {low: 0.1, high: 0.9}\n")
    assert tune(tmp_path / "other", *words, "--trials", 1) == 2
    assert "training.step_factor: changes nothing without training.schedule=step" in capsys.readouterr().err


def test_failed_trials_are_recorded_with_their_reason_and_the_rest_goes_on(tune, tmp_path, capsys):
    model = write_model(tmp_path, FailsWhenNarrow)
    assert tune(tmp_path / "search", "--model", model, "--trials", 4) == 0
    for row in table(tmp_path / "search"):
        narrow = row["model.options.width"] == "4"
        assert row["state"] == ("failed" if narrow else "finished")
        assert row["reason"] == ("ArithmeticError: width 4 goes with nothing" if narrow else "")
    assert {row["state"] for row in table(tmp_path / "search")} == {"failed", "finished"}
    assert "failed (ArithmeticError: width 4 goes with nothing)" in capsys.readouterr().err


def test_a_search_without_any_finished_trial_ends_with_the_first_reason(tune, tmp_path, capsys):
    (tmp_path / "narrow.yaml").write_text("training.learning_rate: {low: 1e-4, high: 1e-2}")
    words = ("--model", write_model(tmp_path, FailsWhenNarrow, "{width: 4}"), "--space", tmp_path / "narrow.yaml")
    assert tune(tmp_path / "search", *words, "--trials", 2) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert "none of 2 trials could be finished (the first failed: ArithmeticError: width 4" in message


def test_a_search_whose_trials_all_fail_alike_ends_early(tune, tmp_path, capsys):
    (tmp_path / "narrow.yaml").write_text("training.learning_rate: {low: 1e-4, high: 1e-2}")
    words = ("--model", write_model(tmp_path, FailsWhenNarrow, "{width: 4}"), "--space", tmp_path / "narrow.yaml")
    assert tune(tmp_path / "search", *words, "--trials", 50) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert "the first 3 trials and all since failed (ArithmeticError: width 4 goes with nothing)" in message
    assert len(table(tmp_path / "search")) == 3


def test_two_workers_make_exactly_the_trials_asked_for_though_one_is_killed(tune, tmp_path, capsys):
    model = write_model(tmp_path, DiesOnce, f"{{marker: '{tmp_path / 'died'}'}}")
    assert tune(tmp_path / "search", "--model", model, "--trials", 4, "--workers", 2) == 0
    assert (tmp_path / "died").exists()
    assert [row["state"] for row in table(tmp_path / "search")] == ["finished"] * 4
    assert sorted(path.name for path in (tmp_path / "search" / "trials").iterdir()) == ["0000", "0001", "0002", "0003"]
    assert "4 trials (4 finished)" in capsys.readouterr().out


def test_no_trial_begins_after_the_timeout(tune, tmp_path, capsys):
    assert tune(tmp_path / "search", "--trials", 4, "--timeout", 0) == 1
    assert "none of 0 trials could be finished (none was begun in time)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--seed", 2), 1, "holds a search with another seed"),
        (("--set", "model.options.width=8"), 2, "leave one of the two out"),
        (("--set", "training.momentum=8"), 2, "unknown key 'training.momentum'"),
        (("--set", "training.class_weights=balanced"), 1, "holds a search with another recipe"),
        (("--pruner", "none"), 1, "holds a search with another pruner"),
        (("--storage", "sqlite:///other.db"), 1, "holds a search with another storage"),
        (("--space", "nowhere"), 2, "unknown search 'nowhere'; choose one of"),
        (("--data", "nowhere"), 1, "nowhere"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence_and_leaves_the_search_alone(
    found, tune, capsys, words, code, message
):
    before = {path: path.stat().st_mtime_ns for path in found.rglob("*") if path.is_file()}
    assert tune(found, *words) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert {path: path.stat().st_mtime_ns for path in found.rglob("*") if path.is_file()} == before


def test_a_folder_with_other_content_is_left_alone(tune, tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("…")
    assert tune(tmp_path) == 1
    assert "holds other files and is no search" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_trial_across_several_devices_is_refused(tune, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert tune(tmp_path / "search") == 2
    assert "a trial trains on one device" in capsys.readouterr().err
