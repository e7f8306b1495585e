"""Files of images of whole events → points: one node for every pixel that is not 0, in the middle of its pixel.

The format of the public code of arXiv:2207.11710 (HEP-CNN): HDF5 with a group ``all_events`` of ``images``, planes
first or last, and ``weights``; images are two-dimensional histograms of the energies in both calorimeters and of the
tracks' pT, over η along rows and φ along columns. Drawn again with as many pixels (``EventImage``) the points give
every image back, in float32. The order of planes differs between that code and its text: the user must name it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.channels import Channel, channels, hit_channels
from e2egraph.errors import InputError
from e2egraph.events.locations import closed_on_error
from e2egraph.events.schema import ImagePoints, Missing
from e2egraph.events.sources.images.hdf5 import Hdf5Container
from e2egraph.events.sources.images.layout import IGNORED, ImageLayout, planes
from e2egraph.events.whole import not_whole

GROUP, IMAGES = "all_events", ("images",)
WEIGHTS = ("weights", "weight")

# Quantity of an event → the datasets that may hold it, and the field of the event record that it is made of.
QUANTITIES = {
    "ht": (("scalarHT",), "jets.pt"),
    "n_jets": (("numJet",), "jets.pt"),
    "n_bjets": (("numbJet",), "jets.b_tag"),
    "sum_fatjet_mass": (("sumFatJetM",), "fatjets"),
    "truth_label": (("labels", "label"), "jets.truth_label"),
}
_WHOLE = ("n_jets", "n_bjets", "truth_label")


class EventImageFile:
    """One file of images of whole events, opened; a ``PointSource``. InputError, naming what is wrong, for a file
    without the group or its images, or of other numbers of planes than ``layout`` names."""

    of_events = True

    def __init__(self, path: str | Path, layout: ImageLayout) -> None:
        self.path, self.layout = str(path), layout
        self.channels = layout.channels
        self._container = Hdf5Container(self.path, GROUP, IMAGES)
        with closed_on_error(self._container):
            self._recognise()

    def _recognise(self) -> None:
        layout, names = self.layout, self._container.names
        if IMAGES[0] not in names:
            there = ", ".join(sorted(names)[:8]) or "nothing"
            raise InputError(f"{self.path}: no {GROUP}/{IMAGES[0]} (found {there}); give a file of images of events.")
        self.size, self._last = self._shape()
        held = {quantity: _first(of, names) for quantity, (of, _) in QUANTITIES.items()}
        self._quantities = {quantity: name for quantity, name in held.items() if name is not None}
        self._weights = _first(WEIGHTS, names)
        self.recognised = {quantity: f"{GROUP}/{name}" for quantity, name in self._quantities.items()}
        if self._weights is not None:
            self.recognised["gen_weight"] = f"{GROUP}/{self._weights}"
        of_planes = {name: f"{GROUP}/{IMAGES[0]}[{i}]" for i, name in enumerate(layout.planes) if name != IGNORED}
        self.recognised |= of_planes
        self.kinds = {"images": f"{', '.join(layout.planes)} of {self.size}×{self.size} pixels"}
        self.missing = Missing(dict(self._lacking()))

    def close(self) -> None:
        """Close the file; nothing is read from it afterwards."""
        self._container.close()

    @property
    def n_jets(self) -> int:
        """Number of events."""
        return self._container.n_jets

    def weights(self, start: int, stop: int) -> NDArray[np.float64]:
        """Weights of events ``start:stop``, 1 where the file has none."""
        if self._weights is None:
            return np.ones(stop - start)
        return self._container.column(self._weights)[start:stop].astype(np.float64)

    def read_jets(self, start: int, stop: int) -> dict[str, NDArray]:
        """The quantities of events ``start:stop`` that the file holds, [J] each."""
        columns = {}
        for quantity, name in self._quantities.items():
            values = self._container.column(name)[start:stop]
            if quantity in _WHOLE:
                wrong = not_whole(values, "int64")
                if wrong.any():
                    event = int(np.argmax(wrong))
                    raise InputError(
                        f"{self.path}: {name} of event {start + event} is {values[event]}, no whole number; make the "
                        "file again."
                    )
                values = values.astype(np.int64)
            columns[quantity] = values
        return columns

    def read(self, start: int, stop: int) -> ImagePoints:
        """Points of events ``start:stop``, whose numbers are hashes of their images; InputError naming event and plane
        for pixels that are not finite."""
        parts = [self._points(images, first) for images, first in self._batches(start, stop)]
        found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else _none()
        counts = np.bincount(found["event"] - start, minlength=stop - start).astype(np.int64)
        jets = self.read_jets(start, stop)
        zeros = np.zeros(stop - start, np.int64)
        table = np.stack([found["row"], found["column"], found["channel"]], axis=1).astype("<i4")
        bits = found["value"].astype("<f4").view("<i4")[:, None]
        rows = np.split(np.concatenate([table, bits], axis=1), np.cumsum(counts)[:-1])
        numbers = [hashlib.blake2b(part.tobytes(), digest_size=8).digest() for part in rows[: stop - start]]
        jets |= {"run": zeros, "lumi": zeros, "event": np.frombuffer(b"".join(numbers), ">u8").astype(np.uint64)}
        eta_max, pixels = self.layout.events_abs_eta_max or 0.0, float(self.size)
        return ImagePoints(
            jets=jets,
            counts=counts,
            rows=found["row"],
            columns=found["column"],
            channel=found["channel"].astype(np.uint8),
            variables={"value": found["value"]},
            eta=eta_max * ((2.0 * found["row"] + 1.0) / pixels - 1.0),
            phi=math.pi * ((2.0 * found["column"] + 1.0) / pixels - 1.0),
        )

    def _shape(self) -> tuple[int, bool]:
        """Pixels along a side, and whether planes stand last."""
        shape, count = self._container.shape, len(self.layout.planes)
        if len(shape) == 3 and shape[0] == count and shape[1] == shape[2]:
            return shape[1], False
        if len(shape) == 3 and shape[2] == count and shape[0] == shape[1]:
            return shape[0], True
        raise InputError(
            f"{self.path}: {GROUP}/{IMAGES[0]} has images of shape {shape}, expected squares of pixels in each of "
            f"{count} planes ({', '.join(self.layout.planes)}); name as many image channels as there are planes."
        )

    def _batches(self, start: int, stop: int) -> Iterator[tuple[NDArray, int]]:
        """Images [b, planes, S, S] of events ``start:stop``, and the number of the first of each batch."""
        source = self._container.batches(start)
        at = start
        while at < stop:
            images = next(source)[: stop - at]
            if images.dtype.kind not in "fiu":
                raise InputError(f"{self.path}: images hold {images.dtype} and no pixels; make the file again.")
            yield np.moveaxis(images, 3, 1) if self._last else images, at
            at += len(images)

    def _points(self, images: NDArray, first: int) -> dict[str, NDArray]:
        """The pixels that are not 0, event by event: numbers of event, row, column and channel, and the value."""
        parts = []
        for number, name in enumerate(self.layout.planes):
            if name == IGNORED:
                continue
            with np.errstate(over="ignore"):
                plane = np.asarray(images[:, number], np.float32)
            if not np.isfinite(plane).all():
                event = first + int(np.argmax(~np.isfinite(plane).all(axis=(1, 2))))
                raise InputError(
                    f"{self.path}: plane {name} of event {event} holds NaN or infinite values; make the file again."
                )
            owner, row, column = np.nonzero(plane)
            channel = np.full(len(owner), planes()[name][0], np.int64)
            value = plane[owner, row, column]
            parts.append({"event": owner + first, "row": row, "column": column, "channel": channel, "value": value})
        found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        order = np.argsort(found["event"], kind="stable")
        return {name: values[order] for name, values in found.items()}

    def _lacking(self) -> Iterator[tuple[str, str]]:
        for quantity, (names, of) in QUANTITIES.items():
            if quantity not in self._quantities:
                yield of, " or ".join(f"{GROUP}/{name}" for name in names)
        yield "gen", "no image file holds it"
        for channel in channels().values():
            if channel not in self.channels:
                name = f"hits.{channel.name}" if channel in hit_channels() else channel.collection
                yield name, f"plane {'track_pt' if channel == Channel.TRACK else channel.name}"


def _first(names: tuple[str, ...], there: frozenset[str]) -> str | None:
    return next((name for name in names if name in there), None)


def _none() -> dict[str, NDArray]:
    whole = {name: np.zeros(0, np.int64) for name in ("event", "row", "column", "channel")}
    return {**whole, "value": np.zeros(0, np.float32)}
