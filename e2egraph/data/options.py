"""How jets are read and batched: the ``data`` group of a recipe."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from e2egraph.config import configuration
from e2egraph.tasks.nodeselection import NodeSelection

Positive = Annotated[int, Field(ge=1)]


@configuration
class DataOptions:
    """How jets are read and batched.

    ``pool_jets``: jets in memory at a time (twice that while the next pool is read, and some hundred of each sample
    that is rare). ``bucket_batches``: this many batches are sorted by number of nodes together. ``prefetch_batches``:
    batches made ahead.
    ``reading_threads``: threads that read; batches are the same with any number. ``nodes``: which nodes of the data set
    are used. ``evaluation_batch_size``: jets per batch where nothing is learnt. ``drop_remainder``: leave out a smaller
    last batch when training. ``batch_nodes``: the most nodes of a batch, padding included; batches of large objects
    are split to keep it, down to one jet per process.
    ``training_jets``: learn from this many jets of the training split, for learning curves.
    """

    pool_jets: Positive = 4096
    bucket_batches: Positive = 16
    prefetch_batches: Positive = 4
    reading_threads: Positive = 2
    nodes: NodeSelection = Field(default_factory=NodeSelection)
    evaluation_batch_size: Positive = 64
    drop_remainder: bool = False
    batch_nodes: Positive | None = None
    training_jets: Positive | None = None
