"""fp16 and int8 forms of regressions and of several heads."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from e2egraph.data.padding import pad
from e2egraph.data.table import read_table
from e2egraph.export.bundle import VARIANTS
from e2egraph.export.card import card
from e2egraph.export.onnx import to_onnx
from e2egraph.export.variant_check import VariantJets, variant_jets
from e2egraph.export.variants import last_layers
from e2egraph.inference.session import Bundle
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.nodeselection import NodeSelection
from e2egraph.tasks.outputs import Outputs
from tests.export.bundles import (
    CLASS_AND_MASS,
    MASS_AND_PT,
    REDUCED,
    TwoLayers,
    both_classes,
    export,
    info,
    outputs_of,
    two_layers,
)
from tests.toy_dataset import write_toy_dataset


@pytest.fixture(scope="module", params=["regression", "joint"])
def variants(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    objective = {"regression": MASS_AND_PT, "joint": CLASS_AND_MASS}[request.param]
    outputs, jets = outputs_of(objective), VariantJets(both_classes(8, 0), both_classes(20, 1), "test")
    folder = tmp_path_factory.mktemp("variants") / "bundle"
    metadata = export(
        two_layers(REDUCED, outputs), folder, info("toy", objective), inputs=REDUCED, outputs=outputs,
        variants=VARIANTS, jets=jets,
    )  # fmt: skip
    return SimpleNamespace(objective=objective, folder=folder, metadata=metadata, jets=jets.compared)


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_are_measured_in_the_unit_of_each_target(variants: SimpleNamespace, variant: str) -> None:
    found = variants.metadata.variants[variant].shifts
    expected = ["gen_mass", "gen_pt"] if variants.objective is MASS_AND_PT else ["top", "gen_mass"]
    assert list(found) == expected
    jets = pad(variants.jets, REDUCED)
    float32 = Bundle.open(variants.folder, threads=1).predictions(jets)
    other = Bundle.open(variants.folder, threads=1, variant=variant).predictions(jets)
    mass = found["gen_mass"]
    assert mass.unit == "GeV"
    assert mass.auc is None
    assert mass.largest_shift == pytest.approx(np.abs(other - float32)[:, 0].max(), rel=1e-3)
    assert 0 < mass.mean_shift < mass.largest_shift < 20.0
    target, label = variants.jets.jets["target_gen_mass"], variants.jets.jets["label"]
    learnt = label >= 0 if variants.objective is MASS_AND_PT else label == 1
    assert mass.mae_float32 == pytest.approx(np.abs(float32[:, 0] - target)[learnt].mean(), rel=1e-5)
    assert mass.mae == pytest.approx(np.abs(other[:, 0] - target)[learnt].mean(), rel=1e-3)
    assert "mean absolute error" in card(variants.metadata)
    if variants.objective is CLASS_AND_MASS:
        assert found["top"].mae is None
        assert 0 <= found["top"].auc <= 1


def test_the_last_layer_of_every_head_keeps_its_float32(variants: SimpleNamespace) -> None:
    model = onnx.load(variants.folder / "model.onnx")
    layers = [node for node in model.graph.node if node.op_type in ("Gemm", "MatMul")]
    assert len(layers) == 2
    assert last_layers(model, variants.metadata.outputs) == {layers[1].name}
    assert variants.metadata.variants["int8"].operators == 1
    assert variants.metadata.variants["fp16"].operators == 2


def test_two_last_layers_are_found_behind_what_joins_and_scales_them() -> None:
    class TwoHeads(TwoLayers):
        def __init__(self, inputs: Inputs, outputs: Outputs) -> None:
            super().__init__(inputs, outputs)
            self.last = nn.Identity()
            self.heads = nn.ModuleList(nn.Linear(16, len(head.columns)) for head in outputs.heads)

        def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
            pooled = super().forward(points, features, mask, jet)
            return torch.cat([head(pooled) for head in self.heads], dim=1) * 3.0 + 1.0

    outputs = outputs_of(CLASS_AND_MASS)
    model = to_onnx(TwoHeads(REDUCED, outputs).eval(), REDUCED, outputs)
    layers = [node.name for node in model.graph.node if node.op_type in ("Gemm", "MatMul")]
    assert last_layers(model, outputs) == set(layers[1:])
    assert len(layers) == 3


def test_targets_of_a_data_set_come_with_its_jets(tmp_path: Path) -> None:
    data = write_toy_dataset(tmp_path / "data", jets=60, seed=1, objective=MASS_AND_PT)
    jets = variant_jets(read_table(data), NodeSelection())
    assert {"target_gen_mass", "target_gen_pt"} <= set(jets.compared.jets)
