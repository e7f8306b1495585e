"""fp16 and int8 forms of a model: what changes, what does not, and what is reported."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from sklearn.metrics import roc_auc_score

from e2egraph.data.padding import pad
from e2egraph.data.table import read_table
from e2egraph.errors import InputError, UsageError
from e2egraph.export.bundle import VARIANTS, BundleInfo, Metadata
from e2egraph.export.card import card
from e2egraph.export.feeds import feeds
from e2egraph.export.onnx import to_onnx
from e2egraph.export.variant_check import VariantJets, variant_jets
from e2egraph.export.variants import convert, weighted
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.inference.predict import predict_dataset
from e2egraph.inference.session import Bundle
from e2egraph.tasks.nodeselection import NodeSelection
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.export.bundles import Linear, both_classes, export, info, small_model
from tests.toy_dataset import toy_clouds, write_toy_dataset


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("variants") / "gravnet"
    jets = VariantJets(both_classes(8, 0), both_classes(20, 1), "test")
    metadata = export(small_model("gravnet"), folder, info("gravnet"), variants=VARIANTS, jets=jets)
    return SimpleNamespace(folder=folder, metadata=metadata, compared=jets.compared)


def scores(folder: Path, variant: str | None, clouds: PointClouds) -> np.ndarray:
    return np.asarray(Bundle.open(folder, threads=1, variant=variant).probabilities(pad(clouds, INPUTS))[:, 1])


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_is_reported_is_what_the_files_do(exported: SimpleNamespace, variant: str) -> None:
    found = exported.metadata.variants[variant]
    (column,) = found.shifts
    assert column == "top"
    float32 = scores(exported.folder, None, exported.compared)
    other = scores(exported.folder, variant, exported.compared)
    shift = np.abs(other - float32)
    assert 0 < shift.max() < 0.05
    assert found.shifts["top"].largest_shift == pytest.approx(shift.max(), abs=1e-5)
    assert found.shifts["top"].mean_shift == pytest.approx(shift.mean(), abs=1e-5)
    label = exported.compared.jets["label"]
    assert found.shifts["top"].auc_float32 == pytest.approx(roc_auc_score(label, float32), abs=1e-6)
    assert found.shifts["top"].auc == pytest.approx(roc_auc_score(label, other), abs=0.01)
    assert found.jets == 40
    assert found.speed_ratio > 0
    assert found.bytes == (exported.folder / found.file).stat().st_size
    assert found.model_bytes == (exported.folder / "model.onnx").stat().st_size


def test_float16_halves_the_weights_and_keeps_all_else(exported: SimpleNamespace) -> None:
    model = onnx.load(exported.folder / "model.onnx")
    half = onnx.load(exported.folder / "model-fp16.onnx")
    assert [(entry.domain, entry.version) for entry in half.opset_import] == [("", 18)]
    halves = [t for t in half.graph.initializer if t.data_type == onnx.TensorProto.FLOAT16]
    products = weighted(model)
    assert len(halves) >= len(products) == exported.metadata.variants["fp16"].operators > 0
    stored = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    for tensor in halves:
        values = stored[tensor.name.removesuffix("_float16")]
        np.testing.assert_array_equal(onnx.numpy_helper.to_array(tensor), values.astype(np.float16))
    for form in (model, half):
        assert {t.type.tensor_type.elem_type for t in (*form.graph.input, *form.graph.output)} == {1}
    kinds = [node.op_type for node in model.graph.node]
    assert [node.op_type for node in half.graph.node if not node.name.startswith("cast_")] == kinds


def test_the_8_bit_score_of_a_jet_does_not_depend_on_its_batch(exported: SimpleNamespace) -> None:
    together = scores(exported.folder, "int8", exported.compared)
    alone = [scores(exported.folder, "int8", exported.compared.take(np.array([i])))[0] for i in range(10)]
    np.testing.assert_allclose(alone, together[:10], atol=1e-5)


def test_8_bit_weights_leave_room_for_sums_of_16_bits(exported: SimpleNamespace) -> None:
    model = onnx.load(exported.folder / "model-int8.onnx")
    weights = [onnx.numpy_helper.to_array(t) for t in model.graph.initializer if t.data_type == onnx.TensorProto.INT8]
    large = [w for w in weights if w.size > 1 and np.any(w)]
    assert large
    assert max(int(np.abs(w.astype(int)).max()) for w in large) <= 64
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]


def test_a_data_set_is_scored_with_a_variant(exported: SimpleNamespace, tmp_path: Path) -> None:
    data = write_toy_dataset(tmp_path / "data", jets=20, seed=1)
    summary = predict_dataset(exported.folder, data, tmp_path / "s.parquet", threads=1, variant="int8")
    assert summary.jets == 20
    with pytest.raises(UsageError, match="unknown variant 'int4'"):
        Bundle.open(exported.folder, variant="int4")


def test_variants_that_are_missing_or_altered_are_refused(exported: SimpleNamespace, tmp_path: Path) -> None:
    export(Linear(), tmp_path / "plain")
    with pytest.raises(InputError, match="holds no int8 variant; export the run with --int8"):
        Bundle.open(tmp_path / "plain", variant="int8")
    path = exported.folder / "model-fp16.onnx"
    content = path.read_bytes()
    try:
        path.write_bytes(content[:-1])
        with pytest.raises(InputError, match=r"model-fp16\.onnx: missing, damaged or altered"):
            Bundle.open(exported.folder, variant="fp16")
    finally:
        path.write_bytes(content)


def test_an_earlier_bundle_with_variants_is_replaced(tmp_path: Path) -> None:
    jets = VariantJets(both_classes(3, 0), both_classes(3, 1), "test")
    export(Linear(), tmp_path / "b", variants=("fp16",), jets=jets)
    export(Linear(), tmp_path / "b")
    assert not (tmp_path / "b" / "model-fp16.onnx").exists()


class Stacked(torch.nn.Module):
    """Each of three groups of columns has a matrix of its own, stored in one stack."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(INPUTS.n_features, 12)
        self.stack = torch.nn.Parameter(0.3 * torch.randn(3, 4, 5))
        self.last = torch.nn.Linear(5, 2)

    def forward(self, points, features, mask, jet):
        pooled = self.first((features * mask.unsqueeze(-1)).sum(1) / 1000.0).relu()
        return self.last((pooled.view(-1, 3, 1, 4) @ self.stack).sum(dim=(1, 2)))


