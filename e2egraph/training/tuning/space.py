"""A search space (``configs/search/*.yaml``): which settings are searched, and between what.

Keys are those of ``--set``; a value is ``{choices: […]}`` or ``{low: …, high: …, log: …, step: …}``.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from e2egraph import yamlfile
from e2egraph.config import configuration, find_config, read_yaml, validate
from e2egraph.errors import UsageError
from e2egraph.training.recipe import CIRCUMSTANCES

# Groups of settings that can be searched: not those of the loss, by which trials are compared where there is no other
# figure.
SEARCHED = ("model", "training", "data")

# Settings that no search may vary, and why.
_NOT_SEARCHED = dict.fromkeys(CIRCUMSTANCES, "says how a training runs, not what it finds") | {
    "training.class_weights": "changes the weights of the figures by which trials are compared",
}

# Combinations tried before a value is held to be unusable with every value of the other settings.
COMBINATIONS = 20

Scalar = str | int | float | bool | None


@configuration
class Choices:
    """One of several values; lists are allowed (``model.options.merge: {choices: [[], [4, 4]]}``).

    ``choices``: the values.
    """

    choices: Annotated[list[Any], Field(min_length=2)]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("a choice occurs twice")
        return self

    @property
    def labels(self) -> list[Scalar]:
        """The choices as a study keeps them: scalars as they are, anything else as JSON."""
        return [c if isinstance(c, Scalar) else json.dumps(c) for c in self.choices]

    @property
    def samples(self) -> list[Any]:
        return self.choices

    def value(self, label: Scalar) -> Any:
        return self.choices[self.labels.index(label)]


@configuration
class Interval:
    """``low`` to ``high``, both included: whole numbers where both are and ``step`` is, else floats.

    ``log``: uniform in the logarithm. ``step``: only low, low + step, …

    ``low``, ``high``: ends of the interval, both included.
    """

    low: int | float
    high: int | float
    log: bool = False
    step: Annotated[int | float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low {self.low} is not below high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError("a logarithmic interval must begin above 0")
        if self.log and self.step is not None:
            raise ValueError("log and step exclude each other")
        if self.step is not None:
            steps = (self.high - self.low) / self.step
            if abs(steps - round(steps)) > 1e-6:
                raise ValueError(f"step {self.step} does not lead from {self.low} to {self.high}")
        return self

    @property
    def whole(self) -> bool:
        return all(isinstance(number, int) for number in (self.low, self.high, self.step or 1))

    @property
    def samples(self) -> list[Any]:
        return [self.low, self.high]

    def value(self, number: float) -> int | float:
        return int(number) if self.whole else float(number)


Dimension = Choices | Interval


@dataclass(frozen=True)
class Space:
    """Settings that are searched, by key, in the order of the file ``origin``."""

    origin: str
    dimensions: Mapping[str, Dimension]

    def values(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """What a study keeps for a trial → the values of the settings."""
        return {key: dimension.value(parameters[key]) for key, dimension in self.dimensions.items()}


def read_space(name: str) -> Space:
    """The space of that name in ``configs/search``, or of a YAML file; UsageError naming file and key if wrong."""
    path = find_config("search", name)
    content = read_yaml(path)
    if not content:
        raise UsageError(f"{path}: names no setting to search; add one, such as training.learning_rate.")
    dimensions: dict[str, Dimension] = {}
    for key, entry in content.items():
        group, _, rest = str(key).partition(".")
        if group not in SEARCHED or not rest:
            raise UsageError(f"{path}: unknown setting '{key}'; begin with one of {', '.join(SEARCHED)}.")
        if key in _NOT_SEARCHED:
            raise UsageError(f"{path}: '{key}' {_NOT_SEARCHED[key]}; give it with --set or in the recipe.")
        if not isinstance(entry, dict) or ("choices" in entry) == ("low" in entry or "high" in entry):
            raise UsageError(
                f"{path}: '{key}' needs either {{choices: […]}} or {{low: …, high: …}}; correct the search space."
            )
        cls: type[Dimension] = Choices if "choices" in entry else Interval
        dimensions[key] = validate(cls, entry, f"{path}, {key}")
    return Space(str(path), dimensions)


def as_settings(values: Mapping[str, Any]) -> list[str]:
    """Values by key as ``--set`` takes them; YAML reads them back as they are (1e-5 included)."""
    return [f"{key}={yamlfile.written(value)}" for key, value in values.items()]


def check_space(space: Space, load: Callable[[list[str]], object]) -> None:
    """Try every choice and both ends of every interval with ``load(settings)``.

    A value counts as unusable when it fails alone and with other values of the other settings too (some go together
    only). UsageError naming file, key and value.
    """
    for key, dimension in space.dimensions.items():
        for value in dimension.samples:
            first: UsageError | None = None
            for others in _combinations(space, key):
                try:
                    load(as_settings(others | {key: value}))
                    break
                except UsageError as error:
                    first = first or error
            else:
                message = str(first).rstrip(".")
                reason = message.rpartition("; ")[0] or message
                raise UsageError(
                    f"{space.origin}: {key}={yamlfile.written(value)} cannot be used ({reason}); correct the space."
                )


def _combinations(space: Space, key: str) -> Iterator[dict[str, Any]]:
    """Nothing but ``key``, then values of the other settings, drawn with a fixed seed."""
    draw = random.Random(0)
    others = {name: dimension.samples for name, dimension in space.dimensions.items() if name != key}
    yield {}
    for _ in itertools.repeat(None, COMBINATIONS if others else 0):
        yield {name: draw.choice(samples) for name, samples in others.items()}
