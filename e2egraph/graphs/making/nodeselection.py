"""Node selection: which deposits of an object a network sees, the same whether applied at build time or at reading."""

from __future__ import annotations

from collections.abc import Mapping
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


def check_available(folder: Path, manifest: Manifest, selection: NodeSelection) -> None:
    """InputError unless the data set in ``folder`` holds every node that ``selection`` names.

    It cannot hold a channel, a wider window, a larger radius or a lower threshold than it was built with. A cap above
    its own is no fault: it says at most.
    """
    built = built_with(manifest)
    faults: list[tuple[str, str, str]] = []
    has = built.channels or []
    for key, names in (
        ("channels", selection.channels or []),
        ("thresholds", selection.thresholds),
        ("caps", selection.caps),
    ):
        absent = [name for name in names if name not in has]
        if absent:
            faults.append((key, ", ".join(absent), ", ".join(has)))
    for name in ("half_window", "radius"):
        asked, limit = getattr(selection, name), getattr(built, name)
        if name == "half_window":
            rows = manifest.network_inputs.region.half_rows
            limit = rows if limit is None else min(limit, rows)
        if asked is not None and limit is not None and asked > limit:
            faults.append((name, f"{asked:g}", f"{limit:g}"))
    for channel, threshold in selection.thresholds.items():
        if channel in built.thresholds and threshold < built.thresholds[channel]:
            faults.append((f"thresholds.{channel}", f"{threshold:g}", f"{built.thresholds[channel]:g}"))
    for name, wanted, held in faults:
        raise InputError(
            f"{folder}: the node selection asks for {name} {wanted}, but the data set was built with {held}; build it "
            f"with those nodes, or change data.nodes.{name.partition('.')[0]}."
        )
