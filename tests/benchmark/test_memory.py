"""The measures of memory give the bytes of known functions."""

import gc
import weakref

import pytest
import torch
from torch import nn

from e2egraph.benchmark.kernels.memory import kept_bytes, peak_bytes

# Scalars that operators make on the way.
SMALL = 64


def test_the_peak_is_the_largest_sum_of_tensors_alive_at_once():
    def work():
        first = torch.ones(100_000)
        second = torch.exp(first)
        del first
        third = torch.exp(second)
        del second
        return third

    assert peak_bytes(work) == pytest.approx(2 * 400_000, abs=SMALL)


def test_the_peak_counts_what_is_added_to_memory_already_held():
    held = torch.ones(500_000)
    assert peak_bytes(lambda: torch.exp(held[:100_000])) == pytest.approx(400_000, abs=SMALL)
    assert peak_bytes(lambda: held.mul_(2.0)) <= SMALL


def test_the_peak_of_a_backward_pass_is_the_same_in_every_run():
    layer, x = nn.Linear(64, 64), torch.ones(1000, 64)
    peaks = []
    for _ in range(3):
        layer.zero_grad(set_to_none=True)
        peaks.append(peak_bytes(lambda: layer(x).relu().sum().backward()))
    # the output of relu and its gradient, of equal size, are there at once
    assert peaks[0] >= 2 * 1000 * 64 * 4
    assert len(set(peaks)) == 1


def test_what_is_kept_is_counted_once_and_without_what_is_held():
    layer = nn.Linear(10, 20)
    x = torch.ones(5, 10)

    def squared():
        y = layer(x).relu()
        return (y * y).sum()  # y is kept by relu, and twice by the product

    assert kept_bytes(squared, layer.parameters()) == 4 * (5 * 10 + 5 * 20)
    assert kept_bytes(squared, [x, *layer.parameters()]) == 4 * 5 * 20


def test_nothing_is_kept_without_gradient():
    layer = nn.Linear(10, 20)
    with torch.no_grad():
        assert kept_bytes(lambda: layer(torch.ones(5, 10)), layer.parameters()) == 0


def test_counting_what_is_kept_keeps_nothing():
    results = []

    def forward():
        y = torch.ones(10, requires_grad=True).exp()
        results.append(weakref.ref(y))
        return y.sum()

    assert kept_bytes(forward, ()) == 40
    gc.collect()
    assert results[0]() is None


def test_what_the_result_does_not_need_is_not_kept():
    x = torch.ones(10, requires_grad=True)

    def forward():
        hashed = torch.ones(1000, requires_grad=True).exp().argmax()
        return (x.exp() + hashed).sum()

    assert kept_bytes(forward, [x]) == 40
