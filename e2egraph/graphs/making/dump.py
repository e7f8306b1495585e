"""``dump-events``: the jets, clusters or events that a task selects, with all deposits of their events, for C++."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.events import locations
from e2egraph.events.eventfile import COLLECTIONS, EventFileWriter
from e2egraph.events.samples import Sample
from e2egraph.events.schema import EventSource, PointSource
from e2egraph.events.sources.registry import opened
from e2egraph.files import check_not_read
from e2egraph.graphs.building.checks import check_samples, check_source
from e2egraph.graphs.making.chunk import EVENTS_PER_STEP
from e2egraph.tasks.fields import first_lacking
from e2egraph.tasks.objects.objects import Objects
from e2egraph.tasks.task import TaskConfig
from e2egraph.tasks.truth import NO_CLASS, labelled

_DEPOSITS = ("tracks", "hits", "ecal", "hcal")

# Column of an event file's jets → column of ``Objects``, by kind of object; others are 0. C++ works out from the
# crystals what else it reads of a cluster.
_AXIS = {"index": "jet", "pt": "jet_pt", "eta": "jet_eta", "phi": "jet_phi"}
_COLUMNS: dict[str, dict[str, str]] = {
    "jet": {
        **_AXIS,
        "mass": "jet_mass",
        **{name: name for name in ("softdrop_mass", "tau21", "tau32", "seed_ieta", "seed_iphi")},
    },
    "cluster": {**_AXIS, "seed_ieta": "seed_row", "seed_iphi": "seed_column"},
    "event": {"index": "jet"},
}


@dataclass(frozen=True)
class DumpSummary:
    """What was written: events with at least one selected jet, and their selected jets of each class."""

    output: Path
    events: int
    jets: dict[str, int]


def dump_events(
    task: TaskConfig,
    samples: Sequence[Sample],
    output: Path,
    *,
    max_jets: int | None = None,
    seeds: bool = True,
    fill_missing: bool = False,
) -> DumpSummary:
    """Write the events of ``samples`` that hold a jet or cluster selected by ``task`` (cuts and truth, without
    resampling).

    ``max_jets``: of each class at most, the first ones. ``seeds``: give each jet's seed; else −1, for the reader to
    find it; of clusters and whole events, give them at all. ``fill_missing``: write 0 for fields that a file lacks and
    that the task's variables are made of, as for a network that learnt from such files. Collections that a file lacks
    and the task does not need are empty. InputError: an input is unreadable, unsuitable or lacks such fields, no jet is
    selected, the output cannot be written.
    """
    if task.object.kind not in _COLUMNS:
        known = " and ".join(f"{name}s" for name in _COLUMNS)
        raise InputError(f"task '{task.name}': event files hold {known}, not objects of kind {task.object.kind}.")
    check_samples(task, samples)
    paths = [str(path) for sample in samples for path in sample.paths]
    check_not_read(output, (locations.local_path(path) for path in paths if not locations.is_remote(path)))
    jets = dict.fromkeys(task.classes, 0)
    events = 0
    with EventFileWriter(output) as file:
        for sample in samples:
            for path in sample.paths:
                wanted = task.classes if sample.of_class is None else (sample.of_class,)
                left = {name: None if max_jets is None else max_jets - jets[name] for name in wanted}
                if all(number is not None and number <= 0 for number in left.values()):
                    break
                for chosen in _selected(str(path), sample.of_class, task, left, fill_missing):
                    _write(file, chosen, task.object.kind, seeds)
                    events += len(np.unique(chosen.jets.event))
                    for label, name in enumerate(task.classes):
                        jets[name] += int((chosen.jets.columns["label"] == label).sum())
        if events == 0:
            raise InputError(
                f"no {task.object.kind} of task '{task.name}' is selected in any file; give more events, or loosen the "
                "selection with --set object.…."
            )
    return DumpSummary(output, events, jets)


@dataclass(frozen=True)
class _Step:
    """Some events of a file (deposits read) and the selected jets in them."""

    events: ak.Array
    jets: Objects


def _selected(
    path: str, of_class: str | None, task: TaskConfig, most: dict[str, int | None], fill_missing: bool
) -> Iterator[_Step]:
    """Steps of a file with their selected jets, ``most`` of each class in all (None: any number)."""
    with opened(path, radii=task.inputs.radii) as source:
        check_source(source, task, of_class)
        if isinstance(source, PointSource):
            raise InputError(f"{path}: holds images and no deposits; give a file of events.")
        if not fill_missing:
            _check_fields(source, task)
        truth = task.truth_in(source, of_class)
        kind = task.object_kind
        read = kind.collections_of(task.object, source.missing)
        read += [name for name in _DEPOSITS if name not in source.missing]
        read += ["gen"] if truth == "generator" else []
        for start in range(0, source.n_events, EVENTS_PER_STEP):
            events = source.read(start, min(start + EVENTS_PER_STEP, source.n_events), dict.fromkeys(read))
            jets = kind.find(events, task.object)
            cuts = kind.cuts(jets, task.object).values()
            jets = jets.take(np.logical_and.reduce([np.ones(len(jets), bool), *cuts]))
            try:
                found = labelled(jets, events, task.truth, task.classes, of_class, truth, kind.axis)
            except InputError as error:
                raise InputError(f"{path}: {error}") from error
            keep = found.label != NO_CLASS
            for label, name in enumerate(task.classes):
                members = found.label == label
                left = most.get(name)
                if left is not None:
                    keep &= ~members | (np.cumsum(members) <= left)
                    most[name] = left - int((keep & members).sum())
            yield _Step(events, jets.with_columns({"label": found.label}).take(keep))
            if all(number is not None and number <= 0 for number in most.values()):
                return


def _check_fields(source: EventSource, task: TaskConfig) -> None:
    """InputError where the file lacks a field that the task's variables, or the quantities of objects that it names,
    are made of: an event file would hold 0, and nothing in it would say so."""
    inputs = task.network_inputs if task.inputs.object is not None else replace(task.network_inputs, object=())
    absent = first_lacking(inputs, task.object_kind, task.inputs.channels, source.missing.branches)
    if absent is not None:
        name, field = absent
        option = "inputs.object" if name in inputs.object_names else "inputs.variables"
        raise InputError(
            f"{source.path}: no branch for {field} (looked for {source.missing.branches[field]}), which {name} of task "
            f"'{task.name}' is made of; give a file that has it, take {name} out of {option}, or add --fill-missing "
            "for a network that was trained on such files."
        )


def _write(file: EventFileWriter, step: _Step, kind: str, seeds: bool) -> None:
    deposits = {
        name: {column: _ragged(step.events[name][column]) for column in COLLECTIONS[name]}
        for name in _DEPOSITS
        if name in step.events.fields
    }
    columns = dict.fromkeys(COLLECTIONS["jets"], np.zeros(len(step.jets)))
    columns |= {name: step.jets.columns[of] for name, of in _COLUMNS[kind].items()}
    columns["label"] = step.jets.columns["label"]
    if not seeds and kind == "jet":
        columns["seed_ieta"] = columns["seed_iphi"] = np.full(len(step.jets), -1)
    for number in np.unique(step.jets.event):
        identity = {name: int(step.events[name][number]) for name in ("run", "lumi", "event", "n_pv")}
        here = step.jets.event == number
        collections = {
            name: {column: flat[offsets[number] : offsets[number + 1]] for column, (flat, offsets) in fields.items()}
            for name, fields in deposits.items()
        }
        if seeds or kind == "jet":
            collections["jets"] = {name: column[here] for name, column in columns.items()}
        vertex = step.events.pv[number]
        file.write(identity, collections, (vertex.x, vertex.y, vertex.z))


def _ragged(values: ak.Array) -> tuple[NDArray, NDArray[np.int64]]:
    """Flat values and where each event's begin."""
    counts = ak.to_numpy(ak.num(values))
    return ak.to_numpy(ak.flatten(values)), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
