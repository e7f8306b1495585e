"""Jets and seeds that a file has in two orders: each jet gets its own window, or the file is refused."""

import awkward as ak
import numpy as np
import pytest

from e2egraph.detector.geometry import SEED_REACH
from e2egraph.errors import InputError
from e2egraph.events.flat import Flat
from e2egraph.events.sources.registry import open_source
from e2egraph.events.sources.rhtree_jets import complete
from e2egraph.graphs.building.build import build
from e2egraph.graphs.inspecting.file_inspection import describe_file, inspect_file
from e2egraph.simulation import jets as simulated
from tests import rhtree_files
from tests.graphs.builds import jets_of, ntuple, samples_of, task

BRANCHES = {"seed_ieta": "jetSeed_ieta", "seed_iphi": "jetSeed_iphi"}


def of_taus(deposits, swapped):
    """The branches as the tau selection writes them, ``jet_*`` turned round in the events ``swapped``."""
    branches = {
        name: values
        for name, values in deposits.branches.items()
        if not name.startswith(("jetPt", "jetEta", "jetPhi", "jetM", "jetSoft", "jetTau"))
    }
    pt, eta, phi, mass = (deposits.branches[name] for name in ("jetPt", "jetEta", "jetPhi", "jetM"))
    made = {"jet_Pt": pt, "jet_Eta": eta, "jet_M": mass}
    made["jet_Px"] = [p * np.cos(f) for p, f in zip(pt, phi, strict=True)]
    made["jet_Py"] = [p * np.sin(f) for p, f in zip(pt, phi, strict=True)]
    made["jet_Pz"] = [p * np.sinh(e) for p, e in zip(pt, eta, strict=True)]
    turned = {
        name: [
            np.asarray(value, np.float32)[::-1].copy() if number in swapped else value
            for number, value in enumerate(values)
        ]
        for name, values in made.items()
    }
    return rhtree_files.Deposits(branches | turned)


def test_taus_in_another_order_than_their_seeds_get_their_own(tmp_path):
    deposits = rhtree_files.random_deposits(12, seed=5, truth=False)
    swapped = {0, 3, 4, 11}
    path = rhtree_files.write(tmp_path / "taus.root", of_taus(deposits, swapped), without=rhtree_files.VECTOR_PREFIXES)
    file = open_source(path)
    jets = file.read(0, 12, ["jets"]).jets
    for number in range(12):
        order = slice(None, None, -1) if number in swapped else slice(None)
        # The seeds of these files are the towers under the axes, which the jets had before they were turned round.
        for field in ("seed_ieta", "seed_iphi"):
            expected = deposits.branches[BRANCHES[field]][number][order]
            assert ak.to_list(jets[field][number]) == ak.to_list(expected)
        np.testing.assert_allclose(jets.pt[number], deposits.branches["jetPt"][number][order])
    (remark,) = file.remarks(["jets"])
    assert remark.startswith("4 events have jetSeed_* in another order than their jets")
    assert file.remarks(["hits"]) == []
    assert remark in describe_file(inspect_file(str(path), tasks=[]))


def test_a_build_says_which_inputs_had_seeds_in_another_order(tmp_path):
    deposits = rhtree_files.random_deposits(12, seed=5)
    seeds = {branch: [v[::-1].copy() for v in deposits.branches[branch]] for branch in BRANCHES.values()}
    turned = rhtree_files.Deposits(deposits.branches | seeds)
    path = rhtree_files.write(tmp_path / "turned.root", turned, without=rhtree_files.IMAGE_PREFIXES)
    whole = rhtree_files.write(tmp_path / "whole.root", deposits, without=rhtree_files.IMAGE_PREFIXES)
    top = ntuple(tmp_path / "top.root", 3, 12)
    found = [build(task("resampling=null"), samples_of([file], [top]), tmp_path / file.stem) for file in (path, whole)]
    assert [len(summary.manifest.remarks) for summary in found] == [1, 0]
    assert found[0].manifest.remarks[0].startswith(f"{path}: ")
    # Windows, and so nodes, are those of the file whose seeds stand beside their jets.
    one, other = (jets_of(summary, 0) for summary in found)
    for column in ("jet_pt", "seed_ieta", "seed_iphi", "n_nodes"):
        np.testing.assert_array_equal(one[column], other[column])


def made(eta, phi, rows, columns, counts):
    flat = {"pt": np.full(len(eta), 50.0), "eta": np.array(eta), "phi": np.array(phi), "mass": np.zeros(len(eta))}
    flat |= {"seed_ieta": np.array(rows), "seed_iphi": np.array(columns)}
    return Flat(np.array(counts), flat)


@pytest.mark.parametrize("tower", range(-SEED_REACH - 1, SEED_REACH + 2))
@pytest.mark.parametrize(("phi", "column"), [(np.radians(2.5), 2), (np.radians(-177.5), 38), (np.radians(-12.5), 71)])
def test_a_seed_lies_within_three_towers_of_the_one_under_the_axis(phi, column, tower):
    """CMS numbers towers of 5° from φ = 0; stored columns begin 10° before. The axis is in tower ieta 1, row 28."""
    there = [
        made([0.0435], [phi], [28 + tower], [column], [1]),
        made([0.0435], [phi], [28], [(column + tower) % 72], [1]),
    ]
    for jets in there:
        if abs(tower) <= 3:
            assert complete("a.root", jets, {}, BRANCHES, 0)[1] == 0
            continue
        with pytest.raises(
            InputError, match=r"a\.root: jetSeed_ieta and jetSeed_iphi of entry 7 have no tower within 3"
        ):
            complete("a.root", jets, {}, BRANCHES, 7)


def test_three_jets_get_their_seeds_whatever_their_order_and_others_keep_theirs():
    eta, phi = [0.0435, 0.8265, -0.8265], [0.1, 2.0, -3.1]
    rows, columns = [28, 37, 18], [3, 24, 38]
    order = [2, 0, 1]
    jets = made(
        [*eta, *eta, 0.0435, 0.4],
        [*phi, *phi, 0.1, 0.1],
        [*(rows[i] for i in order), *rows, 30, 31],
        [*(columns[i] for i in order), *columns, 3, 3],
        [3, 0, 3, 2],
    )
    found, moved = complete("a.root", jets, {}, BRANCHES, 0)
    assert moved == 1
    # The last two jets are near each other, with seeds in reach of both: they keep what stands beside them.
    np.testing.assert_array_equal(found.columns["seed_ieta"], [*rows, *rows, 30, 31])
    np.testing.assert_array_equal(found.columns["seed_iphi"], [*columns, *columns, 3, 3])


def test_an_event_without_an_order_that_fits_is_refused_by_entry():
    jets = made([0.0435, 0.0435, 0.8265], [0.1, 0.1, 2.0], [28, 28, 28], [3, 3, 3], [1, 2])
    with pytest.raises(InputError, match=r"jetSeed_iphi of entry 11 have no tower .* at η 0\.83, φ 2\.00 that is not"):
        complete("a.root", jets, {}, BRANCHES, 10)


def test_seeds_of_simulated_files_fit_everywhere():
    rng = np.random.default_rng(4)
    size = 2000
    eta, phi = rng.uniform(-2.6, 2.6, size).astype(np.float32), rng.uniform(-np.pi, np.pi, size).astype(np.float32)
    energy = rng.exponential(1, (size, 56, 72))
    rows, columns = simulated.seed_towers(np.arange(size), eta.astype(float), phi.astype(float), energy)
    assert complete("a.root", made(eta, phi, rows, columns, [1] * size), {}, BRANCHES, 0)[1] == 0
