"""Batches of jets of similar length."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from e2egraph.inference.batches import batches_by_length


@given(
    counts=st.lists(st.integers(0, 5000), max_size=80),
    batch_size=st.integers(1, 20),
    max_pairs=st.integers(1, 10**8),
)
def test_every_jet_comes_once_and_no_batch_is_too_large(counts: list[int], batch_size: int, max_pairs: int) -> None:
    array = np.array(counts, np.int64)
    batches = list(batches_by_length(array, batch_size, max_pairs))
    assert sorted(np.concatenate([[], *batches]).astype(int).tolist()) == list(range(len(counts)))
    for batch in batches:
        assert 1 <= len(batch) <= batch_size
        assert len(batch) == 1 or len(batch) * array[batch].max() ** 2 <= max_pairs


def test_batches_run_from_short_to_long() -> None:
    counts = np.array([5, 1, 9, 3, 7, 0])
    assert [counts[batch].tolist() for batch in batches_by_length(counts, 2)] == [[0, 1], [3, 5], [7, 9]]
