"""Small networks and bundles for the tests of export and inference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from e2egraph.config import as_dict
from e2egraph.export.bundle import BundleInfo
from e2egraph.export.export import export_model
from e2egraph.models.registry import build_model, load_model_config

SETTINGS = {
    "gravnet": ["options.width=16", "options.depth=1", "options.propagated=8", "options.neighbors=6"],
    "resnet15": [],
}


def small_model(name: str) -> nn.Module:
    torch.manual_seed(4)
    return build_model(load_model_config(name, SETTINGS[name]), 2).eval()


def info(name: str = "toy", **changes: Any) -> BundleInfo:
    """What an exporter is told of a model for the toy data set."""
    content: dict[str, Any] = {
        "model": name,
        "model_config": {"name": name},
        "classes": ("qcd", "top"),
        "signal": "top",
        "task": "toy",
        "configuration": {"name": "toy"},
        "node_cap": 300,
        "dataset_sha256": "0" * 64,
        "metrics": {"auc": 0.93},
    }
    return BundleInfo(**(content | changes))


def export_small(name: str, output: Path) -> nn.Module:
    """Export a small shipped model to ``output`` and return it."""
    model = small_model(name)
    config = as_dict(load_model_config(name, SETTINGS[name]))
    export_model(model, info=info(name, model_config=config), sample=None, output=output)
    return model


class JetLinear(nn.Module):
    """Reads jet quantities and the mean of the node variables."""

    uses_jet = True

    def __init__(self) -> None:
        super().__init__()
        self.of_jet = nn.Linear(6, 2)
        self.of_nodes = nn.Linear(19, 2)

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        weight = mask.to(features.dtype).unsqueeze(-1)
        mean = (features * weight).sum(1) / weight.sum(1).clamp(min=1.0)
        return self.of_jet(jet / 100.0) + self.of_nodes(mean)
