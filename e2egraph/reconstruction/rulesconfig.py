"""The constants of rule-based particle flow, as ``configs/particleflow/*.yaml`` give them."""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from e2egraph.config import configuration, find_config, read_yaml, rising, validate
from e2egraph.detector.geometry import Floats, Integers

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Table = list[list[Positive]]


@configuration
class Calibration:
    """Factors that turn energies of clusters into energies of particles, by region of |η| and by energy.

    Between the energies the factors are interpolated in the logarithm, and beyond they stay.

    ``abs_eta``: upper edges of the regions in |η|; the last one holds all beyond. ``energy`` [GeV]: of clusters, in
    all. ``photon``: factor on a cluster of a photon, region by region at each energy. ``ecal``, ``hcal``: factors on
    the energies that a hadron left in both calorimeters, at the energy of their sum. ``ecal_alone``: factor for a
    hadron that left nothing in the HCAL. ``hcal_alone``: factor on an HCAL cluster without tracks, next to which
    clusters of the ECAL count as photons.
    """

    abs_eta: Annotated[list[Positive], Field(min_length=1)]
    energy: Annotated[list[Positive], Field(min_length=2)]
    photon: Table
    ecal: Table
    hcal: Table
    ecal_alone: Table
    hcal_alone: Table

    @model_validator(mode="after")
    def _shapes(self) -> Self:
        for name in ("abs_eta", "energy"):
            if not rising(getattr(self, name)):
                raise ValueError(f"{name} must rise")
        for name in ("photon", "ecal", "hcal", "ecal_alone", "hcal_alone"):
            rows = getattr(self, name)
            if len(rows) != len(self.abs_eta) or any(len(row) != len(self.energy) for row in rows):
                raise ValueError(f"{name} needs {len(self.abs_eta)} rows of {len(self.energy)} factors")
        return self

    def region(self, eta: Floats) -> Integers:
        """The region of each direction."""
        return np.minimum(np.searchsorted(self.abs_eta, np.abs(eta), side="right"), len(self.abs_eta) - 1)

    def factor(self, name: str, energy: Floats, eta: Floats) -> Floats:
        """The factor called ``name`` at ``energy`` [GeV] and η, each [K]."""
        region, place = self.region(eta), np.log(np.maximum(energy, 1e-6))
        factors = np.ones(len(place))
        for number, row in enumerate(getattr(self, name)):
            mine = region == number
            factors[mine] = np.interp(place[mine], np.log(self.energy), row)
        return factors

    def photons(self, energy: Floats, eta: Floats) -> Floats:
        """Energies [GeV] of photons, from those of their clusters."""
        return energy * self.factor("photon", energy, eta)

    def hadrons(self, ecal: Floats, hcal: Floats, eta: Floats) -> Floats:
        """Energies [GeV] of hadrons, from those that they left in both calorimeters."""
        together = ecal + hcal
        both = self.factor("ecal", together, eta) * ecal + self.factor("hcal", together, eta) * hcal
        return np.where(hcal > 0, both, self.factor("ecal_alone", ecal, eta) * ecal)

    def neutral_hadrons(self, hcal: Floats, eta: Floats) -> Floats:
        """Energies [GeV] of neutral hadrons, from those of HCAL clusters without tracks."""
        return hcal * self.factor("hcal_alone", hcal, eta)


@configuration
class RulesConfig:
    """Rule-based particle flow (CMS, JINST 12 (2017) P10003, §5, reduced to what the simulation has).

    ``link_ecal`` [crystals]: largest distance of an ECAL cluster to the track that it is linked to. ``link_hcal``:
    largest distance in (η, φ) of an HCAL cluster to where a track enters the HCAL. ``stochastic`` [√GeV], ``constant``:
    resolution of hadrons' energies, σ² = stochastic² p + (constant p)². ``excess_sigmas``: excess of calorimeter energy
    over tracks, in σ, from which neutral particles are taken out of it. ``deficit_sigmas``: lack of it, in σ, from
    which a hard track far from the vertex counts as fake. ``fake_pt`` [GeV], ``fake_d0_sig``: of such a track at least.
    ``least_photon``, ``least_neutral`` [GeV]: smallest photons and neutral hadrons out of an excess.
    ``electron_pt`` [GeV]: of electrons at least. ``electron_ratio``: limits of E/p of electrons. ``electron_hcal``:
    largest share of HCAL energy behind them. ``muon_ecal``, ``muon_hcal`` [GeV]: what a muon leaves in either
    calorimeter.
    ``charged_dz`` [cm]: from the primary vertex, within which tracks are never pile-up (charged-hadron subtraction).
    ``calibration``: of energies.
    """

    link_ecal: Positive = 2.5
    link_hcal: Positive = 0.11
    stochastic: Positive = 1.0
    constant: NonNegative = 0.07
    excess_sigmas: NonNegative = 0.5
    deficit_sigmas: Positive = 3.0
    fake_pt: NonNegative = 3.0
    fake_d0_sig: NonNegative = 3.0
    least_photon: NonNegative = 0.5
    least_neutral: NonNegative = 1.0
    electron_pt: NonNegative = 2.0
    electron_ratio: tuple[NonNegative, NonNegative] = (0.85, 1.2)
    electron_hcal: NonNegative = 0.05
    muon_ecal: NonNegative = 0.25
    muon_hcal: NonNegative = 2.0
    charged_dz: NonNegative = 0.1
    calibration: Calibration


def read_rules(name: str) -> RulesConfig:
    """The constants of that name in ``configs/particleflow``, or of a YAML file; UsageError when there are none."""
    path = find_config("particleflow", name)
    return validate(RulesConfig, read_yaml(path), str(path))
