"""Finding events that occur more than once, against a count in plain Python."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from e2egraph.events.sources.registry import open_source
from e2egraph.graphs.building import duplicates
from e2egraph.graphs.building.duplicates import GeneratorWeights, event_keys, repeats
from e2egraph.graphs.building.hashing import hash_unit
from tests.graphs.builds import ntuple


@given(st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=4))
def test_every_repeat_is_found_once_with_where_the_event_stood_before(files):
    found = repeats([hash_unit(0, np.array(events, np.int64)) for events in files])
    expected, seen = [], {}
    for file, events in enumerate(files):
        for entry, event in enumerate(events):
            if event in seen:
                expected.append((*seen[event], file, entry))
            seen[event] = (file, entry)
    columns = (found.first_file, found.first_entry, found.file, found.entry)
    assert [tuple(int(x) for x in row) for row in zip(*columns, strict=True)] == expected
    assert len(found) == len(expected)


def test_keys_do_not_depend_on_the_steps_they_are_read_in(tmp_path, monkeypatch):
    source = open_source(ntuple(tmp_path / "a.root", 1, 11))
    keys = event_keys(source)
    assert keys.weights == GeneratorWeights(total=11, least=1, greatest=1)
    monkeypatch.setattr(duplicates, "EVENTS_PER_STEP", 4)
    again = event_keys(source)
    np.testing.assert_array_equal(again.keys, keys.keys)
    assert again.weights == keys.weights
    assert len(np.unique(keys.keys)) == 11
