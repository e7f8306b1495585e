"""Where generator particles reach the ECAL: charged ones turn in the solenoid's field, neutral ones go straight."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from e2egraph.config import configuration
from e2egraph.detector.geometry import ECAL_RADIUS, SOLENOID_FIELD, Floats, Integers
from e2egraph.detector.helix import GEV_PER_TESLA_CM, Helices, position, to_cylinder

# PDG number → charge [e], of what reaches a calorimeter or decays before it; all others count as neutral.
_CHARGES = {11: -1, 13: -1, 15: -1, 24: 1, 211: 1, 321: 1, 2212: 1, 3112: -1, 3222: 1, 3312: -1}


@configuration
class Surface:
    """The ECAL's front face: a cylinder of ``radius`` [cm] in a field of ``field`` [T] along +z (CMS, JINST 3 (2008)
    S08004, §2 and §4.1).

    ``field`` [T]: of the solenoid. ``radius`` [cm]: of the ECAL's front face.
    """

    field: float = SOLENOID_FIELD
    radius: Annotated[float, Field(gt=0)] = ECAL_RADIUS


def charge_of(pdg_id: Integers) -> Floats:
    """Electric charges [M] in units of e, by PDG number."""
    charge = np.zeros(len(pdg_id))
    for number, value in _CHARGES.items():
        charge += np.where(np.abs(pdg_id) == number, np.sign(pdg_id) * value, 0)
    return charge


def at_surface(pdg_id: Integers, pt: Floats, eta: Floats, phi: Floats, surface: Surface) -> tuple[Floats, Floats]:
    """η and φ [rad] of the points where particles from the primary vertex first cross ``surface``, seen from there.

    All [M]; pT in GeV. NaN for charged particles whose pT is too low to get there. An electron of pT turns by
    asin(0.735 GeV / pT) at 3.8 T.
    """
    zeros = np.zeros(len(pdg_id))
    kappa = -charge_of(pdg_id) * GEV_PER_TESLA_CM * surface.field / np.maximum(pt, 1e-9)
    with np.errstate(over="ignore"):  # of particles along the beams
        helix = Helices(zeros, zeros, zeros, phi, kappa, np.sinh(eta))
    path, _ = to_cylinder(helix, surface.radius)
    x, y, z = position(helix, path)
    return np.arcsinh(z / surface.radius), np.arctan2(y, x)
