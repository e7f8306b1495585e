"""Dense detector images (flat vectors of an ntuple) → the sparse deposits of the event record."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from e2egraph.detector import geometry
from e2egraph.detector.channels import Channel
from e2egraph.errors import InputError

# 13 crystal images of 64 events are 340 MB: enough to vectorise over, little enough for a laptop.
EVENTS_PER_STEP = 64

# Track variables that the images hold as a mean over the tracks in a crystal.
AVERAGES = ("d0", "dz", "d0_sig", "dz_sig")

Reader = Callable[[int, int], ak.Array]


# Hits of one layer in one crystal: more is no count but damage, and one hit a node of them would exhaust the memory.
MOST_HITS = 10_000


def image(path: str, branch: str, vectors: ak.Array, start: int, length: int) -> NDArray[np.float32]:
    """Image vectors of the events from ``start`` on as [E, length]; InputError: wrong length, values not finite."""
    if vectors.ndim != 2:
        raise InputError(f"{path}: {branch} is no vector; give an MLAnalyzer ntuple.")
    lengths = ak.to_numpy(ak.num(vectors))
    if (lengths != length).any():
        event = start + int(np.argmax(lengths != length))
        raise InputError(
            f"{path}: {branch} of entry {event} holds {lengths[event - start]} values, expected {length}; "
            "the file is damaged or of another detector geometry: make it again."
        )
    image = ak.to_numpy(ak.flatten(vectors)).astype(np.float32, copy=False).reshape(-1, length)
    if not np.isfinite(image).all():
        event = start + int(np.argmax(~np.isfinite(image).all(axis=1)))
        raise InputError(f"{path}: {branch} of entry {event} holds NaN or infinite values; make the file again.")
    return image


def check_counts(path: str, branch: str, image: NDArray[np.float32], start: int) -> None:
    """InputError unless every cell of an image [E, cells] is a plausible number of hits."""
    wrong = not_counts(image).any(axis=1)
    if wrong.any():
        raise InputError(
            f"{path}: {branch} of entry {start + int(np.argmax(wrong))} holds values that are no numbers of hits; make "
            "the file again."
        )


def not_counts(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where an image holds no whole number from 0 to ``MOST_HITS``."""
    return (image != np.floor(image)) | (image < 0) | (image > MOST_HITS)


def crystals(image: NDArray[np.float32], values: dict[str, NDArray[np.float32]], columns: int) -> ak.Array:
    """Non-zero cells of an image [E, rows·columns] as records ``ieta, iphi`` with each of ``values`` at that cell."""
    event, cell = np.nonzero(image)
    record = {
        "ieta": (cell // columns).astype(np.int32),
        "iphi": (cell % columns).astype(np.int32),
        **{name: array[event, cell] for name, array in values.items()},
    }
    return ak.unflatten(ak.zip(record), np.bincount(event, minlength=len(image)))


def tracks(pt: NDArray[np.float32], averages: dict[str, NDArray[np.float32]]) -> ak.Array:
    """One track for each crystal that tracks entered: their summed pT [GeV], averaged d0, dz [cm] and significances.

    The images hold no more: tracks in one crystal are one node, at the crystal's centre, without charge. An average
    that ``averages`` lacks is 0.
    """
    event, cell = np.nonzero(pt)
    absent = np.zeros(len(cell), np.float32)
    record = {
        "pt": pt[event, cell],
        "eta": geometry.ecal_eta(cell // geometry.ECAL_COLUMNS).astype(np.float32),
        "phi": geometry.ecal_phi(cell % geometry.ECAL_COLUMNS).astype(np.float32),
        **{name: averages[name][event, cell] if name in averages else absent for name in AVERAGES},
        "charge": absent,
    }
    return ak.unflatten(ak.zip(record), np.bincount(event, minlength=len(pt)))


def hits(counts: dict[Channel, NDArray[np.float32]], radii: Mapping[str, float]) -> ak.Array:
    """As many hits as each crystal's count says, at the crystal's centre on the layer's mean radius (PV-relative), out
    of ``radii`` (by name, [cm]) where it is there."""
    events = len(next(iter(counts.values())))
    parts = []
    for channel, image in counts.items():
        event, cell = np.nonzero(image > 0)
        times = np.rint(image[event, cell]).astype(np.int64)
        event, cell = np.repeat(event, times), np.repeat(cell, times)
        eta = geometry.ecal_eta(cell // geometry.ECAL_COLUMNS)
        phi = geometry.ecal_phi(cell % geometry.ECAL_COLUMNS)
        parts.append((event, np.full(len(cell), channel, np.uint8), eta, phi, radii.get(channel.name, channel.radius)))
    event = np.concatenate([part[0] for part in parts])
    channels = np.concatenate([part[1] for part in parts])
    eta = np.concatenate([part[2] for part in parts])
    phi = np.concatenate([part[3] for part in parts])
    radius = np.concatenate([np.full(len(part[0]), part[4]) for part in parts])
    order = np.argsort(event, kind="stable")
    record = {
        "channel": channels[order],
        "x": (radius * np.cos(phi)).astype(np.float32)[order],
        "y": (radius * np.sin(phi)).astype(np.float32)[order],
        "z": (radius * np.sinh(eta)).astype(np.float32)[order],
    }
    return ak.unflatten(ak.zip(record), np.bincount(event, minlength=events))
