"""ROOT in, one row for each object out: the scores that building a data set and predicting give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import uproot

import e2egraph as e2e
from e2egraph.data.scores import read_scores


def rows(scores: e2e.Scores) -> dict[tuple[int, ...], int]:
    """Identity of each object → its row."""
    identity = zip(*(scores[name].tolist() for name in ("run", "lumi", "event", "jet")), strict=True)
    return {key: row for row, key in enumerate(identity)}


def test_every_jet_of_the_data_set_has_in_the_events_the_score_it_has_there(made: Path) -> None:
    tagger = e2e.Tagger(made / "exports/g", threads=1)
    known, quantities = tagger.predict(made / "data/top"), ("jet_pt", "jet_eta", "softdrop_mass", "n_pv")
    both = {name: tagger.score(made / f"{name}.root") for name in ("ttbar", "qcd")}
    for label, found in enumerate((both["qcd"], both["ttbar"])):
        members, place = known.take(known["label"] == label), rows(found)
        chosen = [place[key] for key in rows(members)]
        assert 0 < len(members) <= len(found)
        np.testing.assert_allclose(found.values[chosen], members.values, atol=2e-6)
        np.testing.assert_array_equal(found["n_nodes"][chosen], members["n_nodes"])
        assert all(len(found[name]) == len(found) for name in quantities)
        assert (found["jet_pt"] > 400).all() and (np.abs(found["jet_eta"]) < 1.37).all()
    # More jets than in the data set: those that match no top, and those that resampling dropped.
    assert len(both["qcd"]) + len(both["ttbar"]) > len(known)


def test_several_files_come_in_their_order_and_a_table_holds_every_column(made: Path, monkeypatch) -> None:
    monkeypatch.chdir(made)
    tagger = e2e.Tagger("exports/g", threads=1)
    steps: list[tuple[int, int]] = []
    alone = [tagger.score(f"{name}.root") for name in ("qcd", "ttbar")]
    together = tagger.score("*.root", batch_size=8, progress=lambda done, total: steps.append((done, total)))
    assert steps == [(1, 2), (2, 2)] and together.about["files"] == ["qcd.root", "ttbar.root"]
    np.testing.assert_allclose(together.values, np.concatenate([scores.values for scores in alone]), atol=2e-6)
    table = together.to_table()
    assert table.num_rows == len(together) and {"event", "jet_pt", "score_qcd", "score_top"} < set(table.column_names)
    assert table["score_top"].to_pylist() == together["score_top"].tolist()
    assert {*tagger.score(["qcd.root", Path("ttbar.root")]).to_table().column_names} == {*table.column_names}


def test_events_without_a_jet_of_the_task_give_no_row(made: Path, tmp_path: Path) -> None:
    e2e.simulate("qcd_20_200", 6, tmp_path / "soft.root", images=False)
    scores = e2e.Tagger(made / "exports/g").score(tmp_path / "soft.root")
    assert len(scores) == 0 and scores.values.shape == (0, 2) and scores.to_table().num_rows == 0


def test_what_cannot_be_scored_is_named_in_one_sentence(made: Path, tmp_path: Path) -> None:
    tagger = e2e.Tagger(made / "exports/g")
    (tmp_path / "text.root").write_text("no events")
    for files, reason in ((tmp_path / "absent*.root", "absent"), (tmp_path / "text.root", "not a readable ROOT file")):
        with pytest.raises(e2e.InputError, match=reason):
            tagger.score(files)
    with uproot.recreate(tmp_path / "bare.root") as file:
        file.mktree("fevt/RHTree", dict.fromkeys(("eventId", "runId", "lumiId"), "int32"))
        file["fevt/RHTree"].extend({name: np.arange(3) for name in ("eventId", "runId", "lumiId")})
    with pytest.raises(e2e.InputError, match=r"bare\.root: no branch for .*which task 'top' needs"):
        tagger.score(tmp_path / "bare.root")
    with pytest.raises(e2e.UsageError, match="batch size 0 is too small"):
        tagger.score(made / "qcd.root", batch_size=0)
    with pytest.raises(e2e.InputError, match="no such bundle"):
        e2e.Tagger(tmp_path / "nothing")
    with pytest.raises(e2e.InputError, match="holds no int8 variant"):
        e2e.load(made / "exports/g", variant="int8")


def test_run_and_bundle_predict_alike_into_memory_or_a_file(made: Path, tmp_path: Path) -> None:
    of_run = e2e.load(made / "runs/g").predict(made / "data/top", split="test", output=tmp_path / "run.parquet")
    of_bundle = e2e.load(str(made / "exports/g")).predict(str(made / "data/top"), split="test")
    assert of_run.columns == of_bundle.columns == ("score_qcd", "score_top")
    np.testing.assert_allclose(of_run.values, of_bundle.values, atol=1e-5)
    assert {path.name for path in tmp_path.iterdir()} == {"run.parquet"}
    written = read_scores(tmp_path / "run.parquet")
    np.testing.assert_array_equal(written.values, of_run.values)
    assert written.about == of_run.about
