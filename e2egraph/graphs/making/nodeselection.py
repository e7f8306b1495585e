"""Node selection: which deposits of an object a network sees, the same whether applied at build time or at reading."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.channels import LARGEST_NUMBER
from e2egraph.detector.geometry import ETA_PITCH, PHI_PITCH
from e2egraph.errors import InputError
from e2egraph.graphs.making.edges import nearest_neighbors
from e2egraph.graphs.making.pixels import pixel_offset
from e2egraph.graphs.storage.columns import NEIGHBORS
from e2egraph.graphs.storage.manifest import Manifest
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.tasks.nodeselection import NodeSelection, of_task
from e2egraph.tasks.region import Region


def select_nodes(
    clouds: PointClouds, selection: NodeSelection, numbers: Mapping[str, int], *, periodic: bool = False
) -> PointClouds:
    """The same objects with the nodes of ``selection``; ``clouds`` itself where that is all of them.

    ``numbers``: channel name → number of its nodes. Plain columns follow where they are there: ``n_nodes`` is what is
    left; ``nodes_cut`` grows by what caps cut, as at build time, where nodes that fail the other cuts are not wanted
    and count as no loss to an object either. ``neighbors`` are found again, round φ where the region is ``periodic``.
    ValueError when a column it decides by (``selection.columns``) was not read.
    """
    absent = [name for name in selection.columns if name not in clouds.nodes]
    if absent:
        raise ValueError(f"column '{absent[0]}' was not read from the shards")
    keep = np.ones(int(clouds.offsets[-1]), bool)
    if selection.channels is not None:
        keep &= np.isin(clouds.nodes["channel"], selection.members(numbers))
    if selection.thresholds:
        keep &= above_threshold(clouds.nodes["channel"], clouds.nodes["value"], selection, numbers, default=-np.inf)
    if selection.narrows:
        keep &= near_centre(clouds.nodes["deta"], clouds.nodes["dphi"], selection)
    passed = clouds if keep.all() else clouds.keep_nodes(keep)
    left = first_nodes(passed, selection, numbers)
    if left is clouds:
        return clouds
    jets, nodes = dict(left.jets), dict(left.nodes)
    for name, values in (("n_nodes", left.counts), ("nodes_cut", passed.counts - left.counts)):
        if name in jets:
            before = jets[name].astype(np.int64) if name == "nodes_cut" else 0
            jets[name] = (before + values).astype(jets[name].dtype)
    left = PointClouds(jets, nodes, left.offsets)
    if NEIGHBORS in nodes:
        nodes[NEIGHBORS] = nearest_neighbors(left, nodes[NEIGHBORS].shape[1], periodic=periodic)
    return left


def above_threshold(
    channel: NDArray[np.uint8],
    value: NDArray[np.float32],
    selection: NodeSelection,
    numbers: Mapping[str, int],
    default: float,
) -> NDArray[np.bool_]:
    """Nodes [S] whose value exceeds the threshold of their channel, ``default`` [GeV] where it has none."""
    thresholds = np.full(LARGEST_NUMBER + 1, default)
    for name, threshold in selection.thresholds.items():
        thresholds[numbers[name]] = threshold
    return value > thresholds[channel]


def near_centre(deta: NDArray[np.float32], dphi: NDArray[np.float32], selection: NodeSelection) -> NDArray[np.bool_]:
    """Nodes [S] in the window of ``half_window`` crystals and within ``radius`` of its centre, as far as these are set.

    From the stored float32 Δη, Δφ, so that a build and a reading decide the same; rows and columns by the formula that
    images are drawn with.
    """
    near = np.ones(len(deta), bool)
    if selection.half_window is not None:
        for delta, pitch in ((deta, ETA_PITCH), (dphi, PHI_PITCH)):
            near &= np.abs(pixel_offset(delta, pitch)) <= selection.half_window
    if selection.radius is not None:
        near &= np.hypot(deta.astype(np.float64), dphi.astype(np.float64)) <= selection.radius
    return near


def first_nodes(clouds: PointClouds, selection: NodeSelection, numbers: Mapping[str, int]) -> PointClouds:
    """The first nodes of each object in canonical order: ``selection.caps`` of each channel, ``selection.cap`` in all;
    ``clouds`` itself where none has more."""
    if selection.caps:
        clouds = _first_of_channels(clouds, selection.caps, numbers)
    if selection.cap is None or clouds.counts.max(initial=0) <= selection.cap:
        return clouds
    rank = np.arange(clouds.offsets[-1]) - np.repeat(clouds.offsets[:-1], clouds.counts)
    return clouds.keep_nodes(rank < selection.cap)


def _first_of_channels(clouds: PointClouds, caps: Mapping[str, int], numbers: Mapping[str, int]) -> PointClouds:
    limits = np.full(LARGEST_NUMBER + 1, np.iinfo(np.int64).max)
    for name, cap in caps.items():
        limits[numbers[name]] = cap
    # In canonical order the nodes of one channel of an object stand together.
    stretch = clouds.jet_of_node * (LARGEST_NUMBER + 1) + clouds.nodes["channel"]
    begins = np.flatnonzero(np.diff(stretch, prepend=-1))
    rank = np.arange(len(stretch)) - np.repeat(begins, np.diff(begins, append=len(stretch)))
    keep = rank < limits[clouds.nodes["channel"]]
    return clouds if keep.all() else clouds.keep_nodes(keep)


def built_with(manifest: Manifest) -> NodeSelection:
    """The selection that a data set was built with."""
    return of_task(manifest.configuration, f"task {manifest.task}")


@dataclass(frozen=True)
class _Narrower:
    """A limit ``key`` of a data set, ``held`` in words, that leaves out nodes which are asked for: by the same limit of
    ``wanted`` (None: by none), or by the ``other`` one, in words."""

    key: str
    wanted: float | None
    held: str
    other: str = ""

    @property
    def words(self) -> str:
        """What is asked for, and what the data set was built with."""
        own = self.key if self.wanted is None else f"{self.key} {self.wanted:g}"
        if self.other:
            return f"{self.other}, but the data set was built with {self.key} {self.held}"
        return f"{own}{' without limit' * (self.wanted is None)}, but the data set was built with {self.held}"


def check_available(folder: Path, manifest: Manifest, selection: NodeSelection) -> None:
    """InputError unless the data set in ``folder`` holds every node that ``selection`` names.

    It cannot hold a channel, a wider window, a larger radius or a lower threshold than it was built with. A cap above
    its own is no fault: it says at most. What the selection leaves open is whatever the data set holds.
    """
    built, region = built_with(manifest), manifest.network_inputs.region
    has = built.channels or []
    faults: list[tuple[str, str]] = []
    for key, names in (
        ("channels", selection.channels or []),
        ("thresholds", selection.thresholds),
        ("caps", selection.caps),
    ):
        absent = [name for name in names if name not in has]
        if absent:
            words = f"{key} {', '.join(absent)}, but the data set was built with {', '.join(has)}"
            faults.append((key, words))
    if selection.half_window is not None and built.half_window is None:
        built = replace(built, half_window=region.half_rows)
    narrower = _narrower_place(selection, built, region) if selection.narrows else []
    narrower += [
        _Narrower(f"thresholds.{name}", wanted, f"{held:g}")
        for name, wanted in selection.thresholds.items()
        if wanted < (held := built.thresholds.get(name, 0.0))
    ]
    for key, words in faults + [(fault.other or fault.key, fault.words) for fault in narrower]:
        raise InputError(
            f"{folder}: the node selection asks for {words}; build it with those nodes, or change "
            f"data.nodes.{key.partition('.')[0].partition(' ')[0]}."
        )


def check_no_narrower(folder: Path, manifest: Manifest, asked: NodeSelection, reader: Path) -> None:
    """InputError where the data set in ``folder`` was built with narrower limits than those of ``asked``, the nodes
    that the network of ``reader`` learnt from: what sets no limit has none (and a threshold of 0), as in a task.

    Limits on channels that ``asked.channels`` leaves out do not count, nor do caps that cut nothing. A threshold below
    0 where ``asked`` has none is refused too: nothing would take out the nodes that it let in.
    """
    built = built_with(manifest)
    faults = _narrower_place(asked, built, manifest.network_inputs.region)
    read = list(manifest.numbers) if asked.channels is None else asked.channels
    of_images = manifest.source.get("image") is not None
    for name in read:
        wanted, held = asked.thresholds.get(name), built.thresholds.get(name)
        if wanted is None:
            # A threshold of 0 that is set leaves out pixels of images whose value is 0 (``imagepoints``).
            other = held is not None and (held != 0.0 or of_images)
        else:
            other = (0.0 if held is None else held) > wanted
        if other:
            faults.append(_Narrower(f"thresholds.{name}", wanted, f"{held or 0.0:g}"))
    cut = [outcomes.get("over_cap", 0) for outcomes in manifest.nodes.values()]
    if not cut or any(cut):
        caps = [(f"caps.{name}", asked.caps.get(name), built.caps[name]) for name in read if name in built.caps]
        caps += [("cap", asked.cap, built.cap)] if built.cap is not None else []
        faults += [_Narrower(key, wanted, f"{cap}") for key, wanted, cap in caps if wanted is None or wanted > cap]
    for fault in faults:
        with_it = f"without inputs.{fault.key}" if fault.wanted is None else f"with inputs.{fault.key}={fault.wanted:g}"
        raise InputError(f"{folder}: {reader} asks for {fault.words}; build it again {with_it}.")


def _narrower_place(asked: NodeSelection, built: NodeSelection, region: Region) -> list[_Narrower]:
    """``half_window`` and ``radius`` of ``built`` that leave out nodes in the window and radius of ``asked``; those
    that ``asked`` sets too come first."""
    faults: list[_Narrower] = []
    if built.half_window is not None:
        window = max(region.half_rows, region.half_columns) if asked.half_window is None else asked.half_window
        # Its nodes lie up to half a crystal beyond the middle of the last one.
        extent = (built.half_window + 0.5) * min(ETA_PITCH, PHI_PITCH)
        if window > built.half_window and (asked.radius is None or asked.radius >= extent):
            other = f"radius {asked.radius:g}" if asked.half_window is None and asked.radius is not None else ""
            faults.append(_Narrower("half_window", asked.half_window, f"{built.half_window}", other))
    if built.radius is not None and (asked.radius is None or asked.radius > built.radius):
        sides = [region.half_eta, region.half_phi]
        if asked.half_window is not None:
            sides = [min(s, (asked.half_window + 0.5) * p) for s, p in zip(sides, (ETA_PITCH, PHI_PITCH), strict=True)]
        if math.hypot(*sides) > built.radius:
            other = f"half_window {asked.half_window}" if asked.radius is None and asked.half_window is not None else ""
            faults.append(_Narrower("radius", asked.radius, f"{built.radius:g}", other))
    return sorted(faults, key=lambda fault: bool(fault.other))
