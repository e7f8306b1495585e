"""Particles that a network finds among the elements of events: what its outputs mean, and a Parquet file of them.

NumPy and Arrow alone. The rules are those of CMSSW's MLPFProducer (RecoParticleFlow/PFProducer), which the C++ library
keeps as well (``exports/cpp/include/e2egraph/candidates.h``).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import Field

from e2egraph.config import configuration
from e2egraph.data.padding import DenseArrays
from e2egraph.detector.channels import Channel
from e2egraph.errors import InputError, UsageError
from e2egraph.files import replacing
from e2egraph.folders import make_folder
from e2egraph.tasks.inputs import FLAG_PREFIX, Inputs
from e2egraph.tasks.nodeselection import NodeSelection, in_words
from e2egraph.tasks.objectives.nodes import (
    CLASS,
    ETA_AT_VERTEX,
    LARGEST_LOG_RATIO,
    MASS_OFFSET,
    MOMENTUM,
    PARTICLE,
    PHI_AT_VERTEX,
    PILEUP,
    PT,
)
from e2egraph.tasks.outputs import Outputs

Float32s = NDArray[np.float32]

# Column of a file → its type. ``row``: the event's place in the data set; ``node``: the element's place in its event;
# ``probability``: that the element is a particle.
COLUMNS: dict[str, str] = {
    "row": "int64",
    "node": "int32",
    "class": "uint8",
    "charge": "int8",
    "pt": "float32",
    "eta": "float32",
    "phi": "float32",
    "energy": "float32",
    "pileup": "float32",
    "probability": "float32",
}

# NaN in files that were written before there was such a column.
LATER = ("probability",)

# Column → the smallest and the largest value that it can have; of ``class`` the largest is the last class.
LIMITS: dict[str, tuple[float, float]] = {
    "row": (0, np.inf),
    "node": (0, np.inf),
    "class": (1, np.inf),
    "charge": (-1, 1),
    "pt": (0, np.inf),
    "eta": (-np.inf, np.inf),
    "phi": (-np.inf, np.inf),
    "energy": (0, np.inf),
    "pileup": (0, 1),
    "probability": (0, 1),
}

ABOUT_KEY = b"e2egraph.candidates"

# Node variable that says of a track whether it was seen in the muon system.
MUON = "muon"

Method = Literal["hard", "soft"]


@configuration
class Decoding:
    """How outputs of nodes become particles.

    ``method``: ``hard`` takes the elements that are more probably a particle than none, and drops those whose most
    probable class is none; ``soft`` takes every element, with pT and energy times the probability of a particle, so
    that sums over many are what is expected of them. ``least_probability``: of a particle, below which ``soft`` takes
    no element. ``track_directions``: tracks keep their own η and φ. ``track_momenta``: tracks keep their own pT too.
    """

    method: Method = "hard"
    least_probability: Annotated[float, Field(ge=0, lt=1)] = 0.01
    track_directions: bool = True
    track_momenta: bool = False


@dataclass(frozen=True)
class Candidates:
    """K particles: ``columns`` name → [K] as ``COLUMNS``, in the order of events and elements.

    ``classes``: what the numbers of ``class`` mean. ``about``: where they come from.
    """

    columns: dict[str, NDArray]
    classes: tuple[str, ...]
    about: dict[str, Any]

    def __len__(self) -> int:
        return len(self.columns["row"])

    def __getitem__(self, name: str) -> NDArray:
        return self.columns[name]


def is_particle_flow(outputs: Outputs) -> bool:
    """Whether ``outputs`` are those of objective ``nodes``."""
    return [head.name for head in outputs.heads] == [PARTICLE, CLASS, MOMENTUM, PILEUP]


def check_particle_flow(outputs: Outputs, origin: Path | str) -> None:
    """InputError unless ``outputs`` are those of objective ``nodes``."""
    if not is_particle_flow(outputs):
        names = [head.name for head in outputs.heads]
        raise InputError(
            f"{origin}: gives {', '.join(names)} of each {outputs.level}, which is no particle flow; give a run or a "
            "bundle of a task with objective nodes."
        )


def check_every_element(selection: NodeSelection, origin: Path | str) -> None:
    """UsageError where ``selection`` leaves out elements other than the last ones: candidates say by its number which
    element they are of."""
    if selection.columns:
        raise UsageError(
            f"{origin}: particle flow reads every element up to a cap, not {in_words(selection)}; set data.nodes.cap "
            "alone."
        )


def decode(
    values: Float32s, events: DenseArrays, rows: NDArray[np.int64], inputs: Inputs, outputs: Outputs, how: Decoding
) -> dict[str, NDArray]:
    """The candidates of B padded ``events`` (``COLUMNS`` → [K]), in the order of events and elements.

    ``values`` [B, N, C]: the network's outputs; ``rows`` [B]: places of the events in their data set; ``inputs``: the
    order of their features. A charged hadron or a muon from an element that is no track becomes a neutral hadron; a
    muon of a track that no muon system saw, where the inputs tell, becomes a charged hadron. InputError for outputs
    that are not finite.
    """
    event, node = np.nonzero(events.mask)
    given = values[event, node]
    bad = np.flatnonzero(~np.isfinite(given).all(axis=1))
    if len(bad):
        raise InputError(
            f"event {rows[event[bad[0]]]} of the data set, element {node[bad[0]]}: an output is not finite; look for "
            "absurd values among its elements."
        )
    columns = {name: given[:, place] for name, place in outputs.slices.items()}
    features, (eta, phi) = events.features[event, node], events.points[event, node].T
    classes = next(head.columns for head in outputs.heads if head.name == CLASS)
    is_track = _column(features, inputs, FLAG_PREFIX + Channel.TRACK.name) > 0.5
    none, particle = columns[PARTICLE].T
    probability = _sigmoid(particle - none)
    logits = columns[CLASS].copy()
    if how.method == "soft":
        logits[:, 0] = -np.inf
    found = logits.argmax(axis=1).astype(np.uint8)
    kept = (particle > none) & (found > 0) if how.method == "hard" else probability >= how.least_probability
    found = _possible(found, classes, is_track, _column(features, inputs, MUON) if inputs.has(MUON) else None)
    ratio, deta, dphi, excess = columns[MOMENTUM].T.astype(np.float64)
    element_pt = _column(features, inputs, PT).astype(np.float64)
    eta = eta.astype(np.float64) + _column(features, inputs, ETA_AT_VERTEX)
    phi = phi.astype(np.float64) + _column(features, inputs, PHI_AT_VERTEX)
    own = is_track & how.track_directions
    eta, phi = eta + np.where(own, 0.0, deta), phi + np.where(own, 0.0, dphi)
    ratio = np.where(is_track & how.track_momenta, 0.0, np.clip(ratio, -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO))
    pt = element_pt * np.exp(ratio)
    energy = pt * np.cosh(eta) * np.exp(np.minimum(np.logaddexp(0.0, excess - MASS_OFFSET), LARGEST_LOG_RATIO))
    weight = probability if how.method == "soft" else 1.0
    result = {
        "row": rows[event],
        "node": node,
        "class": found,
        "charge": np.where(is_track, np.sign(_column(features, inputs, "charge")), 0.0),
        "pt": pt * weight,
        "eta": eta,
        "phi": np.mod(phi + np.pi, 2.0 * np.pi) - np.pi,
        "energy": energy * weight,
        "pileup": _sigmoid(columns[PILEUP][:, 0]),
        "probability": probability,
    }
    return {name: np.asarray(values)[kept].astype(COLUMNS[name]) for name, values in result.items()}


def no_candidates() -> dict[str, NDArray]:
    """The columns of no candidate."""
    return {name: np.empty(0, kind) for name, kind in COLUMNS.items()}


def joined(parts: Sequence[Mapping[str, NDArray]]) -> dict[str, NDArray]:
    """Candidates of several batches in the order of events and elements."""
    whole = {name: np.concatenate([no_candidates()[name], *(part[name] for part in parts)]) for name in COLUMNS}
    order = np.lexsort((whole["node"], whole["row"]))
    return {name: values[order] for name, values in whole.items()}


def write_candidates(path: Path, candidates: Candidates) -> Path:
    """Write a Parquet file next to ``path`` and rename: whole or not at all; InputError when it cannot be written or
    holds values that no candidate can have (``LIMITS``)."""
    _check_values(path, candidates)
    about = {"classes": list(candidates.classes), **candidates.about}
    schema = pa.schema([pa.field(name, pa.from_numpy_dtype(np.dtype(kind))) for name, kind in COLUMNS.items()])
    footer = {ABOUT_KEY: json.dumps(about, sort_keys=True).encode()}
    table = pa.table(candidates.columns, schema=schema.with_metadata(footer))
    try:
        make_folder(path.parent)
        with replacing(path) as stream:
            pq.write_table(table, stream, compression="zstd")
    except OSError as error:
        raise InputError(
            f"{path}: the candidates cannot be written ({error.strerror}); choose another output."
        ) from error
    return path


def read_candidates(path: Path) -> Candidates:
    """Read a file of ``write_candidates``; InputError when it is missing, damaged or something else, lacks a column, or
    holds values that no candidate can have (``LIMITS``) or two candidates of one element."""
    advice = "make it with 'e2egraph predict' and a run or bundle of a task with objective nodes."
    try:
        table = pq.read_table(path)
        about = json.loads((table.schema.metadata or {})[ABOUT_KEY])
        classes = tuple(str(name) for name in about["classes"])
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: no readable file of candidates; {advice}") from error
    absent = [name for name in COLUMNS if name not in (*table.column_names, *LATER)]
    if absent:
        raise InputError(f"{path}: has no column {', '.join(absent)}, which candidates need; {advice}")
    columns, later = {}, set(LATER) - set(table.column_names)
    for name, kind in COLUMNS.items():
        if name in later:
            columns[name] = np.full(len(table), np.nan, kind)
            continue
        try:
            column = table[name].cast(pa.from_numpy_dtype(np.dtype(kind)))
        except pa.ArrowException as error:
            raise InputError(f"{path}: {name} is {table[name].type}, not {kind}; {advice}") from error
        if column.null_count:
            raise InputError(f"{path}: {name} of {column.null_count} candidates has no value; {advice}")
        columns[name] = column.to_numpy()
    candidates = Candidates(columns, classes, about)
    _check_values(path, candidates, later)
    return candidates


def _check_values(path: Path, candidates: Candidates, absent: Collection[str] = ()) -> None:
    """InputError when a value is not finite or not within ``LIMITS``, or when an element has two candidates.

    ``absent``: columns that are not looked at.
    """
    for name, (low, high) in LIMITS.items():
        if name in absent:
            continue
        values, high = candidates[name], len(candidates.classes) - 1 if name == "class" else high
        bad = np.flatnonzero(~(np.isfinite(values) & (values >= low) & (values <= high)))
        if len(bad):
            limits = {f"at least {low:g}": low, f"at most {high:g}": high}
            wanted = ", ".join(["finite", *(words for words, limit in limits.items() if np.isfinite(limit))])
            row, node = candidates["row"][bad[0]], candidates["node"][bad[0]]
            raise InputError(
                f"{path}: {name} of {len(bad)} candidates is not {wanted}, first of element {node} in event {row} of "
                "the data set; check this event and the model, then predict again."
            )
    row, node = candidates["row"], candidates["node"]
    if np.all((np.diff(row) > 0) | ((np.diff(row) == 0) & (np.diff(node) > 0))):
        return
    order = np.lexsort((node, row))
    twice = order[1:][(np.diff(row[order]) == 0) & (np.diff(node[order]) == 0)]
    if len(twice):
        raise InputError(
            f"{path}: {len(twice)} candidates are of an element that has one already, first of element "
            f"{node[twice[0]]} in event {row[twice[0]]} of the data set; predict again."
        )


def _possible(
    found: NDArray[np.uint8], classes: Sequence[str], is_track: NDArray[np.bool_], muon: Float32s | None
) -> NDArray[np.uint8]:
    """Classes that elements can have."""
    number = {name: place for place, name in enumerate(classes)}
    charged, neutral, muons = (number.get(name) for name in ("charged_hadron", "neutral_hadron", "muon"))
    if neutral is not None:
        wrong = np.isin(found, [place for place in (charged, muons) if place is not None]) & ~is_track
        found = np.where(wrong, neutral, found).astype(np.uint8)
    if muon is not None and muons is not None and charged is not None:
        found = np.where((found == muons) & (muon <= 0), charged, found).astype(np.uint8)
    return found


def _column(features: Float32s, inputs: Inputs, name: str) -> Float32s:
    """A feature [S], zero where the inputs have no such."""
    return features[:, inputs.index(name)] if inputs.has(name) else np.zeros(len(features), np.float32)


def _sigmoid(x: NDArray) -> NDArray[np.float64]:
    """1 / (1 + e⁻ˣ) without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * x.astype(np.float64)))
