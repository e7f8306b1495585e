"""The numbers of jets, as the detector's YAML gives them: radius, energy scale, jets made of jets, b-tags."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from e2egraph.config import configuration, rising
from e2egraph.simulation.response.calorimeterconfig import Fraction, NonNegative, Positive


@configuration
class EnergyScale:
    """Correction of jets of one ``radius``: factor ``scale`` at uncorrected pT ``pt`` [GeV], linear in log pT between
    and constant beyond.

    ``radius``: of the jets. ``pt`` [GeV]: uncorrected pT at which the factor is given. ``scale``: the factor at
    each.
    """

    radius: Positive
    pt: tuple[Positive, ...]
    scale: tuple[Positive, ...]

    @model_validator(mode="after")
    def _one_scale_a_pt(self) -> EnergyScale:
        if len(self.pt) != len(self.scale) or not rising(self.pt):
            raise ValueError("pt must rise and have as many entries as scale, at least one")
        return self


@configuration
class JetsConfig:
    """Anti-kT jets.

    ``radius``, ``min_pt`` [GeV] and ``max_eta`` of those kept; soft drop with ``softdrop_zcut``, ``softdrop_beta``.
    pT and masses are corrected for what falls below thresholds: by the one of ``energy_scales`` for ``radius``, or by
    the number ``energy_scale`` where it is set.

    ``radius``: of the jets. ``min_pt`` [GeV]: least pT of those kept. ``max_eta``: largest |η| of those kept.
    ``energy_scale``: factor on pT and masses; the table's for this radius where not given. ``energy_scales``: the
    tables. ``softdrop_zcut``, ``softdrop_beta``: parameters of soft drop.
    """

    radius: Positive
    min_pt: NonNegative
    max_eta: Positive
    energy_scale: Positive | None = None
    energy_scales: tuple[EnergyScale, ...] = ()
    softdrop_zcut: NonNegative
    softdrop_beta: float

    @model_validator(mode="after")
    def _scale_known(self) -> JetsConfig:
        if self.energy_scale is None and all(scale.radius != self.radius for scale in self.energy_scales):
            known = ", ".join(f"{scale.radius:g}" for scale in self.energy_scales) or "none"
            raise ValueError(
                f"no energy scale was measured for radius {self.radius:g} (known: {known}); set jets.energy_scale"
            )
        return self

    def scale(self, pt: NDArray[np.float64]) -> NDArray[np.float64]:
        """What multiplies pT and masses of jets of uncorrected ``pt`` [J] [GeV]."""
        table = self._table
        return np.interp(np.log(np.maximum(pt, 1e-9)), np.log(table.pt), table.scale)

    @property
    def largest_scale(self) -> float:
        """The largest value of ``scale``."""
        return max(self._table.scale)

    @property
    def _table(self) -> EnergyScale:
        if self.energy_scale is not None:
            return EnergyScale(radius=self.radius, pt=(1.0,), scale=(self.energy_scale,))
        return next(scale for scale in self.energy_scales if scale.radius == self.radius)


@configuration
class FatJetsConfig:
    """Anti-kT jets of ``radius``, clustered from the main jets with pT above ``constituent_min_pt`` [GeV], as the
    searches do that sum the masses of such jets (arXiv:2207.11710). Kept: pT above ``min_pt``, |η| below ``max_eta``.

    ``radius``: of these jets. ``constituent_min_pt`` [GeV]: least pT of the main jets in them. ``min_pt`` [GeV]:
    least pT of those kept. ``max_eta``: largest |η| of those kept.
    """

    radius: Positive = 1.2
    constituent_min_pt: NonNegative = 30.0
    min_pt: NonNegative = 30.0
    max_eta: Positive = 2.5


@configuration
class BTaggingConfig:
    """Probability that a jet is b-tagged, by its hadron flavour; linear in log pT between the points and constant
    beyond.

    ``pt`` [GeV]: pT of jets at which it is given. ``b``, ``c``, ``light``: for jets with a b hadron, with a c hadron,
    with neither.
    """

    pt: tuple[Positive, ...]
    b: tuple[Fraction, ...]
    c: tuple[Fraction, ...]
    light: tuple[Fraction, ...]

    @model_validator(mode="after")
    def _one_efficiency_a_pt(self) -> BTaggingConfig:
        sizes = {len(column) for column in (self.pt, self.b, self.c, self.light)}
        if len(sizes) > 1 or not rising(self.pt):
            raise ValueError("pt must rise and have as many entries as b, c and light, at least one")
        return self
