"""Probabilities and order in the gate before a bundle, and a model laid out for Triton."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from e2egraph.data.padding import pad
from e2egraph.errors import InputError
from e2egraph.export.feeds import feeds
from e2egraph.export.made_jets import made_jets
from e2egraph.export.onnx import to_onnx
from e2egraph.export.parity import check_order, check_parity
from e2egraph.export.triton import check_repository, lay_out
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.export.bundles import Linear, export, info
from tests.models.zoo import build
from tests.toy_dataset import toy_clouds


def test_probabilities_that_disagree_are_caught(tmp_path: Path) -> None:
    model = Linear().eval()
    proto = to_onnx(model, INPUTS, TWO_CLASSES)
    softmax = next(node for node in proto.graph.node if node.op_type == "Softmax")
    softmax.attribute[0].i = 0  # over the jets of a batch, not over the classes
    with pytest.raises(InputError, match=r"in probabilities on random objects, B = 1, N = 0"):
        check_parity(model, proto.SerializeToString(), INPUTS, TWO_CLASSES, cap=20)


def test_the_order_of_real_jets_is_kept_but_for_near_ties() -> None:
    torchs = np.array([0.1, 0.5, 0.50004, 0.9], np.float32)
    assert check_order(torchs, torchs) == 0.0
    assert check_order(torchs, np.array([0.1, 0.50003, 0.50001, 0.9], np.float32)) == pytest.approx(4e-5, abs=1e-7)
    with pytest.raises(InputError, match="objects 3 and 1 of the data set are not in the same order"):
        check_order(torchs, np.array([0.1, 0.95, 0.50004, 0.9], np.float32))
    assert check_order(torchs[:0], torchs[:0]) == 0.0


def test_the_gate_says_how_many_real_jets_it_compared(tmp_path: Path) -> None:
    sample = pad(toy_clouds(1, 9, np.random.default_rng(0)), INPUTS)
    metadata = export(Linear(), tmp_path / "bundle", sample=sample)
    assert metadata.parity["real_jets"] == 9
    assert 0 <= metadata.parity["largest_exchange"] <= 1e-4


class AddsInPlace(Linear):
    """Sums nodes into slots by index_add, which is exported as a ScatterND that adds."""

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor) -> Tensor:
        scores: Tensor = super().forward(points, features, mask, jet)
        slots = torch.arange(scores.shape[0] * scores.shape[1], device=scores.device) % 2
        return scores + scores.new_zeros(2).index_add(0, slots, scores.flatten())


def test_sums_that_race_between_threads_are_refused() -> None:
    with pytest.raises(InputError, match="adds with ScatterND, whose sums are wrong when ONNX Runtime has several thr"):
        to_onnx(AddsInPlace(), INPUTS, TWO_CLASSES)


@pytest.mark.parametrize("name", ["tracks-and-cells", "resnet15"])
def test_scores_do_not_depend_on_the_threads_of_onnx_runtime(name: str) -> None:
    content = to_onnx(build(name, n_outputs=2), INPUTS, TWO_CLASSES).SerializeToString()
    jets = feeds(made_jets("random", 8, 1500, np.random.default_rng(1), INPUTS), False)
    logits = []
    for threads in (1, *[4] * 5):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        (found,) = session.run(["logits"], {tensor.name: jets[tensor.name] for tensor in session.get_inputs()})
        logits.append(found)
    for found in logits[1:]:
        np.testing.assert_allclose(found, logits[0], atol=1e-5)


def test_a_model_is_laid_out_as_triton_wants_it(tmp_path: Path) -> None:
    bundle, name = tmp_path / "bundle", "tagger"
    export(Linear(), bundle, info(name))
    repository = tmp_path / "repository"
    for _ in range(2):  # again over itself
        lay_out(bundle, repository, name)
    files = {str(path.relative_to(repository)) for path in repository.rglob("*") if path.is_file()}
    assert files == {f"{name}/config.pbtxt", f"{name}/1/model.onnx"}
    content = (repository / name / "1" / "model.onnx").read_bytes()
    assert content == (bundle / "model.onnx").read_bytes()
    (repository / name / "2").mkdir()
    with pytest.raises(InputError, match=r"2: not of a model laid out"):
        check_repository(repository, name)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="a file is in the way"):
        lay_out(bundle, tmp_path / "file", name)
