"""Event files: raw deposits and jets in a plain binary form that C++ reads without ROOT (``exports/cpp/EVENTS.md``)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.files import check_file, replacing
from e2egraph.folders import make_folder

MAGIC = b"E2EEVT02"

# Collection → its columns in order; each value is little-endian and has four bytes. ``index``: the jet's number in its
# event; ``label``: its class; seeds: row and column of its tower, −1 for both where the reader is to find it, or of a
# cluster's crystal.
COLLECTIONS: dict[str, dict[str, str]] = {
    "tracks": dict.fromkeys(("pt", "eta", "phi", "d0", "dz", "d0_sig", "dz_sig", "charge"), "<f4"),
    "hits": {"channel": "<i4", **dict.fromkeys(("x", "y", "z"), "<f4")},
    "ecal": {"ieta": "<i4", "iphi": "<i4", "energy": "<f4", "time": "<f4"},
    "hcal": {"ieta": "<i4", "iphi": "<i4", "energy": "<f4"},
    "jets": {
        "index": "<i4",
        "label": "<i4",
        **dict.fromkeys(("pt", "eta", "phi", "mass", "softdrop_mass", "tau21", "tau32"), "<f4"),
        "seed_ieta": "<i4",
        "seed_iphi": "<i4",
    },
}

# What identifies an event, in order.
_IDENTITY = {"run": "<u4", "lumi": "<u4", "event": "<u8", "n_pv": "<u4"}


class EventFileWriter:
    """Writes events one by one; use it in a ``with`` block. The file appears once complete, or not at all."""

    def __init__(self, path: Path) -> None:
        """Begin the file; InputError when it cannot be written."""
        check_file(path)
        self._path, self._events = path, 0
        self._closing = ExitStack()
        try:
            make_folder(path.parent)
            self._file = self._closing.enter_context(replacing(path))
        except OSError as error:
            raise self._failed(error) from error
        self._write(MAGIC + bytes(8))
        self._closing.push(self._write_count)

    def __enter__(self) -> EventFileWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._closing.__exit__(kind, value, trace)
        except OSError as error:
            raise self._failed(error) from error

    def write(
        self,
        identity: Mapping[str, int],
        collections: Mapping[str, Mapping[str, NDArray]],
        vertex: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> None:
        """Append one event: run, lumi, event and n_pv, the columns of ``COLLECTIONS`` (an absent one is empty), and
        x, y, z of its primary vertex [cm].

        InputError when the disk is full.
        """
        counts = [len(next(iter(collections[name].values()))) if name in collections else 0 for name in COLLECTIONS]
        parts = [np.array(identity[name], kind).tobytes() for name, kind in _IDENTITY.items()]
        parts.append(np.array(vertex, "<f4").tobytes())
        parts.append(np.array(counts, "<u4").tobytes())
        for name, columns in COLLECTIONS.items():
            given = collections.get(name, {})
            parts += [np.ascontiguousarray(given[column], kind).tobytes() for column, kind in columns.items() if given]
        self._write(b"".join(parts))
        self._events += 1

    def _write_count(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """The number of events is known at the end alone."""
        if kind is None:
            self._file.seek(len(MAGIC))
            self._file.write(np.array(self._events, "<u8").tobytes())

    def _write(self, content: bytes) -> None:
        try:
            self._file.write(content)
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> InputError:
        return InputError(f"{self._path}: cannot be written ({error.strerror}); free space or choose another --output.")
