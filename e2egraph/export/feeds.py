"""Padded objects as the inputs of an exported model."""

from __future__ import annotations

import numpy as np

from e2egraph.data.padding import DenseArrays, Float32s


def feeds(jets: DenseArrays, uses_jet: bool) -> dict[str, Float32s]:
    """The inputs of an exported model, channels first."""
    inputs = {
        "points": np.ascontiguousarray(jets.points.transpose(0, 2, 1)),
        "features": np.ascontiguousarray(jets.features.transpose(0, 2, 1)),
        "mask": np.ascontiguousarray(jets.mask[:, None, :], np.float32),
    }
    return inputs | ({"jet": np.ascontiguousarray(jets.jet[:, :, None])} if uses_jet else {})
