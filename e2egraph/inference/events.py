"""Event files → the objects that a task selects and their nodes, without truth, labels or resampling."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from e2egraph.errors import InputError
from e2egraph.events.schema import EventSource, PointSource
from e2egraph.events.sources.registry import Source, SourceOptions, opened
from e2egraph.graphs.building.checks import check_source
from e2egraph.graphs.making.chunk import EVENTS_PER_STEP
from e2egraph.graphs.making.imagepoints import image_clouds, image_cuts, image_objects
from e2egraph.graphs.making.nodes import collections_needed, make_nodes
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.tasks.fields import first_lacking
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.objects.objects import Objects
from e2egraph.tasks.task import TaskConfig, make_task

# The one sample that the objects of a file belong to where nobody asks what they are.
_ANY = "any"


def without_truth(configuration: Mapping[str, Any], origin: str) -> TaskConfig:
    """A task as far as it says which objects and nodes there are; UsageError naming ``origin`` when it is damaged.

    In place of what it learns stands a single class that every object is of, so that no truth is needed.
    """
    learnt = {"kind": "classification", "classes": [_ANY], "signal": _ANY}
    truth = {"source": "sample_name"}
    return make_task({**configuration, "objective": learnt, "truth": truth, "resampling": None}, origin)


@dataclass(frozen=True)
class Reader:
    """A network that files are read for: its ``inputs`` of nodes of ``channels``; ``lacked``: fields that the files
    lacked which it was trained on (None: not known); ``folder``: of its bundle."""

    inputs: Inputs
    channels: Sequence[str]
    lacked: Collection[str] | None
    folder: Path


def read_objects(
    path: str, task: TaskConfig, options: SourceOptions, reader: Reader | None = None
) -> Iterator[PointClouds]:
    """The objects of a file that pass the cuts of ``task`` (of ``without_truth``), some at a time, in the file's order.

    InputError, naming file and branch: unreadable, damaged, without what the task needs, or without what the network of
    ``reader`` reads, which would be 0 for all objects.
    """
    if task.elements is not None:
        raise InputError(
            f"{path}: elements are not made of files when these are scored; build a data set of task '{task.name}' and "
            "give that."
        )
    with opened(path, options, task.inputs.radii) as source:
        check_source(source, task, _ANY)
        if reader is not None:
            _check_fields(source, task, reader)
        try:
            yield from (_of_images(source, task) if isinstance(source, PointSource) else _of_events(source, task))
        except InputError as error:
            raise error if str(error).startswith(path) else InputError(f"{path}: {error}") from error


def _check_fields(source: Source, task: TaskConfig, reader: Reader) -> None:
    missing = source.missing.branches
    absent = first_lacking(reader.inputs, task.object_kind, reader.channels, missing, reader.lacked or ())
    if absent is None:
        return
    name, field = absent
    unknown = " (if its own were such, export the run again, which records it)" if reader.lacked is None else ""
    raise InputError(
        f"{source.path}: no branch for {field} (looked for {missing[field]}), which {reader.folder} reads as {name}; "
        f"give a file that has it, or a bundle of a network trained on such files{unknown}."
    )


def _of_events(source: EventSource, task: TaskConfig) -> Iterator[PointClouds]:
    kind = task.object_kind
    found_in = kind.collections_of(task.object, source.missing)
    collections = list(dict.fromkeys([*found_in, *collections_needed(task)]))
    # Few calls to read, as their cost hardly depends on how much is read: several whole steps, where memory allows.
    at_once = EVENTS_PER_STEP * max(1, source.events_at_once // EVENTS_PER_STEP)
    for start in range(0, source.n_events, at_once):
        block = source.read(start, min(start + at_once, source.n_events), collections)
        for low in range(0, len(block), EVENTS_PER_STEP):
            events = block[low : low + EVENTS_PER_STEP]
            objects = kind.find(events, task.object)
            cuts = list(kind.cuts(objects, task.object).values())
            yield make_nodes(events, _passing(objects, cuts), task)[0]


def _of_images(source: PointSource, task: TaskConfig) -> Iterator[PointClouds]:
    for start in range(0, source.n_jets, EVENTS_PER_STEP):
        points = source.read(start, min(start + EVENTS_PER_STEP, source.n_jets))
        objects = image_objects(points.jets, task)
        cuts = list(image_cuts(objects, task, source.missing).values())
        yield image_clouds(points, _passing(objects, cuts), task)[0]


def _passing(objects: Objects, cuts: Sequence[np.ndarray]) -> Objects:
    return objects.take(np.logical_and.reduce([np.ones(len(objects), bool), *cuts]))
