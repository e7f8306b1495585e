"""The inputs of a build before any work: each one's identity, whether it serves the task, and whether all agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.channels import channels
from e2egraph.errors import InputError
from e2egraph.events import locations
from e2egraph.events.samples import Sample
from e2egraph.events.schema import PointSource
from e2egraph.events.sources.production import WEIGHTS, Production, shares
from e2egraph.events.sources.registry import SourceOptions, node_form, opened
from e2egraph.events.sources.registry import check_alike as check_forms
from e2egraph.graphs.building.caught import Failure, caught, known_file
from e2egraph.graphs.building.checks import check_source, quantities_lacking
from e2egraph.graphs.building.duplicates import EventKeys, event_keys, identities, repeats
from e2egraph.graphs.building.mapper import Mapper
from e2egraph.graphs.making.chunk import entries
from e2egraph.graphs.storage.manifest import InputFile, SkippedFile
from e2egraph.tasks.task import TaskConfig, import_extensions
from e2egraph.tasks.truth import TruthSource

# Shards hold weights in single precision.
_LEAST_WEIGHT, _LARGEST_WEIGHT = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Identified:
    """An input that serves the task. ``number``: of its sample; ``truth``: where its labels come from; ``kind``: how it
    is read, in words; ``lacks``: fields it cannot fill → branches looked for; ``form``: of the nodes it makes;
    ``without``: quantities of objects and cuts that it cannot fill; ``keys``: of its events; ``weights``: sum of the
    generator's weights; ``production``: the simulation with weights in pb that it is of, if any; ``images``: whether it
    is a file of images."""

    number: int
    truth: TruthSource
    file: InputFile
    kind: str
    lacks: dict[str, str]
    form: dict[str, str]
    without: frozenset[str]
    keys: NDArray[np.float64] = field(repr=False)
    weights: float
    production: Production | None = None
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
            events = EventKeys(np.empty(0), float(source.weights(0, source.n_jets).sum()))
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
            isinstance(source, PointSource),
        )


def check_classes(samples: Sequence[Sample], found: Sequence[Identified], skipped: Sequence[SkippedFile]) -> None:
    """InputError, with the first reason, when every file of a class (or all files, where particles decide) was
    skipped."""
    for name in dict.fromkeys(sample.of_class for sample in samples):
        if all(entry.file.of_class != name for entry in found):
            members = {sample.name for sample in samples if sample.of_class == name}
            reason = next((entry.reason for entry in skipped if entry.sample in members), "none was given")
            where = "samples" if name is None else f"class '{name}'"
            raise InputError(f"{where}: every file is bad and was skipped, the first because of: {reason}")


def weighted(samples: Sequence[Sample], found: Sequence[Identified]) -> list[InputFile]:
    """The files with their event weights.

    Files with weights in pb that are of one production, and of one class, share its cross-section. InputError when too
    few files are left for a sample's ``generated_events``, the generator's weights of a sample with a cross-section
    cancel, a weight is 0 or infinite in single precision, some files alone have weights in pb, or a luminosity is given
    and no cross-section.
    """
    _check_cross_sections(samples, found)
    _check_luminosity(samples, found)
    parts = shares([(entry.file.of_class, entry.production) for entry in found])
    both = list(zip(found, parts, strict=True))
    weights = [
        _event_weight(sample, [member for member in both if member[0].number == number])
        for number, sample in enumerate(samples)
    ]
    return [replace(entry.file, weight=weights[entry.number] * part) for entry, part in both]


def _check_cross_sections(samples: Sequence[Sample], found: Sequence[Identified]) -> None:
    """InputError unless all files of samples without a cross-section state one themselves, or none does."""
    of_file = [entry for entry in found if samples[entry.number].cross_section is None]
    stated = next((entry for entry in of_file if entry.production is not None), None)
    bare = next((entry for entry in of_file if entry.production is None), None)
    if stated is not None and bare is not None:
        raise InputError(
            f"{bare.file.path}: states no cross-section, but {stated.file.path} does ({WEIGHTS}); simulate it with "
            "process.cross_section, or make the two kinds samples of their own with --samples, each with its "
            "cross_section."
        )


def _check_luminosity(samples: Sequence[Sample], found: Sequence[Identified]) -> None:
    """InputError for a luminosity that nothing is multiplied by."""
    given = next((sample.luminosity for sample in samples if sample.luminosity != 1.0), None)
    stated = any(sample.cross_section is not None for sample in samples) or any(entry.production for entry in found)
    if given is not None and not stated:
        raise InputError(
            f"luminosity: {given:g} counts for nothing, since no sample has a cross_section and no file states one "
            f"({WEIGHTS}); give the samples theirs, or leave out the luminosity."
        )


def _event_weight(sample: Sample, members: Sequence[tuple[Identified, float]]) -> float:
    """Weight of the events of a sample; ``members``: its files, each with its share of its production."""
    where, generated = (
        f"sample '{sample.name}' ({sample.paths[0]}, …)",
        sum(file.weights * part for file, part in members),
    )
    in_pb = any(file.production is not None for file, _ in members)
    if sample.cross_section is not None and in_pb and any(file.production is None for file, _ in members):
        raise InputError(
            f"{where}: some of its files have weights in pb ({WEIGHTS}) and others have not, so that its cross_section "
            "cannot be shared out; list the two kinds as samples of their own."
        )
    if sample.generated is not None and len(members) < len(sample.paths):
        raise InputError(
            f"{where}: {len(sample.paths) - len(members)} bad files were skipped, so its generated_events no longer "
            "fits; repair the files, or list the good ones alone with their own number."
        )
    events = sum(len(file.keys) for file, _ in members)
    if sample.generated is not None and sample.generated < events:
        raise InputError(
            f"{where}: generated_events is {sample.generated}, but its files hold {events} events; give the number "
            "that was generated, before any selection."
        )
    if sample.generated is not None and in_pb:
        raise InputError(
            f"{where}: its files state a cross-section and share it out among their events; leave out generated_events."
        )
    if not members:
        return 1.0  # of no event
    if sample.cross_section is not None and sample.generated is None and generated <= 0:
        raise InputError(
            f"{where}: the generator's weights add up to {generated:g}, by which its cross_section cannot be divided; "
            "give its events a weight instead."
        )
    weight = sample.event_weight(generated, in_pb=in_pb)
    if not _LEAST_WEIGHT <= weight <= _LARGEST_WEIGHT:
        raise InputError(
            f"{where}: its events would weigh {weight:g} each, which single precision cannot hold; correct its "
            "cross_section, generated_events or weight, or the luminosity."
        )
    return weight


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
