"""The inputs of a build before any work: each one's identity, whether it serves the task, and whether all agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.channels import channels
from e2egraph.errors import InputError
from e2egraph.events import locations
from e2egraph.events.samples import Sample
from e2egraph.events.schema import PointSource, Remarking
from e2egraph.events.sources.production import Production
from e2egraph.events.sources.registry import Source, SourceOptions, node_form, opened
from e2egraph.events.sources.registry import check_alike as check_forms
from e2egraph.graphs.building.caught import Failure, caught, known_file
from e2egraph.graphs.building.checks import check_source, quantities_lacking
from e2egraph.graphs.building.duplicates import EventKeys, GeneratorWeights, event_keys, identities, repeats
from e2egraph.graphs.building.mapper import Mapper
from e2egraph.graphs.making.chunk import entries
from e2egraph.graphs.storage.manifest import InputFile, SkippedFile
from e2egraph.tasks.task import TaskConfig, import_extensions
from e2egraph.tasks.truth import TruthSource


@dataclass(frozen=True)
class Identified:
    """An input that serves the task. ``number``: of its sample; ``truth``: where its labels come from; ``kind``: how it
    is read, in words; ``lacks``: fields it cannot fill → branches looked for; ``form``: of the nodes it makes;
    ``without``: quantities of objects and cuts that it cannot fill; ``keys``: of its events; ``weights``: the
    generator's; ``production``: the simulation with weights in pb that it is of, if any; ``remarks``: what was
    mended in it; ``images``: whether it is a file of images."""

    number: int
    truth: TruthSource
    file: InputFile
    kind: str
    lacks: dict[str, str]
    form: dict[str, str]
    without: frozenset[str]
    keys: NDArray[np.float64] = field(repr=False)
    weights: GeneratorWeights
    production: Production | None = None
    remarks: tuple[str, ...] = ()
    images: bool = False


def identify(
    task: TaskConfig, samples: Sequence[Sample], options: SourceOptions, run: Mapper, *, skip_bad_files: bool
) -> tuple[list[Identified], list[SkippedFile]]:
    """Every input, in order, and those skipped. InputError: the first bad one, unless ``skip_bad_files``."""
    given = [_Given(number, sample, str(path)) for number, sample in enumerate(samples) for path in sample.paths]
    found: list[Identified] = []
    skipped: list[SkippedFile] = []
    identify_one = partial(caught, partial(_identify, task=task, options=options), tolerant=skip_bad_files)
    for one, result in zip(given, run(identify_one, given), strict=True):
        if isinstance(result, Failure):
            skipped.append(SkippedFile(one.sample.name, one.path, result.reason))
        else:
            found.append(result)
    return found, skipped


@dataclass(frozen=True)
class _Given:
    """A file and the sample, with its number, that it belongs to."""

    number: int
    sample: Sample
    path: str


def _identify(given: _Given, task: TaskConfig, options: SourceOptions) -> Identified:
    sample, path = given.sample, given.path
    import_extensions(task.extensions, f"task {task.name}")
    with opened(path, options) as source:
        check_source(source, task, sample.of_class)
        size, sha256 = locations.size_and_sha256(path)
        truth = task.truth_in(source, sample.of_class)
        if isinstance(source, PointSource):
            events = EventKeys(np.empty(0), GeneratorWeights.of(source.weights(0, source.n_jets)))
        else:
            events = event_keys(source)
        made_of = ", ".join(f"{name} from {how}" for name, how in source.kinds.items())
        return Identified(
            given.number,
            truth,
            InputFile(sample.name, sample.of_class, path, size, sha256, entries(source)),
            f"{type(source).__name__} with {made_of}, truth from {truth.replace('_', ' ')}",
            dict(source.missing.branches),
            node_form(source, [channels()[name] for name in task.inputs.channels]),
            quantities_lacking(source, task),
            events.keys,
            events.weights,
            None if isinstance(source, PointSource) else source.production,
            _remarks(source, task),
            isinstance(source, PointSource),
        )


def _remarks(source: Source, task: TaskConfig) -> tuple[str, ...]:
    """What the source mends in the collections that the task's objects are made of."""
    if isinstance(source, PointSource) or not isinstance(source, Remarking):
        return ()
    return tuple(source.remarks(task.object_kind.collections_of(task.object, source.missing)))


def check_classes(samples: Sequence[Sample], found: Sequence[Identified], skipped: Sequence[SkippedFile]) -> None:
    """InputError, with the first reason, when every file of a class (or all files, where particles decide) was
    skipped."""
    for name in dict.fromkeys(sample.of_class for sample in samples):
        if all(entry.file.of_class != name for entry in found):
            members = {sample.name for sample in samples if sample.of_class == name}
            reason = next((entry.reason for entry in skipped if entry.sample in members), "none was given")
            where = "samples" if name is None else f"class '{name}'"
            raise InputError(f"{where}: every file is bad and was skipped, the first because of: {reason}")


