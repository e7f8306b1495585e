"""Flat columns of a collection against Awkward's own functions, and the checks and look-ups that work on them."""

import awkward as ak
import numpy as np
import pytest

from e2egraph.detector.channels import hit_channels
from e2egraph.errors import InputError
from e2egraph.events.flat import Flat, flat, flat_branch
from e2egraph.events.sources import roottree
from e2egraph.events.sources.rhtree_hits import with_channel
from e2egraph.events.whole import check_whole

RNG = np.random.default_rng(3)
COUNTS = np.array([3, 0, 5, 1, 0, 2])


def collection():
    columns = {"pt": RNG.normal(size=11).astype(np.float32), "ieta": RNG.integers(0, 9, 11).astype(np.int32)}
    return ak.unflatten(ak.zip(columns), COUNTS)


def assert_flat(found: Flat, expected: ak.Array):
    np.testing.assert_array_equal(found.counts, ak.to_numpy(ak.num(expected)))
    assert list(found.columns) == expected.fields
    for name, column in found.columns.items():
        values = ak.to_numpy(ak.flatten(expected[name]))
        assert column.dtype == values.dtype
        np.testing.assert_array_equal(column, values)


@pytest.mark.parametrize(
    "part",
    [
        lambda events: events,
        lambda events: events[2:5],
        lambda events: events[1:2],
        lambda events: events[:0],
        lambda events: events[[4, 0, 2]],
        lambda events: events[events.pt > 0],
        lambda events: ak.with_field(events, -events.pt, "minus")[1:],
    ],
)
def test_the_columns_are_those_that_awkward_flattens(part):
    events = part(collection())
    assert_flat(flat(events), events)
    assert flat(events).record().to_list() == events.to_list()


def test_slices_of_a_whole_event_record_are_flattened_alike():
    events = ak.zip({"run": np.arange(6), "tracks": collection()}, depth_limit=1)[2:]
    assert_flat(flat(events["tracks"]), events["tracks"])


@pytest.mark.parametrize("kept", [RNG.random(11) < 0.5, np.ones(11, bool), np.zeros(11, bool)])
def test_members_are_taken_as_by_a_mask(kept):
    events = collection()
    assert_flat(flat(events).take(kept), events[ak.unflatten(kept, COUNTS)])


@pytest.mark.parametrize("chosen", [[1, 0, 1, 0, 1, 0], [0, 1, 0, 0, 1, 0], [1] * 6, [0] * 6])
def test_the_members_of_some_events(chosen):
    events, chosen = collection(), np.array(chosen, bool)
    assert_flat(flat(events).of_events(chosen), events[ak.broadcast_arrays(chosen, events.pt)[0]])


def test_a_branch_is_read_whatever_its_list_type():
    values = np.arange(6, dtype=np.float32)
    for array in (ak.unflatten(values, [2, 1, 3])[1:], ak.to_regular(ak.Array(values.reshape(3, 2)))):
        found, counts = flat_branch(array)
        np.testing.assert_array_equal(found, ak.to_numpy(ak.flatten(array)))
        np.testing.assert_array_equal(counts, ak.to_numpy(ak.num(array)))


@pytest.mark.parametrize("place, entry", [(0, 7), (2, 7), (3, 9), (7, 9), (8, 10), (9, 12), (10, 12)])
def test_a_wrong_value_is_told_with_its_entry(place, entry):
    for bad, message in (
        (np.nan, "holds NaN"),
        (np.inf, "holds NaN"),
        (-np.inf, "holds NaN"),
        (0.5, "is 0.5, no whole"),
    ):
        for kind in (np.float32, np.float64):
            values = np.zeros(11, kind)
            values[place] = bad
            with pytest.raises(InputError, match=rf"f\.root: branch of entry {entry} {message}"):
                roottree.finite("f.root", "branch", values, 7, COUNTS)
                check_whole("f.root", "branch", values, 7, "int32", COUNTS)


def test_numbers_beyond_single_precision_are_told():
    with pytest.raises(InputError, match="entry 1 holds NaN or infinite"):
        roottree.finite("f.root", "branch", np.array([0.0, 1e39]), 0)


@pytest.mark.parametrize("strange", [False, True])
def test_hits_get_the_channel_of_their_subdetector_and_layer(strange):
    counts = RNG.integers(0, 40, 30)
    size = int(counts.sum())
    columns = {
        "subdetector": RNG.integers(0, 8, size).astype(np.int32),
        "layer": RNG.integers(0, 10, size).astype(np.int32),
        **{name: RNG.normal(size=size).astype(np.float32) for name in "xyz"},
    }
    if strange:
        for name in ("subdetector", "layer"):
            columns[name][RNG.random(size) < 0.3] = RNG.choice([-1, -(2**31), 64, 65, 2**31 - 1])
    channels = {channel.cms: int(channel) for channel in hit_channels()}
    expected, left = [], np.zeros(30, int)
    for event, i in zip(np.repeat(np.arange(30), counts), range(size), strict=True):
        code = channels.get((int(columns["subdetector"][i]), int(columns["layer"][i])))
        if code is not None:
            expected.append((*(columns[name][i] for name in "xyz"), code))
            left[event] += 1
    found = with_channel(Flat(counts, columns))
    np.testing.assert_array_equal(found.counts, left)
    assert list(zip(*(found.columns[name].tolist() for name in ("x", "y", "z", "channel")), strict=True)) == [
        (*map(float, row[:3]), row[3]) for row in expected
    ]
