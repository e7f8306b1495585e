"""Parts of scores: joined once all are there, by one process, and never parts of different work."""

from pathlib import Path

import numpy as np
import pytest

from e2egraph.data.parts import joined, remove_parts, scores_of_all
from e2egraph.data.scores import Scores, write_scores
from e2egraph.data.share import ALONE, Share
from e2egraph.errors import InputError

KEY = {"model": "a", "split": "test"}


def some_scores(first: int, last: int) -> Scores:
    event = np.arange(first, last)
    jets = {name: np.zeros(len(event), int) for name in ("run", "lumi", "jet", "label", "weight")}
    jets |= {"target_mass": 2.0 * event, "event": event, "split": np.full(len(event), "test")}
    signal = (event / 1000).astype(np.float32)
    values = np.stack([1 - signal, signal, 2 * signal], axis=1)
    return Scores(jets, values, ("score_qcd", "score_top", "predicted_mass"), {"jets": len(event)})


def run(output, rank, world=3, key=KEY, total=10) -> Scores | None:
    share = Share(rank, world)
    return scores_of_all(output, key, share, lambda: some_scores(*share.bounds(total)))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("total", [10, 2])
def test_whoever_ends_last_gets_all_scores_in_order(tmp_path, order, total):
    output = tmp_path / "scores.parquet"
    *early, last = (run(output, rank, total=total) for rank in order)
    assert early == [None, None]
    assert last.jets["event"].tolist() == list(range(total))
    np.testing.assert_array_equal(last.values, some_scores(0, total).values)
    assert last.jets["target_mass"].tolist() == [2.0 * event for event in range(total)]
    assert sum(part["jets"] for part in last.about["parts"]) == total
    remove_parts(output, Share(order[-1], 3))
    assert list(tmp_path.iterdir()) == []


def test_one_process_alone_writes_no_parts(tmp_path):
    scores = scores_of_all(tmp_path / "scores.parquet", KEY, ALONE, lambda: some_scores(0, 4))
    assert len(scores) == 4
    assert list(tmp_path.iterdir()) == []


def test_after_a_killed_process_the_same_command_ends_the_work_and_scores_only_what_is_missing(tmp_path):
    output = tmp_path / "scores.parquet"
    assert run(output, 0) is run(output, 2) is None

    def never():
        raise AssertionError("scored again")

    assert scores_of_all(output, KEY, Share(0, 3), never) is None
    assert len(run(output, 1)) == 10


def test_who_is_killed_between_joining_and_writing_joins_again_without_scoring_again(tmp_path):
    output = tmp_path / "scores.parquet"
    assert run(output, 0) is run(output, 2) is None
    assert len(run(output, 1)) == 10  # and is killed before the scores are written

    def never():
        raise AssertionError("scored again")

    assert len(scores_of_all(output, KEY, Share(1, 3), never)) == 10
    remove_parts(output, Share(1, 3))
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_written_is_refused_before_anything_is_scored(tmp_path):
    def never():
        raise AssertionError("scored")

    for output in (tmp_path, tmp_path / "file" / "scores.parquet"):
        (tmp_path / "file").write_text("")
        with pytest.raises(InputError, match=r"is a folder|cannot be written"):
            scores_of_all(output, KEY, ALONE, never)


def test_parts_of_other_work_are_never_joined_and_are_cleared_away(tmp_path):
    output = tmp_path / "scores[1].parquet"
    assert run(output, 1, world=2) is None
    assert run(output, 1, world=2, key=KEY | {"model": "b"}) is None
    assert run(output, 0) is run(output, 1) is None
    assert len(run(output, 0, world=2, key=KEY | {"model": "b"})) == 10
    remove_parts(output, Share(0, 2))
    assert list(tmp_path.iterdir()) == []


def test_of_two_processes_that_both_see_all_parts_one_joins(tmp_path, monkeypatch):
    output = tmp_path / "scores.parquet"
    assert run(output, 0) is run(output, 1) is None
    rename = Path.rename

    def after_another(folder, target):
        rename(folder, target.with_name("taken by another"))
        return rename(folder, target)

    monkeypatch.setattr(Path, "rename", after_another)
    assert run(output, 2) is None
    assert [path.name for path in tmp_path.iterdir()] == ["taken by another"]


def test_a_damaged_part_is_named(tmp_path):
    output = tmp_path / "scores.parquet"
    assert run(output, 0) is run(output, 1) is None
    (part,) = tmp_path.rglob("1-of-3.parquet")
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(InputError, match=r"1-of-3\.parquet: not a readable"):
        run(output, 2)
    assert not output.exists()


def test_joined_scores_are_written_as_those_of_one_process(tmp_path):
    output = tmp_path / "scores.parquet"
    run(output, 0), run(output, 1)
    many, one = run(output, 2), joined([some_scores(0, 10)])
    for name, scores in (("many", many), ("one", one)):
        write_scores(tmp_path / name, scores.jets, scores.values, scores.columns)
    assert (tmp_path / "many").read_bytes() == (tmp_path / "one").read_bytes()
