"""Resampled spectra, in one or two columns, to a reference's or to flat ones, and the hash that decides."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from e2egraph.errors import InputError, UsageError
from e2egraph.graphs.building.hashing import hash_unit
from e2egraph.graphs.making.chunk import assign_split
from e2egraph.graphs.making.resampling import (
    bin_factors,
    check_spectra,
    keep_probabilities,
    kept,
    number_of_bins,
    occupancy,
    spectrum,
    weight_factors,
)
from e2egraph.tasks.task import Resampling, Split, load_task

CLASSES = ("qcd", "top")
PT = {"jet_pt": [400.0, 500.0, 600.0, 800.0]}
PLANE = {"gen_mass": [100.0, 200.0, 300.0], "jet_pt": [400.0, 500.0, 600.0, 800.0]}
RESAMPLING = Resampling(reference="top", edges=PT)


def objects(name, size=None, **columns):
    """``size`` objects of a class, each an event of its own, with these columns."""
    size = len(next(iter(columns.values()))) if size is None else size
    plain = {"run": np.ones(size), "lumi": np.full(size, 3), "event": np.arange(size), "jet": np.zeros(size)}
    plain |= {"label": np.full(size, CLASSES.index(name)), "gen_weight": np.ones(size)}
    return {key: np.asarray(column) for key, column in (plain | columns).items()}


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


@given(
    st.sampled_from([PT, PLANE]),
    arrays(np.float64, (2, 40), elements=st.floats(0, 1000)),
    arrays(np.float64, 40, elements=st.floats(0, 5)),
)
def test_a_spectrum_is_numpys_histogram_whose_outermost_bins_reach_on(edges, values, weight):
    resampling = Resampling(reference="top", edges=edges)
    found = spectrum(objects("qcd", gen_mass=values[0], jet_pt=values[1], gen_weight=weight), resampling)
    columns = {"gen_mass": values[0], "jet_pt": values[1]}
    # Half-open bins, where NumPy's last one is closed.
    limits = [[-np.inf, *inner[1:-1], np.inf] for inner in edges.values()]
    expected, _ = np.histogramdd([columns[name] for name in edges], limits, weights=weight)
    np.testing.assert_allclose(found, expected.ravel(), atol=1e-9)
    assert len(found) == number_of_bins(resampling)


def exponential(rng, size, slope, mass):
    return {"jet_pt": 400 + rng.exponential(slope, size), "gen_mass": rng.normal(mass, 60, size)}


@pytest.mark.parametrize("edges", [PT, PLANE])
def test_the_background_follows_the_reference_after_resampling(edges):
    rng = np.random.default_rng(1)
    resampling = Resampling(reference="top", edges=edges)
    top = objects("top", **exponential(rng, 30_000, 120, 200))
    qcd = objects("qcd", **exponential(rng, 60_000, 60, 230))
    spectra = {"top": spectrum(top, resampling), "qcd": spectrum(qcd, resampling)}
    probabilities = keep_probabilities(spectra, resampling)
    stays = kept(qcd, CLASSES, probabilities, resampling)
    after = spectrum({name: column[stays] for name, column in qcd.items()}, resampling)
    np.testing.assert_allclose(after / after.sum(), spectra["top"] / spectra["top"].sum(), atol=0.02)
    assert kept(top, CLASSES, probabilities, resampling).all()


def test_dropping_to_a_flat_spectrum_leaves_every_bin_alike():
    rng = np.random.default_rng(4)
    resampling = Resampling(reference="flat", edges={"gen_mass": [100.0, 150.0, 200.0, 250.0, 300.0], "jet_pt": [
        400.0, 450.0, 500.0, 600.0]}, minimum_share=0.05)  # fmt: skip
    jets = objects("top", jet_pt=400 + 200 * rng.power(2, 90_000), gen_mass=100 + 200 * rng.random(90_000) ** 1.5)
    before = spectrum(jets, resampling)
    stays = kept(jets, CLASSES, bin_factors({"top": before}, resampling), resampling)
    after = spectrum({name: column[stays] for name, column in jets.items()}, resampling)
    assert before.max() > 3 * before.min()
    # What is left is a number drawn in each bin: equal within its own statistics, and as many as the least bin had.
    np.testing.assert_allclose(after, before.min(), atol=5 * np.sqrt(before.min()))


@given(arrays(np.float64, 6, elements=st.sampled_from([0.0, 3.0, 70.0, 1000.0])).filter(np.any))
def test_reweighting_to_a_flat_spectrum_makes_filled_bins_equal_and_keeps_the_sum(counts):
    """But for bins with under a quarter of an average one, whose objects get no more weight than with a quarter."""
    factors = bin_factors({"top": counts}, Resampling(reference="flat", edges=PLANE, method="reweight"))["top"]
    filled = counts > 0
    full = counts >= 0.25 * counts.sum() / filled.sum()
    np.testing.assert_allclose((counts * factors)[full], (counts * factors)[full][0])
    np.testing.assert_allclose((counts * factors).sum(), counts.sum())
    assert not factors[~filled].any()
    if (filled & ~full).any():
        np.testing.assert_allclose(
            factors[filled & ~full], (counts * factors)[full][0] * 4 * filled.sum() / counts.sum()
        )


def test_all_bins_are_equal_where_any_share_will_do():
    counts = np.array([1000.0, 3.0, 70.0, 0.0])
    one = Resampling(reference="flat", edges={"jet_pt": [0, 1, 2, 3, 4]}, method="reweight", minimum_share=1e-6)
    np.testing.assert_allclose(counts * bin_factors({"top": counts}, one)["top"], [1073 / 3, 1073 / 3, 1073 / 3, 0])


def test_flat_spectra_are_flat_class_by_class():
    spectra = {"qcd": np.array([10.0, 30.0, 20.0]), "top": np.array([4.0, 0.0, 8.0])}
    flat = Resampling(reference="flat", edges=PT, method="reweight")
    factors = bin_factors(spectra, flat)
    np.testing.assert_allclose(factors["qcd"] * spectra["qcd"], [20, 20, 20])
    np.testing.assert_allclose(factors["top"] * spectra["top"], [6, 0, 6])


def test_a_nearly_empty_bin_does_not_cost_a_flat_sample():
    spectra = {"top": np.array([1000.0, 500.0, 3.0])}
    default = bin_factors(spectra, Resampling(reference="flat", edges=PT))["top"]
    np.testing.assert_allclose(default, [0.5, 1.0, 1.0])
    all_decide = bin_factors(spectra, Resampling(reference="flat", edges=PT, minimum_share=1e-6))["top"]
    np.testing.assert_allclose(all_decide, [0.003, 0.006, 1.0])


def test_a_few_jets_in_a_tail_do_not_cost_the_sample():
    spectra = {"top": np.array([1000, 500, 3]), "qcd": np.array([1000, 500, 1])}
    assert keep_probabilities(spectra, RESAMPLING)["qcd"].tolist() == [1.0, 1.0, 1.0]


def test_the_decision_does_not_depend_on_order():
    jets = objects("qcd", jet_pt=np.random.default_rng(2).uniform(400, 800, 1000))
    order = np.random.default_rng(3).permutation(1000)
    half = {"qcd": np.full(3, 0.5)}
    stays = kept(jets, CLASSES, half, RESAMPLING)
    shuffled = kept({name: column[order] for name, column in jets.items()}, CLASSES, half, RESAMPLING)
    assert (stays[order] == shuffled).all()
    assert 400 < stays.sum() < 600


def test_each_object_is_treated_by_the_factors_of_its_own_class():
    qcd, top = (objects(name, jet_pt=[450.0, 550.0]) for name in CLASSES)
    both = {name: np.concatenate([qcd[name], top[name]]) for name in qcd}
    factors = {"qcd": np.array([0.0, 1.0, 1.0]), "top": np.array([1.0, 0.0, 1.0])}
    assert kept(both, CLASSES, factors, RESAMPLING).tolist() == [False, True, True, False]
    reweight = Resampling(reference="top", edges=PT, method="reweight")
    factors = {"qcd": np.array([0.5, 2.0, 1.0]), "top": np.ones(3)}
    assert weight_factors(both, CLASSES, factors, reweight).tolist() == [0.5, 2.0, 1.0, 1.0]


@pytest.mark.parametrize("method", ["drop", "reweight"])
def test_spectra_without_a_common_bin_are_refused(method):
    resampling = Resampling(reference="top", edges=PT, method=method)
    with pytest.raises(InputError, match="no object of class 'qcd' shares a bin of jet_pt with 'top'"):
        bin_factors({"top": np.array([0, 5, 0]), "qcd": np.array([5, 0, 0])}, resampling)


@pytest.mark.parametrize("last", [-1.0, 1.0])
def test_objects_whose_weights_cancel_are_named_and_not_lost(last):
    weighted = objects("qcd", jet_pt=[450.0, 700.0, 700.0], gen_weight=[1.0, 1.0, last])
    spectra = {"qcd": spectrum(weighted, RESAMPLING)}
    numbers = {"qcd": occupancy(weighted, RESAMPLING)}
    assert numbers["qcd"].sum() == 3
    if last > 0:
        check_spectra(spectra, numbers, RESAMPLING)
        return
    message = "weights of the 2 objects of class 'qcd' with jet_pt .* add up to 0; set wider"
    with pytest.raises(InputError, match=message):
        check_spectra(spectra, numbers, RESAMPLING)


@pytest.mark.parametrize("method", ["drop", "reweight"])
def test_a_bin_without_reference_is_dropped_by_either_method(method):
    resampling = Resampling(reference="top", edges=PT, method=method)
    spectra = {"top": np.array([5.0, 0.0, 5.0]), "qcd": np.array([10.0, 10.0, 10.0])}
    factors = bin_factors(spectra, resampling)
    assert kept(objects("qcd", jet_pt=[450.0, 550.0]), CLASSES, factors, resampling).tolist()[1] is False
    assert factors["top"].tolist() == [1.0, 1.0, 1.0]


def test_dropping_follows_the_weighted_spectrum():
    rng = np.random.default_rng(1)
    top = objects("top", jet_pt=rng.uniform(400, 800, 20_000))
    qcd = objects("qcd", jet_pt=rng.uniform(400, 800, 40_000))
    spectra = {"top": 2.0 * spectrum(top, RESAMPLING), "qcd": 0.1 * spectrum(qcd, RESAMPLING)}
    factors = bin_factors(spectra, RESAMPLING)
    # Same shape, so that almost every jet stays, whatever the weights.
    assert kept(qcd, CLASSES, factors, RESAMPLING).mean() > 0.95
    np.testing.assert_array_equal(weight_factors(qcd, CLASSES, factors, RESAMPLING), 1.0)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("resampling.edges={jet_pt: [500, 400]}", "edges of jet_pt must be two or more and rise"),
        ("resampling.edges={jet_pt: [400]}", "edges of jet_pt must be two or more"),
        ("resampling.edges={}", "'resampling.edges' is wrong"),
        ("resampling.edges={jet_pt: [1, 2], jet_eta: [1, 2], jet_mass: [1, 2]}", "'resampling.edges' is wrong"),
        ("resampling.reference=w", r"\['w'\] are not among the classes"),
        ("resampling.method=cut", "'resampling.method' is wrong"),
        ("resampling.minimum_share=0", "'resampling.minimum_share' is wrong"),
    ],
)
def test_a_wrong_resampling_is_refused(setting, message):
    with pytest.raises(UsageError, match=message):
        load_task("top", [setting])


def test_splits_have_their_shares_and_keep_the_jets_of_an_event_together():
    run, lumi, event = np.ones(50_000), np.ones(50_000), np.repeat(np.arange(25_000), 2)
    split = assign_split(Split(validation=0.1, test=0.2), run, lumi, event)
    assert (split[::2] == split[1::2]).all()
    shares = {name: (split == name).mean() for name in ("train", "validation", "test")}
    assert shares == pytest.approx({"train": 0.7, "validation": 0.1, "test": 0.2}, abs=0.01)
    again = assign_split(Split(validation=0.1, test=0.2, salt=1), run, lumi, event)
    assert (again != split).mean() > 0.3
