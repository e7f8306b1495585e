"""The numbers of the muon system, as configs/detector.yaml gives them with their sources."""

from __future__ import annotations

from e2egraph.config import configuration
from e2egraph.errors import UsageError
from e2egraph.simulation.response.calorimeterconfig import Fraction, NonNegative, Positive


@configuration
class MuonsConfig:
    """Which tracks the muon system takes for muons.

    ``efficiency``: share of true muons that it finds. ``punch_through``: share of the charged hadrons that reach the
    calorimeters and are taken for muons. ``min_pt`` [GeV], ``max_eta``: both only with pT above and |η| below these.
    """

    efficiency: Fraction
    punch_through: Fraction
    min_pt: NonNegative
    max_eta: Positive


def known_muons(config: MuonsConfig | None, option: str = "--particle-flow") -> MuonsConfig:
    """The muon system of a detector; UsageError, naming the ``option`` that needs it, when it has none."""
    if config is None:
        raise UsageError(f"{option}: the detector's YAML has no group muons; add one, or let it extend 'detector'.")
    return config
