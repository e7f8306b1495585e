import math

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score
from torch.nn import functional as F

from e2egraph.training.datamodule import JetDataModule
from e2egraph.training.epoch_metrics import EpochScores
from e2egraph.training.recipe import load_recipe
from tests.toy_dataset import write_toy_dataset


def test_loss_and_auc_of_many_batches_are_those_of_all_jets_together():
    torch.manual_seed(0)
    logits, label, weight = torch.randn(101, 3), torch.randint(0, 3, (101,)), torch.rand(101)
    scores = EpochScores(signal=2)
    for part in torch.arange(101).split(17):
        loss = F.cross_entropy(logits[part], label[part], reduction="none")
        scores.add(logits[part], label[part], weight[part], loss)
    metrics = scores.finish()
    probability = logits.double().softmax(1).numpy()
    assert metrics.loss == pytest.approx(log_loss(label, probability, sample_weight=weight), rel=1e-5)
    assert metrics.auc == pytest.approx(roc_auc_score(label == 2, probability[:, 2], sample_weight=weight))


def test_the_next_epoch_starts_afresh_and_an_undefined_auc_is_nan():
    scores = EpochScores(signal=1)
    one = torch.ones(4)
    scores.add(torch.randn(4, 2), torch.tensor([0, 1, 0, 1]), one, one)
    assert not math.isnan(scores.finish().auc)
    scores.add(torch.randn(4, 2), torch.tensor([1, 1, 1, 1]), one, 3 * one)
    metrics = scores.finish()
    assert math.isnan(metrics.auc)
    assert metrics.loss == pytest.approx(3.0)


@pytest.mark.parametrize("balanced", [False, True])
def test_class_weights_make_the_mean_training_weight_one(tmp_path, balanced):
    folder = write_toy_dataset(tmp_path / "data", 90, classes=("qcd", "top", "w"), signal="w")
    recipe = load_recipe("published", ["training.class_weights=balanced"] if balanced else [])
    module = JetDataModule(folder, recipe, 1)
    train = module.table.jets_of("train")
    # A class three times as heavy as it should be.
    module.table.columns["weight"][module.table.columns["label"] == 2] = 3.0
    weight = (
        module.class_weights().numpy()[module.table.columns["label"][train]] * module.table.columns["weight"][train]
    )
    assert weight.mean() == pytest.approx(1.0)
    sums = np.bincount(module.table.columns["label"][train], weights=weight)
    assert np.allclose(sums, len(train) / 3) == balanced
