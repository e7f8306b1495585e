"""One chunk of one input file, the unit of work of a build: scan its jets, or turn it into a shard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from e2egraph import __version__
from e2egraph.config import as_dict, digest
from e2egraph.errors import InputError
from e2egraph.events.schema import EventSource, PointSource
from e2egraph.events.sources.registry import Source, SourceOptions, open_source
from e2egraph.graphs import cutflow
from e2egraph.graphs.columns import JET_TYPES, NEIGHBORS, SPLITS, TARGET_PREFIX
from e2egraph.graphs.cutflow import Cutflow
from e2egraph.graphs.edges import nearest_neighbors
from e2egraph.graphs.hashing import hash_unit
from e2egraph.graphs.imagepoints import check_image_source, image_clouds, image_cuts, image_jets
from e2egraph.graphs.manifest import SCHEMA_VERSION, InputFile
from e2egraph.graphs.nodes import collections_needed, make_nodes, node_fates
from e2egraph.graphs.pointclouds import PointClouds, concatenate, empty
from e2egraph.graphs.resampling import kept, spectrum, weight_factors
from e2egraph.graphs.shards import write_shard
from e2egraph.tasks.objects.jet import Jets, flatten_jets, kinematic_cuts
from e2egraph.tasks.task import Split, TaskConfig
from e2egraph.tasks.truth import TruthSource, matched, truth_source

# A shard holds the jets of this many events; they are read and cut out in steps, which bound the memory.
EVENTS_PER_SHARD = 2048
EVENTS_PER_STEP = 256

# Selected jets of a step → their point clouds and the fates of their deposits.
NodeMaker = Callable[[Jets], tuple[PointClouds, dict[str, int]]]


@dataclass(frozen=True)
class Chunk:
    """Events ``start:stop`` of one input, and the shard they become."""

    shard: str
    input: InputFile
    start: int
    stop: int
    options: SourceOptions = field(default_factory=SourceOptions)


@dataclass(frozen=True)
class Scan:
    """What a scan found: the cutflow up to truth matching and, for resampling, the jets in each pT bin."""

    cutflow: dict[str, int]
    spectrum: NDArray[np.int64] | None


def entries(source: Source) -> int:
    """Events of a file, or jets of an image file, where each counts as an event of its own."""
    return source.n_jets if isinstance(source, PointSource) else source.n_events


def check_source(source: Source, task: TaskConfig, sample: str) -> None:
    """Fail at once, naming file and branch, when the file lacks what the task needs or holds no event."""
    if isinstance(source, PointSource):
        check_image_source(source, task, sample)
        return
    if source.n_events == 0:
        raise InputError(f"{source.path}: holds no events; leave it out.")
    needed = ["id", "jets", *collections_needed(task.nodes)]
    needed += [f"hits.{channel.name}" for channel in task.nodes.members]
    for name in needed:
        if name in source.missing:
            raise InputError(
                f"{source.path}: no branch for {name} (looked for {source.missing.branches[name]}), "
                f"which task '{task.name}' needs; give a file that has it, or change nodes.channels."
            )
    truth_source(task.truth, sample, source)


def scan(chunk: Chunk, task: TaskConfig) -> Scan:
    """Select the chunk's jets without reading any deposit."""
    flow = Cutflow()
    spectra = []
    for jets, _ in _selected(chunk, task, flow, ()):
        if task.resampling is not None:
            spectra.append(spectrum(jets.columns["jet_pt"], task.resampling))
    return Scan(flow.left, np.sum(spectra, axis=0) if spectra else None)


def build_shard(chunk: Chunk, task: TaskConfig, factors: NDArray[np.float64] | None, folder: Path) -> None:
    """Write the chunk's shard, whose footer tells its cutflow, its nodes' fates and its jets in each split.

    ``factors``: of its class in each pT bin, see ``resampling``. InputError: the input is damaged; UnfinishedError: the
    shard cannot be written.
    """
    flow = Cutflow()
    fates: dict[str, int] = dict.fromkeys(node_fates(task.nodes), 0)
    parts = [empty([*JET_TYPES, *(TARGET_PREFIX + name for name in task.targets)], task.nodes.neighbors)]
    for selected, make in _selected(chunk, task, flow, collections_needed(task.nodes)):
        jets = selected
        if task.resampling is not None and factors is not None:
            identity = tuple(jets.columns[name] for name in ("run", "lumi", "event", "jet"))
            stays = kept(jets.columns["jet_pt"], identity, factors, task.resampling)
            jets = jets.take(flow.cut("resampling", np.ones(len(jets), bool), stays))
        clouds, met = make(jets)
        fates = cutflow.total([fates, met])
        if task.nodes.neighbors:
            clouds.nodes[NEIGHBORS] = nearest_neighbors(clouds, task.nodes.neighbors)
        weight = chunk.input.weight * weight_factors(clouds.jets["jet_pt"], factors, task.resampling)
        parts.append(_with_labels(clouds, task, chunk.input.sample, weight))
    clouds = concatenate(parts)
    path = folder / chunk.shard
    cutflow.check(str(path), flow.left, flow.removed, len(clouds))
    footer = {
        **origin(chunk, task),
        "configuration": as_dict(task),
        "cutflow": flow.left,
        "removed": flow.removed,
        "nodes": fates,
        "counts": {name: int((clouds.jets["split"] == name).sum()) for name in SPLITS},
    }
    write_shard(path, clouds, tuple(task.targets), footer)


