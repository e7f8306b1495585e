"""Node files of data sets: which split they hold, and the digest of elements that particle flow alone has."""

import struct

import pytest

from e2egraph.config import as_dict
from e2egraph.errors import InputError
from e2egraph.graphs.storage.elementfile import dump_elements
from e2egraph.tasks.elements import elements_digest
from tests.exports.cpp_files import read_nodes
from tests.flow_dataset import flow_task, write_flow_dataset
from tests.toy_dataset import write_toy_dataset


def digest(path):
    """What a node file says of how its elements were made, by its description in EVENTS.md."""
    content = path.read_bytes()
    (length,) = struct.unpack_from("<I", content, 8)
    (size,) = struct.unpack_from("<I", content, 12 + length)
    return content[16 + length : 16 + length + size].decode()


def test_a_digest_of_elements_is_told_where_nodes_are_elements(tmp_path):
    flow, jets = write_flow_dataset(tmp_path / "flow", 4), write_toy_dataset(tmp_path / "jets", 4)
    for data in (flow, jets):
        assert dump_elements(data, data / "nodes.bin") == len(read_nodes(data / "nodes.bin")) == 4
    task = flow_task()
    assert digest(flow / "nodes.bin") == elements_digest(as_dict(task), task.numbers, "task") != ""
    assert digest(jets / "nodes.bin") == ""


def test_a_split_without_events_is_refused_and_nothing_is_written(tmp_path):
    data = write_toy_dataset(tmp_path / "data", 10, split_fractions=(1.0, 0.0, 0.0))
    assert dump_elements(data, tmp_path / "train.bin", "train") == 10
    with pytest.raises(InputError, match=r"data: no jet in split 'test'; choose another split"):
        dump_elements(data, tmp_path / "test.bin", "test")
    assert not (tmp_path / "test.bin").exists()
