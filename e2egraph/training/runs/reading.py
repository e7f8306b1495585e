"""Settings that say how a run's objects are read to be scored, not what comes out: others than those it records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from e2egraph.config import as_dict, override, validate
from e2egraph.errors import UsageError
from e2egraph.training.recipe import Recipe
from e2egraph.training.runs.run_folder import RunInfo

READING = ("data.evaluation_batch_size", "data.pool_jets", "data.prefetch_batches", "data.reading_threads")


def read_with(info: RunInfo, settings: Sequence[str]) -> RunInfo:
    """The run with ``settings`` (``KEY=VALUE``) in its ``reading``; its recipe stays as recorded.

    UsageError: a key that is not one of ``READING``, or a value that is wrong for it.
    """
    for setting in settings:
        key = setting.partition("=")[0]
        if key not in READING:
            raise UsageError(f"--set {key}: of a trained run only {', '.join(READING)} can be set.")
    content = override(as_dict(info.recipe), settings)
    return replace(info, reading=validate(Recipe, content, "--set").data)


def of_reading(settings: Iterable[str]) -> list[str]:
    """Those of ``settings`` that ``read_with`` takes."""
    return [setting for setting in settings if setting.partition("=")[0] in READING]
