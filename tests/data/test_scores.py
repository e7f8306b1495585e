import numpy as np
import pyarrow.parquet as pq
import pytest

from e2egraph.data.scores import IDENTITY, output_columns, read_scores, write_scores
from e2egraph.errors import InputError
from e2egraph.tasks.outputs import Head, Outputs
from tests.toy_dataset import toy_clouds


@pytest.fixture
def jets():
    return toy_clouds(1, 5, np.random.default_rng(0)).jets


def test_scores_come_back_as_written_in_the_documented_columns(tmp_path, jets):
    probabilities = np.random.default_rng(1).dirichlet([1, 1, 1], 5).astype(np.float32)
    columns = ["score_a", "score_b", "score_c"]
    path = write_scores(tmp_path / "new" / "scores.parquet", jets, probabilities, columns, {"model": "m"})
    table = pq.read_table(path)
    assert table.column_names == [*IDENTITY, "n_nodes", *columns]
    assert {str(table.schema.field(f"score_{name}").type) for name in "abc"} == {"float"}
    scores = read_scores(path)
    np.testing.assert_array_equal(scores.probabilities, probabilities)
    np.testing.assert_array_equal(scores.jets["event"], jets["event"])
    assert (scores.classes, scores.about, len(scores)) == (("a", "b", "c"), {"model": "m"}, 5)
    assert [entry.name for entry in path.parent.iterdir()] == ["scores.parquet"]


def test_quantities_come_back_with_their_targets_next_to_the_probabilities_of_classes(tmp_path, jets):
    heads = (
        Head(name="class", columns=("qcd", "top"), activation="softmax"),
        Head(name="regression", columns=("gen_mass", "gen_eta"), units=("GeV", "")),
    )
    columns = output_columns(Outputs(heads=heads))
    values = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    jets["target_gen_mass"][2] = np.nan  # not every class has every quantity
    path = write_scores(tmp_path / "scores.parquet", jets, values, columns)
    assert pq.read_table(path).column_names == [
        *(*IDENTITY, "n_nodes", "score_qcd", "score_top", "predicted_gen_mass", "predicted_gen_eta"),
        "target_gen_mass",
    ]
    scores = read_scores(path)
    assert (scores.classes, scores.targets) == (("qcd", "top"), ("gen_mass", "gen_eta"))
    np.testing.assert_array_equal(scores.probabilities, values[:, :2])
    np.testing.assert_array_equal(scores.predictions, values[:, 2:])
    np.testing.assert_array_equal(scores.jets["target_gen_mass"], jets["target_gen_mass"].astype(np.float32))


def test_a_score_that_is_not_finite_is_refused_and_nothing_is_written(tmp_path, jets):
    probabilities = np.full((5, 2), 0.5)
    probabilities[3, 1] = np.nan
    with pytest.raises(InputError, match=r"1 of 5 objects .* event 4"):
        write_scores(tmp_path / "scores.parquet", jets, probabilities, ["score_a", "score_b"])
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_no_scores_are_refused(tmp_path, jets):
    with pytest.raises(InputError, match="no such scores file"):
        read_scores(tmp_path / "absent.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(InputError, match="not a readable Parquet file"):
        read_scores(tmp_path / "text.parquet")
    path = write_scores(tmp_path / "scores.parquet", jets, np.full((5, 1), 1.0), ["score_a"])
    pq.write_table(pq.read_table(path).drop_columns(["lumi"]), path)
    with pytest.raises(InputError, match="no column lumi"):
        read_scores(path)
