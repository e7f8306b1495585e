"""What tests compare of two runs: the weights, bit for bit, and the figures that do not depend on time."""

from __future__ import annotations

import csv
from pathlib import Path

import torch

TIMINGS = {"seconds", "jets_per_second", "data_wait_share"}


def checkpoint(run: Path, name: str = "last") -> dict:
    return torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)


def figures(run: Path) -> list[dict[str, str]]:
    """The rows of metrics.csv as they are written, without timings."""
    with (run / "metrics.csv").open() as stream:
        return [{k: v for k, v in row.items() if k not in TIMINGS} for row in csv.DictReader(stream)]


def differences(one: object, other: object, path: str = "") -> list[str]:
    """Where two contents of checkpoints are not the same to the bit."""
    if isinstance(one, torch.Tensor):
        same = isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
        return [] if same else [path]
    if isinstance(one, dict):
        if not isinstance(other, dict) or one.keys() != other.keys():
            return [path]
        return [found for key in one for found in differences(one[key], other[key], f"{path}/{key}")]
    if isinstance(one, list | tuple):
        if len(one) != len(other):
            return [path]
        return [
            found for i, pair in enumerate(zip(one, other, strict=True)) for found in differences(*pair, f"{path}/{i}")
        ]
    return [] if one == other else [path]


def assert_same_run(one: Path, other: Path) -> None:
    """The same weights, optimiser, averages, generators, rows and best epoch."""
    assert figures(one) == figures(other)
    for name in ("best", "last"):
        found = differences(checkpoint(one, name), checkpoint(other, name))
        timed = ("/seconds", "/waited", "/total_seconds", "/jets_per_second", "/data_wait_share")
        assert [path for path in found if not path.endswith(timed)] == []
