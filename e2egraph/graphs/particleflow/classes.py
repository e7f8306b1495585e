"""Classes of particles by PDG number, in the order that particle flow's ``node_class`` counts in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.geometry import Floats, Integers
from e2egraph.tasks.objectives.nodes import CLASSES

NONE, CHARGED_HADRON, NEUTRAL_HADRON, PHOTON, ELECTRON, MUON = range(len(CLASSES))

NEUTRINOS = (12, 14, 16)


def class_of(pdg_id: Integers, charge: NDArray) -> NDArray[np.uint8]:
    """The class of each particle [P]; all but photons, electrons and muons are hadrons, charged or neutral."""
    code = np.abs(pdg_id)
    hadron = np.where(np.asarray(charge) != 0, CHARGED_HADRON, NEUTRAL_HADRON)
    return np.select([code == 22, code == 11, code == 13], [PHOTON, ELECTRON, MUON], hadron).astype(np.uint8)


def energy_of(pt: Floats, eta: Floats, mass: Floats) -> Floats:
    """Energies [GeV] of particles."""
    return np.sqrt((np.asarray(pt, np.float64) * np.cosh(np.asarray(eta, np.float64))) ** 2 + np.square(mass))
