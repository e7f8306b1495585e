"""The ``fevt/RHTree`` file: branch names and types, written in batches next to its name and renamed when complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.events.sources.production import GENERATION, WEIGHT, WEIGHTS
from e2egraph.files import atomic_path, check_file
from e2egraph.simulation.response.images import IMAGE_SIZES

TREE, CONFIGURATION = "fevt/RHTree", "fevt/configuration"

EVENT_TYPES = {
    "eventId": "uint64", "runId": "uint32", "lumiId": "uint32", "nVtx": "int32", "goodvertices": "int32",
    "genWeight": "float32",
}  # fmt: skip

# Collection → its members. A branch is named collection + separator + member.
VECTOR_TYPES: dict[str, dict[str, str]] = {
    "Vtx": {"x": "float32", "y": "float32", "z": "float32"},
    "track": {
        **dict.fromkeys(("pt", "eta", "phi", "d0", "dz", "d0Err", "dzErr", "charge"), "float32"),
        "genIndex": "int32",
    },
    "hit": {
        **dict.fromkeys(("global_x", "global_y", "global_z"), "float32"),
        **dict.fromkeys(("sub_det", "layer", "genIndex"), "int32"),
    },
    "ecal": {"ieta": "int32", "iphi": "int32", "energy": "float32", "time": "float32", "genIndex": "int32"},
    "hcal": {"ieta": "int32", "iphi": "int32", "energy": "float32", "genIndex": "int32"},
    "gen": {
        **dict.fromkeys(("pt", "eta", "phi", "m"), "float32"),
        **dict.fromkeys(("pdgId", "mother", "status"), "int32"),
    },
    "jet": {
        **dict.fromkeys(("Pt", "Eta", "Phi", "M", "SoftDropM", "Tau1", "Tau2", "Tau3"), "float32"),
        **dict.fromkeys(("Seed_ieta", "Seed_iphi"), "float32"),
    },
}

_LINK = {"cell": "int32", "sim": "int32", "energy": "float32"}

# What only some simulations write: option → collection → its further members, and option → numbers of the event.
OPTIONAL_TYPES: dict[str, dict[str, dict[str, str]]] = {
    "fat_jets": {"fatjet": dict.fromkeys(("Pt", "Eta", "Phi", "M"), "float32")},
    "b_tagging": {"jet": {"HadronFlavour": "int32", "BTag": "int32"}},
    "particle_flow": {
        "track": {
            **dict.fromkeys(("eta0", "phi0", "ptErr"), "float32"),
            **dict.fromkeys(("muon", "simIndex", "secondary"), "int32"),
        },
        "sim": {
            **dict.fromkeys(("pdgId", "charge"), "int32"),
            **dict.fromkeys(("pt", "eta", "phi", "m", "vx", "vy", "vz"), "float32"),
            **dict.fromkeys(("collision", "genIndex", "fate"), "int32"),
        },
        "ecalLink": _LINK,
        "hcalLink": _LINK,
    },
}
OPTIONAL_EVENT_TYPES: dict[str, dict[str, str]] = {"met": {"met": "float32"}}

# As in the ntuples: jetPt, but track_pt.
SEPARATOR = {"jet": "", "fatjet": ""}

# uproot writes a counter for each collection; the ntuples' own nVtx must keep its name.
COUNTER = "count_{}"

Columns = Mapping[str, NDArray]


class RHTreeWriter:
    """Writes events to a ROOT file; use it in a ``with`` block. On an exception nothing is left behind."""

    def __init__(self, path: Path, images: Sequence[str], configuration: str, optional: Sequence[str] = ()) -> None:
        """Begin the file; InputError when its folder is missing or cannot be written, or the disk is full.

        ``images``: names of the image branches. ``configuration``, a text that says how the events are made, is stored
        next to the tree. ``optional``: options of ``OPTIONAL_TYPES`` and ``OPTIONAL_EVENT_TYPES`` that are on.
        """
        self._vectors = vector_types(optional)
        self._scalars = {**EVENT_TYPES}
        for name in optional:
            self._scalars |= OPTIONAL_EVENT_TYPES.get(name, {})
        self._path = path
        self._images = images
        if not path.parent.is_dir():
            raise InputError(f"{path}: the folder {path.parent} does not exist; create it or choose another --output.")
        check_file(path)
        try:
            with ExitStack() as closing:
                self._begin(closing, configuration)
                self._closing = closing.pop_all()
        except OSError as error:
            raise self._failed(error) from error

    def _begin(self, closing: ExitStack, configuration: str) -> None:
        try:
            # Of LZ4, ZSTD and ZLIB the one that packs the mostly empty images tightest, and as fast as any (measured).
            partial = closing.enter_context(atomic_path(self._path))
            self._file = closing.enter_context(uproot.recreate(partial, compression=uproot.ZSTD(1)))
        except OSError as error:
            raise InputError(f"{self._path}: cannot be written ({error.strerror}); choose another --output.") from error
        self._file[CONFIGURATION] = configuration
        self._tree = self._file.mktree(
            TREE,
            self._types(),
            counter_name=COUNTER.format,
            field_name=lambda outer, inner: inner if outer == "" else outer + SEPARATOR.get(outer, "_") + inner,
        )

    def __enter__(self) -> RHTreeWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._closing.__exit__(kind, value, trace)
        except OSError as error:
            raise self._failed(error) from error

    def extend(self, scalars: Columns, vectors: Mapping[str, Columns], images: Columns) -> None:
        """Append a batch.

        ``scalars`` [E]; ``vectors``: flat columns of each collection with their ``event`` index, in its order;
        ``images`` [E, size], empty for a file without. InputError when the disk is full.
        """
        events = len(scalars["eventId"])
        batch: dict[str, Any] = {name: scalars[name].astype(kind) for name, kind in self._scalars.items()}
        for collection, types in self._vectors.items():
            columns = vectors[collection]
            counts = np.bincount(columns["event"], minlength=events)
            record = ak.zip({name: stored(columns[name], kind) for name, kind in types.items()})
            batch[collection] = ak.unflatten(record, counts)
        try:
            self._tree.extend({**batch, **images})
        except OSError as error:
            raise self._failed(error) from error

    def record_generation(self, text: str, weights: NDArray[np.float64] | None = None) -> None:
        """Store ``text``, which says how many events were generated for those written, next to the tree, and the
        ``weights`` of all events [pb], if any, as a tree of as many entries (a friend, in ROOT's words)."""
        try:
            self._file[GENERATION] = text
            if weights is not None:
                self._file.mktree(WEIGHTS, {WEIGHT: np.dtype(np.float64)}).extend({WEIGHT: weights})
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> InputError:
        return InputError(f"{self._path}: writing failed ({error.strerror}); free space and run again.")

    def _types(self) -> dict[str, Any]:
        types: dict[str, Any] = {name: np.dtype(kind) for name, kind in self._scalars.items()}
        for collection, members in self._vectors.items():
            fields = ", ".join(f'"{name}": {kind}' for name, kind in members.items())
            types[collection] = f"var * {{{fields}}}"
        return types | {name: np.dtype((np.float32, (IMAGE_SIZES[name],))) for name in self._images}


def vector_types(optional: Sequence[str]) -> dict[str, dict[str, str]]:
    """Collection → member → type, of the branches that are written with the options ``optional``."""
    types = {name: {**members} for name, members in VECTOR_TYPES.items()}
    for option in optional:
        for name, members in OPTIONAL_TYPES.get(option, {}).items():
            types[name] = types.get(name, {}) | members
    return types


def stored(column: NDArray, kind: str) -> NDArray:
    """A column in the type it is stored in."""
    return np.ascontiguousarray(column, dtype=kind)
