"""The data set for PyTorch Geometric: one ``Data`` a jet, for any network of any user."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch_geometric.data import Batch, Data, Dataset
from torch_geometric.utils import to_dense_batch

from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.loading.pools import columns_for, read_jets
from e2egraph.data.loading.sampler import EpochPlan, training_plan
from e2egraph.data.options import DataOptions
from e2egraph.data.padding import node_features, object_features, targets_of
from e2egraph.data.share import ALONE, Share
from e2egraph.data.table import read_table
from e2egraph.errors import UsageError
from e2egraph.folders import user_path
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.tasks.inputs import POINT_NAMES, Inputs
from e2egraph.tasks.nodeselection import NodeSelection, in_words


class JetDataset(Dataset):
    """The jets of a split as ``torch_geometric.data.Data``.

    ``pos`` [n, 2] (Δη, Δφ) [rad]; ``x`` [n, V] features in raw physical units (``inputs.feature_names``);
    ``y`` [1] label; ``weight`` [1]; ``jet`` [1, G]; ``target`` [1, T]; ``number`` [1]: the jet's place in the data set;
    ``node_target`` [n, T] where nodes are learnt (``Objective.node_targets``).

    Row groups are read when asked for, and the latest ones kept. PyTorch Geometric's ``DataLoader`` takes it as it is,
    torch's own with ``collate_fn=e2egraph.collate``; with ``batch_sampler=EpochBatches(dataset, …)`` a shuffled epoch
    reads each row group once (with ``num_workers``, each worker those of its batches, with a cache of its own).

    Args:
        folder: Folder of the data set.
        split: ``train``, ``validation`` or ``test``; None for all jets.
        nodes: Which nodes are kept, as in ``DataOptions``; all by default.
        cached_jets: Jets whose row groups are kept in memory.

    Raises:
        InputError: No data set, a damaged one, an empty split, or nodes selected that it lacks.

    Example:
        >>> data = e2e.Dataset("data/top", split="train")
        >>> data[0].pos.shape[1], data[0].x.shape[1] == len(data.inputs.feature_names)
        (2, True)
    """

    def __init__(
        self,
        folder: str | Path,
        split: str | None = "train",
        *,
        nodes: NodeSelection | None = None,
        cached_jets: int = 16384,
    ) -> None:
        super().__init__()
        self.table = read_table(user_path(folder))
        self.numbers = self.table.jets_of(split)
        self.inputs = self.table.inputs
        self.targets = self.table.manifest.targets
        self.node_targets = self.table.manifest.objective.node_targets
        self.selection = nodes or NodeSelection()
        self.sizes = self.table.node_counts(self.selection)
        self._room = cached_jets
        self._columns = columns_for(self.inputs, self.targets, self.node_targets)
        self._cache: OrderedDict[int, _Group] = OrderedDict()

    def len(self) -> int:
        return len(self.numbers)

    def get(self, idx: int) -> Data:
        number = int(self.numbers[idx])
        group = self._group(int(self.table.group_of(np.array([number]))[0]))
        row = int(np.searchsorted(group.numbers, number))
        start, stop = group.offsets[row], group.offsets[row + 1]
        # Copies: views would keep the whole row group for as long as a jet is kept, and a transform that works in place
        # would change what the next epoch is given.
        of_nodes = {} if group.node_target is None else {"node_target": group.node_target[start:stop].clone()}
        return Data(
            **of_nodes,
            pos=group.points[start:stop].clone(),
            x=group.features[start:stop].clone(),
            y=group.label[row : row + 1].clone(),
            weight=group.weight[row : row + 1].clone(),
            jet=group.jet[row : row + 1].clone(),
            target=group.target[row : row + 1].clone(),
            number=torch.tensor([number]),
            num_nodes=int(stop - start),
        )

    def _group(self, index: int) -> _Group:
        if index in self._cache:
            self._cache.move_to_end(index)
        else:
            only = np.array([index])
            numbers, clouds = read_jets(self.table, only, self.numbers, self._columns, self.selection)
            self._cache[index] = _Group(numbers, clouds, self.inputs, self.targets, self.node_targets)
            while len(self._cache) > 1 and sum(len(group.numbers) for group in self._cache.values()) > self._room:
                self._cache.popitem(last=False)
        return self._cache[index]


class _Group:
    """A row group's jets of the split, as tensors."""

    def __init__(
        self,
        numbers: NDArray[np.int64],
        clouds: PointClouds,
        inputs: Inputs,
        targets: Sequence[str],
        node_targets: Sequence[str],
    ) -> None:
        self.numbers = numbers
        self.offsets = clouds.offsets
        self.points = torch.from_numpy(np.stack([clouds.nodes[name] for name in POINT_NAMES], axis=1))
        self.features = torch.from_numpy(node_features(clouds, inputs))
        self.jet = torch.from_numpy(object_features(clouds, inputs))
        self.target = torch.from_numpy(targets_of(clouds, targets))
        of_nodes = [clouds.nodes[name].astype(np.float32) for name in node_targets]
        self.node_target = torch.from_numpy(np.stack(of_nodes, axis=1)) if of_nodes else None
        self.label = torch.from_numpy(clouds.jets["label"].astype(np.int64))
        self.weight = torch.from_numpy(clouds.jets["weight"].astype(np.float32))


