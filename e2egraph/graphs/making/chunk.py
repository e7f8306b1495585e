"""One chunk of one input file, the unit of work of a build: scan its objects, or turn it into a shard."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from e2egraph import __version__
from e2egraph.config import as_dict, digest
from e2egraph.errors import InputError
from e2egraph.events.schema import PointSource
from e2egraph.events.sources.registry import Source, SourceOptions, opened
from e2egraph.events.whole import not_whole
from e2egraph.graphs.building import cutflow
from e2egraph.graphs.building.cutflow import Cutflow
from e2egraph.graphs.building.hashing import hash_unit
from e2egraph.graphs.making.continuation import target_values
from e2egraph.graphs.making.edges import nearest_neighbors
from e2egraph.graphs.making.imagepoints import image_clouds, image_cuts, image_objects
from e2egraph.graphs.making.nodes import collections_needed, make_nodes, node_outcomes
from e2egraph.graphs.making.resampling import kept, occupancy, spectrum, weight_factors
from e2egraph.graphs.particleflow.nodes import make_flow_nodes
from e2egraph.graphs.storage.columns import (
    NEIGHBORS,
    SPLITS,
    TARGET_PREFIX,
    object_types,
    task_node_types,
    task_schema,
    task_side_types,
)
from e2egraph.graphs.storage.manifest import SCHEMA_VERSION, InputFile
from e2egraph.graphs.storage.pointclouds import PointClouds, concatenate, empty
from e2egraph.graphs.storage.shards import write_shard
from e2egraph.tasks.objects.objects import Objects
from e2egraph.tasks.task import Split, TaskConfig
from e2egraph.tasks.truth import NO_CLASS, TruthSource, labelled

# A shard holds the objects of this many events; they are read and cut out in steps, which bound the memory. Where every
# event is an object, so many that as many nodes as caps let through fit in.
EVENTS_PER_SHARD, NODES_PER_SHARD = 2048, 1 << 21
EVENTS_PER_STEP = 256

# Selected objects of a step → their point clouds and what became of their deposits.
NodeMaker = Callable[[Objects], tuple[PointClouds, Mapping[str, float]]]


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
    """What a scan found: the cutflow up to truth matching, objects selected of each class, and for resampling, class →
    sum of the generator's weights, and number of objects, in each bin."""

    cutflow: dict[str, int]
    selected: dict[str, int]
    spectra: dict[str, NDArray[np.float64]]
    objects: dict[str, NDArray[np.int64]]


def entries(source: Source) -> int:
    """Events of a file, or jets of an image file, where each counts as an event of its own."""
    return source.n_jets if isinstance(source, PointSource) else source.n_events


def scan(chunk: Chunk, task: TaskConfig) -> Scan:
    """Select the chunk's objects without reading any deposit."""
    flow = Cutflow()
    selected = dict.fromkeys(task.classes, 0)
    spectra: dict[str, NDArray[np.float64]] = {}
    numbers: dict[str, NDArray[np.int64]] = {}
    for objects, _ in _selected(chunk, task, flow, ()):
        for label, name in enumerate(task.classes):
            members = objects.columns["label"] == label
            selected[name] += int(members.sum())
            if task.resampling is not None and members.any():
                columns = objects.take(members).columns
                spectra[name] = spectra.get(name, 0.0) + spectrum(columns, task.resampling)
                numbers[name] = numbers.get(name, 0) + occupancy(columns, task.resampling)
    return Scan(flow.left, selected, spectra, numbers)


def build_shard(chunk: Chunk, task: TaskConfig, factors: dict[str, NDArray[np.float64]], folder: Path) -> None:
    """Write the chunk's shard, whose footer tells its cutflow, what became of its nodes, and its objects by class and
    split.

    ``factors``: class → factor in each bin, see ``resampling``. InputError: the input is damaged; UnfinishedError: the
    shard cannot be written.
    """
    flow = Cutflow()
    outcomes: dict[str, float] = dict.fromkeys(node_outcomes(task.inputs), 0)
    plain = object_types(task.object_kind, task.target_names)
    parts = [empty(plain, task_node_types(task), task.inputs.neighbors, task_side_types(task))]
    for selected, make in _selected(chunk, task, flow, collections_needed(task)):
        objects = selected
        if task.resampling is not None and factors:
            stays = kept(objects.columns, task.classes, factors, task.resampling)
            objects = objects.take(flow.cut("resampling", np.ones(len(objects), bool), stays))
        try:
            clouds, met = make(objects)
        except InputError as error:
            raise InputError(f"{chunk.input.path}: {error}") from error
        outcomes = cutflow.total([outcomes, met])
        if task.inputs.neighbors:
            clouds.nodes[NEIGHBORS] = nearest_neighbors(
                clouds, task.inputs.neighbors, periodic=task.region.region.periodic
            )
        factor = weight_factors(clouds.jets, task.classes, factors, task.resampling)
        weight = chunk.input.weight * clouds.jets["gen_weight"] * factor
        parts.append(_completed(clouds, task, plain, weight, chunk.input.path))
    clouds = concatenate(parts)
    path = folder / chunk.shard
    cutflow.check(str(path), flow.left, flow.removed, len(clouds))
    footer = {
        **origin(chunk, task),
        "configuration": as_dict(task),
        "cutflow": flow.left,
        "removed": flow.removed,
        "nodes": {name: int(outcomes.pop(name)) for name in node_outcomes(task.inputs)},
        "particles": outcomes,
        "counts": _counts(clouds, task),
    }
    write_shard(path, clouds, task_schema(task), footer)


