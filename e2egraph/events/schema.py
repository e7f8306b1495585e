"""The event record: the one Awkward layout that every event source yields (DESIGN §4).

Each collection is a jagged record array, one list an event. GeV, cm, radians, ns. Tracks carry η and φ at the ECAL
surface, d0 and dz to the primary vertex. Hits are relative to the primary vertex. ``ecal`` and ``hcal`` carry image
rows and columns (``detector.py``), jets the tower row and column of their seed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import awkward as ak

COLLECTIONS: dict[str, tuple[str, ...]] = {
    "id": ("run", "lumi", "event"),
    "pv": ("x", "y", "z"),
    "tracks": ("pt", "eta", "phi", "d0", "dz", "d0_err", "dz_err", "d0_sig", "dz_sig", "charge"),
    "hits": ("channel", "x", "y", "z"),
    "ecal": ("ieta", "iphi", "energy", "time"),
    "hcal": ("ieta", "iphi", "energy"),
    "jets": (
        "pt", "eta", "phi", "mass", "seed_ieta", "seed_iphi", "softdrop_mass", "tau1", "tau2", "tau3",
        "truth_label",
    ),
    "gen": ("pdg_id", "pt", "eta", "phi", "mass", "mother"),
}  # fmt: skip


@dataclass(frozen=True)
class Missing:
    """What a source's file lacks: ``collection.field`` (or a whole collection) → the branches looked for."""

    branches: dict[str, str] = field(default_factory=dict)

    def __contains__(self, name: object) -> bool:
        return name in self.branches


class EventSource(Protocol):
    """One input file that yields event records."""

    path: Path
    n_events: int
    missing: Missing

    def read(self, start: int, stop: int, collections: Collection[str]) -> ak.Array:
        """Events ``start:stop`` as a record array with the named collections of ``COLLECTIONS``.

        ``id`` yields the plain fields run, lumi, event; ``pv`` also ``n_pv``. A field listed in ``missing`` is absent
        from its collection.
        """
        ...
