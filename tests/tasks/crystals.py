"""Events of crystals alone, by hand or at random."""

from __future__ import annotations

from collections.abc import Sequence

import awkward as ak
import numpy as np

Crystal = tuple[int, int, float]


def events_of(crystals: Sequence[Sequence[Crystal]], *, x: float = 0.1, y: float = -0.05, z: float = 0.0) -> ak.Array:
    """Events as a source reads them (``id``, ``pv``, ``ecal``), from the (row, column, energy) of each."""
    size = len(crystals)
    numbers = {"run": np.ones(size, np.uint32), "lumi": np.ones(size, np.uint32)}
    numbers |= {"event": np.arange(size, dtype=np.uint64), "n_pv": np.ones(size, np.uint16)}
    fields = {}
    for place, (name, kind) in enumerate((("ieta", np.int32), ("iphi", np.int32), ("energy", np.float32))):
        flat = np.array([crystal[place] for event in crystals for crystal in event], kind)
        fields[name] = ak.unflatten(flat, [len(event) for event in crystals])
    fields["time"] = ak.zeros_like(fields["energy"])
    vertex = ak.zip({name: np.full(size, value, np.float32) for name, value in (("x", x), ("y", y), ("z", z))})
    return ak.zip({**numbers, "pv": vertex, "ecal": ak.zip(fields)}, depth_limit=1)


def random_crystals(seed: int, size: int) -> list[Crystal]:
    """Crystals in a few crowded places, the ends of the columns and of the rows among them; each stands once."""
    rng = np.random.default_rng(seed)
    centres = rng.integers((0, 0), (280, 360), (8, 2))
    centres[0], centres[1], centres[2] = (140, 0), (1, 357), (278, 40)
    place = centres[rng.integers(0, 8, size)] + np.rint(rng.normal(0, (4, 9), (size, 2))).astype(int)
    place[:, 1] %= 360
    place = np.unique(place[(place[:, 0] >= 0) & (place[:, 0] < 280)], axis=0)
    rng.shuffle(place)
    energy = rng.exponential(1.5, len(place)).astype(np.float32) - np.float32(0.2)
    return [(int(row), int(column), float(value)) for (row, column), value in zip(place, energy, strict=True)]
