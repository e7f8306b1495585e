"""Bundles of other objectives than classification, and of fewer inputs than there are."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from e2egraph.data.padding import pad
from e2egraph.errors import InputError
from e2egraph.export.bundle import VARIANTS, read_metadata
from e2egraph.export.card import card
from e2egraph.export.made_jets import KINDS, made_jets
from e2egraph.export.onnx import to_onnx
from e2egraph.export.parity import TOLERANCE, check_parity
from e2egraph.export.variant_check import VariantJets, variant_jets
from e2egraph.export.variants import last_layers
from e2egraph.graphs.pointclouds import PointClouds, concatenate
from e2egraph.inference.session import Bundle
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.nodeselection import NodeSelection
from e2egraph.tasks.outputs import Head, Outputs
from e2egraph.tasks.region import Region
from e2egraph.tasks.variables import Scale, Variable
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.export.bundles import (
    CLASS_AND_MASS,
    CLASSES,
    MASS_AND_PT,
    REDUCED,
    JetLinear,
    TwoLayers,
    export,
    info,
    outputs_of,
    two_layers,
)
from tests.toy_dataset import toy_clouds, write_toy_dataset

CASES = {
    "regression": (MASS_AND_PT, INPUTS),
    "regression of reduced inputs": (MASS_AND_PT, REDUCED),
    "joint": (CLASS_AND_MASS, INPUTS),
    "joint of reduced inputs": (CLASS_AND_MASS, REDUCED),
    "classification of reduced inputs": (CLASSES, REDUCED),
}


def both_classes(jets: int, seed: int) -> PointClouds:
    rng = np.random.default_rng(seed)
    return concatenate([toy_clouds(label, jets, rng, nodes=(5, 60)) for label in (0, 1)])


@pytest.fixture(scope="module", params=CASES)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    objective, inputs = CASES[request.param]
    outputs = outputs_of(objective)
    model, folder = two_layers(inputs, outputs), tmp_path_factory.mktemp("heads") / "bundle"
    metadata = export(
        model, folder, info("toy", objective), inputs=inputs, outputs=outputs, sample=pad(both_classes(4, 0), inputs)
    )
    return SimpleNamespace(
        objective=objective, inputs=inputs, outputs=outputs, model=model, folder=folder, metadata=metadata
    )


def torchs(model: nn.Module, jets: object) -> Tensor:
    with torch.no_grad():
        return model(*(torch.from_numpy(getattr(jets, name)) for name in ("points", "features", "mask", "jet")))


def test_every_head_has_its_tensors_and_gives_what_torch_gives(exported: SimpleNamespace) -> None:
    jets = pad(both_classes(5, 1), exported.inputs)
    values = torchs(exported.model, jets)
    expected: dict[str, Tensor] = {}
    for head in exported.outputs.heads:
        part = values[:, exported.outputs.slices[head.name]]
        expected |= (
            {"softmax": part.softmax(1), "logits": part} if head.activation == "softmax" else {"prediction": part}
        )
    found = Bundle.open(exported.folder, threads=1).outputs(jets)
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        np.testing.assert_allclose(found[name], tensor.numpy(), rtol=2e-6, atol=1e-5)
    opened = onnxruntime.InferenceSession(str(exported.folder / "model.onnx"))
    assert {o.name: o.shape for o in opened.get_outputs()} == exported.metadata.tensors["outputs"]
    assert [i.shape[1] for i in opened.get_inputs()] == [2, exported.inputs.n_features, 1]


def test_predictions_are_in_gev(exported: SimpleNamespace) -> None:
    bundle, jets = Bundle.open(exported.folder, threads=1), pad(both_classes(5, 1), exported.inputs)
    if exported.objective is CLASSES:
        with pytest.raises(ValueError, match="gives softmax, logits, and no prediction"):
            bundle.predictions(jets)
        return
    predictions = bundle.predictions(jets)
    # Untrained: near the offset of 100 GeV (500 GeV for pT), as far away as some tenths of the scale.
    assert 0.1 < np.abs(predictions[:, 0] - 100.0).max() < 100.0
    raw = TwoLayers.forward(
        exported.model, *(torch.from_numpy(getattr(jets, n)) for n in ("points", "features", "mask", "jet"))
    )
    column = exported.outputs.slices["regression"].start
    np.testing.assert_allclose(predictions[:, 0], 100.0 + 50.0 * raw[:, column].detach().numpy(), rtol=1e-5)
    if exported.objective is MASS_AND_PT:
        with pytest.raises(ValueError, match="gives prediction, and no softmax"):
            bundle.probabilities(jets)


def test_what_is_written_is_read_back(exported: SimpleNamespace) -> None:
    metadata = read_metadata(exported.folder)
    assert metadata.inputs == exported.inputs
    assert metadata.outputs == exported.outputs
    assert metadata.tensors == exported.metadata.tensors
    assert asdict(metadata)["info"] == asdict(exported.metadata)["info"]


def test_cmssw_and_triton_are_told_of_every_head(exported: SimpleNamespace) -> None:
    preprocess = json.loads((exported.folder / "preprocess.json").read_text())
    assert preprocess["output_names"] == [head.tensors[0] for head in exported.outputs.heads]
    assert preprocess["features"]["var_names"] == list(exported.inputs.feature_names)
    text = (exported.folder / "config.pbtxt").read_text()
    found = re.findall(r'name: "(\w+)"\s+data_type: TYPE_FP32\s+dims: \[ ([-\d, ]+) \]', text)
    shapes = exported.metadata.tensors["inputs"] | exported.metadata.tensors["outputs"]
    assert dict(found) == {
        name: ", ".join("-1" if isinstance(size, str) else str(size) for size in shape[1:])
        for name, shape in shapes.items()
    }


def test_the_card_names_quantities_and_units(exported: SimpleNamespace) -> None:
    text = (exported.folder / "README.md").read_text()
    assert text == card(exported.metadata)
    assert f"batch×{exported.inputs.n_features}×nodes" in text
    assert ", ".join(exported.inputs.feature_names) in text
    if exported.objective is MASS_AND_PT:
        assert "`prediction`: gen_mass [GeV], gen_pt [GeV]." in text
        about_data = text.split("## Metrics")[0] + text.split("## Inputs")[1]
        assert not re.search(r"classifier|AUC|signal|probabilit|logits", about_data)
        assert "drawn to its middle" in text
    else:
        assert "`softmax`, `logits`: qcd, top (signal is top)" in text
        assert "calibrate them" in text
    assert ("`prediction`: gen_mass [GeV]." in text) == (exported.objective is CLASS_AND_MASS)


def test_the_file_alone_says_what_it_predicts(exported: SimpleNamespace) -> None:
    opened = onnxruntime.InferenceSession(str(exported.folder / "model.onnx"))
    found = opened.get_modelmeta().custom_metadata_map
    assert ("classes" in found, "signal" in found) == (exported.objective is not MASS_AND_PT,) * 2
    predicted = {head.name: dict.fromkeys(head.columns, "GeV") for head in exported.outputs.heads}
    predicted.pop("class", None)
    assert json.loads(found.get("predictions", "{}")) == predicted.get("regression", {})


def test_order_is_checked_where_there_is_a_signal(exported: SimpleNamespace) -> None:
    exchange = exported.metadata.parity["largest_exchange"]
    assert (exchange is None) == (exported.objective is MASS_AND_PT)
    assert exported.metadata.parity["real_jets"] == 8


class OtherInOnnx(nn.Module):
    """Another prediction in ONNX than in torch, by ``shift`` [GeV] in its column ``column``."""

    def __init__(self, model: nn.Module, shift: float, column: int) -> None:
        super().__init__()
        self.model, self.shift, self.column = model, shift, column

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        values = self.model(points, features, mask, jet)
        if not torch.compiler.is_exporting():
            return values
        return values + self.shift * torch.nn.functional.one_hot(torch.tensor(self.column), values.shape[1])


@pytest.mark.parametrize("objective", [MASS_AND_PT, CLASS_AND_MASS])
def test_predictions_may_differ_by_a_share_of_their_scale(objective: dict, tmp_path: Path) -> None:
    outputs = outputs_of(objective)
    column = outputs.slices["regression"].start
    allowed = 50.0 * TOLERANCE  # GeV

    def compare(shift: float) -> float:
        model = OtherInOnnx(two_layers(REDUCED, outputs), shift, column).eval()
        content = to_onnx(model, REDUCED, outputs).SerializeToString()
        return check_parity(model, content, REDUCED, outputs, cap=20).largest_difference

    assert 0.3 * TOLERANCE < compare(0.5 * allowed) < 0.8 * TOLERANCE
    with pytest.raises(
        InputError, match=r"differ by 0\.0002 in predictions of gen_mass \(in units of its scale\) on r"
    ):
        compare(2.0 * allowed)


def test_a_prediction_far_from_its_offset_may_differ_by_a_share_of_that(tmp_path: Path) -> None:
    outputs = Outputs(heads=(Head(name="regression", columns=("energy",), units=("GeV",)),))

    class Large(JetLinear):
        def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
            energy = 5000.0 + super().forward(points, features, mask, jet)
            return energy * (1.00002 if torch.compiler.is_exporting() else 1.0)

    model = Large(REDUCED, 1).eval()
    content = to_onnx(model, REDUCED, outputs).SerializeToString()
    found = check_parity(model, content, REDUCED, outputs, cap=20)
    assert found.largest_difference == pytest.approx(2e-5, rel=0.2)  # 0.1 GeV in 5000 GeV


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("inputs", [INPUTS, REDUCED])
def test_artificial_jets_follow_the_inputs(kind: str, inputs: Inputs) -> None:
    jets = made_jets(kind, 3, 500, np.random.default_rng(0), inputs)
    assert jets.features.shape == (3, 500, inputs.n_features)
    assert jets.jet.shape == (3, len(inputs.object))
    flags = jets.features[..., len(inputs.variables) :]
    assert (flags.sum(-1) == jets.mask).all()
    assert (flags.sum((0, 1)) > 0).all()
    assert np.abs(jets.points).max() <= 62 * 0.0175
    is_track, value = flags[..., inputs.channel_names.index("TRACK")], jets.features[..., inputs.index("value")]
    assert (jets.features[..., inputs.index("d0")] != 0).sum() == ((is_track > 0) & jets.mask).sum()
    hits = flags[..., inputs.channel_names.index("BPIX1")] > 0
    assert (value[hits] == 1.0).all()
    if kind != "random":
        positions = np.unique(jets.points[jets.mask], axis=0)
        assert len(positions) < (400 if kind == "lattice" else 60)


def test_artificial_jets_of_a_small_region_and_of_an_unknown_variable() -> None:
    quality = Variable(name="muon_quality", unit="", description="of one's own", scale=Scale(unit=7.0, linear=True))
    region = Region(centre="crystal", rows=33, columns=9)
    inputs = replace(REDUCED, variables=(*REDUCED.variables, quality), region=region)
    for kind in KINDS:
        jets = made_jets(kind, 2, 2000, np.random.default_rng(0), inputs)
        reached = np.abs(jets.points).max((0, 1)) / (region.eta_pitch, region.phi_pitch)
        assert (reached <= (16.01, 4.01)).all()
        assert (reached > (9, 2)).all()
    random = made_jets("random", 2, 2000, np.random.default_rng(0), inputs)
    assert random.features[0, :, inputs.index("muon_quality")].std() == pytest.approx(7.0, rel=0.1)


def test_outputs_that_do_not_fit_the_network_are_refused(tmp_path: Path) -> None:
    joint = outputs_of(CLASS_AND_MASS)
    with pytest.raises(InputError, match="JetLinear cannot be exported to ONNX"):
        export(JetLinear(INPUTS, 4), tmp_path / "b", info("toy", CLASS_AND_MASS), outputs=joint)
    without = replace(REDUCED, object=())
    with pytest.raises(InputError, match="JetLinear reads object quantities, but the task has none; name some"):
        to_onnx(JetLinear(REDUCED), without, TWO_CLASSES)
    of_nodes = Outputs(heads=(Head(name="energy", columns=("energy",), level="node"),))
    with pytest.raises(InputError, match="has outputs of nodes, which have no ONNX form"):
        to_onnx(JetLinear(REDUCED, 1), REDUCED, of_nodes)
    assert not list(tmp_path.iterdir())


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
    jets = variant_jets(data, NodeSelection())
    assert {"target_gen_mass", "target_gen_pt"} <= set(jets.compared.jets)
