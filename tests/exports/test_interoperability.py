"""Others' tools on our data sets: a plain PyTorch Geometric network, and weaver-core's data configuration."""

import ast
import importlib.util
from pathlib import Path

import awkward as ak
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from e2egraph.detector.channels import Channel
from e2egraph.graphs.storage.columns import task_schema
from e2egraph.graphs.storage.lists import dump_jets
from e2egraph.tasks.task import load_task
from tests.toy_dataset import write_toy_dataset

EXPORTS = Path(__file__).parents[2] / "exports"
WEAVER = yaml.safe_load((EXPORTS / "weaver" / "top.yaml").read_text())


def test_a_plain_pyg_network_learns_from_a_data_set(tmp_path):
    spec = importlib.util.spec_from_file_location("train_graph_network", EXPORTS / "pyg" / "train_graph_network.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    data = write_toy_dataset(tmp_path / "toy", 800)
    assert example.train(data, epochs=10) > 0.75


def names_in(expression):
    return {node.id for node in ast.walk(ast.parse(expression)) if isinstance(node, ast.Name)} - {"np", "ak"}


def test_weaver_s_configuration_names_columns_of_the_shards_and_its_own_variables_only():
    """As weaver-core resolves them: every name is a column, or a new variable made of columns."""
    columns, made = set(task_schema(load_task("top")).names), WEAVER["new_variables"]
    for expression in made.values():
        assert names_in(expression) <= columns
    inputs = [variable[0] for group in WEAVER["inputs"].values() for variable in group["vars"]]
    wanted = [*inputs, *WEAVER["labels"]["value"], *WEAVER["observers"]]
    assert set(wanted) <= columns | set(made)
    for selection in ("selection", "test_time_selection"):
        assert names_in(WEAVER[selection]) == {"split"}
    # A name that is a column and a variable would be read from the file, silently.
    assert not columns & set(made)


def test_weaver_s_labels_are_those_of_the_task():
    classes = load_task("top").classes
    assert WEAVER["labels"]["value"] == [f"label_{name}" for name in classes]
    for number, name in enumerate(classes):
        assert WEAVER["new_variables"][f"label_{name}"] == f"label == {number}"


@pytest.fixture
def table(tmp_path):
    data = write_toy_dataset(tmp_path / "toy", 60, nodes=(1, 40))
    written = dump_jets(data, tmp_path / "lists")
    assert [path.name for path in written] == [path.name for path in sorted(data.glob("part-*.parquet"))]
    return ak.concatenate([ak.from_arrow(pq.read_table(path)) for path in written])


def evaluated(expression, table):
    """The few operations these expressions use, as weaver-core applies them to the columns of a file."""
    scope = {"np": np, "ak": ak, **{name: table[name] for name in names_in(expression)}}
    return eval(compile(expression, "<weaver>", "eval"), {"__builtins__": {}}, scope)


def test_weaver_s_variables_are_finite_and_its_channels_partition_the_nodes(table):
    values = {name: evaluated(text, table) for name, text in WEAVER["new_variables"].items()}
    for value in values.values():
        assert np.isfinite(ak.to_numpy(ak.flatten(value, axis=None))).all()
    flags = [values[f"is_{name}"] for name in ("track", "pixel", "strip", "ecal", "hcal")]
    assert ak.all(sum(flags) == 1)
    assert ak.sum(values["is_ecal"]) == ak.sum(table.channel == int(Channel.ECAL))


def test_weaver_trains_and_tests_on_disjoint_jets(table):
    train, test = (ak.to_numpy(evaluated(WEAVER[name], table)) for name in ("selection", "test_time_selection"))
    assert train.any()
    assert test.any()
    assert (train ^ test).all()
