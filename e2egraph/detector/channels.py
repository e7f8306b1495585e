"""The detector layers that nodes come from."""

from enum import IntEnum


class Channel(IntEnum):
    """The detector layer a node comes from. The numbers are stored in shards: never renumber, only append."""

    TRACK = 0
    BPIX1 = 1
    BPIX2 = 2
    BPIX3 = 3
    BPIX4 = 4
    TIB1 = 5
    TIB2 = 6
    TOB1 = 7
    TOB2 = 8
    ECAL = 9
    HCAL = 10


HIT_CHANNELS = tuple(channel for channel in Channel if Channel.BPIX1 <= channel <= Channel.TOB2)

# JINST 3 (2008) S08004 §3.1: mean radii of the pixel (2008 detector) and inner strip layers, in cm. BPIX4 exists in
# the Phase-1 detector only (CMS-TDR-011, 16.0 cm).
LAYER_RADIUS: dict[Channel, float] = {
    Channel.BPIX1: 4.4,
    Channel.BPIX2: 7.3,
    Channel.BPIX3: 10.2,
    Channel.BPIX4: 16.0,
    Channel.TIB1: 25.5,
    Channel.TIB2: 33.9,
    Channel.TOB1: 60.8,
    Channel.TOB2: 69.2,
}
