"""Clusters of cells that share energy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2egraph.detector.geometry import ECAL_COLUMNS, ECAL_ROWS, HCAL_COLUMNS, HCAL_ROWS
from e2egraph.errors import InputError
from e2egraph.reconstruction.clusters import ECAL_CLUSTERING, HCAL_CLUSTERING, cluster

ECAL, HCAL = (ECAL_ROWS, ECAL_COLUMNS), (HCAL_ROWS, HCAL_COLUMNS)
SIZES = [(ECAL, ECAL_CLUSTERING), (HCAL, HCAL_CLUSTERING)]


def cells(seed, shape, number=400, events=3):
    """Cells of several events, many of them side by side, some at the seam of φ and at the edges of η."""
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, shape[1], 12)
    place = (
        rng.integers(0, events, number),
        np.clip(rng.choice([0, 20, 21, 25, shape[0] - 1], number) + rng.integers(-2, 3, number), 0, shape[0] - 1),
        (rng.choice(np.append(centres, [0, shape[1] - 1]), number) + rng.integers(-3, 4, number)) % shape[1],
    )
    place = np.unique(np.stack(place), axis=1)
    return (*place, rng.exponential(1.0, place.shape[1]) + 0.1)


def by_place(found):
    order = np.lexsort((found.column, found.row, found.event))
    return found.take(order)


@pytest.mark.parametrize(("shape", "config"), SIZES)
def test_every_cell_in_reach_of_a_seed_gives_all_of_its_energy_and_no_other_gives_any(shape, config):
    event, row, column, energy = cells(1, shape)
    found, shares = cluster(event, row, column, energy, shape, config)
    given_away = np.bincount(shares.cell, shares.share, len(energy))
    reached = given_away > 0
    np.testing.assert_allclose(given_away[reached], 1.0, rtol=1e-12)
    np.testing.assert_allclose(found.energy.sum(), energy[reached].sum(), rtol=1e-12)
    # Which cells are reached, another way: all pairs.
    seeds = [
        number
        for number in range(len(energy))
        if energy[number] > config.seed
        and all(
            energy[other] < energy[number] or other == number
            for other in range(len(energy))
            if event[other] == event[number]
            and (apart := away(row, column, number, other, shape[1])).max() <= 1
            and (config.corners or apart.sum() <= 1)
        )
    ]
    assert len(found) == len(seeds)
    near = [
        any(
            event[seed] == event[number] and away(row, column, seed, number, shape[1]).max() <= config.reach
            for seed in seeds
        )
        for number in range(len(energy))
    ]
    np.testing.assert_array_equal(reached, near)
    assert (shares.share > 0).all() and (event[shares.cell] == found.event[shares.cluster]).all()


def away(row, column, one, other, columns):
    turn = abs(column[one] - column[other])
    return np.array([abs(row[one] - row[other]), min(turn, columns - turn)])


@given(turn=st.integers(0, ECAL_COLUMNS), seed=st.integers(0, 20))
def test_turning_an_event_turns_its_clusters_and_changes_no_bit_of_their_energies(turn, seed):
    event, row, column, energy = cells(seed, ECAL, 200)
    before, _ = cluster(event, row, column, energy, ECAL, ECAL_CLUSTERING)
    after, _ = cluster(event, row, (column + turn) % ECAL_COLUMNS, energy, ECAL, ECAL_CLUSTERING)
    column_after = np.mod(before.column + turn + 0.5, ECAL_COLUMNS) - 0.5
    # By event and what does not turn.
    one = np.lexsort((before.energy, before.row, before.event))
    two = np.lexsort((after.energy, after.row, after.event))
    for name in ("event", "energy", "row", "size", "sigma_row", "sigma_column", "peak"):
        np.testing.assert_array_equal(getattr(before, name)[one], getattr(after, name)[two], name)
    apart = np.abs(column_after[one] - after.column[two])
    assert np.minimum(apart, ECAL_COLUMNS - apart).max(initial=0) < 1e-9


@pytest.mark.parametrize(("shape", "config"), SIZES)
def test_clusters_do_not_depend_on_the_order_of_cells_nor_on_the_side_of_the_detector(shape, config):
    event, row, column, energy = cells(2, shape)
    before, shares = cluster(event, row, column, energy, shape, config)
    order = np.random.default_rng(3).permutation(len(energy))
    after, mixed = cluster(event[order], row[order], column[order], energy[order], shape, config)
    for name in ("event", "energy", "row", "column", "size", "peak"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    np.testing.assert_array_equal(order[mixed.cell], shares.cell)
    mirrored, _ = cluster(event, shape[0] - 1 - row, column, energy, shape, config)
    one = by_place(before)
    two = np.lexsort((mirrored.column, -mirrored.row, mirrored.event))
    np.testing.assert_allclose(mirrored.row[two], shape[0] - 1 - one.row, rtol=1e-9)
    np.testing.assert_allclose(mirrored.energy[two], one.energy, rtol=1e-9)


def test_two_showers_side_by_side_share_the_cells_between_them():
    rows, columns = np.meshgrid(np.arange(100, 105), np.arange(357, 366), indexing="ij")
    rows, columns = rows.ravel(), columns.ravel()

    def shower(energy, row, column):
        return energy * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * 0.7**2)) / (2 * np.pi * 0.7**2)

    energy = shower(10.0, 102.2, 360.0) + shower(4.0, 101.9, 363.1) + 1e-6
    found, _ = cluster(np.zeros(len(rows), int), rows, columns % ECAL_COLUMNS, energy, ECAL, ECAL_CLUSTERING)
    assert len(found) == 2
    np.testing.assert_allclose(found.energy, [10.0, 4.0], rtol=0.03)
    np.testing.assert_allclose(found.row, [102.2, 101.9], atol=0.05)
    np.testing.assert_allclose(found.column, [0.0, 3.1], atol=0.1)
    assert (found.sigma_row < 1.0).all() and (found.peak < 0.5).all()


def test_of_equal_neighbours_one_is_the_seed_wherever_they_are():
    for turn in range(3):
        column = np.array([0, 1]) + ECAL_COLUMNS - turn
        found, _ = cluster(np.zeros(2, int), np.array([9, 9]), column % ECAL_COLUMNS, np.ones(2), ECAL, ECAL_CLUSTERING)
        assert len(found) == 1 and found.energy[0] == pytest.approx(2.0)


def test_no_cells_give_no_clusters_and_a_cell_given_twice_is_refused():
    none = np.zeros(0, int)
    found, shares = cluster(none, none, none, np.zeros(0), HCAL, HCAL_CLUSTERING)
    assert len(found) == len(shares.cell) == 0
    soft, _ = cluster(np.zeros(1, int), np.zeros(1, int), np.zeros(1, int), np.array([0.1]), HCAL, HCAL_CLUSTERING)
    assert len(soft) == 0
    twice = np.array([3, 3])
    with pytest.raises(InputError, match="occurs twice in one event"):
        cluster(np.zeros(2, int), twice, twice, np.ones(2), HCAL, HCAL_CLUSTERING)