def origin(chunk: Chunk, task: TaskConfig) -> dict[str, object]:
    """What a footer says of where its shard comes from: a shard with this origin is this chunk's."""
    return {
        "schema_version": SCHEMA_VERSION,
        "software_version": __version__,
        "configuration_sha256": digest(task),
        "source": as_dict(chunk.options),
        "input": asdict(chunk.input),
        "events": [chunk.start, chunk.stop],
    }


def _selected(
    chunk: Chunk, task: TaskConfig, flow: Cutflow, deposits: tuple[str, ...]
) -> Iterator[tuple[Jets, NodeMaker]]:
    """Steps of the chunk as (selected jets, what makes nodes of them); counts the jets of every cut in ``flow``.

    Without ``deposits`` to read, nothing can make nodes.
    """
    source = open_source(chunk.input.path, chunk.options)
    truth = truth_source(task.truth, chunk.input.sample, source)
    for start in range(chunk.start, chunk.stop, EVENTS_PER_STEP):
        stop = min(start + EVENTS_PER_STEP, chunk.stop)
        if isinstance(source, PointSource):
            events, jets, cuts, make = _read_images(source, start, stop, task, deposits)
        else:
            events, jets, cuts, make = _read_events(source, start, stop, task, truth, deposits)
        flow.enter(len(events), len(jets))
        left = np.ones(len(jets), bool)
        for name, cut in cuts.items():
            left = flow.cut(name, left, cut)
        jets = jets.take(left)
        try:
            true = matched(jets, events, task.truth, chunk.input.sample, truth)
        except InputError as error:
            raise InputError(f"{source.path}: {error}") from error
        yield jets.take(flow.cut("truth", np.ones(len(jets), bool), true)), make


def _read_events(
    source: EventSource, start: int, stop: int, task: TaskConfig, truth: TruthSource, deposits: tuple[str, ...]
) -> tuple[ak.Array, Jets, dict[str, NDArray[np.bool_]], NodeMaker]:
    collections = ["id", "pv", "jets", *deposits] + (["gen"] if truth == "generator" else [])
    events = source.read(start, stop, collections)
    jets = flatten_jets(events)
    return events, jets, kinematic_cuts(jets, task.selection), partial(make_nodes, events, nodes=task.nodes)


def _read_images(
    source: PointSource, start: int, stop: int, task: TaskConfig, deposits: tuple[str, ...]
) -> tuple[ak.Array, Jets, dict[str, NDArray[np.bool_]], NodeMaker]:
    """As ``_read_events``; every jet is an event of its own."""
    make: NodeMaker = _no_nodes
    if deposits:
        points = source.read(start, stop)
        jets, make = image_jets(points.jets), partial(image_clouds, points, nodes=task.nodes)
    else:
        jets = image_jets(source.read_jets(start, stop))
    return ak.Array(jets.event), jets, image_cuts(jets, task.selection, source.missing), make


def _no_nodes(jets: Jets) -> tuple[PointClouds, dict[str, int]]:
    raise AssertionError("a scan makes no nodes")


def _with_labels(clouds: PointClouds, task: TaskConfig, sample: str, weight: NDArray) -> PointClouds:
    jets = clouds.jets
    jets["label"] = np.full(len(clouds), task.classes.index(sample), np.uint8)
    jets["weight"] = weight.astype(np.float32)
    jets["split"] = assign_split(task.split, jets["run"], jets["lumi"], jets["event"])
    for name in task.targets:
        if name not in jets:
            raise InputError(f"task '{task.name}': no jet field '{name}' for targets; choose one of {', '.join(jets)}.")
        jets[TARGET_PREFIX + name] = jets[name].astype(np.float32)
    names = [*JET_TYPES, *(TARGET_PREFIX + name for name in task.targets)]
    return PointClouds({name: jets[name] for name in names}, clouds.nodes, clouds.offsets)


def assign_split(split: Split, run: NDArray, lumi: NDArray, event: NDArray) -> NDArray[np.str_]:
    """``train``, ``validation`` or ``test`` for each jet [J], by a hash of its event: jets of one event never part."""
    position = hash_unit(split.salt, run, lumi, event)
    edges = [split.test, split.test + split.validation]
    return np.array(["test", "validation", "train"], dtype="U10")[np.searchsorted(edges, position, side="right")]
