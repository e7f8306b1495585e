"""Models that are not exported: what fails the gate, what CMSSW could not read."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from e2egraph.data.padding import pad
from e2egraph.errors import InputError
from e2egraph.export.onnx import check_form, to_onnx
from e2egraph.tasks.outputs import class_outputs
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.export.bundles import REDUCED, JetLinear, Linear, export
from tests.toy_dataset import toy_clouds


class OtherInOnnx(Linear):
    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        logits = super().forward(points, features, mask, jet)
        return logits + 0.01 if torch.compiler.is_exporting() else logits


class NotFinite(Linear):
    """0/0 for a jet without nodes."""

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        weight = mask.float().unsqueeze(-1)
        return self.layer((features * weight).sum(1) / weight.sum(1) / 1000.0)


class SecretJet(Linear):
    """Reads jet quantities without saying so."""

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        return super().forward(points, features, mask, jet) + jet[:, :2]


class ByValue(Linear):
    """Branches on the values of its input: not a fixed graph."""

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        if features.sum() > 0:
            return super().forward(points, features, mask, jet)
        return -super().forward(points, features, mask, jet)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (OtherInOnnx(), r"differ by 0\.01.*B = 1, N = 0"),
        (NotFinite(), r"not finite on random objects, B = 1, N = 0"),
        (SecretJet(), r"differ by"),
        (ByValue(), r"ByValue cannot be exported to ONNX"),
        (Linear(3), r"callers need float32"),
    ],
)
def test_a_model_that_fails_the_gate_leaves_nothing_behind(model: nn.Module, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as failure:
        export(model, tmp_path / "out" / "bundle")
    assert "\n" not in str(failure.value)
    assert not (tmp_path / "out").exists()


def test_real_jets_that_disagree_are_caught(tmp_path: Path) -> None:
    class OtherForLargeValues(Linear):
        def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
            logits = super().forward(points, features, mask, jet)
            return logits + features.amax((1, 2)).gt(1e5).float()[:, None] if torch.compiler.is_exporting() else logits

    clouds = toy_clouds(1, 3, np.random.default_rng(0), nodes=(5, 9))
    clouds.nodes["value"][-1] = 2e5  # in the last of three jets
    with pytest.raises(InputError, match="objects 0 to 2 of the data set"):
        export(OtherForLargeValues(), tmp_path / "bundle", sample=pad(clouds, INPUTS))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("top_b", "topb", "qcd"), r"outputs 'top_b', 'topb' would all be called 'topb' in CMSSW; give one"),
        (("qcd", "±"), r"output '±' has neither letters nor digits"),
    ],
)
def test_classes_whose_names_cmssw_could_not_tell_apart_are_refused(
    classes: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        export(Linear(len(classes)), tmp_path / "bundle", outputs=class_outputs(classes))
    assert not list(tmp_path.iterdir())


def test_two_inputs_with_a_variable_of_one_name_are_refused(tmp_path: Path) -> None:
    """CMSSW's TagInfos hold variables of all inputs by name alone."""
    inputs = replace(REDUCED, object=(replace(REDUCED.object[0], name="charge"),))
    with pytest.raises(InputError, match="two inputs have a variable 'charge'"):
        export(JetLinear(inputs), tmp_path / "bundle", inputs=inputs)


def test_operator_sets_that_cmssw_lacks_are_refused() -> None:
    good = to_onnx(Linear().eval(), INPUTS, TWO_CLASSES)
    newer, foreign, irs, attention = (onnx.ModelProto.FromString(good.SerializeToString()) for _ in range(4))
    newer.opset_import[0].version = 19
    foreign.opset_import.add(domain="com.microsoft", version=1)
    irs.ir_version = 10
    attention.graph.node[0].op_type = "Attention"
    for model, message in (
        (newer, "17 or 18"),
        (foreign, "com.microsoft"),
        (irs, "IR version 10"),
        (attention, "Attention"),
    ):
        with pytest.raises(InputError, match=message):
            check_form(model, INPUTS, TWO_CLASSES, False)
