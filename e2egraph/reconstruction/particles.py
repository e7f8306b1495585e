"""Particles of events as columns: what particles found by rules, by the truth or by networks have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.geometry import Floats, Integers


@dataclass(frozen=True)
class ParticleColumns:
    """K particles, all columns [K]; classes that inherit from this add where each particle comes from.

    ``event``: index of the event. ``kind``: 1 charged hadron, 2 neutral hadron, 3 photon, 4 electron, 5 muon
    (``graphs.particleflow.classes``). ``pt`` [GeV], ``eta``, ``phi`` [rad]: momentum at the primary vertex. ``energy``
    [GeV].
    """

    event: Integers
    kind: NDArray[np.uint8]
    pt: Floats
    eta: Floats
    phi: Floats
    energy: Floats

    def __len__(self) -> int:
        return len(self.event)

    def take(self, chosen: NDArray) -> Self:
        """The particles that a mask [K] or an index array chooses."""
        return type(self)(**{column.name: getattr(self, column.name)[chosen] for column in fields(self)})

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The particles of all ``parts`` (at least one), one part after the other."""
        columns = {each.name: np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)}
        return cls(**columns)
