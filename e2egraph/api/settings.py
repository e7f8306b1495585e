"""Settings as Python values → the ``KEY=VALUE`` texts of ``--set``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml

from e2egraph import yamlfile
from e2egraph.config import did_you_mean
from e2egraph.errors import UsageError

Settings = Mapping[str, Any] | Iterable[str]


def as_texts(settings: Settings | None) -> list[str]:
    """``{"training.epochs": 5}``, or texts as after ``--set``; UsageError for a value that YAML has no form for."""
    if settings is None:
        return []
    if isinstance(settings, str):
        return [settings]
    if not isinstance(settings, Mapping):
        return [str(setting) for setting in settings]
    return [f"{key}={_text(key, value)}" for key, value in settings.items()]


# Bootstrap resamples: fewer say nothing of an error.
LEAST_RESAMPLES = 100


def check_resamples(resamples: int) -> None:
    """UsageError for fewer than an error can be taken from."""
    if resamples < LEAST_RESAMPLES:
        raise UsageError(f"resamples={resamples}: give {LEAST_RESAMPLES} or more.")


def keywords_as_settings(keywords: Mapping[str, Any], groups: Mapping[str, type]) -> dict[str, Any]:
    """Keyword arguments that name keys of ``groups`` (name → configuration class), by their dotted names.

    UsageError for one that is in no group, or in several.
    """
    names = {group: {field.name for field in fields(cls)} for group, cls in groups.items()}
    found: dict[str, Any] = {}
    for key, value in keywords.items():
        homes = [f"{group}.{key}" for group, members in names.items() if key in members]
        if not homes:
            known = sorted(set().union(*names.values()))
            raise UsageError(
                f"unknown setting '{key}'{did_you_mean(key, known)}; give one of {', '.join(known)}, or others as "
                "settings={'GROUP.KEY': …}."
            )
        if len(homes) > 1:
            raise UsageError(f"'{key}' may be {' or '.join(homes)}; give settings={{'{homes[0]}': …}}.")
        found[homes[0]] = value
    return found


def _text(key: str, value: Any) -> str:
    try:
        return yamlfile.written(_plain(value))
    except yaml.YAMLError as error:
        raise UsageError(
            f"settings: the value of '{key}' is {_named(value)}; give a number, text, list or dict of these."
        ) from error


def _plain(value: Any) -> Any:
    """Paths as texts, and numbers and arrays of NumPy and torch as Python's, wherever they stand."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {_plain(key): _plain(inside) for key, inside in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inside) for inside in value]
    return value.tolist() if hasattr(value, "tolist") else value


def _named(value: Any) -> str:
    what = f"of type {type(value).__name__}"
    return f"{what} with something else in it" if isinstance(value, Mapping | list | tuple) else what
