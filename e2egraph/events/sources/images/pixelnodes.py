"""Pixels of jet images as nodes: one for each crystal, tower or hit, at its row and column from the middle pixel."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.channels import Channel
from e2egraph.detector.geometry import CRYSTALS_PER_TOWER, WINDOW_SIZE

VARIABLES = ("value", "d0", "dz", "d0_sig", "dz_sig", "time")

# A tower's energy is spread evenly over its crystals.
SHARE = np.float32(CRYSTALS_PER_TOWER**2)

# Column → a value for each node: jet, rows, columns, channel and ``VARIABLES``.
Nodes = dict[str, NDArray]


def tower_energy(pixel: NDArray[np.float64]) -> NDArray[np.float32]:
    """Tower energy [GeV] whose 25th part is ``pixel``, to the last bit in float32 where there is such a float32 number.

    There is one whenever the image was made from float32 towers. For other values the nearest is taken, off by 6e-8.
    """
    wanted = pixel.astype(np.float32)
    best = (pixel * float(SHARE)).astype(np.float32)
    for other in (np.nextafter(best, np.float32(-np.inf)), np.nextafter(best, np.float32(np.inf))):
        best = np.where((best / SHARE != wanted) & (other / SHARE == wanted), other, best)
    return best


def cells(channel: Channel, planes: dict[str, NDArray[np.float32]]) -> Nodes:
    """One node for each pixel in which any of ``planes`` (node variable → [b, size, size]) is not 0."""
    some = np.logical_or.reduce([plane != 0 for plane in planes.values()])
    jet, row, column = np.nonzero(some)
    given = {name: plane[jet, row, column] for name, plane in planes.items()}
    given.setdefault("value", np.zeros(len(jet), np.float32))
    return nodes_at(channel, jet, row, column, size=some.shape[1], **given)


def nodes_at(
    channel: Channel,
    jet: NDArray[np.int64],
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    *,
    size: int,
    **variables: NDArray[np.float32],
) -> Nodes:
    """Nodes at pixels of images of ``size``; ``value`` is 1 (a hit) if not among ``variables``, anything else 0."""
    centre = (size - 1) // 2
    filled: dict[str, NDArray] = {"value": np.ones(len(jet), np.float32), **variables}
    return {
        "jet": jet,
        "rows": row - centre,
        "columns": column - centre,
        "channel": np.full(len(jet), channel, np.uint8),
        **{name: filled[name] if name in filled else np.zeros(len(jet), np.float32) for name in VARIABLES},
    }


def no_nodes() -> Nodes:
    """Of a file without jets."""
    nodes = nodes_at(Channel.TRACK, *(np.zeros(0, np.int64) for _ in range(3)), size=WINDOW_SIZE)
    return {name: column for name, column in nodes.items() if name != "jet"}


def hashes(nodes: Nodes, counts: NDArray[np.int64], jets: dict[str, NDArray]) -> NDArray[np.uint64]:
    """64 bits of BLAKE2b over each jet's points, pT and mass: the same jet has the same number in any file."""
    table = np.stack(
        [nodes[name].astype("<i4") for name in ("rows", "columns", "channel")]
        + [nodes[name].astype("<f4").view("<i4") for name in VARIABLES],
        axis=1,
    )
    plain = [jets[name].astype("<f4") for name in ("jet_pt", "jet_mass") if name in jets]
    ends = np.cumsum(counts)
    numbers = np.empty(len(counts), np.uint64)
    for jet, (end, count) in enumerate(zip(ends, counts, strict=True)):
        digest = hashlib.blake2b(table[end - count : end].tobytes(), digest_size=8)
        digest.update(b"".join(values[jet].tobytes() for values in plain))
        numbers[jet] = int.from_bytes(digest.digest(), "big")
    return numbers
