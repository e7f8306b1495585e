"""Which deposits of an object a network is to see, as a value: a task and a recipe both hold one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from e2egraph.config import configuration
from e2egraph.detector.channels import Channel, channels
from e2egraph.detector.geometry import WINDOW_HALF_WIDTH

Threshold = Annotated[float, Field(allow_inf_nan=False)]


@configuration
class NodeSelection:
    """Nodes of a jet that are kept; nothing is left out by default.

    ``channels``: detector layers by name (None: all). ``thresholds``: channel → value [GeV] a node must exceed.
    ``half_window``: crystals on either side of the centre crystal; a node belongs to the crystal it lies in, a tower to
    its middle one (5k + 2 takes whole towers). ``radius``: largest ΔR = √(Δη² + Δφ²) to the window's centre. ``cap``:
    nodes a jet at most, the first in canonical order, of those that pass everything else.
    """

    channels: list[str] | None = None
    thresholds: dict[str, Threshold] = Field(default_factory=dict)
    half_window: int | None = Field(default=None, ge=0, le=WINDOW_HALF_WIDTH)
    radius: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    cap: int | None = Field(default=None, ge=1)

    @field_validator("channels")
    @classmethod
    def _known_channels(cls, names: list[str] | None) -> list[str] | None:
        if names is not None:
            _check_names(names)
            if not names:
                raise ValueError(f"name at least one channel; known are {', '.join(channels())}")
        return names

    @field_validator("thresholds")
    @classmethod
    def _known_thresholds(cls, thresholds: dict[str, float]) -> dict[str, float]:
        _check_names(list(thresholds))
        return thresholds

    @property
    def members(self) -> tuple[Channel, ...]:
        """The channels selected, in the order of their numbers."""
        names = channels() if self.channels is None else self.channels
        return tuple(sorted({channels()[name] for name in names}))

    @property
    def narrows(self) -> bool:
        """Whether it asks for nodes near the window's centre alone."""
        return self.half_window is not None or self.radius is not None

    @property
    def columns(self) -> tuple[str, ...]:
        """Node columns that it decides by; none when it keeps all nodes, or the first ones."""
        by_channel = ("channel",) if self.channels is not None or self.thresholds else ()
        by_value = ("value",) if self.thresholds else ()
        by_place = ("deta", "dphi") if self.narrows else ()
        return (*by_channel, *by_value, *by_place)


def in_words(selection: NodeSelection) -> str:
    """The selection on one line."""
    names = "all channels" if selection.channels is None else ", ".join(channel.name for channel in selection.members)
    words = [names, *(f"{name} > {value:g} GeV" for name, value in selection.thresholds.items())]
    if selection.half_window is not None:
        words.append(f"within ±{selection.half_window} crystals")
    if selection.radius is not None:
        words.append(f"ΔR ≤ {selection.radius:g}")
    if selection.cap is not None:
        words.append(f"at most {selection.cap} a jet")
    return "; ".join(words)


def _check_names(names: list[str]) -> None:
    unknown = [name for name in names if name not in channels()]
    if unknown:
        raise ValueError(f"unknown channels {unknown}; known are {', '.join(channels())}")
