"""Node selection: which deposits of a jet a network sees, the same whether applied at build time or at reading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from e2egraph.config import configuration
from e2egraph.detector import ETA_PITCH, PHI_PITCH, WINDOW_HALF_WIDTH, Channel
from e2egraph.errors import InputError
from e2egraph.graphs.columns import NEIGHBORS
from e2egraph.graphs.edges import nearest_neighbors
from e2egraph.graphs.pixels import pixel_offset
from e2egraph.graphs.pointclouds import PointClouds

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
                raise ValueError(f"name at least one channel; known are {', '.join(Channel.__members__)}")
        return names

    @field_validator("thresholds")
    @classmethod
    def _known_thresholds(cls, thresholds: dict[str, float]) -> dict[str, float]:
        _check_names(list(thresholds))
        return thresholds

    @property
    def members(self) -> tuple[Channel, ...]:
        """The channels selected, in the order of their numbers."""
        names = Channel.__members__ if self.channels is None else self.channels
        return tuple(sorted({Channel[name] for name in names}))

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


def select_nodes(clouds: PointClouds, selection: NodeSelection) -> PointClouds:
    """The same jets with the nodes of ``selection``; ``clouds`` itself where that is all of them.

    Jet columns follow where they are there: ``n_nodes`` is what is left; ``nodes_cut`` grows by what the cap cut, as at
    build time, where nodes that fail the other cuts are not wanted and count as no loss to a jet either. ``neighbors``
    are found anew. ValueError when a column it decides by (``selection.columns``) was not read.
    """
    absent = [name for name in selection.columns if name not in clouds.nodes]
    if absent:
        raise ValueError(f"column '{absent[0]}' was not read from the shards")
    keep = np.ones(int(clouds.offsets[-1]), bool)
    if selection.channels is not None:
        keep &= np.isin(clouds.nodes["channel"], selection.members)
    if selection.thresholds:
        keep &= above_threshold(clouds.nodes["channel"], clouds.nodes["value"], selection, default=-np.inf)
    if selection.narrows:
        keep &= near_centre(clouds.nodes["deta"], clouds.nodes["dphi"], selection)
    passed = clouds if keep.all() else clouds.keep_nodes(keep)
    left = first_nodes(passed, selection.cap)
    if left is clouds:
        return clouds
    jets, nodes = dict(left.jets), dict(left.nodes)
    for name, values in (("n_nodes", left.counts), ("nodes_cut", passed.counts - left.counts)):
        if name in jets:
            before = jets[name].astype(np.int64) if name == "nodes_cut" else 0
            jets[name] = (before + values).astype(jets[name].dtype)
    left = PointClouds(jets, nodes, left.offsets)
    if NEIGHBORS in nodes:
        nodes[NEIGHBORS] = nearest_neighbors(left, nodes[NEIGHBORS].shape[1])
    return left


def above_threshold(
    channel: NDArray[np.uint8], value: NDArray[np.float32], selection: NodeSelection, default: float
) -> NDArray[np.bool_]:
    """Nodes [S] whose value exceeds the threshold of their channel, ``default`` [GeV] where it has none."""
    thresholds = np.full(len(Channel), default)
    for name, threshold in selection.thresholds.items():
        thresholds[Channel[name]] = threshold
    return value > thresholds[channel]


def near_centre(deta: NDArray[np.float32], dphi: NDArray[np.float32], selection: NodeSelection) -> NDArray[np.bool_]:
    """Nodes [S] in the window of ``half_window`` crystals and within ``radius`` of its centre, as far as these are set.

    From the stored float32 Δη, Δφ, so that a build and a reading decide alike; rows and columns by the formula that
    images are drawn with.
    """
    near = np.ones(len(deta), bool)
    if selection.half_window is not None:
        for delta, pitch in ((deta, ETA_PITCH), (dphi, PHI_PITCH)):
            near &= np.abs(pixel_offset(delta, pitch)) <= selection.half_window
    if selection.radius is not None:
        near &= np.hypot(deta.astype(np.float64), dphi.astype(np.float64)) <= selection.radius
    return near


def first_nodes(clouds: PointClouds, cap: int | None) -> PointClouds:
    """At most ``cap`` nodes of each jet, the first in canonical order; ``clouds`` itself where none has more."""
    if cap is None or clouds.counts.max(initial=0) <= cap:
        return clouds
    rank = np.arange(clouds.offsets[-1]) - np.repeat(clouds.offsets[:-1], clouds.counts)
    return clouds.keep_nodes(rank < cap)


def built_with(task: Mapping[str, Any]) -> NodeSelection | None:
    """The selection in a data set's task configuration (``Manifest.configuration``); None where it says nothing."""
    nodes = task.get("nodes")
    if not isinstance(nodes, Mapping):
        return None
    return NodeSelection(**{item.name: nodes[item.name] for item in fields(NodeSelection) if item.name in nodes})


def check_available(folder: Path, task: Mapping[str, Any], selection: NodeSelection) -> None:
    """InputError unless the data set in ``folder``, built by ``task``, holds every node that ``selection`` names.

    A wider window, a larger radius or a lower threshold than it was built with would be asked for in vain. A cap above
    its own is none of these: it says at most.
    """
    built = built_with(task)
    if built is None:
        return
    faults = []
    absent = [channel.name for channel in selection.members if channel not in built.members]
    if selection.channels is not None and absent:
        faults.append(("channels", ", ".join(absent), ", ".join(channel.name for channel in built.members)))
    for name in ("half_window", "radius"):
        asked, limit = getattr(selection, name), getattr(built, name)
        if asked is not None and limit is not None and asked > limit:
            faults.append((name, f"{asked:g}", f"{limit:g}"))
    for channel, threshold in selection.thresholds.items():
        if channel in built.thresholds and threshold < built.thresholds[channel]:
            faults.append((f"thresholds.{channel}", f"{threshold:g}", f"{built.thresholds[channel]:g}"))
    for name, asked, limit in faults:
        raise InputError(
            f"{folder}: the node selection asks for {name} {asked}, but the data set was built with {limit}; build it "
            f"with those nodes, or narrow data.nodes.{name.partition('.')[0]}."
        )


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
    unknown = [name for name in names if name not in Channel.__members__]
    if unknown:
        raise ValueError(f"unknown channels {unknown}; known are {', '.join(Channel.__members__)}")
