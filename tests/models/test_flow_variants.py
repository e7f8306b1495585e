"""The shipped variants for particle flow, small: exported, with what CMSSW's producer reads, and small events too."""

from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from e2egraph.data.candidates import is_particle_flow
from e2egraph.export.cmssw_form import CmsswForm, to_cmssw
from e2egraph.export.cmssw_gate import check_cmssw, elements_of
from e2egraph.export.made_jets import made_jets, on_phi_steps
from e2egraph.export.onnx import to_onnx
from e2egraph.export.parity import check_parity
from e2egraph.models.registry import build_model, load_model_config
from e2egraph.tasks.objectives.objective import with_loss_settings
from e2egraph.training.recipe import load_recipe
from tests.flow_dataset import flow_task

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


@cache
def in_onnx(name: str) -> tuple[nn.Module, onnx.ModelProto]:
    model = network(name)
    return model, to_onnx(model, TASK.network_inputs, TASK.objective.outputs)


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
    model, proto = in_onnx(name)
    found = check_parity(model, proto.SerializeToString(), TASK.network_inputs, outputs, cap=200)
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
    (model, proto), outputs = in_onnx("performer-flow"), TASK.objective.outputs
    content = to_cmssw(proto, "performer-flow", TASK.network_inputs, outputs).SerializeToString()
    assert check_cmssw(model, content, TASK.network_inputs, outputs, 120) < 1e-4


def test_elements_of_types_that_the_network_does_not_read_are_as_if_they_were_not_there() -> None:
    inputs, outputs = TASK.network_inputs, TASK.objective.outputs
    form = CmsswForm(network("gnn-lsh-flow"), inputs, outputs)
    events = on_phi_steps(made_jets("random", 2, 40, np.random.default_rng(1), inputs), inputs)
    elements, mask = torch.from_numpy(elements_of(events, inputs)), torch.from_numpy(events.mask).float()
    stray = elements[:, :5].clone()
    stray[..., 0] = torch.tensor([2.0, 7.0, 8.0, 10.0, 11.0])
    with torch.inference_mode():
        alone = form(elements, mask)
        among = form(
            torch.cat([elements[:, :3], stray, elements[:, 3:]], 1),
            torch.cat([mask[:, :3], torch.ones(2, 5), mask[:, 3:]], 1),
        )
    for one, other in zip(alone, among, strict=True):
        assert (other[:, 3:8] == 0.0).all()
        torch.testing.assert_close(torch.cat([other[:, :3], other[:, 8:]], 1), one, atol=1e-5, rtol=1e-5)
