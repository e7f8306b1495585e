"""Files with weights in pb: those of one production share its cross-section, merged ones are refused."""

import json

import numpy as np
import pytest
import uproot

from e2egraph.errors import InputError
from e2egraph.events.sources.production import Production, shares
from e2egraph.events.sources.registry import open_source
from tests import rhtree_files


def in_pb(path, events=4, seed=1, weights=None, production="a", told=None, name="genWeight_pb", tree="fevt/weights"):
    """An ntuple with weights in pb next to its tree; ``told``: what it says of its number of events."""
    deposits = rhtree_files.random_deposits(events, seed)
    rhtree_files.write(path, deposits, without=rhtree_files.IMAGE_PREFIXES)
    with uproot.update(path) as file:
        file["fevt/generation"] = json.dumps({"production": production, "events": events if told is None else told})
        values = np.full(events, 0.5) if weights is None else np.asarray(weights, float)
        file.mktree(tree, {name: np.float64}).extend({name: values})
    return path


def test_files_of_one_production_share_its_cross_section_within_a_group():
    one, more, other = Production("a", 100), Production("a", 300), Production("b", 50)
    files = [("qcd", one), ("qcd", more), ("qcd", other), ("top", one), ("top", None)]
    assert shares(files) == [0.25, 0.75, 1.0, 1.0, 1.0]


def test_weights_in_pb_stand_for_the_generators(tmp_path):
    source = open_source(in_pb(tmp_path / "a.root", weights=[0.1, 0.2, 0.3, 0.4]))
    assert source.production == Production("a", 4)
    np.testing.assert_allclose(source.read(1, 3, ["id"]).gen_weight, [0.2, 0.3])
    assert "fevt/weights" in source.recognised["id.gen_weight"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"told": 2},
            "its tree holds 4 events and fevt/weights 4, but 2 were simulated; give the files as simulate wrote",
        ),
        ({"weights": [0.5] * 8}, "its tree holds 4 events and fevt/weights 8, but 4 were simulated"),
        ({"name": "weight"}, "fevt/generation or fevt/weights cannot be read"),
        ({"tree": "fevt/weight"}, "fevt/generation or fevt/weights cannot be read"),
    ],
)
def test_weights_that_do_not_fit_the_tree_are_refused(tmp_path, change, message):
    path = in_pb(tmp_path / "a.root", **change)
    with pytest.raises(InputError, match=rf"a\.root: {message}") as caught:
        open_source(path)
    assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_named(tmp_path, wrong):
    source = open_source(in_pb(tmp_path / "a.root", weights=[0.1, 0.2, wrong, 0.4]))
    with pytest.raises(InputError, match=r"a\.root: genWeight_pb of entry 2 holds NaN or infinite values"):
        source.read(0, 4, ["id"])
