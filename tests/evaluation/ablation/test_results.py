import json

import pytest

from e2egraph.errors import InputError
from e2egraph.evaluation.ablation.results import ABLATION_NAME, read_ablation, write_ablation
from tests.evaluation.ablation.made import MODELS, made_ablation


def test_what_is_written_is_read_again_from_the_file_or_its_folder(tmp_path):
    ablation = made_ablation()
    path = write_ablation(tmp_path, ablation)
    assert read_ablation(path) == read_ablation(tmp_path) == ablation
    assert json.loads(path.read_text())["schema_version"] == 2


def test_files_without_numbers_of_test_jets_are_read(tmp_path):
    path = write_ablation(tmp_path, made_ablation())
    content = json.loads(path.read_text())
    del content["same_test_jets"]
    for part in ("cells", "runs", "model_differences", "layer_differences"):
        for one in content[part]:
            del one["test_jets"]
    for run in content["runs"]:
        del run["jets_without_nodes"]
    path.write_text(json.dumps(content))
    assert read_ablation(path) == made_ablation()


def test_missing_damaged_and_other_files_are_refused_with_the_mend(tmp_path):
    with pytest.raises(InputError, match="not there; make it with 'e2egraph ablate'"):
        read_ablation(tmp_path)
    path = write_ablation(tmp_path, made_ablation())
    content = json.loads(path.read_text())
    for text, message in [
        ("{", "not what 'e2egraph ablate' writes"),
        ("[]", "not what 'e2egraph ablate' writes"),
        (json.dumps(content | {"schema_version": 99}), "schema version 99, but this version reads 2"),
        (json.dumps(content | {"cells": [{"row": "pt"}]}), "damaged at 'cells.0"),
        (json.dumps({name: value for name, value in content.items() if name != "runs"}), "damaged at 'runs'"),
    ]:
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            read_ablation(tmp_path)


def test_cells_runs_and_differences_are_found_by_row_model_and_training_jets():
    ablation = made_ablation()
    assert [cell.training_jets for cell in ablation.learning_curve(MODELS[0])] == [2500, 10_000, None]
    assert ablation.best_full_size() is None
    assert [cell.model for cell in ablation.main_cells("pt")] == list(MODELS)
    assert ablation.cell("pt", MODELS[0], None) is None
    assert [run.seed for run in ablation.runs_of("all", MODELS[1], 2500)] == [1, 2, 3]
    assert ablation.model_difference("pt", MODELS[1], "auc", 10_000).difference == -0.0051
    assert ablation.model_difference("pt", MODELS[0], "auc", 10_000) is None
    assert ablation.row("pixels").nodes == ("BPIX1", "BPIX2", "BPIX3")
    with pytest.raises(InputError, match="no row 'nonsense'; it holds pt, "):
        ablation.row("nonsense")


def test_the_largest_shared_number_of_training_jets_is_one_that_every_model_has():
    ablation = made_ablation()
    one_sided = [c for c in ablation.cells if (c.training_jets, c.model) != (None, MODELS[1])]
    assert made_ablation(cells=tuple(one_sided)).best_full_size() == 10_000


def test_the_name_of_the_file_is_the_documented_one():
    assert ABLATION_NAME == "ablation.json"
