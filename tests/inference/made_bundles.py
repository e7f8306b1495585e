"""Bundles of every kind of objective, for the tests of inference."""

from pathlib import Path
from typing import Any

from torch import nn

from e2egraph.tasks.inputs import Inputs
from tests.export.bundles import CLASS_AND_MASS, CLASSES, MASS_AND_PT, export, info, outputs_of, two_layers

OBJECTIVES = {"classification": CLASSES, "regression": MASS_AND_PT, "joint": CLASS_AND_MASS}


def bundle_of(folder: Path, objective: str, inputs: Inputs, **changes: Any) -> tuple[Path, nn.Module]:
    """A bundle in ``folder`` of an objective of ``OBJECTIVES``, and its network; ``changes`` of its ``BundleInfo``."""
    outputs = outputs_of(OBJECTIVES[objective])
    model = two_layers(inputs, outputs)
    export(model, folder, info("toy", OBJECTIVES[objective], **{"cap": 64, **changes}), inputs=inputs, outputs=outputs)
    return folder, model
