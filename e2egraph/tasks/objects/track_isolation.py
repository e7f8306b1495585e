"""Track isolation of clusters: pT of the tracks around, as photons and electrons are told from jets.

A hollow cone, as for the photons of H → γγ (CMS, JINST 10 (2015) P08010, §5): tracks right in front of the cluster are
its own, of a converted photon or an electron, and do not count.
"""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from e2egraph.config import configuration
from e2egraph.detector.geometry import delta_phi
from e2egraph.events.flat import Flat

Positive = Annotated[float, Field(gt=0)]


@configuration
class TrackIsolation:
    """Clusters pass when the summed pT of tracks around them is no more than a share of their E_T.

    ``most``: that share. ``cone``, ``veto``: tracks count that reach the crystals between these distances ΔR from the
    cluster; ``track_pt``: those of more pT [GeV].
    """

    most: Annotated[float, Field(ge=0)] = 0.1
    cone: Positive = 0.3
    veto: Annotated[float, Field(ge=0)] = 0.04
    track_pt: Annotated[float, Field(ge=0)] = 0.5

    @model_validator(mode="after")
    def _a_ring(self) -> Self:
        if self.veto >= self.cone:
            raise ValueError(f"veto {self.veto} leaves no tracks of cone {self.cone}; make it smaller")
        return self


def track_sums(
    event: NDArray[np.int64], eta: NDArray[np.float64], phi: NDArray[np.float64], tracks: Flat, config: TrackIsolation
) -> NDArray[np.float64]:
    """Summed pT [GeV] of the tracks around C clusters, in the order of the event's tracks.

    ``event`` [C]: of each cluster, rising; ``eta``, ``phi`` [rad] [C]: where it lies on the crystals, seen from the
    detector's centre, as the ``tracks``' own (``pt``, ``eta``, ``phi``).
    """
    tracks = tracks.take(tracks.columns["pt"] > config.track_pt)
    of_cluster = tracks.counts[event]
    owner = np.repeat(np.arange(len(event)), of_cluster)
    # The k-th pair of a cluster is with the k-th track of its event.
    place = np.arange(len(owner)) - np.repeat(np.cumsum(of_cluster) - of_cluster, of_cluster)
    track = tracks.offsets[event][owner] + place
    deta = tracks.columns["eta"][track].astype(np.float64) - eta[owner]
    dphi = delta_phi(tracks.columns["phi"][track].astype(np.float64), phi[owner])
    distance = np.sqrt(deta * deta + dphi * dphi)
    pt = np.where((distance > config.veto) & (distance < config.cone), tracks.columns["pt"][track], 0.0)
    return np.bincount(owner, pt.astype(np.float64), minlength=len(event)).astype(np.float64, copy=False)
