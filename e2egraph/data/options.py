"""How jets are read and batched: the ``data`` group of a recipe."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from e2egraph.config import configuration

Positive = Annotated[int, Field(ge=1)]


@configuration
class DataOptions:
    """``pool_jets``: jets in memory at a time (twice that while the next pool is read). ``bucket_batches``: so many
    batches are sorted by number of nodes together. ``prefetch_batches``: batches made ahead. ``max_nodes``: nodes a jet
    at most, the first in canonical order. ``evaluation_batch_size``: jets a batch where nothing is learnt.
    ``drop_remainder``: leave out a smaller last batch when training.
    """

    pool_jets: Positive = 4096
    bucket_batches: Positive = 16
    prefetch_batches: Positive = 4
    max_nodes: Positive | None = None
    evaluation_batch_size: Positive = 64
    drop_remainder: bool = False
