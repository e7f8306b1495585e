"""The shipped variants for particle flow, small: exported, with what CMSSW's producer reads, and small events too."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from e2egraph.data.candidates import is_particle_flow
from e2egraph.export.cmssw_form import to_cmssw
from e2egraph.export.cmssw_gate import check_cmssw
from e2egraph.export.made_jets import made_jets
from e2egraph.models.registry import build_model, load_model_config
from e2egraph.tasks.objectives.objective import with_loss_settings
from e2egraph.training.recipe import load_recipe
from tests.flow_dataset import flow_task
from tests.models.zoo import parity

FOLDER = Path(__file__).parents[2] / "configs" / "variants"
VARIANTS = sorted(path.stem for path in FOLDER.glob("*-flow.yaml"))
TASK = flow_task()
SMALL = {"width": 16, "depth": 1, "bin": 8, "window": 8, "features": 16, "heads": 2, "tracks": 12, "cone_sums": "[0.1]"}


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    path = str(FOLDER / f"{name}.yaml")
    known = load_model_config(path).options
    settings = [f"options.{key}={value}" for key, value in SMALL.items() if key in known]
    if "cells" in known:
        settings.append("options.cells=[{size: 5, keep: 16}]")
    config = load_model_config(path, settings)
    model = build_model(config, TASK.network_inputs, TASK.objective.outputs).eval()
    for parameter in model.get_submodule("readout").parameters():
        nn.init.normal_(parameter, std=0.2)
    return model


def test_there_is_a_variant_for_every_kernel_that_is_made_for_events() -> None:
    assert {"gnn-lsh-flow", "performer-flow", "window-flow", "transformer-flow", "tracks-and-cells-flow"} == set(
        VARIANTS
    )
    recipe = load_recipe("particle-flow")
    assert recipe.data.batch_nodes == 16384
    assert with_loss_settings(TASK.objective, recipe.objective, "recipe").local_weight == 2


# The others in tests/e2e/test_particle_flow.py, below, and with outputs of objects in the tests of their kernels.
@pytest.mark.parametrize("name", ["performer-flow", "tracks-and-cells-flow"])
def test_outputs_of_nodes_are_the_same_in_onnx_runtime_whatever_their_number_order_and_turn(name: str) -> None:
    outputs = TASK.objective.outputs
    assert is_particle_flow(outputs)
    found = parity(network(name), 200, outputs, TASK.network_inputs)
    assert found.largest_difference < 1e-4
    assert found.nodes["permuted"] < 1e-4
    assert found.nodes["turned"] <= 0.01
    assert found.nodes["sum_pt"] < 1e-4


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_gives_a_row_for_each_element_of_an_event_and_of_one_without_any(name: str) -> None:
    model, events = network(name), made_jets("random", 3, 30, np.random.default_rng(0), TASK.network_inputs)
    with torch.no_grad():
        rows = model(*map(torch.from_numpy, (events.points, events.features, events.mask, events.jet)))
    assert rows.shape == (3, 30, TASK.objective.outputs.size)
    assert rows.isfinite().all()
    assert len(rows[0].unique(dim=0)) == 30


def test_cmssw_gets_the_same_from_its_own_columns() -> None:
    model, outputs = network("window-flow"), TASK.objective.outputs
    content = to_cmssw(model, TASK.network_inputs, outputs).SerializeToString()
    assert check_cmssw(model, content, TASK.network_inputs, outputs, 120) < 1e-4
