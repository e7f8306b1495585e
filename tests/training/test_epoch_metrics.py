import math

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score
from torch.nn import functional as F

from e2egraph.tasks.objectives.classification import Classification
from e2egraph.training.datamodule import JetDataModule
from e2egraph.training.objectives.learning import make_learning
from e2egraph.training.recipe import load_recipe
from e2egraph.training.steps.epoch_metrics import EpochScores
from tests.toy_dataset import write_toy_dataset
from tests.training.batches import batch_of


def epoch_scores(*classes):
    return EpochScores(make_learning(Classification(classes=list(classes), signal=classes[-1])))


def test_loss_and_auc_of_many_batches_are_those_of_all_jets_together():
    torch.manual_seed(0)
    logits, label, weight = torch.randn(101, 3), torch.randint(0, 3, (101,)), torch.rand(101)
    scores = epoch_scores("a", "b", "c")
    for part in torch.arange(101).split(17):
        loss = F.cross_entropy(logits[part], label[part], reduction="none")
        scores.add(logits[part], batch_of(label[part]), weight[part][None], loss[None])
    figures = scores.finish()
    probability = logits.double().softmax(1).numpy()
    assert figures["loss"] == pytest.approx(log_loss(label, probability, sample_weight=weight), rel=1e-5)
    assert figures["auc"] == pytest.approx(roc_auc_score(label == 2, probability[:, 2], sample_weight=weight))


def test_the_next_epoch_starts_afresh_and_an_undefined_auc_is_nan():
    scores = epoch_scores("a", "b")
    one = torch.ones(1, 4)
    scores.add(torch.randn(4, 2), batch_of(torch.tensor([0, 1, 0, 1])), one, one)
    assert not math.isnan(scores.finish()["auc"])
    scores.add(torch.randn(4, 2), batch_of(torch.tensor([1, 1, 1, 1])), one, 3 * one)
    figures = scores.finish()
    assert math.isnan(figures["auc"])
    assert figures["loss"] == pytest.approx(3.0)


def test_an_epoch_resumed_on_a_device_is_kept_with_what_was_on_the_cpu(monkeypatch):
    scores, one = epoch_scores("a", "b"), torch.ones(1, 4)
    scores.load_state_dict({"jets": torch.zeros(4, 3)})
    device = torch.device("meta")  # stands for a GPU: joined with what is on the CPU it fails alike
    batch = batch_of(torch.tensor([0, 1, 0, 1])).to(device)
    scores.add(torch.randn(4, 2, device=device), batch, one.to(device), one.to(device))
    monkeypatch.setattr(torch.Tensor, "cpu", lambda one: torch.zeros_like(one, device="cpu"))
    assert scores.state_dict()["jets"].shape == (4, 7)


@pytest.mark.parametrize("balanced", [False, True])
def test_class_weights_make_the_mean_training_weight_one(tmp_path, balanced):
    folder = write_toy_dataset(tmp_path / "data", 90, classes=("qcd", "top", "w"), signal="w")
    recipe = load_recipe("published", ["training.class_weights=balanced"] if balanced else [])
    module = JetDataModule(folder, recipe, 1)
    train = module.table.jets_of("train")
    # A class three times as heavy as it should be.
    module.table.columns["weight"][module.table.columns["label"] == 2] = 3.0
    (factors,) = module.class_weights().numpy()
    weight = factors[module.table.columns["label"][train]] * module.table.columns["weight"][train]
    assert weight.mean() == pytest.approx(1.0)
    sums = np.bincount(module.table.columns["label"][train], weights=weight)
    assert np.allclose(sums, len(train) / 3) == balanced
