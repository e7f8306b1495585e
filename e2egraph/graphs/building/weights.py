"""What the events of each file weigh: cross-sections shared out over what was generated, or weights as given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from e2egraph.errors import InputError
from e2egraph.events.samples import Sample
from e2egraph.events.sources.production import WEIGHTS, shares
from e2egraph.graphs.building.inputs import Identified
from e2egraph.graphs.storage.manifest import InputFile

# Shards hold weights in single precision.
_LEAST_WEIGHT, _LARGEST_WEIGHT = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)

# By how much files may exceed a stated sum of weights: it is often rounded, and summed in another order.
_ROUNDED = 1e-3


def weighted(samples: Sequence[Sample], found: Sequence[Identified]) -> list[InputFile]:
    """The files with their event weights.

    Files with weights in pb that are of one production, and of one class, share its cross-section. InputError when a
    sample's ``generated_events`` or ``sum_of_weights`` does not fit its files (too few are left, they hold more, or
    events that are counted are weighted), the generator's weights of a sample with a cross-section cancel, a weight is
    0 or infinite in single precision, some files alone have weights in pb, or a luminosity is given and no
    cross-section.
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
    where = _named(sample)
    generated = sum(file.weights.total * part for file, part in members)
    in_pb = any(file.production is not None for file, _ in members)
    if sample.cross_section is not None and in_pb and any(file.production is None for file, _ in members):
        raise InputError(
            f"{where}: some of its files have weights in pb ({WEIGHTS}) and others have not, so that its cross_section "
            "cannot be shared out; list the two kinds as samples of their own."
        )
    _check_generated(sample, [file for file, _ in members], in_pb)
    if not members:
        return 1.0  # of no event
    if sample.cross_section is not None and sample.normalisation is None and generated <= 0:
        raise InputError(
            f"{where}: the generator's weights add up to {generated:g}, by which its cross_section cannot be divided; "
            "give sum_of_weights, that of all events generated, or give its events a weight instead."
        )
    weight = sample.event_weight(generated, in_pb=in_pb)
    if not _LEAST_WEIGHT <= weight <= _LARGEST_WEIGHT:
        raise InputError(
            f"{where}: its events would weigh {weight:g} each, which single precision cannot hold; correct its "
            "cross_section, generated_events, sum_of_weights or weight, or the luminosity."
        )
    return weight


def _named(sample: Sample) -> str:
    return f"sample '{sample.name}' ({sample.paths[0]}, …)"


def _check_generated(sample: Sample, files: Sequence[Identified], in_pb: bool) -> None:
    """InputError where what a sample says was generated does not fit what its files hold."""
    if sample.normalisation is None:
        return
    where, key = _named(sample), "generated_events" if sample.sum_of_weights is None else "sum_of_weights"
    if len(files) < len(sample.paths):
        raise InputError(
            f"{where}: {len(sample.paths) - len(files)} bad files were skipped, so its {key} no longer "
            "fits; repair the files, or list the good ones alone with their own number."
        )
    if in_pb:
        raise InputError(
            f"{where}: its files state a cross-section and share it out among their events; leave out {key}."
        )
    events = sum(len(file.keys) for file in files)
    if sample.generated is not None and sample.generated < events:
        raise InputError(
            f"{where}: generated_events is {sample.generated}, but its files hold {events} events; give the number "
            "that was generated, before any selection."
        )
    weighted_file = next((file for file in files if not file.weights.all_one), None)
    if sample.generated is not None and weighted_file is not None:
        raise InputError(
            f"{where}: its events have generator's weights ({weighted_file.weights.least:g} to "
            f"{weighted_file.weights.greatest:g} in {weighted_file.file.path}), whose sum generated_events is not; "
            "give in its place sum_of_weights, the sum of the weights of all events generated, before any selection."
        )
    held = sum(file.weights.total for file in files)
    # Where some are negative, a selection may well leave a greater sum than all had.
    positive = all(file.weights.least >= 0 for file in files)
    if sample.sum_of_weights is not None and positive and held > sample.sum_of_weights * (1 + _ROUNDED):
        raise InputError(
            f"{where}: sum_of_weights is {sample.sum_of_weights:g}, but the weights of the events in its files add up "
            f"to {held:g}; give that of all events generated, before any selection."
        )
