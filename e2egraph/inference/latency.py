"""Milliseconds a jet of a bundle in ONNX Runtime, one thread, as a trigger farm or CMSSW would run it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from e2egraph.data.padding import DenseArrays, pad
from e2egraph.errors import InputError
from e2egraph.export.bundle import first_tensors
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.inference.session import Bundle
from e2egraph.tasks.inputs import Inputs


def latency(
    bundle: Path, clouds: PointClouds, batch_sizes: Sequence[int] = (1, 64), repeats: int = 20, threads: int = 1
) -> dict[int, float]:
    """Median milliseconds per jet for each batch size, over ``repeats`` batches of the jets of ``clouds``.

    Batches are taken in order and around again, padded to their longest jet; nodes are selected and padded beforehand,
    the first batches run once to warm up. InputError when there is no jet.
    """
    if len(clouds) == 0:
        raise InputError("latency needs at least one object; choose another split or data set.")
    opened = Bundle.open(bundle, threads)
    selected = opened.select(clouds)
    return {size: _median(opened, _batches(selected, opened.inputs, size, repeats)) for size in batch_sizes}


def _batches(clouds: PointClouds, inputs: Inputs, size: int, repeats: int) -> list[DenseArrays]:
    # A batch larger than a short sample holds some jets twice.
    return [pad(clouds.take(np.arange(i * size, (i + 1) * size) % len(clouds)), inputs) for i in range(repeats)]


def _median(bundle: Bundle, batches: list[DenseArrays]) -> float:
    feeds = [bundle.feeds(batch) for batch in batches]
    tensors = first_tensors(bundle.metadata.outputs)
    for feed in feeds[:3]:
        bundle.session.run(tensors, feed)
    times = []
    for feed in feeds:
        start = time.perf_counter()
        bundle.session.run(tensors, feed)
        times.append(time.perf_counter() - start)
    return 1000.0 * float(np.median(times)) / len(batches[0])
