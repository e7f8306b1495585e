"""What autograd keeps for the gradient, which is what training takes memory for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


@contextmanager
def kept_for_gradient() -> Iterator[list[int]]:
    """Sizes, in numbers, of the tensors that are kept for what is computed in the ``with`` block."""
    sizes: list[int] = []

    def note(tensor: Tensor) -> Tensor:
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        yield sizes
    assert sizes, "nothing was kept: nothing in the block needs a gradient"
