"""Samples: which files belong to which class, as given by ``--sample NAME=GLOB``."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from e2egraph.errors import InputError, UsageError


@dataclass(frozen=True)
class Sample:
    """Files of one class, sorted by path so that their order does not depend on the file system."""

    name: str
    paths: tuple[Path, ...]


def parse_samples(options: Sequence[str], classes: Sequence[str]) -> list[Sample]:
    """``NAME=GLOB`` options (a name may repeat) as samples in the order of ``classes``.

    UsageError for a malformed option, an unknown class or a class without sample; InputError for a glob that matches
    no file and for a file given twice.
    """
    globs: dict[str, list[str]] = {name: [] for name in classes}
    for option in options:
        name, separator, pattern = option.partition("=")
        if not separator or not pattern:
            raise UsageError(f"--sample {option}: expected NAME=GLOB, such as {classes[-1]}='{classes[-1]}*.root'.")
        if name not in globs:
            raise UsageError(f"--sample {option}: '{name}' is no class of this task; use one of {', '.join(classes)}.")
        globs[name].append(pattern)
    owners: dict[Path, str] = {}
    samples = []
    for name, patterns in globs.items():
        if not patterns:
            raise UsageError(f"class '{name}' has no sample; add --sample {name}='FILES*.root'.")
        paths = sorted({path for pattern in patterns for path in _matches(name, pattern)})
        for path in paths:
            if owners.setdefault(path.resolve(), name) != name:
                raise InputError(f"{path}: given for '{owners[path.resolve()]}' and for '{name}'; give it once.")
        samples.append(Sample(name, tuple(paths)))
    return samples


def _matches(name: str, pattern: str) -> list[Path]:
    if not glob.has_magic(pattern):
        return [Path(pattern)]
    found = [Path(match) for match in glob.glob(pattern, recursive=True)]  # noqa: PTH207 (absolute patterns too)
    if not found:
        raise InputError(f"--sample {name}={pattern}: no file matches; check the pattern and its folder.")
    return found
