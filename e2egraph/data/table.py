"""What is known of every jet of a data set before any node is read: identity, split, size and block of a shard."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from e2egraph.config import digest
from e2egraph.data.scores import IDENTITY
from e2egraph.errors import InputError, UsageError
from e2egraph.graphs.making.nodeselection import built_with, check_available, select_nodes
from e2egraph.graphs.storage.columns import SPLITS
from e2egraph.graphs.storage.manifest import Manifest, read_manifest
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.tasks.inputs import Inputs, numbered
from e2egraph.tasks.nodeselection import NodeSelection

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class JetTable:
    """J jets in R blocks of shards, in data set order (shards as the manifest lists them).

    ``columns``: name → [J]. Block r is number ``group_number[r]`` of shard ``group_shard[r]`` and holds jets
    ``group_first[r] : group_first[r + 1]``. ``inputs``: what is read of the nodes, ``task_nodes``: which nodes, before
    any selection of a run: all that is stored, unless ``read_by`` a network of another data set.
    """

    folder: Path
    manifest: Manifest
    columns: dict[str, NDArray]
    group_shard: Integers
    group_number: Integers
    group_first: Integers
    inputs: Inputs
    task_nodes: NodeSelection = field(default_factory=NodeSelection)
    _counts: dict[str, Integers] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return int(self.group_first[-1])

    @property
    def group_sample(self) -> NDArray:
        """Name of the sample each block comes from, [R]."""
        return np.array([shard.sample for shard in self.manifest.shards])[self.group_shard]

    def jets_of(self, split: str | None) -> Integers:
        """Numbers of a split's jets (all jets for None); InputError when there is none, UsageError for
        an unknown split."""
        if split is None:
            numbers = np.arange(len(self))
        elif split in SPLITS:
            numbers = np.flatnonzero(self.columns["split"] == split)
        else:
            raise UsageError(f"unknown split '{split}'; choose one of {', '.join(SPLITS)}.")
        if len(numbers) == 0:
            which = f"no {self.manifest.object_name.many}" + ("" if split is None else f" in split '{split}'")
            raise InputError(f"{self.folder}: {which}; build it from more events, or change the task's split.")
        return numbers

    def group_of(self, numbers: Integers) -> Integers:
        """Block of each jet."""
        return np.searchsorted(self.group_first, numbers, side="right") - 1

    def read_by(self, inputs: Inputs, of_task: NodeSelection) -> JetTable:
        """The same jets for a network that reads ``inputs`` of the nodes of a task, found by name.

        Whether they are there is not checked (``fit.check_inputs``).
        """
        own = built_with(self.manifest)
        channels = of_task.channels or inputs.channel_names
        alike = replace(of_task, channels=None) == replace(own, channels=None) and set(channels) >= set(
            own.channels or self.manifest.numbers
        )
        nodes = NodeSelection() if alike else replace(of_task.among(self.manifest.numbers), channels=list(channels))
        return replace(self, inputs=numbered(inputs, self.manifest.numbers), task_nodes=nodes)

    def select(self, clouds: PointClouds, selection: NodeSelection) -> PointClouds:
        """The nodes of ``selection``, of those of the task; ``deciding`` columns must have been read."""
        numbers = self.manifest.numbers
        periodic = self.inputs.region.periodic
        of_task = select_nodes(clouds, self.task_nodes, numbers, periodic=periodic)
        return select_nodes(of_task, selection, numbers, periodic=periodic)

    def deciding(self, selection: NodeSelection) -> list[str]:
        """Node columns that ``select`` decides by."""
        return list(dict.fromkeys([*self.task_nodes.columns, *selection.columns]))

    def node_counts(self, selection: NodeSelection) -> Integers:
        """Nodes of each jet that ``selection`` leaves, [J].

        The first call with a selection by more than a cap reads the columns it decides by, block by block.
        InputError when the data set was built without nodes that it names.
        """
        key = digest(selection)
        if key not in self._counts:
            check_available(self.folder, self.manifest, selection)
            self._counts[key] = self._count(selection)
        return self._counts[key]

    def cut_counts(self, selection: NodeSelection) -> Integers:
        """Nodes of each jet that the caps of ``selection``, or of the task that is read, leave out, [J]."""
        if selection == selection.uncapped and self.task_nodes == self.task_nodes.uncapped:
            return np.zeros(len(self), np.int64)
        uncapped = replace(self, task_nodes=self.task_nodes.uncapped)
        return uncapped.node_counts(selection.uncapped) - self.node_counts(selection)

    def _count(self, selection: NodeSelection) -> Integers:
        columns = self.deciding(selection)
        if not columns:
            stored = self.columns["n_nodes"].astype(np.int64)
            caps = [cap for cap in (self.task_nodes.cap, selection.cap) if cap is not None]
            return np.minimum(stored, min(caps)) if caps else stored
        groups = range(len(self.group_number))
        counts = [self.select(self.read_group(group, columns), selection).counts for group in groups]
        return np.concatenate(counts) if counts else np.empty(0, np.int64)

    def read_group(self, group: int, columns: list[str], split: str | None = None) -> PointClouds:
        """One block's jets, or those of a split; the shard is opened and closed again, so no file stays open."""
        path = self.folder / self.manifest.shards[int(self.group_shard[group])].name
        with open_shard(path) as file:
            clouds = file.read(columns, [int(self.group_number[group])], split)
        absent = [name for name in columns if name not in clouds.jets and name not in clouds.nodes]
        if absent:
            raise InputError(f"{path}: no column '{absent[0]}'; build the data set again.")
        return clouds


def read_table(folder: Path, extra: tuple[str, ...] = ()) -> JetTable:
    """Read a data set's manifest and its plain columns: identity, ``n_nodes`` and those named in ``extra``.

    InputError as ``read_manifest``, or when a shard is damaged or does not hold as many jets as the manifest says.
    """
    manifest = read_manifest(folder)
    names = list(dict.fromkeys((*IDENTITY, "n_nodes", *extra)))
    parts: dict[str, list[NDArray]] = {name: [] for name in names}
    shard_of: list[int] = []
    number_of: list[int] = []
    jets_of: list[int] = []
    for shard, entry in enumerate(manifest.shards):
        path = folder / entry.name
        with open_shard(path) as file:
            sizes = file.sizes
            columns = file.read(names).jets
            absent = [name for name in names if name not in columns]
            if absent or sum(sizes) != entry.jets:
                fault = (
                    f"no column '{absent[0]}'"
                    if absent
                    else f"{manifest.object_name.count(sum(sizes))} instead of {entry.jets}"
                )
                raise InputError(f"{path}: {fault}; build the data set again.")
            for name in names:
                parts[name].append(columns[name])
            for number, jets in enumerate(sizes):
                shard_of.append(shard)
                number_of.append(number)
                jets_of.append(jets)
    return JetTable(
        folder=folder,
        manifest=manifest,
        columns={name: np.concatenate(arrays) if arrays else np.empty(0) for name, arrays in parts.items()},
        group_shard=np.array(shard_of, np.int64),
        group_number=np.array(number_of, np.int64),
        group_first=np.concatenate([[0], np.cumsum(jets_of)]).astype(np.int64),
        inputs=manifest.network_inputs,
    )
