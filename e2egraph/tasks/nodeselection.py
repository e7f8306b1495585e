"""Which deposits of an object a network is to see, as a value: a task and a recipe both hold one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from typing import Annotated, Any

from pydantic import Field, field_validator

from e2egraph.config import configuration, validate

Threshold = Annotated[float, Field(allow_inf_nan=False)]
Number = Annotated[int, Field(ge=1, lt=1 << 31)]


@configuration
class NodeSelection:
    """Nodes of an object that are kept; nothing is left out by default.

    ``channels``: detector layers by name (None: all). ``thresholds`` [GeV]: channel → value a node must exceed.
    ``half_window``: crystals on either side of the centre crystal; a node belongs to the crystal it lies in, a tower to
    its middle one (5k + 2 takes whole towers). ``radius``: largest ΔR = √(Δη² + Δφ²) to the region's centre. ``caps``:
    channel → nodes of it at most; ``cap``: nodes in all at most; each the first in canonical order, of those that pass
    everything else.
    """

    channels: list[str] | None = None
    thresholds: dict[str, Threshold] = Field(default_factory=dict)
    half_window: int | None = Field(default=None, ge=0)
    radius: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    caps: dict[str, Number] = Field(default_factory=dict)
    cap: Number | None = None

    @field_validator("channels")
    @classmethod
    def _some_channel(cls, names: list[str] | None) -> list[str] | None:
        if names is not None and not names:
            raise ValueError("name at least one channel")
        return names

    @property
    def named(self) -> list[str]:
        """Every channel that it names."""
        return list(dict.fromkeys([*(self.channels or []), *self.thresholds, *self.caps]))

    def members(self, numbers: Mapping[str, int]) -> list[int]:
        """Numbers of the channels selected, rising, out of ``numbers`` (name → number)."""
        names = numbers if self.channels is None else self.channels
        return sorted({int(numbers[name]) for name in names if name in numbers})

    def among(self, names: Collection[str]) -> NodeSelection:
        """The selection without what it says of channels other than ``names``."""
        channels = None if self.channels is None else [name for name in self.channels if name in names]
        thresholds = {name: limit for name, limit in self.thresholds.items() if name in names}
        caps = {name: limit for name, limit in self.caps.items() if name in names}
        return replace(self, channels=channels, thresholds=thresholds, caps=caps)

    @property
    def uncapped(self) -> NodeSelection:
        """The selection with as many nodes as pass everything else."""
        return replace(self, caps={}, cap=None)

    @property
    def narrows(self) -> bool:
        """Whether it asks for nodes near the region's centre alone."""
        return self.half_window is not None or self.radius is not None

    @property
    def columns(self) -> tuple[str, ...]:
        """Node columns that it decides by; none when it keeps all nodes, or the first ones."""
        by_channel = ("channel",) if self.channels is not None or self.thresholds or self.caps else ()
        by_value = ("value",) if self.thresholds else ()
        by_place = ("deta", "dphi") if self.narrows else ()
        return (*by_channel, *by_value, *by_place)


def both(of_task: NodeSelection, of_run: NodeSelection) -> NodeSelection:
    """The limits that a node has to keep which a task makes and a run then selects, as one selection of a task: a
    threshold that is not set is 0 in a task, and none in a run."""
    thresholds = dict(of_task.thresholds)
    for name, limit in of_run.thresholds.items():
        thresholds[name] = max(limit, of_task.thresholds.get(name, 0.0))
    caps = {name: cap for name, cap in of_task.caps.items() if cap < of_run.caps.get(name, cap + 1)}

    def least(name: str) -> Any:
        return min((each for one in (of_task, of_run) if (each := getattr(one, name)) is not None), default=None)

    return NodeSelection(
        channels=of_task.channels if of_run.channels is None else of_run.channels,
        thresholds=thresholds,
        half_window=least("half_window"),
        radius=least("radius"),
        caps={**of_run.caps, **caps},
        cap=least("cap"),
    )


def of_task(configuration: Mapping[str, Any], origin: str) -> NodeSelection:
    """Which deposits a task makes nodes of, from its stored ``configuration``; UsageError naming ``origin`` when that
    is damaged."""
    content = configuration["inputs"]
    names = [item.name for item in fields(NodeSelection) if item.name in content]
    return validate(NodeSelection, {name: content[name] for name in names}, f"{origin}, inputs")


def in_words(selection: NodeSelection) -> str:
    """The selection on one line."""
    names = "all channels" if selection.channels is None else ", ".join(selection.channels)
    words = [names, *(f"{name} > {value:g} GeV" for name, value in selection.thresholds.items())]
    if selection.half_window is not None:
        words.append(f"within ±{selection.half_window} crystals")
    if selection.radius is not None:
        words.append(f"ΔR ≤ {selection.radius:g}")
    words += [f"at most {cap} of {name}" for name, cap in selection.caps.items()]
    if selection.cap is not None:
        words.append(f"at most {selection.cap} per object")
    return "; ".join(words)
