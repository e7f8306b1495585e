"""Every shipped model leaves as one ONNX file that serves every number of nodes."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from e2egraph.export.onnx import EXAMPLE_NODES, to_onnx
from e2egraph.export.parity import feeds, made_jets
from tests.models.zoo import MODELS, build

N_OUTPUTS = 3
NODES = (1, 17, 100, 1000, 4096)


def spread_out(model: nn.Module) -> nn.Module:
    """Scores of order one with all nodes of weight, as after training: differences between torch and ONNX show."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter += 0.3 * parameter.std() * torch.randn(parameter.shape, generator=generator)
    return model


@pytest.mark.parametrize("name", MODELS)
def test_one_file_gives_torchs_scores_at_every_number_of_nodes(name: str) -> None:
    assert EXAMPLE_NODES not in NODES
    model = spread_out(build(name, n_outputs=N_OUTPUTS))
    uses_jet = bool(getattr(model, "uses_jet", False))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(to_onnx(model, N_OUTPUTS).SerializeToString(), options)
    for n in NODES:
        for kind in ("random", "lattice"):
            jets = made_jets(kind, 3 if n <= 100 else 1, n, np.random.default_rng(n))
            softmax, logits = session.run(["softmax", "logits"], feeds(jets, uses_jet))
            with torch.no_grad():
                tensors = (torch.from_numpy(a) for a in (jets.points, jets.features, jets.mask, jets.jet))
                expected = model(*tensors)
            assert expected.isfinite().all()
            case = f"{kind} jets of {n} nodes"
            np.testing.assert_allclose(logits, expected.numpy(), atol=1e-4, rtol=0, err_msg=case)
            np.testing.assert_allclose(softmax, expected.softmax(1).numpy(), atol=1e-4, rtol=0, err_msg=case)
