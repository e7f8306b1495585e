"""The detector layers that nodes come from: one table, a row per layer, to which other packages can add rows."""

from __future__ import annotations

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


# JINST 3 (2008) S08004 §3.1: mean radii of the pixel (2008 detector) and inner strip layers, in cm. BPIX4 exists in
# the Phase-1 detector only (CMS-TDR-011, 16.0 cm). Subdetectors as stored in ntuples: 1 BPIX, 3 TIB, 5 TOB (a header
# comment of the producer swaps TOB and TID).
for _row in (
    Channel("TRACK", 0, "tracks", ECAL_RADIUS, energy=True),
    Channel("BPIX1", 1, "hits", 4.4, cms=(1, 1)),
    Channel("BPIX2", 2, "hits", 7.3, cms=(1, 2)),
    Channel("BPIX3", 3, "hits", 10.2, cms=(1, 3)),
    Channel("BPIX4", 4, "hits", 16.0, cms=(1, 4)),
    Channel("TIB1", 5, "hits", 25.5, cms=(3, 1)),
    Channel("TIB2", 6, "hits", 33.9, cms=(3, 2)),
    Channel("TOB1", 7, "hits", 60.8, cms=(5, 1)),
    Channel("TOB2", 8, "hits", 69.2, cms=(5, 2)),
    Channel("ECAL", 9, "ecal", ECAL_RADIUS, energy=True),
    Channel("HCAL", 10, "hcal", HCAL_RADIUS, energy=True),
):
    setattr(Channel, _row.name, register(_row))
