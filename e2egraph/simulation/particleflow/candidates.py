"""Candidates of rule-based particle flow, for the jets of simulated files: what an experiment would have, confusion of
tracks and clusters included."""

from __future__ import annotations

import numpy as np

from e2egraph.detector.geometry import ECAL_COLUMNS, HCAL_COLUMNS, Booleans
from e2egraph.reconstruction.elements import ElementsConfig, Measured, make_elements
from e2egraph.reconstruction.rules import rule_based
from e2egraph.reconstruction.rulesconfig import RulesConfig
from e2egraph.simulation.generation.candidates import Candidates, from_pile_up
from e2egraph.simulation.response.calorimeter import Cells
from e2egraph.simulation.response.tracking import Tracks
from e2egraph.simulation.response.vertices import Vertices


def rule_candidates(
    tracks: Tracks, muon: Booleans, ecal: Cells, hcal: Cells, vertices: Vertices, rules: RulesConfig, field: float
) -> Candidates:
    """Candidates of a batch, tracks of other vertices (``rules.charged_dz``) left out.

    ``tracks`` [T] are relative to the primary vertex; ``muon`` [T]: the muon system's bit; ``field`` [T].
    """
    first = vertices.primary
    names = ("event", "pt", "eta", "phi", "d0", "dz", "d0_err", "dz_err", "charge", "eta0", "phi0")
    measured = Measured(
        events=len(vertices.counts),
        vertex=np.stack([vertices.x[first], vertices.y[first], vertices.z[first]], axis=1),
        tracks={
            **{name: getattr(tracks, name) for name in names},
            "muon": muon,
            # Plays no part in the rules.
            "pt_err": np.zeros(len(tracks)),
        },
        ecal=_cells(ecal, ECAL_COLUMNS),
        hcal=_cells(hcal, HCAL_COLUMNS),
    )
    elements = make_elements(measured, ElementsConfig(), field)
    kept = tracks.pt > ElementsConfig().track_pt_min
    found = rule_based(elements, from_pile_up(tracks, vertices, rules.charged_dz)[kept], rules)
    found = found.take(~found.pile_up)
    return Candidates(
        event=found.event,
        px=found.pt * np.cos(found.phi),
        py=found.pt * np.sin(found.phi),
        pz=found.pt * np.sinh(found.eta),
        energy=found.energy,
    )


def _cells(cells: Cells, columns: int) -> dict[str, np.ndarray]:
    return {
        "event": cells.event,
        "row": cells.cell // columns,
        "column": cells.cell % columns,
        "energy": cells.energy,
    }
