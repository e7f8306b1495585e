"""Files of candidates that do not fit the events, or that hold what no candidate can have, are refused."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from e2egraph.cli import main
from e2egraph.data.candidates import ABOUT_KEY
from e2egraph.errors import InputError, UsageError
from e2egraph.evaluation.particleflow.columns import RULES, TARGET, read_events
from e2egraph.graphs.storage.manifest import read_manifest
from tests.evaluation.particleflow.candidates import write_targets


@pytest.fixture(scope="module")
def events(flow_data):
    return read_events(flow_data)


def test_files_of_candidates_that_do_not_fit_are_refused(events, flow_data, tmp_path, capsys):
    digest = read_manifest(flow_data).digest

    def read(path, split=None, name="network"):
        return read_events(flow_data, split, {name: [path]})

    assert len(read(write_targets(tmp_path / "a.parquet", events, digest)).columns["network"])
    with pytest.raises(InputError, match="candidates of another data set"):
        read(write_targets(tmp_path / "b.parquet", events, "0"))
    words = ["compare-particles", flow_data, "--output", tmp_path / "o", "--candidates", f"x={tmp_path / 'b.parquet'}"]
    assert main([str(word) for word in words]) == 1
    message = capsys.readouterr().err
    assert "candidates of another data set than the one compared; predict this one." in message
    assert message.count("\n") == 1
    with pytest.raises(InputError, match="candidates of split 'test' alone"):
        read(write_targets(tmp_path / "c.parquet", events, digest, "test"))
    with pytest.raises(InputError, match="candidates of classes none, v, w, x, y, z, not none, charged_hadron"):
        read(write_targets(tmp_path / "d.parquet", events, digest, classes=("none", *"vwxyz")))
    none = {TARGET: events.columns[TARGET].take(np.zeros(0, int))}
    nothing = write_targets(tmp_path / "e.parquet", replace(events, columns=none), digest)
    with pytest.raises(InputError, match=f"holds no candidate of the {events.size} events that are compared; choose"):
        read(nothing)
    with pytest.raises(InputError, match="no readable file of candidates"):
        read(flow_data / "part-00000.parquet")
    with pytest.raises(UsageError, match="there is a column of that name already"):
        read(tmp_path / "a.parquet", name=RULES)
    with pytest.raises(UsageError, match="unknown split 'none'"):
        read_events(flow_data, "none")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("row", 10**6, "1 candidates are of events or elements that the data set does not have, first of element"),
        ("node", 10**6, "that the data set does not have, first of element 1000000 in event"),
        ("row", -1, "row of 1 candidates is not finite, at least 0, first of element"),
        ("pt", float("nan"), "pt of 1 candidates is not finite, at least 0, first of element"),
        ("energy", -2.0, "energy of 1 candidates is not finite, at least 0"),
        ("eta", float("inf"), "eta of 1 candidates is not finite, first"),
        ("class", 6, "class of 1 candidates is not finite, at least 1, at most 5"),
        ("pileup", 1.5, "pileup of 1 candidates is not finite, at least 0, at most 1"),
        ("probability", float("nan"), "probability of 1 candidates is not finite, at least 0, at most 1"),
        ("phi", None, "phi of 1 candidates has no value"),
        ("eta", "north", "eta is string, not float32"),
        ("energy", "absent", "has no column energy, which candidates need"),
        ("node", "twice", "2 candidates are of an element that has one already, first of element"),
    ],
)
def test_values_that_no_candidate_can_have_are_refused(events, flow_data, tmp_path, name, value, message):
    path = write_targets(tmp_path / "whole.parquet", events, read_manifest(flow_data).digest)
    table = pq.read_table(path)
    values = table[name].to_pylist()
    if value == "absent":
        table = table.drop_columns([name])
    elif value == "twice":
        table = pa.concat_tables([table, table.slice(3, 2)])
    else:
        kind = pa.string() if isinstance(value, str) else table.schema.field(name).type
        changed = pa.array([value, *values[1:]] if not isinstance(value, str) else [value] * len(values), kind)
        table = table.set_column(table.column_names.index(name), name, changed)
    pq.write_table(table, path)
    with pytest.raises(InputError, match=message):
        read_events(flow_data, None, {"network": [path]})


@pytest.mark.parametrize("about", [b"[1]", b"\xff", b'{"classes": 5}', b"{}"])
def test_a_file_that_does_not_say_its_classes_is_no_file_of_candidates(events, flow_data, tmp_path, about):
    path = write_targets(tmp_path / "whole.parquet", events, read_manifest(flow_data).digest)
    pq.write_table(pq.read_table(path).replace_schema_metadata({ABOUT_KEY: about}), path)
    with pytest.raises(InputError, match="no readable file of candidates; make it with 'e2egraph predict'"):
        read_events(flow_data, None, {"network": [path]})
