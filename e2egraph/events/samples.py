"""Samples: which files belong to which class, by ``--sample NAME=GLOB`` or a ``samples.yaml`` with cross-sections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from e2egraph.config import configuration, read_yaml, validate
from e2egraph.errors import InputError, UsageError
from e2egraph.events import locations
from e2egraph.events.patterns import expand

# 1 fb⁻¹ = 1000 pb⁻¹.
INVERSE_PB_PER_INVERSE_FB = 1000.0

Positive = Annotated[float, Field(gt=0)]


@dataclass(frozen=True)
class Sample:
    """Files of one production, sorted by path whatever the file system's order.

    ``name``: of the production. ``of_class``: the class it is given for, None where particles decide.
    ``cross_section`` [pb]; ``luminosity`` [fb⁻¹]; ``generated``: events that were generated for these files, each of
    weight 1; ``sum_of_weights``: that of the generator's weights of all events generated for them. Neither: the files
    hold all of them. Without a cross-section every event weighs ``weight``, unless the files have weights in pb.
    """

    name: str
    of_class: str | None
    paths: tuple[Path | str, ...]
    cross_section: float | None = None
    generated: int | None = None
    luminosity: float = 1.0
    weight: float = 1.0
    sum_of_weights: float | None = None

    @property
    def normalisation(self) -> float | None:
        """What is known of the sum of the generator's weights of all events generated; None where the files tell it."""
        return self.generated if self.sum_of_weights is None else self.sum_of_weights

    def event_weight(self, weights: float, *, in_pb: bool = False) -> float:
        """What multiplies the generator's weights: σ·L/Σw, or the given weight.

        Σw is the sum of the generator's weights of all events generated, so that those add up to σ·L, as CMS normalises
        samples by ``genEventSumw``. ``weights``: that sum of the sample's files, each 1 where the generator gives none.
        ``in_pb``: they are cross-sections [pb] already, to be multiplied by L and the given weight.
        """
        if self.cross_section is None:
            return self.weight * self.luminosity * INVERSE_PB_PER_INVERSE_FB if in_pb else self.weight
        return self.cross_section * self.luminosity * INVERSE_PB_PER_INVERSE_FB / (self.normalisation or weights)


@configuration
class SampleEntry:
    """One entry, see ``Sample``. ``name``: its class where not given. ``files``: globs, paths, ``@LIST``s and URLs; all
    paths, those in lists too, count from the YAML file's folder.

    ``class_``: the class of the task that its events are of; none where particles decide. ``cross_section`` [pb]:
    of the process. ``generated_events``: how many were generated for these files, where each weighs 1.
    ``sum_of_weights``: in its place where the generator weights events, the sum of its weights (``genWeight``) over all
    events generated for these files (``genEventSumw`` of NanoAOD). Neither: the files hold all events generated.
    ``weight``: of each event, in place of a cross-section.
    """

    class_: str | None = Field(alias="class", default=None)
    name: str | None = None
    files: list[str] | str
    cross_section: Positive | None = None
    generated_events: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    sum_of_weights: Positive | None = None
    weight: Positive | None = None

    @model_validator(mode="after")
    def _one_weight(self) -> SampleEntry:
        for key in ("generated_events", "sum_of_weights"):
            if getattr(self, key) is not None and self.weight is not None:
                raise ValueError(f"give weight, or cross_section and {key}, not both")
            if getattr(self, key) is not None and self.cross_section is None:
                raise ValueError(f"{key} needs cross_section too")
        if self.weight is not None and self.cross_section is not None:
            raise ValueError("give weight or cross_section, not both")
        if self.generated_events is not None and self.sum_of_weights is not None:
            raise ValueError(
                "give generated_events (where each event weighs 1) or sum_of_weights (where the generator weights "
                "them), not both"
            )
        return self


@configuration
class SampleList:
    """``samples.yaml``. ``luminosity`` [fb⁻¹] scales every cross-section.

    ``samples``: the entries. ``luminosity`` [fb⁻¹]: what every cross-section is multiplied by.
    """

    samples: list[SampleEntry] = Field(min_length=1)
    luminosity: Positive = 1.0

    @model_validator(mode="after")
    def _all_or_none(self) -> SampleList:
        with_cross_section = [entry.cross_section is not None for entry in self.samples]
        if any(with_cross_section) and not all(with_cross_section):
            bare = self.samples[with_cross_section.index(False)]
            raise ValueError(
                f"an entry of '{bare.name or bare.class_}' has no cross_section but others have; give it too"
            )
        return self