def check_alike(found: Sequence[Identified]) -> None:
    """InputError, naming two files, when files of one sample differ in what they hold (a mix would bias the class),
    when the nodes of any two differ in form, or when a file was given for two samples and does not itself say which of
    its jets belong where."""
    owners: dict[str, Identified] = {}
    for entry in found:
        owner = owners.setdefault(locations.identity(entry.file.path), entry)
        if owner is not entry and not _shared_by_label(owner, entry):
            raise InputError(
                f"{entry.file.path}: given for '{owner.file.sample}' and for '{entry.file.sample}'; give it once."
            )
    first: dict[int, Identified] = {}
    for entry in found:
        reference = first.setdefault(entry.number, entry)
        if entry.kind != reference.kind:
            difference, advice = f"{reference.kind}, but {entry.kind}", "give files of one kind."
        elif entry.lacks.keys() != reference.lacks.keys():
            name = min(entry.lacks.keys() ^ reference.lacks.keys())
            here = "lacks" if name in entry.lacks else "has"
            looked_for = entry.lacks.get(name, reference.lacks.get(name))
            difference = f"it {here} {name} ({looked_for}), unlike the first"
            advice = "give files that hold the same, or list the two kinds as samples of their own with --samples."
        else:
            continue
        raise InputError(
            f"{entry.file.path}: made otherwise than {reference.file.path} of the same sample ({difference}); {advice}"
        )
    check_forms([(entry.file.path, entry.form) for entry in found])
    _check_classes_alike(found)


def _check_classes_alike(found: Sequence[Identified]) -> None:
    """InputError, naming two files, when no file of one class holds a quantity of objects that those of another do: it
    would be 0 for the one, and tell the class."""
    members: dict[str | None, list[Identified]] = {}
    for entry in found:
        members.setdefault(entry.file.of_class, []).append(entry)
    for here in members.values():
        for name in sorted(frozenset.intersection(*(entry.without for entry in here))):
            holds = next((entry for entry in found if name not in entry.without), None)
            if holds is not None:
                raise InputError(
                    f"{here[0].file.path}: lacks {name}, which {holds.file.path} of another class has, so that it "
                    "would tell the class; give files of one kind, or take it out of inputs.object."
                )


def check_duplicates(found: Sequence[Identified], options: SourceOptions, *, allow: bool) -> int:
    """Number of events that occur more than once within a sample; InputError, naming the files, unless ``allow``.

    Samples, and productions within one, are not compared with each other: productions of simulated events all number
    them from 1. Only files of the same content are refused anywhere in a class.
    """
    if not allow:
        _check_same_content(found)
    total = 0
    groups: dict[tuple[int, str | None], list[Identified]] = {}
    for entry in found:
        identity = None if entry.production is None else entry.production.identity
        groups.setdefault((entry.number, identity), []).append(entry)
    for members in groups.values():
        again = repeats([entry.keys for entry in members])
        total += len(again)
        if allow:
            continue
        for i in range(len(again)):
            first, second = members[again.first_file[i]].file, members[again.file[i]].file
            event = _identity(second.path, int(again.entry[i]), options)
            if event != _identity(first.path, int(again.first_entry[i]), options):
                continue
            where = f"and in {first.path}" if first is not second else "twice"
            raise InputError(
                f"{second.path}: event {':'.join(map(str, event))} (run:lumi:event) occurs in it {where}; leave one "
                "out, list different productions as samples of their own with --samples, or add "
                "--allow-duplicate-events."
            )
    return total


def _check_same_content(found: Sequence[Identified]) -> None:
    owners: dict[str, Identified] = {}
    for entry in found:
        owner = owners.setdefault(entry.file.sha256, entry)
        same_file = owner.file.path == entry.file.path
        if not (same_file or _shared_by_label(owner, entry)):
            raise InputError(f"{entry.file.path}: the same events as {owner.file.path}, byte for byte; leave one out.")


def _shared_by_label(one: Identified, other: Identified) -> bool:
    """Whether labels say which objects of two inputs of one content belong to which of two classes."""
    return one.truth == other.truth == "jet_label" and one.file.of_class != other.file.of_class


def _identity(path: str, entry: int, options: SourceOptions) -> tuple[int, ...]:
    with known_file(path), opened(path, options) as source:
        # Images give no keys, so that none of them is ever looked up here.
        if isinstance(source, PointSource):
            return ()
        return tuple(int(x[0]) for x in identities(source, entry, entry + 1))
