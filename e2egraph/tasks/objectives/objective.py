"""The objective: what differs between problems. As a value it says which columns it needs and what a network gives;
its losses and its figures are classes that it names, so that building, reading and inference load neither.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from e2egraph.config import as_dict, validate
from e2egraph.errors import UsageError
from e2egraph.tasks.outputs import Outputs


@dataclass(frozen=True)
class Best:
    """The validation figure that decides which epoch is kept.

    ``name``: as in ``metrics.csv`` after ``training_`` and ``validation_``; ``title``: in messages; ``highest``:
    whether the highest value is the best one; ``unit``: empty for none.
    """

    name: str
    title: str
    highest: bool
    unit: str = ""

    def better(self, value: float, than: float) -> bool:
        """Whether ``value`` is better than ``than``; NaN never is, and anything is better than NaN."""
        if value != value:
            return False
        return than != than or (value > than if self.highest else value < than)

    def words(self, value: float, digits: int = 4) -> str:
        """The figure in words, such as "AUC 0.9842" or "mean absolute error of gen_mass 12.31 GeV"."""
        return f"{self.title} {value:.{digits}g} {self.unit}" if self.unit else f"{self.title} {value:.{digits}f}"


class Objective(ABC):
    """Base of the objectives, each a configuration class with a ``kind``.

    ``learning``: import path of the class that owns losses and figures of an epoch (``training.objectives.learning``).
    ``evaluation``: import path of the class that owns metrics, tables, plots and report sections
    (``evaluation.objectives.evaluation``).
    ``loss_settings``: keys that change the loss alone, so that a training may set them (``with_loss_settings``).
    """

    kind: str
    learning: ClassVar[str]
    evaluation: ClassVar[str]
    loss_settings: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """The classes that examples belong to, in the order of their labels."""

    @property
    @abstractmethod
    def target_names(self) -> tuple[str, ...]:
        """Object columns that are learnt, stored as ``target_NAME``."""

    def classes_with(self, target: str) -> tuple[str, ...]:
        """The classes whose examples must have ``target``: all, unless some are not learnt from."""
        return self.class_names

    @property
    def drawn(self) -> Mapping[str, Mapping[str, tuple[float, float]]]:
        """Target → class → limits between which it is drawn for objects of that class (``making.continuation``)."""
        return {}

    @property
    def node_columns(self) -> Mapping[str, str]:
        """Node column of a shard, other than the inputs → its NumPy type; none unless nodes have their own truth."""
        return {}

    @property
    def node_targets(self) -> tuple[str, ...]:
        """Those of ``node_columns`` that are learnt, in the order of ``JetBatch.node_target``."""
        return ()

    @property
    @abstractmethod
    def outputs(self) -> Outputs:
        """What a network gives."""

    @property
    @abstractmethod
    def best(self) -> Best:
        """The figure that decides which epoch is kept."""


_KINDS: dict[str, type[Any]] = {}


def register(kind: str) -> Callable[[type[Any]], type[Any]]:
    """Class decorator: makes an objective known as ``kind``. ValueError when the name is taken."""

    def add(cls: type[Any]) -> type[Any]:
        if kind in _KINDS and _KINDS[kind].__qualname__ != cls.__qualname__:
            raise ValueError(f"objective {kind} exists already; choose another name")
        _KINDS[kind] = cls
        return cls

    return add


def make_objective(content: Mapping[str, Any] | Objective, origin: str) -> Objective:
    """The objective of a configuration; UsageError naming ``origin`` when it is of no known kind or wrong."""
    if isinstance(content, Objective):
        return content
    for name in ("classification", "regression", "anomaly", "joint", "nodes"):
        importlib.import_module(f"e2egraph.tasks.objectives.{name}")
    kind = content.get("kind") if isinstance(content, Mapping) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise UsageError(f"{origin}: unknown objective kind '{kind}'; choose one of {', '.join(sorted(_KINDS))}.")
    made: Objective = validate(_KINDS[kind], content, f"{origin}, objective")
    return made


def with_loss_settings(objective: Objective, settings: Mapping[str, Any], origin: str) -> Objective:
    """The objective with other ``loss_settings``; UsageError naming ``origin`` when one is wrong, or none of these."""
    other = sorted(set(settings) - set(objective.loss_settings))
    if other:
        names = ", ".join(objective.loss_settings) or "none"
        raise UsageError(
            f"{origin}: objective.{other[0]} cannot be set in training; of objective {objective.kind} these can: "
            f"{names}."
        )
    return make_objective({**as_dict(objective), **settings}, origin) if settings else objective


def implementation(path: str) -> Any:
    """The class at import path ``package.module:Class``; UsageError when it cannot be imported."""
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"objective: '{path}' cannot be imported ({error}); put its package on PYTHONPATH.") from error


def stored(objective: Objective) -> dict[str, Any]:
    """The objective as JSON-ready values."""
    return as_dict(objective)
