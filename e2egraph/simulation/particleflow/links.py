"""Links from read-out cells to true particles: who gave how much of a cell's energy.

A link's energy is what a particle and all that it became in the tracker's material deposited in a cell, as the shower
simulation has it: with the fluctuations and the resolution of showers, without the cell's noise. So the links of a cell
add up to its measured energy less its noise, a Gaussian number of the calorimeter's width; in cells just above the
threshold it is above zero on average, for the suppression has chosen them. No link is left out: all deposits in stored
cells are linked, those in cells below the threshold are lost with them, and cells of noise alone have no link.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from e2egraph.detector.geometry import Floats, Integers
from e2egraph.simulation.response.calorimeter import Cells
from e2egraph.simulation.response.showers import Deposits


@dataclass(frozen=True)
class CellLinks:
    """L links, ordered by cell and then by particle, each pair once.

    ``cell``: index among all stored cells of the batch; ``particle``: index of the particle; ``energy`` [GeV].
    """

    cell: Integers
    particle: Integers
    energy: Floats


def link_cells(deposits: Deposits, root: Integers, cells: Cells, cells_per_event: int) -> CellLinks:
    """The links of ``cells`` [C] to particles.

    ``root`` [P]: the particle that each of those of the ``deposits`` stands for. ``cells_per_event``: size of the
    calorimeter's image.
    """
    stored = cells.event * cells_per_event + cells.cell
    place = deposits.event * cells_per_event + deposits.cell
    at = np.searchsorted(stored, place)
    # The appended −1 is no place.
    kept = np.append(stored, -1)[at] == place
    number = len(root)
    key = at[kept] * number + root[deposits.particle[kept]]
    order = np.argsort(key, kind="stable")
    key = key[order]
    begins = np.flatnonzero(np.diff(key, prepend=-1))
    pair = key[begins]
    energy = np.add.reduceat(deposits.energy[kept][order], begins) if len(begins) else np.zeros(0)
    return CellLinks(cell=pair // number, particle=pair % number, energy=energy)
