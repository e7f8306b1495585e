"""Generated events as flat arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from e2egraph.detector.geometry import Booleans, Floats, Integers


@dataclass(frozen=True)
class Generated:
    """Pythia's event record of a batch, flat: entry 0 of each event stands for the whole event.

    ``offsets`` [E+1] delimits the events, ``weight`` [E] is what each counts for (``Info::weight``: 1 unless the
    generation is biased); the other arrays have shape [M]. ``mother1`` … ``daughter2`` are indices within the event.
    GeV; production vertex in cm, its time in ns.
    """

    offsets: Integers
    weight: Floats
    pdg: Integers
    status: Integers
    mother1: Integers
    mother2: Integers
    daughter1: Integers
    daughter2: Integers
    px: Floats
    py: Floats
    pz: Floats
    mass: Floats
    x: Floats
    y: Floats
    z: Floats
    t: Floats
    charge: Floats
    visible: Booleans

    @property
    def n_events(self) -> int:
        """Number of events."""
        return len(self.offsets) - 1

    @property
    def event(self) -> Integers:
        """Event index of each entry [M]."""
        return np.repeat(np.arange(self.n_events), np.diff(self.offsets))

    @property
    def first(self) -> Integers:
        """For each entry, the flat index at which its event begins [M]: local + first = flat."""
        return np.repeat(self.offsets[:-1], np.diff(self.offsets))
