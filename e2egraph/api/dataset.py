"""``e2egraph.collate``: items of ``Dataset`` → a batch, for any ``DataLoader``."""

from __future__ import annotations

from collections.abc import Sequence

from torch_geometric.data import Batch, Data

from e2egraph.data.dataset import dense
from e2egraph.data.loading.batch import JetBatch


def collate(items: Sequence[Data]) -> JetBatch:
    """Items of a ``Dataset`` as the padded batch that the networks read: the ``collate_fn`` of a ``DataLoader``.

    Args:
        items: B objects of ``Dataset``, each with its nodes.

    Returns:
        ``points`` [B, N, 2] (Δη, Δφ) [rad], ``features`` [B, N, V] (raw physical quantities, then a flag for each
        channel, by ``Dataset.inputs.feature_names``), ``mask`` [B, N] (false: padding), ``jet`` [B, G], ``label`` [B],
        ``weight`` [B], ``target`` [B, T] and ``number`` [B] (place in the data set). ``batch.inputs`` are the four
        arguments of a network's forward.

    Example:
        >>> from torch.utils.data import DataLoader
        >>> data = e2e.Dataset("data/top", split="train")
        >>> batch = next(iter(DataLoader(data, batch_size=16, collate_fn=e2e.collate)))
        >>> batch.points.shape[::2], batch.features.shape[2] == data.inputs.n_features
        (torch.Size([16, 2]), True)
    """
    return dense(Batch.from_data_list(list(items)))
