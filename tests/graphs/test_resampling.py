"""pT resampling and the hash that decides."""

import numpy as np
import pytest

from e2egraph.errors import InputError
from e2egraph.graphs.chunk import assign_split
from e2egraph.graphs.hashing import hash_unit
from e2egraph.graphs.resampling import keep_probabilities, kept, spectrum
from e2egraph.tasks.task import Resampling, Split

RESAMPLING = Resampling(reference="top", pt_edges=[400, 500, 600, 800])


def identity(size):
    return np.ones(size), np.full(size, 3), np.arange(size), np.zeros(size)


def test_hashes_are_uniform():
    numbers = hash_unit(7, *identity(200_000))
    counts = np.histogram(numbers, 50, (0, 1))[0]
    chi_square = ((counts - 4000) ** 2 / 4000).sum()
    assert chi_square < 49 + 5 * np.sqrt(2 * 49)


def test_hashes_depend_on_every_integer_and_on_the_salt():
    base = hash_unit(1, [1], [2], [3])
    assert base == hash_unit(1, [1], [2], [3])
    assert len({float(hash_unit(*a)[0]) for a in [(1, [1], [2], [3]), (1, [2], [1], [3]), (2, [1], [2], [3])]}) == 3


def test_the_background_follows_the_reference_after_resampling():
    rng = np.random.default_rng(1)
    top, qcd = 400 + rng.exponential(120, 30_000), 400 + rng.exponential(60, 60_000)
    spectra = {"top": spectrum(top, RESAMPLING), "qcd": spectrum(qcd, RESAMPLING)}
    probabilities = keep_probabilities(spectra, RESAMPLING)
    stays = kept(qcd, identity(len(qcd)), probabilities["qcd"], RESAMPLING)
    after = spectrum(qcd[stays], RESAMPLING)
    np.testing.assert_allclose(after / after.sum(), spectra["top"] / spectra["top"].sum(), atol=0.02)
    assert kept(top, identity(len(top)), probabilities["top"], RESAMPLING).all()


def test_a_few_jets_in_a_tail_do_not_cost_the_sample():
    spectra = {"top": np.array([1000, 500, 3]), "qcd": np.array([1000, 500, 1])}
    assert keep_probabilities(spectra, RESAMPLING)["qcd"].tolist() == [1.0, 1.0, 1.0]


def test_the_decision_does_not_depend_on_order():
    pt = np.random.default_rng(2).uniform(400, 800, 1000)
    order = np.random.default_rng(3).permutation(1000)
    half = np.full(3, 0.5)
    stays = kept(pt, identity(1000), half, RESAMPLING)
    shuffled = kept(pt[order], tuple(column[order] for column in identity(1000)), half, RESAMPLING)
    assert (stays[order] == shuffled).all()
    assert 400 < stays.sum() < 600


def test_spectra_without_a_common_bin_are_refused():
    with pytest.raises(InputError, match="no jet of class 'qcd' shares a pT bin with 'top'"):
        keep_probabilities({"top": np.array([0, 5, 0]), "qcd": np.array([5, 0, 0])}, RESAMPLING)


def test_splits_have_their_shares_and_keep_the_jets_of_an_event_together():
    run, lumi, event = np.ones(50_000), np.ones(50_000), np.repeat(np.arange(25_000), 2)
    split = assign_split(Split(validation=0.1, test=0.2), run, lumi, event)
    assert (split[::2] == split[1::2]).all()
    shares = {name: (split == name).mean() for name in ("train", "validation", "test")}
    assert shares == pytest.approx({"train": 0.7, "validation": 0.1, "test": 0.2}, abs=0.01)
    again = assign_split(Split(validation=0.1, test=0.2, salt=1), run, lumi, event)
    assert (again != split).mean() > 0.3
