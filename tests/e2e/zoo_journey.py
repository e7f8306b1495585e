"""One shipped model's way through the command line, at test size, and its ONNX file at every number of nodes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow.parquet as pq
import torch

from e2egraph.cli import main
from e2egraph.evaluation.evaluate import evaluate
from e2egraph.export.feeds import feeds
from e2egraph.export.made_jets import made_jets
from e2egraph.export.onnx import EXAMPLE_NODES
from e2egraph.training.runs.load import load_run
from tests.models.zoo import MODELS, small_settings

NODES = (1, 17, 100, 1000, 4096)

# Their whole way, to plots and comparison, is test_journey.py's; files for all numbers of nodes are test_export.py's.
GONE_ELSEWHERE = ("gravnet", "resnet15")
# Of the test size it is tracks-and-cells with other numbers of tokens: the same operators.
SAME_AT_THIS_SIZE = ("tracks-and-cells-large",)
JOURNEYS = [name for name in MODELS if name not in (*GONE_ELSEWHERE, *SAME_AT_THIS_SIZE)]


def journey(name: str, data: Path, folder: Path, *settings: str) -> None:
    """Train, evaluate, export and predict; every number of jets and every score must agree along the way."""
    run, bundle, scores = folder / "run", folder / "bundle", folder / "scores.parquet"
    # A high learning rate moves the weights far from where they began: what torch and ONNX Runtime differ by shows.
    small = [*small_settings(name, "model.options"), "training.epochs=2", "training.learning_rate=0.01"]
    words = [word for setting in (*small, *settings) for word in ("--set", setting)]
    assert main(["train", "--model", name, "--data", str(data), "--output", str(run), *words]) == 0
    evaluate(run, plots=False)
    assert main(["export", str(run), "--output", str(bundle)]) == 0
    assert main(["predict", str(bundle), "--data", str(data), "--split", "test", "--output", str(scores)]) == 0
    of_run, of_bundle = pq.read_table(run / "scores.parquet"), pq.read_table(scores)
    metrics = json.loads((run / "metrics.json").read_text())
    assert of_run.num_rows == of_bundle.num_rows == metrics["jets"] + metrics["jets_without_nodes"]
    assert metrics["jets"] > 0
    np.testing.assert_allclose(of_bundle["score_top"].to_numpy(), of_run["score_top"].to_numpy(), atol=1e-4)
    one_file_serves_every_number_of_nodes(run, bundle)


def one_file_serves_every_number_of_nodes(run: Path, bundle: Path) -> None:
    """The bundle's file was made from an example of one length; it must give torch's logits at all others."""
    assert EXAMPLE_NODES not in NODES
    model, about = load_run(run)
    uses_jet = bool(getattr(model, "uses_jet", False))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(bundle / "model.onnx"), options)
    for n in NODES:
        for kind in ("random", "lattice"):
            jets = made_jets(kind, 3 if n <= 100 else 1, n, np.random.default_rng(n), about.inputs)
            softmax, logits = session.run(["scores", "logits"], feeds(jets, uses_jet))
            with torch.no_grad():
                expected = model(*(torch.from_numpy(a) for a in (jets.points, jets.features, jets.mask, jets.jet)))
            assert expected.isfinite().all()
            case = f"{kind} jets of {n} nodes"
            np.testing.assert_allclose(logits, expected.numpy(), atol=1e-4, rtol=1e-5, err_msg=case)
            np.testing.assert_allclose(softmax, expected.softmax(1).numpy(), atol=1e-4, rtol=0, err_msg=case)
