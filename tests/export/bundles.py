"""Small networks and bundles for the tests of export and inference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from e2egraph.config import as_dict
from e2egraph.data.padding import DenseArrays
from e2egraph.export.bundle import BundleInfo, Metadata
from e2egraph.export.export import export_model
from e2egraph.graphs.storage.pointclouds import PointClouds, concatenate
from e2egraph.models.output_scale import scale_outputs
from e2egraph.models.registry import build_model, load_model_config
from e2egraph.tasks.inputs import Inputs, resolve
from e2egraph.tasks.objects.jet import KIND
from e2egraph.tasks.outputs import Outputs
from e2egraph.tasks.region import JET_REGION
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.toy_dataset import CHANNEL_NAMES, toy_clouds, toy_task

SETTINGS = {
    "gravnet": ["options.width=16", "options.depth=1", "options.propagated=8", "options.neighbors=6"],
    "resnet15": [],
}

# The channels of the toy jets, four of their variables in another order than they are stored in, two jet quantities.
REDUCED = resolve(["charge", "value", "time", "d0"], CHANNEL_NAMES, ["jet_mass", "jet_pt"], JET_REGION, KIND.quantities)

CLASSES: dict[str, Any] = {"kind": "classification", "classes": ["qcd", "top"], "signal": "top"}
MASS_AND_PT: dict[str, Any] = {
    "kind": "regression",
    "classes": ["qcd", "top"],
    "targets": [
        {"name": "gen_mass", "unit": "GeV", "offset": 100.0, "scale": 50.0},
        {"name": "gen_pt", "unit": "GeV", "offset": 500.0, "scale": 100.0},
    ],
}
CLASS_AND_MASS: dict[str, Any] = {
    "kind": "joint",
    "heads": [CLASSES, {**MASS_AND_PT, "targets": MASS_AND_PT["targets"][:1]}],
    "only": {"regression": ["top"]},
}


def outputs_of(objective: Mapping[str, Any]) -> Outputs:
    """What a network of this objective gives."""
    outputs: Outputs = toy_task(objective=objective).objective.outputs
    return outputs


def info(name: str = "toy", objective: Mapping[str, Any] = CLASSES, **changes: Any) -> BundleInfo:
    """What an exporter is told of a model for the toy data set."""
    content: dict[str, Any] = {
        "model": name,
        "model_config": {"name": name},
        "task": "toy",
        "configuration": as_dict(toy_task(objective=objective)),
        "cap": 300,
        "dataset_sha256": "0" * 64,
        "metrics": {"auc": 0.93},
    }
    return BundleInfo(**(content | changes))


def export(
    model: nn.Module,
    output: Path,
    about: BundleInfo | None = None,
    *,
    inputs: Inputs = INPUTS,
    outputs: Outputs = TWO_CLASSES,
    sample: DenseArrays | None = None,
    **options: Any,
) -> Metadata:
    """Export a model of two classes and nineteen features, or of others."""
    return export_model(model, inputs, outputs, info=about or info(), sample=sample, output=output, **options)


def both_classes(jets: int, seed: int) -> PointClouds:
    """``jets`` toy jets of each class."""
    rng = np.random.default_rng(seed)
    return concatenate([toy_clouds(label, jets, rng, nodes=(5, 60)) for label in (0, 1)])


def small_model(name: str) -> nn.Module:
    torch.manual_seed(4)
    return build_model(load_model_config(name, SETTINGS[name]), INPUTS, TWO_CLASSES).eval()


def export_small(name: str, output: Path) -> nn.Module:
    """Export a small shipped model to ``output`` and return it."""
    model = small_model(name)
    export(model, output, info(name, model_config=as_dict(load_model_config(name, SETTINGS[name]))))
    return model


class Linear(nn.Module):
    """The smallest network: the sum of the node variables through one layer."""

    def __init__(self, n_outputs: int = 2) -> None:
        super().__init__()
        self.layer = nn.Linear(INPUTS.n_features, n_outputs)

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        return self.layer((features * mask.unsqueeze(-1)).sum(1) / 1000.0)


class JetLinear(nn.Module):
    """Reads jet quantities and the mean of the node variables."""

    uses_jet = True

    def __init__(self, inputs: Inputs = INPUTS, n_outputs: int = 2) -> None:
        super().__init__()
        self.of_jet = nn.Linear(len(inputs.object), n_outputs)
        self.of_nodes = nn.Linear(inputs.n_features, n_outputs)

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        weight = mask.to(features.dtype).unsqueeze(-1)
        mean = (features * weight).sum(1) / weight.sum(1).clamp(min=1.0)
        return self.of_jet(jet / 100.0) + self.of_nodes(mean)


class TwoLayers(nn.Module):
    """A layer for each node, the mean over nodes, and a last layer for all heads."""

    def __init__(self, inputs: Inputs, outputs: Outputs) -> None:
        super().__init__()
        self.of_nodes = nn.Linear(2 + inputs.n_features, 16)
        self.last = nn.Linear(16, outputs.size)

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        weight = mask.to(features.dtype).unsqueeze(-1)
        nodes = torch.relu(self.of_nodes(torch.cat([points, torch.asinh(features)], dim=-1))) * weight
        return self.last(nodes.sum(1) / weight.sum(1).clamp(min=1.0))


def two_layers(inputs: Inputs, outputs: Outputs) -> nn.Module:
    """``TwoLayers`` in physical units, with weights that are always the same."""
    torch.manual_seed(2)
    model = TwoLayers(inputs, outputs).eval()
    scale_outputs(model, outputs)
    return model
