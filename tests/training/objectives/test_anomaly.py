"""An anomaly score is learnt from one class alone, and judged by how well it tells each of the others."""

import numpy as np
import pytest
import torch
import yaml
from sklearn.metrics import roc_auc_score

from e2egraph.data.scores import read_scores
from e2egraph.data.table import read_table
from e2egraph.errors import InputError, UsageError
from e2egraph.evaluation.evaluate import evaluate
from e2egraph.tasks.objectives.objective import make_objective
from e2egraph.training.objectives.learning import make_learning
from e2egraph.training.runs.load import load_run
from e2egraph.training.train import train
from tests.changed_dataset import with_larger_values
from tests.toy_dataset import write_toy_dataset

CLASSES = ["qcd", "top", "w"]
OBJECTIVE = {"kind": "anomaly", "classes": CLASSES, "signal": "top"}
AUTOENCODER = {
    "name": "small-autoencoder",
    "network": "e2egraph.models.autoencoder:EventAutoencoder",
    "options": {
        "encoder": {
            "name": "encoder",
            "network": "e2egraph.models.kernels.performer:Performer",
            "options": {"width": 16, "depth": 1, "heads": 2, "features": 8},
        },
        "latent": 2,
        "size": 8,
        "eta_max": 1.2,
        "hidden": 16,
    },
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy") / "data"
    return write_toy_dataset(folder, 360, nodes=(5, 30), classes=tuple(CLASSES), objective=OBJECTIVE)


def learning():
    return make_learning(make_objective(OBJECTIVE, "test"))


def test_the_loss_is_the_error_and_of_the_first_class_alone():
    error = torch.tensor([0.5, 2.0, 8.0])
    output = torch.stack([torch.zeros(3), error.log(), error.log()], dim=1)
    losses = learning().loss(output, None)
    for loss in losses:
        torch.testing.assert_close(loss, error.unsqueeze(0))
    label, weight = np.array([0, 0, 1, 2]), np.array([1.0, 3.0, 5.0, 7.0])
    factors = learning().class_weights(label, weight)
    assert factors.tolist() == [[0.5, 0.0, 0.0]]
    records = np.array([[0.5, 2.0, 8.0], [1.0, 1.0, 0.0]])
    figures = learning().figures(records, np.array([[1.0, 3.0, 0.0]]))
    assert figures == {"error": pytest.approx((0.5 + 6.0) / 4.0)}
    best = make_objective(OBJECTIVE, "test").best
    assert best.better(0.1, 0.2)


def test_a_run_learns_without_the_other_classes_and_is_judged_by_them(data, tmp_path):
    path = tmp_path / "autoencoder.yaml"
    path.write_text(yaml.safe_dump(AUTOENCODER))
    settings = ("training.epochs=3", "training.batch_size=16", "training.learning_rate=0.01")
    done = train(str(path), data, tmp_path / "run", settings=settings, progress=False)
    assert done.best.name == "error" and done.value > 0
    found = evaluate(tmp_path / "run", plots=False)
    assert found is not None
    pairs = found.metrics["pairwise"]
    # The other classes share one score, by which none of them is told from another.
    assert list(pairs) == ["qcd vs top", "qcd vs w"] and "one_vs_rest" not in found.metrics
    scores = read_scores(tmp_path / "run" / "scores.parquet")
    error = scores.values[:, 1] / scores.values[:, 0]
    for name, label in (("top", 1), ("w", 2)):
        members = np.isin(scores.jets["label"], (0, label))
        expected = roc_auc_score(scores.jets["label"][members] > 0, error[members], sample_weight=None)
        assert pairs[f"qcd vs {name}"]["auc"] == pytest.approx(expected, abs=1e-3)
    assert any("errors, not probabilities" in limit for limit in found.metrics["limits"])


def test_objects_of_other_classes_leave_no_trace_in_the_network(data, tmp_path):
    """Neither in its weights nor in the running means of its inputs."""
    path = tmp_path / "autoencoder.yaml"
    path.write_text(yaml.safe_dump(AUTOENCODER))
    others = with_larger_values(data, tmp_path / "larger", label=1, factor=50.0)
    trained = []
    for name, folder in (("before", data), ("larger", others)):
        settings = ("training.epochs=1", "training.batch_size=16")
        done = train(str(path), folder, tmp_path / f"run_{name}", settings=settings, progress=False)
        trained.append(load_run(tmp_path / f"run_{name}")[0].state_dict())
    assert 0 < done.training_jets < 120
    assert trained[0].keys() == trained[1].keys()
    for key, value in trained[0].items():
        assert torch.equal(value, trained[1][key]), key


def test_without_the_class_that_is_learnt_nothing_is(data):
    table = read_table(data, extra=("label", "weight"))
    others = np.flatnonzero(table.columns["label"] > 0)
    with pytest.raises(InputError, match="no objects of class 'qcd', which is to be learnt, with weight in split"):
        learning().check(table, others, "train")


def test_the_class_that_is_learnt_is_no_signal():
    with pytest.raises(UsageError, match="class 'qcd' is the first, which is learnt"):
        make_objective(OBJECTIVE | {"signal": "qcd"}, "test")
