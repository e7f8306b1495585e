"""The numbers of the muon system, as configs/detector.yaml gives them with their sources."""

from __future__ import annotations

from e2egraph.config import configuration
from e2egraph.errors import UsageError
from e2egraph.simulation.response.calorimeterconfig import Fraction, NonNegative, Positive


@configuration
class MuonsConfig:
    """Which tracks are taken for muons: ``efficiency`` of true ones, ``punch_through`` of charged hadrons that reach
    the calorimeters, both with pT above ``min_pt`` [GeV] and |η| below ``max_eta``."""

    efficiency: Fraction
    punch_through: Fraction
    min_pt: NonNegative
    max_eta: Positive


def known_muons(config: MuonsConfig | None) -> MuonsConfig:
    """The muon system of a detector; UsageError when it has none."""
    if config is None:
        raise UsageError(
            "--particle-flow: the detector's YAML has no group muons; add one, or let it extend 'detector'."
        )
    return config
