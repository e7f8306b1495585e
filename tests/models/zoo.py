"""The shipped models at a size for tests: promises do not depend on it."""

from __future__ import annotations

from functools import cache

import torch
from torch import nn

from e2egraph.config import config_names
from e2egraph.export.onnx import to_onnx
from e2egraph.export.parity import ParityReport, check_parity
from e2egraph.models.graph_network import GraphNetwork
from e2egraph.models.registry import build_model, load_model_config, network_class
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs, class_outputs
from tests.all_inputs import INPUTS, TWO_CLASSES

MODELS = config_names("models")

# Options of the test size; each is set where a model has it.
SMALL = {
    "width": 16,
    "depth": 2,
    "propagated": 8,
    "neighbors": 5,
    "window": 8,
    "bin": 8,
    "heads": 2,
    "features": 16,
    "patch": 25,
    "widths": "[8, 16, 16, 16]",
    "hidden": 32,
    "dropout": 0.0,
}

# Where another size is needed.
SMALL_OF = {
    "fcn": {"width": 128},
    # Energies across and along the beams are no default variables.
    "resnet-mass": {"channels": "[ECAL]"},
    # So that random hits are linked too.
    "tracks-and-cells-links": {"links": "[{layers: [BPIX1, BPIX2, BPIX3], hits: 20, keep: 8, most_chi2: 1.0e9}]"},
}

# Settings with which a model needs no more than the smaller inputs of ``other_inputs`` hold; fcn always needs more.
FOR_FEWER_INPUTS = {
    "cnn-egamma": ("options.channels=[ECAL]",),
    "cnn-circular": ("options.eta_max=0.3",),
    "tracks-and-cells-links": ("options.links=[]",),
    "resnet-mass": ("options.object=false",),
    "tracks-and-cells-mass": ("options.object=false",),
}


def build(
    name: str, seed: int = 0, n_outputs: int = 3, settings: tuple[str, ...] = (), inputs: Inputs = INPUTS
) -> nn.Module:
    """A new small network of model ``name`` with ``n_outputs`` scores, in evaluation mode."""
    torch.manual_seed(seed)
    config = load_model_config(name, [*small_settings(name), *settings])
    return build_model(config, inputs, classes(n_outputs)).eval()


def classes(number: int) -> Outputs:
    """Outputs of so many classes."""
    return class_outputs(tuple(f"class{i}" for i in range(number)))


def parity(model: nn.Module, max_nodes: int, outputs: Outputs = TWO_CLASSES, inputs: Inputs = INPUTS) -> ParityReport:
    """The exported network against torch, on jets of up to ``max_nodes``."""
    content = to_onnx(model, inputs, outputs).SerializeToString()
    return check_parity(model, content, inputs, outputs, cap=max_nodes)


def small_settings(name: str, group: str = "options") -> list[str]:
    """Settings that bring model ``name`` to test size, each beginning with ``group``."""
    options = load_model_config(name).options
    return [f"{group}.{key}={value}" for key, value in (SMALL | SMALL_OF.get(name, {})).items() if key in options]


@cache
def graph_models() -> tuple[str, ...]:
    """Names of the models that are a graph network of one kernel."""
    return tuple(name for name in MODELS if issubclass(network_class(load_model_config(name), name), GraphNetwork))


def build_kernel(name: str, block: int, seed: int = 0) -> nn.Module:
    """A new kernel of graph model ``name`` for block number ``block``, in evaluation mode; width as in ``SMALL``."""
    network = build(name)
    assert isinstance(network, GraphNetwork)
    torch.manual_seed(seed)
    return network.make_kernel(block).eval()
