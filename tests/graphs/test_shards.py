"""Shards: what is written is read again to the last bit, a split alone too, and other tools get rows with lists."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from e2egraph.errors import InputError
from e2egraph.graphs.storage import shards
from e2egraph.graphs.storage.columns import arrow_schema, task_schema
from e2egraph.graphs.storage.lists import dump_jets
from e2egraph.graphs.storage.pointclouds import PointClouds, concatenate
from e2egraph.graphs.storage.shards import open_shard, write_shard
from tests.toy_dataset import toy_clouds, toy_task, write_toy_dataset


@pytest.fixture(scope="module")
def clouds():
    """Jets of all splits, some without nodes, with places that are easily lost: NaN, −0 and one of the smallest."""
    made = toy_clouds(1, 700, np.random.default_rng(3), nodes=(0, 40))
    for name, value in (("deta", -0.0), ("dphi", 1e-45), ("deta", np.nan)):
        made.nodes[name][np.random.default_rng(4).integers(0, made.offsets[-1], 500)] = value
    types = {field.name: field.type for field in task_schema(toy_task())}
    jets = {
        name: column if name == "split" else column.astype(types[name].to_pandas_dtype())
        for name, column in made.jets.items()
        if name in types
    }
    return PointClouds(jets, made.nodes, made.offsets)


@pytest.fixture
def written(clouds, tmp_path, monkeypatch):
    """In blocks of 200 jets."""
    monkeypatch.setattr(shards, "OBJECTS_PER_BLOCK", 200)
    write_shard(tmp_path / "part.parquet", clouds, task_schema(toy_task()), {"made": "here"})
    return tmp_path / "part.parquet"


def assert_same(found, expected):
    np.testing.assert_array_equal(found.offsets, expected.offsets)
    for own, other in ((found.jets, expected.jets), (found.nodes, expected.nodes)):
        assert set(own) == set(other)
        for name in own:
            assert own[name].dtype == other[name].dtype
            assert own[name].tobytes() == other[name].tobytes(), name


def test_everything_is_read_again_to_the_last_bit(clouds, written):
    with open_shard(written) as file:
        assert file.sizes == [200, 200, 200, 100]
        assert file.footer == {"made": "here"}
        assert_same(file.read(), clouds)
        assert_same(file.read(blocks=[1, 3]), clouds.take(np.r_[200:400, 600:700]))


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_split_is_read_alone(clouds, written, split):
    own = clouds.take(clouds.jets["split"] == split)
    with open_shard(written) as file:
        assert_same(file.read(split=split), own)
        some = file.read(["channel", "dphi", "jet_pt"], [2], split)
        expected = clouds.take(np.arange(400, 600))
        expected = expected.take(expected.jets["split"] == split)
        assert some.nodes.keys() == {"channel", "dphi"}
        assert some.jets.keys() == {"jet_pt"}
        np.testing.assert_array_equal(some.nodes["dphi"], expected.nodes["dphi"])
        np.testing.assert_array_equal(file.read(["event"], split=split).jets["event"], own.jets["event"])


def test_a_row_group_of_nodes_holds_jets_of_one_split_and_no_lists(clouds, written):
    file = pq.ParquetFile(written)
    assert max(file.schema.column(i).max_repetition_level for i in range(len(file.schema.names))) == 0
    found = []
    for group in range(file.num_row_groups):
        table = file.read_row_group(group)
        if table["run"].null_count:
            assert table["run"].null_count == len(table)
            found.append(len(table))
    stretches = [clouds.take(np.arange(start, min(start + 200, 700))) for start in range(0, 700, 200)]
    splits = ("train", "validation", "test")
    assert found == [int(s.counts[s.jets["split"] == split].sum()) for s in stretches for split in splits]


def test_neighbours_and_jets_without_any_node_are_kept(clouds, tmp_path):
    nodes = {**clouds.nodes, "neighbors": np.arange(2 * clouds.offsets[-1], dtype=np.int32).reshape(-1, 2)}
    more = PointClouds(clouds.jets, nodes, clouds.offsets)
    bare = more.take(more.counts == 0)
    schema = task_schema(toy_task())
    kinds = {
        field.name: "U10" if field.name == "split" else str(field.type.to_pandas_dtype().__name__) for field in schema
    }
    schema = arrow_schema({n: kinds[n] for n in clouds.jets}, {n: kinds[n] for n in clouds.nodes}, neighbors=2)
    for name, part in (("all", more), ("bare", bare), ("none", more.take(np.zeros(0, int)))):
        write_shard(tmp_path / name, part, schema, {})
        with open_shard(tmp_path / name) as file:
            assert_same(file.read(), part)


def test_objects_that_do_not_say_how_many_nodes_they_have_are_refused(clouds, tmp_path):
    wrong = PointClouds({**clouds.jets, "n_nodes": clouds.jets["n_nodes"] + 1}, clouds.nodes, clouds.offsets)
    with pytest.raises(InputError, match="another number of nodes than n_nodes"):
        write_shard(tmp_path / "part.parquet", wrong, task_schema(toy_task()), {})


def test_other_tools_get_a_row_for_each_jet_with_lists(tmp_path):
    data = write_toy_dataset(tmp_path / "data", 120)
    files = dump_jets(data, tmp_path / "lists")
    assert files == [tmp_path / "lists" / path.name for path in sorted(data.glob("part-*.parquet"))]
    expected = concatenate([open_shard(data / path.name).read() for path in files])
    rows = [row for path in files for row in pq.read_table(path).to_pylist()]
    assert len(rows) == len(expected)
    for number, row in enumerate(rows):
        own = slice(*expected.offsets[number : number + 2])
        assert row["event"] == expected.jets["event"][number] and row["split"] == expected.jets["split"][number]
        for name, column in expected.nodes.items():
            np.testing.assert_array_equal(np.array(row[name], column.dtype), column[own])
    (tmp_path / "lists" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other things"):
        dump_jets(data, tmp_path / "lists")
