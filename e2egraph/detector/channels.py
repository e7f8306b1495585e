"""The detector layers that nodes come from: one table, a row per layer, to which other packages can add rows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from e2egraph.detector.geometry import ECAL_RADIUS, HCAL_RADIUS

# Largest number of a channel: shards store it in a byte.
LARGEST_NUMBER = 255


class Channel(int):
    """A detector layer: a row of the table, and as an integer the number that shards store.

    ``name``: as in configurations. ``collection``: of the event record, which its nodes are made from. ``radius`` [cm]:
    where it stands. ``energy``: whether a node's value is a momentum or an energy (it counts hits otherwise).
    ``cms``: subdetector and layer of CMS (``hit_sub_det``, ``hit_layer``), for layers of hits.
    """

    name: str
    collection: str
    radius: float
    energy: bool
    cms: tuple[int, int] | None

    TRACK: ClassVar[Channel]
    BPIX1: ClassVar[Channel]
    BPIX2: ClassVar[Channel]
    BPIX3: ClassVar[Channel]
    BPIX4: ClassVar[Channel]
    TIB1: ClassVar[Channel]
    TIB2: ClassVar[Channel]
    TOB1: ClassVar[Channel]
    TOB2: ClassVar[Channel]
    ECAL: ClassVar[Channel]
    HCAL: ClassVar[Channel]

    def __new__(
        cls,
        name: str,
        number: int,
        collection: str,
        radius: float,
        *,
        energy: bool = False,
        cms: tuple[int, int] | None = None,
    ) -> Channel:
        row = super().__new__(cls, number)
        row.name, row.collection, row.radius, row.energy, row.cms = name, collection, radius, energy, cms
        return row

    def __reduce__(self) -> tuple[object, ...]:
        return _made, (self.name, int(self), self.collection, self.radius, self.energy, self.cms)

    def __repr__(self) -> str:
        return f"Channel({self.name})"


def _made(name: str, number: int, collection: str, radius: float, energy: bool, cms: tuple[int, int] | None) -> Channel:
    return Channel(name, number, collection, radius, energy=energy, cms=cms)


_TABLE: dict[str, Channel] = {}


def register(row: Channel) -> Channel:
    """Add a layer to the table; the same row may be added again.

    ValueError when another layer has its name or number, or the number does not fit a byte. Numbers stand in shards:
    they never change.
    """
    if not 0 <= row <= LARGEST_NUMBER:
        raise ValueError(f"channel {row.name} has number {int(row)}; numbers go from 0 to {LARGEST_NUMBER}")
    for other in _TABLE.values():
        if (other.name == row.name) != (other == row):
            raise ValueError(f"channel {row.name} (number {int(row)}) clashes with {other.name} (number {int(other)})")
    _TABLE[row.name] = row
    return row


def channels() -> dict[str, Channel]:
    """Name → layer, all that are known, in the order of their numbers."""
    return dict(sorted(_TABLE.items(), key=lambda item: item[1]))


def hit_channels() -> tuple[Channel, ...]:
    """The layers that hold single hits, in the order of their numbers."""
    return tuple(row for row in channels().values() if row.collection == "hits")


# Of layers whose radii nobody gave.
AS_KNOWN: Mapping[str, float] = MappingProxyType({})

# Mean radii of the layers of barrel pixels [cm]: of the detector before 2017 (CMS, JINST 3 (2008) S08004, §3.1), which
# had three, and of the Phase-1 detector since (CMS-TDR-011; 29, 68, 109 and 160 mm).
BEFORE_2017 = {"BPIX1": 4.4, "BPIX2": 7.3, "BPIX3": 10.2}
PHASE_1 = {"BPIX1": 2.9, "BPIX2": 6.8, "BPIX3": 10.9, "BPIX4": 16.0}


def pixel_detector(radii: Mapping[str, float]) -> str | None:
    """Which detector the radii [cm] of layers of barrel pixels are of, in words; None where they are of neither."""
    layers = {name: radius for name, radius in radii.items() if name in BEFORE_2017}
    if not layers:
        return None
    for words, known in (("the pixel detector before 2017", BEFORE_2017), ("the Phase-1 pixel detector", PHASE_1)):
        if all(known[name] == radius for name, radius in layers.items()):
            return words
    return None


# JINST 3 (2008) S08004 §3.1: mean radii of the inner strip layers. Subdetectors as stored in ntuples: 1 BPIX, 3 TIB,
# 5 TOB (a header comment of the producer swaps TOB and TID). Radii count where hits come as images, and
# a task may have others (inputs.radii).
for _row in (
    Channel("TRACK", 0, "tracks", ECAL_RADIUS, energy=True),
    Channel("BPIX1", 1, "hits", BEFORE_2017["BPIX1"], cms=(1, 1)),
    Channel("BPIX2", 2, "hits", BEFORE_2017["BPIX2"], cms=(1, 2)),
    Channel("BPIX3", 3, "hits", BEFORE_2017["BPIX3"], cms=(1, 3)),
    Channel("BPIX4", 4, "hits", PHASE_1["BPIX4"], cms=(1, 4)),
    Channel("TIB1", 5, "hits", 25.5, cms=(3, 1)),
    Channel("TIB2", 6, "hits", 33.9, cms=(3, 2)),
    Channel("TOB1", 7, "hits", 60.8, cms=(5, 1)),
    Channel("TOB2", 8, "hits", 69.2, cms=(5, 2)),
    Channel("ECAL", 9, "ecal", ECAL_RADIUS, energy=True),
    Channel("HCAL", 10, "hcal", HCAL_RADIUS, energy=True),
):
    setattr(Channel, _row.name, register(_row))