def parse_samples(
    options: Sequence[str], classes: Sequence[str], *, may_share: bool = False, by_particle: bool = False
) -> list[Sample]:
    """``NAME=GLOB`` options (a name may repeat) as samples in the order of ``classes``, one a class; with
    ``by_particle`` in the order given, as each may hold every class.

    A glob may also be a path, a URL or ``@LIST``, see ``patterns.expand``.

    UsageError for a malformed option, an unknown class or a class without sample; InputError for a glob that matches
    no file and for a file given twice, unless classes ``may_share`` files (whose jets say which class they are of).
    """
    globs: dict[str, list[str]] = {} if by_particle else {name: [] for name in classes}
    for option in options:
        name, separator, pattern = option.partition("=")
        if not separator or not pattern:
            raise UsageError(f"--sample {option}: expected NAME=GLOB, such as {classes[-1]}='{classes[-1]}*.root'.")
        if by_particle:
            globs.setdefault(name, [])
        elif name not in globs:
            raise UsageError(f"--sample {option}: '{name}' is no class of this task; use one of {', '.join(classes)}.")
        globs[name].append(pattern)
    samples = []
    for name, patterns in globs.items():
        if not patterns:
            raise UsageError(f"class '{name}' has no sample; add --sample {name}='FILES*.root'.")
        paths = _paths([(f"--sample {name}={pattern}", pattern) for pattern in patterns])
        samples.append(Sample(name, None if by_particle else name, paths))
    if not may_share:
        _refuse_repeats(samples)
    return samples


def read_samples(
    path: Path, classes: Sequence[str], *, may_share: bool = False, by_particle: bool = False
) -> list[Sample]:
    """The samples of a YAML file (see ``SampleList``), by class in the order of ``classes``, then as they stand there;
    with ``by_particle`` as they stand there, by name.

    Errors as ``parse_samples``; UsageError also for a malformed file.
    """
    if not path.is_file():
        raise UsageError(f"--samples {path}: no such file; give a YAML file that lists the samples.")
    listed = validate(SampleList, read_yaml(path), str(path))
    samples: list[Sample] = []
    for entry in listed.samples:
        if by_particle and (entry.class_ is not None or entry.name is None):
            raise UsageError(f"{path}: this task finds classes by particle; give each entry a 'name' and no 'class'.")
        if not by_particle and entry.class_ not in classes:
            raise UsageError(f"{path}: '{entry.class_}' is no class of this task; use one of {', '.join(classes)}.")
        patterns = [entry.files] if isinstance(entry.files, str) else entry.files
        samples.append(
            Sample(
                entry.name or str(entry.class_),
                entry.class_,
                _paths([(f"{path}: {pattern}", pattern) for pattern in patterns], path.parent),
                cross_section=entry.cross_section,
                generated=entry.generated_events,
                sum_of_weights=entry.sum_of_weights,
                luminosity=listed.luminosity,
                weight=entry.weight or 1.0,
            )
        )
    for name in () if by_particle else classes:
        if all(sample.of_class != name for sample in samples):
            raise UsageError(f"{path}: class '{name}' has no sample; add an entry with 'class: {name}'.")
    if not may_share:
        _refuse_repeats(samples)
    return sorted(samples, key=lambda sample: 0 if sample.of_class is None else classes.index(sample.of_class))


def _refuse_repeats(samples: Sequence[Sample]) -> None:
    owners: dict[str, Sample] = {}
    for sample in samples:
        for path in sample.paths:
            if (owner := owners.setdefault(locations.identity(str(path)), sample)) is not sample:
                raise InputError(f"{path}: given for '{owner.name}' and for '{sample.name}'; give it once.")


def _paths(patterns: Sequence[tuple[str, str]], folder: Path | None = None) -> tuple[Path | str, ...]:
    """What (origin, pattern) pairs stand for, seen from ``folder``: local paths, and URLs as they are. A file that is
    written in several ways comes once."""
    found: dict[str, str] = {}
    for path in sorted({path for origin, pattern in patterns for path in expand(pattern, origin, folder)}):
        found.setdefault(locations.identity(path), path)
    return tuple(path if "://" in path else Path(path) for path in found.values())