def _counts(clouds: PointClouds, task: TaskConfig) -> dict[str, dict[str, int]]:
    """Class → split → objects."""
    label, split = clouds.jets["label"], clouds.jets["split"]
    return {
        name: {each: int(((label == number) & (split == each)).sum()) for each in SPLITS}
        for number, name in enumerate(task.classes)
    }


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
) -> Iterator[tuple[Objects, NodeMaker]]:
    """Steps of the chunk as (selected objects, what makes nodes of them); counts the objects of every cut in ``flow``.

    The objects have their ``label``, ``gen_weight`` and the particle behind them. Without ``deposits`` to read, nothing
    can make nodes.
    """
    with opened(chunk.input.path, chunk.options, task.inputs.radii) as source:
        truth = task.truth_in(source, chunk.input.of_class)
        axis = task.object_kind.axis
        for events, objects, cuts, make in _steps(source, chunk, task, truth, deposits):
            flow.enter(len(events), len(objects))
            left = np.ones(len(objects), bool)
            for name, cut in cuts.items():
                left = flow.cut(name, left, cut)
            objects = objects.take(left)
            try:
                found = labelled(objects, events, task.truth, task.classes, chunk.input.of_class, truth, axis)
            except InputError as error:
                raise InputError(f"{source.path}: {error}") from error
            known = {name: values for name, values in found.columns.items() if name not in objects.columns}
            objects = objects.with_columns({**known, "label": found.label})
            true = found.label != NO_CLASS
            yield objects.take(flow.cut("truth", np.ones(len(objects), bool), true)), make


_Step = tuple[ak.Array, Objects, dict[str, NDArray[np.bool_]], NodeMaker]


def _steps(
    source: Source, chunk: Chunk, task: TaskConfig, truth: TruthSource, deposits: tuple[str, ...]
) -> Iterator[_Step]:
    """The chunk's events step by step: with all their objects, the cuts on these, and what makes nodes of them."""
    if isinstance(source, PointSource):
        for start, stop in _cut(chunk.start, chunk.stop, EVENTS_PER_STEP):
            yield _read_images(source, start, stop, task, deposits)
        return
    kind = task.object_kind
    gen = ["gen"] if truth == "generator" else []
    collections = dict.fromkeys([*kind.collections_of(task.object, source.missing), *deposits, *gen])
    # Few calls to read, as their cost hardly depends on how much is read: several whole steps, where memory allows.
    at_once = EVENTS_PER_STEP * max(1, source.events_at_once // EVENTS_PER_STEP)
    for start, stop in _cut(chunk.start, chunk.stop, at_once):
        block = source.read(start, stop, list(collections))
        for low, high in _cut(0, stop - start, EVENTS_PER_STEP):
            events = block[low:high]
            objects = kind.find(events, task.object)
            weight = np.asarray(events["gen_weight"], np.float64)
            objects = objects.with_columns({"gen_weight": weight[objects.event]})
            made_by = make_nodes if task.elements is None else make_flow_nodes
            yield events, objects, kind.cuts(objects, task.object), partial(made_by, events, task=task)


def _cut(start: int, stop: int, size: int) -> Iterator[tuple[int, int]]:
    return ((low, min(low + size, stop)) for low in range(start, stop, size))


def _read_images(source: PointSource, start: int, stop: int, task: TaskConfig, deposits: tuple[str, ...]) -> _Step:
    """A step of an image file: every object is an event of its own."""
    make: NodeMaker = _no_nodes
    if deposits:
        points = source.read(start, stop)
        objects, make = image_objects(points.jets, task), partial(image_clouds, points, task=task)
    else:
        objects = image_objects(source.read_jets(start, stop), task)
    objects = objects.with_columns({"gen_weight": source.weights(start, stop)})
    return ak.Array(objects.event), objects, image_cuts(objects, task, source.missing), make


def _no_nodes(objects: Objects) -> tuple[PointClouds, dict[str, int]]:
    raise AssertionError("a scan makes no nodes")


def _completed(clouds: PointClouds, task: TaskConfig, plain: dict[str, str], weight: NDArray, path: str) -> PointClouds:
    """The columns of a shard: with weight, split and targets. InputError, naming ``path`` and the column, for a number
    that its type does not hold."""
    jets = clouds.jets
    jets["weight"] = weight
    jets["split"] = assign_split(task.split, jets["run"], jets["lumi"], jets["event"])
    drawn = task.objective.drawn
    for name in task.target_names:
        jets[TARGET_PREFIX + name] = target_values(jets, name, task.classes, drawn.get(name, {}))
    columns = {name: _typed(jets[name], kind, f"{path}: column {name}") for name, kind in plain.items()}
    return PointClouds(columns, clouds.nodes, clouds.offsets, clouds.side)


def _typed(values: NDArray, kind: str, where: str) -> NDArray:
    """``values`` in the type of their column, none of them cut off or made infinite."""
    wanted = np.dtype(kind)
    with np.errstate(over="ignore"):
        made = values.astype(wanted)
    if wanted.kind in "iu":
        wrong = not_whole(values, wanted)
    elif wanted.kind == "f":
        wrong = np.isinf(made)
    else:
        return made
    if wrong.any():
        raise InputError(f"{where} would hold {values[wrong][0]}, which is beyond {wanted}; make the file again.")
    return made


def assign_split(split: Split, run: NDArray, lumi: NDArray, event: NDArray) -> NDArray[np.str_]:
    """``train``, ``validation`` or ``test`` for each jet [J], by a hash of its event: jets of one event never part."""
    position = hash_unit(split.salt, run, lumi, event)
    edges = [split.test, split.test + split.validation]
    return np.array(["test", "validation", "train"], dtype="U10")[np.searchsorted(edges, position, side="right")]
