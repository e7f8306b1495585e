import pytest
import yaml

from e2egraph.config import override
from e2egraph.errors import UsageError
from e2egraph.evaluation.ablation.plan import Request, make_plan
from e2egraph.evaluation.ablation.rows import load_rows, steps
from e2egraph.models.registry import load_model_config
from e2egraph.training.recipe import load_recipe

CALORIMETERS, PIXELS = ["ECAL", "HCAL"], ["BPIX1", "BPIX2", "BPIX3"]
IMPACT = ["track_d0_sig", "track_dz_sig"]
HIDDEN = ["d0", "dz", "d0_sig", "dz_sig", "charge"]

# Name → nodes, planes, whether impact parameters are hidden, published AUC and efficiency at 1% mistag.
ROWS = {
    "pt": (["TRACK"], ["track_pt"], True, 0.955, 0.396),
    "pt-calorimeters": (["TRACK", *CALORIMETERS], ["track_pt", *CALORIMETERS], True, 0.967, 0.495),
    "pt-impact": (["TRACK"], ["track_pt", *IMPACT], False, 0.972, 0.572),
    "pt-impact-calorimeters": (
        ["TRACK", *CALORIMETERS], ["track_pt", *IMPACT, *CALORIMETERS], False, 0.981, 0.644
    ),
    "calorimeters": (CALORIMETERS, CALORIMETERS, False, None, None),
    "pixels": (PIXELS, PIXELS, False, 0.947, 0.383),
    "pixels-pt": (["TRACK", *PIXELS], ["track_pt", *PIXELS], True, 0.965, 0.476),
    "pixels-calorimeters": ([*PIXELS, *CALORIMETERS], [*CALORIMETERS, *PIXELS], False, 0.975, 0.569),
    "pixels-pt-impact": (["TRACK", *PIXELS], ["track_pt", *IMPACT, *PIXELS], False, 0.977, 0.613),
    "all": (None, None, False, 0.9824, 0.6641),
}  # fmt: skip


def plan(**changes):
    content = {"models": ("resnet15", "tracks-and-cells"), "rows": load_rows("published"), "full_seeds": (1,)}
    return make_plan(Request(**(content | changes)))


def test_the_published_preset_has_ten_rows_with_the_published_figures():
    rows = load_rows("published")
    assert [row.name for row in rows] == list(ROWS)
    for row in rows:
        _, _, _, auc, efficiency = ROWS[row.name]
        assert (row.published is None) == (auc is None)
        if row.published is not None:
            assert (row.published.auc, row.published.signal_efficiency_at_1pct_mistag) == (auc, efficiency)
            assert row.published.source == "arXiv:2104.14659"
            assert "full simulation" in row.published.sample


def test_every_row_gives_each_model_its_inputs_and_the_row_of_all_inputs_changes_nothing():
    for run in plan(training_jets=500).runs:
        nodes, planes, hides, _, _ = ROWS[run.row.name]
        settings = override({}, run.settings)
        assert settings["data"] == {"training_jets": 500} | ({} if nodes is None else {"nodes": {"channels": nodes}})
        image = {} if planes is None else {"options": {"channels": planes}}
        assert settings.get("model", {}) == (image if run.name == "resnet15" else {"hide": HIDDEN} if hides else {})
        assert run.config.name == run.name
    (whole, _) = plan(rows=load_rows("all")).runs
    assert whole.settings == ()
    assert whole.config == load_model_config("resnet15")


def test_a_setting_can_be_for_one_model_alone():
    settings = ("training.epochs=3", "resnet15:training.learning_rate=0.5", "resnet15:model.options.variant=keras")
    runs = plan(rows=load_rows("pt"), settings=settings).runs
    found = {run.name: (run.recipe.training.epochs, run.recipe.training.learning_rate) for run in runs}
    usual = load_recipe("published").training.learning_rate
    assert found == {"resnet15": (3, 0.5), "tracks-and-cells": (3, usual)}
    (image,) = (run for run in runs if run.name == "resnet15")
    assert image.config.options["variant"] == "keras"
    for wrong, words in (
        ("resnet:training.epochs=3", "none of the models is named 'resnet'; choose one of resnet15, "),
        ("resnet15:data.training_jets=3", "the rows and --training-jets set it"),
    ):
        with pytest.raises(UsageError, match=words):
            plan(settings=(wrong,))


