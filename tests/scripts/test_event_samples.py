"""``scripts/event_samples.py``: selections of known events, and files without weights."""

import awkward as ak
import numpy as np
import pytest

from e2egraph.errors import InputError
from tests import rhtree_files
from tests.events.test_production import in_pb
from tests.scripts import loading


@pytest.fixture(scope="module")
def script():
    with loading.script("event_samples") as module:
        yield module


def events(pt, tags, masses, eta=0.0):
    """Events of given jets and fat jets."""
    jets = ak.zip({"pt": ak.Array(pt), "b_tag": ak.Array(tags)})
    jets = ak.with_field(jets, ak.full_like(jets.pt, eta), "eta")
    fat = ak.zip({"mass": ak.Array(masses), "pt": ak.full_like(ak.Array(masses), 100.0)})
    return ak.zip({"jets": jets, "fatjets": fat}, depth_limit=1)


def test_the_selections_of_the_search(script):
    four, three, eight, soft = [500.0, 500, 500, 40], [600.0, 600, 600], [400.0] * 4 + [40.0] * 4, [500.0, 500, 500, 20]
    pt = [four, four, four, three, eight, eight, soft]
    tags = [[0] * 4, [1, 0, 0, 0], [1, 0, 0, 0], [1] * 3, [1, 1, 1] + [0] * 5, [1, 1] + [0] * 6, [1] * 4]
    masses = [[600.0], [300.0, 300.0], [400.0], [600.0], [900.0], [900.0], [900.0]]
    found = script.selections(events(pt, tags, masses))
    np.testing.assert_array_equal(found["loose"], [1, 1, 1, 0, 1, 1, 0])
    np.testing.assert_array_equal(found["baseline"], [0, 1, 0, 0, 1, 1, 0])
    np.testing.assert_array_equal(found["physics"], [0, 0, 0, 0, 1, 0, 0])
    assert not script.selections(events(pt, tags, masses, eta=2.45))["loose"].any()


def test_files_without_weights_in_pb_are_refused(script, tmp_path):
    deposits = rhtree_files.random_deposits(2)
    path = rhtree_files.write(tmp_path / "plain.root", deposits, without=rhtree_files.IMAGE_PREFIXES)
    with pytest.raises(InputError, match=r"plain\.root: no weights in pb"):
        script.figures(path, generated=False)


def test_nodes_are_counted_by_kind(script, tmp_path):
    from e2egraph.events.sources.registry import open_source

    source = open_source(in_pb(tmp_path / "a.root"))
    record = source.read(0, 4, ["tracks", "ecal", "hcal", "hits"])
    found = script.sizes(record)
    np.testing.assert_array_equal(found["tracks"], ak.num(record.tracks))
    whole = [ak.num(record[name]) for name in ("tracks", "ecal", "hcal", "hits")]
    np.testing.assert_array_equal(found["all nodes"], sum(ak.to_numpy(each) for each in whole))
    assert (found["crystals above 0.3 GeV"] <= found["crystals"]).all()


def test_events_without_a_generated_jet_have_no_ratio_to_one(script):
    particle = {"pdg_id": 211, "pt": 100.0, "eta": 0.0, "phi": 0.0, "mass": 0.14, "status": 1}
    jet = {"pt": 90.0, "eta": 0.0}
    found = ak.Array([{"gen": [], "jets": [jet]}, {"gen": [particle], "jets": [jet]}])
    (ratio,) = script.generator_level("a", found, np.zeros(2, bool))
    assert (ratio.n, ratio.value) == (1, pytest.approx(0.9))
    assert script.generator_level("a", found[:1], np.zeros(1, bool)) == []
