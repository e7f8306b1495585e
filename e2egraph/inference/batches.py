"""Jets of similar length together, and no batch larger than memory bears."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

# B · N² of one batch: a kernel that compares all pairs of nodes holds a few float32 arrays of this size (64 MB each).
MAX_PAIRS = 2**24


def batches_by_length(
    counts: NDArray[np.int64], batch_size: int, max_pairs: int = MAX_PAIRS
) -> Iterator[NDArray[np.int64]]:
    """Indices of jets with ``counts`` nodes, shortest first: at most ``batch_size``, and B · N² ≤ ``max_pairs``.

    Every jet comes exactly once; one jet always makes a batch, however long it is.
    """
    order = np.argsort(counts, kind="stable")
    start = 0
    while start < len(order):
        stop = min(start + batch_size, len(order))
        squares = counts[order[start:stop]].astype(np.float64) ** 2
        # Sorted, so that the last of the first m jets is the longest.
        fits = np.arange(1, stop - start + 1) * squares <= max_pairs
        stop = start + max(1, int(fits.sum()))
        yield order[start:stop]
        start = stop