def test_planes_beyond_the_published_ones_can_stand_in_rows_where_none_has_all_inputs():
    made = plan(models=("resnet15-stride1",), rows=load_rows("egamma"))
    planes = {run.row.name: run.config.options["channels"] for run in made.runs}
    assert planes["energy"] == ["ECAL"] and planes["time"] == ["ECAL", "ECAL_time"] and len(planes["hits"]) == 10


def test_the_row_of_all_inputs_comes_first_model_by_model_and_the_learning_curve_last():
    from e2egraph.evaluation.ablation.plan import parse_curve

    made = plan(rows=load_rows("pt,all"), full_seeds=(1, 2), training_jets=100, curve=parse_curve(["50", "all:3,4"]))
    expected = [("all", 100, 1), ("all", 100, 2), ("pt", 100, 1), ("all", 50, 1), ("all", None, 3), ("all", None, 4)]
    assert [(run.row.name, run.training_jets, run.seed) for run in made.runs[::2]] == expected
    assert [run.name for run in made.runs[:4]] == ["resnet15", "tracks-and-cells"] * 2
    assert str(made.runs[-1].folder) == "runs/all/tracks-and-cells/jets_all/seed_4"
    assert str(made.runs[4].folder) == "runs/pt/resnet15/jets_100/seed_1"


def test_additions_are_between_rows_with_none_between_them():
    found = {(small.name, large.name) for small, large in steps(load_rows("published"))}
    assert ("pt", "pt-impact") in found
    assert ("pt-impact-calorimeters", "all") in found
    assert ("pixels-calorimeters", "all") in found
    assert ("pt", "all") not in found
    assert ("pt", "pt-impact-calorimeters") not in found
    assert len(found) == 14
    assert {(a.name, b.name) for a, b in steps(load_rows("pt,all"))} == {("pt", "all")}


def test_rows_are_chosen_by_name_or_come_from_a_file(tmp_path):
    assert [row.name for row in load_rows("all,pixels")] == ["pixels", "all"]
    assert [row.name for row in load_rows("published:pt")] == ["pt"]
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump({"rows": [{"name": "a", "title": "A"}]}))
    (row,) = load_rows(str(file))
    assert row.full
    assert load_rows(f"{file}:a") == (row,)
    for chosen, message in [
        ("nonsense", "--rows nonsense: no row 'nonsense' in published; choose among pt, "),
        ("published:", "no row is named after the colon"),
        ("published:pt,pt2", "no row 'pt2'"),
        ("", "there are no rows"),
        (f"{file}:b", "no row 'b'"),
        ("absent.yaml", "no such configuration file"),
    ]:
        with pytest.raises(UsageError, match=message):
            load_rows(chosen)


def test_files_of_rows_that_cannot_be_meant_are_refused(tmp_path):
    good = {"name": "a", "title": "A", "nodes": ["TRACK"], "image": ["track_pt"]}
    for rows, message in [
        ([], "rows"),
        ([good, good], "two rows are named 'a'"),
        ([{"name": "a", "title": "A"}, {"name": "b", "title": "B"}], "two rows have all inputs"),
        ([good | {"nodes": []}], "it has no inputs"),
        ([good | {"image": None}], "give both nodes and image"),
        ([good | {"nodes": ["MUON"]}], "nodes has no 'MUON'; known are TRACK"),
        ([good | {"image": ["track_eta"]}], "image has no 'track_eta'"),
        ([good | {"hide": ["pt"]}], "hide has no 'pt'"),
        ([good | {"nodes": ["TRACK", "TRACK"]}], "occurs twice"),
        ([{"name": "a", "title": "A", "hide": ["d0"]}], "it hides variables but names no nodes"),
        ([good | {"published": {"auc": 0.9}}], "published figures need their source"),
        ([good | {"published": {"auc": 90}}], "less than or equal to 1"),
        ([good | {"name": "../a"}], "pattern"),
        ([good | {"colour": "red"}], "unknown key"),
    ]:
        file = tmp_path / "rows.yaml"
        file.write_text(yaml.safe_dump({"rows": rows}))
        with pytest.raises(UsageError, match=message):
            load_rows(str(file))


def test_an_image_network_is_not_given_planes_that_it_lacks_with_all_inputs(tmp_path):
    file = tmp_path / "narrow.yaml"
    file.write_text("name: narrow\nnetwork: e2egraph.models.image.resnet:ResNet15\noptions: {channels: [ECAL, HCAL]}\n")
    with pytest.raises(UsageError, match="row 'pt' has the plane track_pt, which narrow does not draw"):
        plan(models=(str(file),))
    assert len(plan(models=(str(file),), rows=load_rows("calorimeters,all")).runs) == 2