class EpochBatches:
    """A ``batch_sampler`` in the order the project trains in; ``set_epoch`` before each epoch.

    No row group is read twice in an epoch as long as the data set's cache holds two pools of ``options.pool_jets``.

    Args:
        dataset: The data set whose jets to batch, or a part of one, such as ``data[:1000]``.
        batch_size: Jets of a batch, over all processes.
        seed: Of the order.
        options: ``pool_jets``, ``bucket_batches``, ``batch_nodes`` and ``drop_remainder`` of a recipe's ``data``.
        share: The part of each batch that this process gets; all of it by default.

    Raises:
        UsageError: ``options`` name ``training_jets``, or other ``nodes`` than those of the data set.

    Example:
        >>> from torch.utils.data import DataLoader
        >>> data = e2e.Dataset("data/top", split="train")
        >>> loader = DataLoader(data, batch_sampler=e2e.EpochBatches(data, 32), collate_fn=e2e.collate)
        >>> len(next(iter(loader)))
        32
    """

    def __init__(
        self,
        dataset: JetDataset,
        batch_size: int,
        *,
        seed: int = 1,
        options: DataOptions | None = None,
        share: Share = ALONE,
    ) -> None:
        self._dataset, self._batch_size, self._seed, self._share = dataset, batch_size, seed, share
        self._options = options or DataOptions()
        self._epoch = 0
        if self._options.training_jets is not None:
            raise UsageError(
                f"training_jets={self._options.training_jets}: EpochBatches takes all jets of the data set that it is "
                "given; give it a part of one, such as data[:1000], and leave training_jets out."
            )
        if self._options.nodes not in (NodeSelection(), dataset.selection):
            raise UsageError(
                f"nodes of {in_words(self._options.nodes)} in the options of EpochBatches, but the data set was opened "
                f"with {in_words(dataset.selection)}; give Dataset those nodes."
            )

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        if self._options.batch_nodes is not None:
            return len(self._plan()[0])
        whole, rest = divmod(len(self._dataset), self._batch_size)
        return whole + bool(rest >= self._share.world and not (self._options.drop_remainder and whole))

    def __iter__(self) -> Iterator[list[int]]:
        plan, numbers, place = self._plan()
        for batch in plan.batches:
            yield place[np.searchsorted(numbers, self._share.of(batch))].tolist()

    def _plan(self) -> tuple[EpochPlan, NDArray[np.int64], NDArray[np.int64]]:
        """The epoch's plan, the numbers of its jets, rising, and the place of each in the data set."""
        # A part of a data set (``dataset[:40]``, ``dataset.shuffle()``) numbers its jets itself, in its own order.
        own = self._dataset.numbers[np.asarray(self._dataset.indices(), np.int64)]
        place = np.argsort(own, kind="stable")
        numbers = own[place]
        plan = training_plan(
            self._dataset.table,
            numbers,
            self._batch_size,
            seed=self._seed,
            epoch=self._epoch,
            pool_jets=self._options.pool_jets,
            bucket_batches=self._options.bucket_batches,
            drop_remainder=self._options.drop_remainder,
            batch_nodes=self._options.batch_nodes,
            sizes=self._dataset.sizes,
            processes=self._share.world,
        )
        return plan, numbers, place


def dense(batch: Batch) -> JetBatch:
    """A PyG batch as the padded ``JetBatch`` that this project's networks read."""
    size = len(batch.y)
    points, mask = to_dense_batch(batch.pos, batch.batch, batch_size=size)
    features, _ = to_dense_batch(batch.x, batch.batch, batch_size=size)
    node_target = None
    if "node_target" in batch:
        node_target, _ = to_dense_batch(batch.node_target, batch.batch, batch_size=size)
    return JetBatch(
        points=points,
        features=features,
        mask=mask,
        jet=batch.jet,
        label=batch.y,
        weight=batch.weight,
        target=batch.target,
        number=batch.number,
        node_target=node_target,
    )
