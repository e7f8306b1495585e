"""Clusters of calorimeter cells that share energy, as in particle flow (CMS, JINST 12 (2017) P10003, §4.1).

Seeds are local maxima above a threshold; every other cell is shared among the seeds within reach, in proportion to
E_seed · exp(−d²/2σ²), and energies and positions are computed again from the shares, several times (expectation and
maximisation). Cells that no seed reaches are left out. All events at once; turning an event in φ by whole cells turns
its clusters and changes nothing else, to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from e2egraph.config import configuration
from e2egraph.detector.geometry import Floats, Integers
from e2egraph.errors import InputError
from e2egraph.reconstruction.sums import sums

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

# Shares of a cell below this are nothing.
LEAST_SHARE = 1e-6


@configuration
class ClusteringConfig:
    """How the cells of a calorimeter become clusters.

    ``seed`` [GeV]: energy that a local maximum needs. ``corners``: whether a seed must exceed the cells at its corners
    too, all eight neighbours instead of four. ``reach``: cells on either side of a seed that may belong to it.
    ``sigma``: width σ of showers, in cells. ``rounds``: how often shares are worked out.
    """

    seed: Positive
    corners: bool = True
    reach: Annotated[int, Field(ge=0, le=4)] = 2
    sigma: Positive = 0.7
    rounds: Annotated[int, Field(ge=1)] = 8


# Seeds of 0.23 GeV in the ECAL, whose crystals have 8 neighbours, and of 0.8 GeV in the HCAL, with 4 (CMS, JINST 12
# (2017) P10003, table 1); σ 15 mm in crystals of 22 mm (§4.1), and 0.65 of a tower, near the width of the simulation's
# showers.
ECAL_CLUSTERING = ClusteringConfig(seed=0.23, corners=True, reach=2, sigma=0.7)
HCAL_CLUSTERING = ClusteringConfig(seed=0.8, corners=False, reach=1, sigma=0.65)


@dataclass(frozen=True)
class Clusters:
    """K clusters, by event and the place of their seed; each column [K].

    ``event``; ``energy`` [GeV]; ``row``, ``column``: energy-weighted, in cells, whole numbers at their centres;
    ``size``: number of cells, each by its share; ``sigma_row``, ``sigma_column``: widths, in cells; ``peak``: share of
    the largest cell in the energy.
    """

    event: Integers
    energy: Floats
    row: Floats
    column: Floats
    size: Floats
    sigma_row: Floats
    sigma_column: Floats
    peak: Floats

    def __len__(self) -> int:
        return len(self.event)

    def take(self, chosen: NDArray) -> Clusters:
        """The clusters that a mask or an index array chooses."""
        return Clusters(**{column.name: getattr(self, column.name)[chosen] for column in fields(self)})


@dataclass(frozen=True)
class Shares:
    """Which cell belongs to which cluster by how much: ``cell`` (as given), ``cluster``, ``share`` (0 to 1), [P] each.
    The shares of a cell add up to 1; a cell that no seed reaches has none."""

    cell: Integers
    cluster: Integers
    share: Floats


def cluster(
    event: Integers,
    row: Integers,
    column: Integers,
    energy: NDArray[np.floating],
    shape: tuple[int, int],
    config: ClusteringConfig,
) -> tuple[Clusters, Shares]:
    """Clusters of the cells of many events, each cell once, in any order, all [C].

    ``shape``: rows and columns of the calorimeter, whose columns close in φ. InputError: a cell is given twice.
    """
    rows, columns = shape
    events = int(event.max(initial=-1)) + 1
    order = np.lexsort((column, row, event))
    given = np.asarray(energy, dtype=np.float64)[order]
    row, column = row[order].astype(np.int64), column[order].astype(np.int64)
    place = (event[order].astype(np.int64) * rows + row) * columns + column
    if len(place) and np.any(np.diff(place) == 0):
        raise InputError("a calorimeter cell occurs twice in one event; make the file again.")
    where = np.full(events * rows * columns, -1, dtype=np.int32)
    where[place] = np.arange(len(place))
    neighbours = _Neighbours(where, rows, columns, row, column, place)

    seeds = _local_maxima(given, neighbours, config)
    rank = np.full(len(given) + 1, -1, dtype=np.int64)
    rank[seeds] = np.arange(len(seeds))
    cells, owners, down, along = [], [], [], []
    # One offset after the other, so that sums come out the same to the last bit wherever an event lies in φ.
    for step_down in range(-config.reach, config.reach + 1):
        for step_along in range(-config.reach, config.reach + 1):
            other = neighbours.at(seeds, step_down, step_along)
            # A seed keeps its cell to itself.
            mine = (other >= 0) & ((rank[other] < 0) | ((step_down == 0) & (step_along == 0)))
            number = int(mine.sum())
            cells.append(other[mine])
            owners.append(np.flatnonzero(mine))
            down.append(np.full(number, float(step_down)))
            along.append(np.full(number, float(step_along)))
    cell, owner = np.concatenate(cells), np.concatenate(owners)
    steps = np.stack([np.concatenate(down), np.concatenate(along)])
    share = _shares(cell, owner, steps, given, given[seeds], config)
    kept = share > LEAST_SHARE
    cell, owner, steps, share = cell[kept], owner[kept], steps[:, kept], share[kept]
    share = share / sums(cell, share, len(given))[cell]
    energies = share * given[cell]
    size = len(seeds)
    total = sums(owner, energies, size)
    centre = [sums(owner, energies * step, size) / total for step in steps]
    spread = [
        np.sqrt(sums(owner, energies * (step - middle[owner]) ** 2, size) / total)
        for step, middle in zip(steps, centre, strict=True)
    ]
    largest = np.zeros(size)
    np.maximum.at(largest, owner, energies)
    found = Clusters(
        event=event[order][seeds].astype(np.int64),
        energy=total,
        row=row[seeds] + centre[0],
        column=np.mod(column[seeds] + centre[1] + 0.5, columns) - 0.5,
        size=sums(owner, share, size),
        sigma_row=spread[0],
        sigma_column=spread[1],
        peak=largest / total,
    )
    return found, Shares(order[cell], owner, share)


@dataclass(frozen=True)
class _Neighbours:
    """Finds the cell at an offset from others; ``where``: place → cell, −1 for none."""

    where: NDArray[np.int32]
    rows: int
    columns: int
    row: Integers
    column: Integers
    place: Integers

    def at(self, cells: Integers, down: int, along: int) -> Integers:
        """The cell at this offset from each of ``cells``; −1 where there is none."""
        row, column = self.row[cells], self.column[cells]
        place = self.place[cells] + down * self.columns + (column + along) % self.columns - column
        inside = (row + down >= 0) & (row + down < self.rows)
        return np.where(inside, self.where[np.where(inside, place, 0)], -1).astype(np.int64)


def _local_maxima(energy: Floats, neighbours: _Neighbours, config: ClusteringConfig) -> Integers:
    """Cells above the seed threshold that exceed all their neighbours; of equal ones, the last row and column."""
    found = np.flatnonzero(energy > config.seed)
    for down in (-1, 0, 1):
        for along in (-1, 0, 1):
            if (down, along) == (0, 0) or (down and along and not config.corners):
                continue
            other = neighbours.at(found, down, along)
            next_to = np.where(other >= 0, energy[other], -np.inf)
            here = energy[found]
            found = found[(here > next_to) | ((here == next_to) & ((down, along) < (0, 0)))]
    return found


def _shares(
    cell: Integers, owner: Integers, steps: Floats, energy: Floats, start: Floats, config: ClusteringConfig
) -> Floats:
    """Share of each pair's cluster in its cell [P]; ``steps`` [2, P]: the cell's offset from the seed."""
    size, amount = len(start), start
    centre = np.zeros((2, size))
    share = np.zeros(len(cell))
    for _ in range(config.rounds):
        distance2 = np.square(steps - centre[:, owner]).sum(axis=0)
        weight = amount[owner] * np.exp(-0.5 * distance2 / config.sigma**2)
        # The cells of seeds are theirs alone, however far the centre has moved.
        weight = np.where((steps == 0).all(axis=0), 1.0, weight)
        whole = sums(cell, weight, len(energy))
        share = weight / np.maximum(whole[cell], 1e-300)
        energies = share * energy[cell]
        amount = sums(owner, energies, size)
        centre = np.stack([sums(owner, energies * step, size) for step in steps]) / amount
    return share