def test_stacks_of_matrices_stay_as_they_are_in_8_bits(tmp_path: Path) -> None:
    """ONNX Runtime has no product of them, and found out in the user's program."""
    jets = VariantJets(both_classes(8, 0), both_classes(8, 1), "test")
    export(Stacked().eval(), tmp_path / "b", variants=("int8", "fp16"), jets=jets)
    variants = Bundle.open(tmp_path / "b", 1).metadata.variants
    assert (variants["int8"].operators, variants["fp16"].operators) == (1, 3)


def test_what_cannot_be_converted_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    jets = VariantJets(both_classes(3, 0), both_classes(3, 1), "test")
    # Its one layer makes the logits, which int8 leaves alone.
    with pytest.raises(InputError, match=r"--int8: the model has no MatMul, Gemm or Conv .* to convert"):
        export(Linear(), tmp_path / "b", variants=("int8",), jets=jets)
    large = Linear().eval()
    large.layer.weight.data.zero_()
    large.layer.weight.data[0, -1] = 1e5
    with pytest.raises(InputError, match=r"--fp16: cannot convert .*a weight of \w+ .* is beyond float16's range"):
        export(large, tmp_path / "b", variants=("fp16",), jets=jets)
    with pytest.raises(InputError, match="need objects of a data set"):
        export(Linear(), tmp_path / "b", variants=("fp16",))
    none = both_classes(3, 0).take(np.zeros(0, np.int64))
    content = to_onnx(small_model("gravnet"), INPUTS, TWO_CLASSES).SerializeToString()
    with pytest.raises(
        InputError, match=r"--int8: cannot convert the model's Gemm, MatMul \(there is no training object"
    ):
        convert("int8", content, calibration=none, inputs=INPUTS, outputs=TWO_CLASSES, uses_jet=False)
    assert not list(tmp_path.iterdir())


def test_jets_come_from_the_splits_they_should(tmp_path: Path) -> None:
    data = write_toy_dataset(tmp_path / "data", jets=200, seed=1)
    jets = variant_jets(read_table(data), NodeSelection(cap=7))
    assert jets.split == "test"
    assert jets.calibration.counts.max() == jets.compared.counts.max() == 7
    assert len(jets.calibration) == 64
    without = write_toy_dataset(tmp_path / "without", jets=60, split_fractions=(0.6, 0.4, 0.0))
    assert variant_jets(read_table(without), NodeSelection()).split == "validation"


def test_one_class_alone_has_no_auc(tmp_path: Path) -> None:
    one = toy_clouds(1, 4, np.random.default_rng(0), nodes=(5, 9))
    metadata = export(Linear(), tmp_path / "b", variants=("fp16",), jets=VariantJets(one, one, "test"))
    assert metadata.variants["fp16"].shifts["top"].auc is None
    assert "neither AUC nor error measured" in card(metadata)


def test_the_model_card_tells_all_that_a_user_needs(exported: SimpleNamespace) -> None:
    text = (exported.folder / "README.md").read_text()
    metadata: Metadata = exported.metadata
    about: BundleInfo = metadata.info
    assert text == card(metadata)
    for piece in (
        "# gravnet", "qcd, top", "signal is top", about.dataset_sha256, metadata.configuration_sha256, "`auc` | 0.93",
        "batch×19×nodes", "the first 300 are read", f"over {metadata.parity['cases']} cases", "model-int8.onnx",
        "e2egraph predict", "e2e_infer", f"onnxruntime {onnxruntime.__version__}", "does not say whether",
    ):  # fmt: skip
        assert piece in text


def test_inputs_of_variants_are_those_of_the_model(exported: SimpleNamespace) -> None:
    names = [tensor.name for tensor in Bundle.open(exported.folder, 1).session.get_inputs()]
    for variant in VARIANTS:
        session = Bundle.open(exported.folder, 1, variant).session
        assert [tensor.name for tensor in session.get_inputs()] == names
        (scores,) = session.run(["scores"], feeds(pad(exported.compared, INPUTS), False))
        assert scores.dtype == np.float32
