"""Several objectives with one network: sums of their means, each over the objects that it learns from."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch.nn import functional as F

from e2egraph.tasks.objectives.objective import make_objective
from e2egraph.training.objectives.learning import make_learning
from e2egraph.training.recipe import TrainingOptions
from e2egraph.training.steps.epoch_metrics import EpochScores
from tests.training.batches import batch_of

CLASSES = ["qcd", "top"]
OBJECTIVE = {
    "kind": "joint",
    "heads": [
        {"kind": "classification", "classes": CLASSES, "signal": "top"},
        {
            "kind": "regression",
            "classes": CLASSES,
            "targets": [{"name": "gen_mass", "unit": "GeV", "offset": 170.0, "scale": 10.0}],
        },
    ],
    "weights": [1.0, 0.5],
    "only": {"regression": ["top"]},
}
SIZE = 40


def learning(options=None, **changes):
    return make_learning(make_objective(OBJECTIVE | changes, "test"), options)


@pytest.fixture
def case():
    """Logits and masses [B, 3], labels, weights, and masses that background does not have."""
    random = torch.Generator().manual_seed(2)
    label = torch.arange(SIZE) % 2
    mass = torch.where(label == 1, 170 + 20 * torch.randn(SIZE, generator=random), torch.nan)
    output = torch.randn(SIZE, 3, generator=random)
    output[:, 2] = 170 + 10 * output[:, 2]
    weight = torch.rand(SIZE, generator=random) + 0.5
    return output.requires_grad_(), batch_of(label, mass.unsqueeze(1), weight)


def minimised(made, output, batch):
    factors = made.class_weights(batch.label.numpy(), batch.weight.numpy()).float()
    loss, _ = made.loss(output, batch)
    return (batch.weight * factors[:, batch.label] * loss).sum() / len(batch)


def test_what_is_minimised_is_the_sum_of_each_objectives_mean_over_its_own_objects(case):
    output, batch = case
    top = batch.label == 1
    of_class = F.cross_entropy(output[:, :2], batch.label, reduction="none")
    of_mass = (output[top, 2] - batch.target[top, 0]).abs() / 10
    weight = batch.weight
    expected = (weight * of_class).sum() / weight.sum() + 0.5 * (weight[top] * of_mass).sum() / weight[top].sum()
    found = minimised(learning(), output, batch)
    torch.testing.assert_close(found, expected)
    (gradient,) = torch.autograd.grad(found, output, retain_graph=True)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, output)[0])
    assert (gradient[~top, 2] == 0).all()


def test_objects_of_other_classes_change_nothing_of_what_is_learnt_of_a_quantity(case):
    output, batch = case
    loss, plain = learning().loss(output, batch)
    background = batch.label == 0
    assert loss.isfinite().all()
    assert (loss[1, background] == 0).all()
    assert (plain[1, background] == 0).all()
    assert (plain[1, ~background] > 0).all()


def test_without_only_every_object_counts_for_both(case):
    output, batch = case
    batch.target.nan_to_num_(nan=100.0)
    made = learning(only={})
    figures = epoch(made, output, batch)
    every = np.average((output[:, 2] - batch.target[:, 0]).abs().detach(), weights=batch.weight)
    assert figures["mae"] == pytest.approx(every, rel=1e-5)


def epoch(made, output, batch):
    scores = EpochScores(made)
    factors = made.class_weights(batch.label.numpy(), batch.weight.numpy()).float()
    scores.add(output, batch, batch.weight * factors[:, batch.label], made.loss(output, batch)[1])
    return scores.finish()


def test_figures_are_those_of_each_objective_and_the_loss_their_sum(case):
    output, batch = case
    figures = epoch(learning(), output, batch)
    top = (batch.label == 1).numpy()
    scores, weight = output.detach()[:, :2].softmax(1)[:, 1], batch.weight.numpy()
    assert list(figures) == ["loss", "auc", "mae"]
    assert figures["auc"] == pytest.approx(roc_auc_score(top, scores, sample_weight=weight))
    errors = (output[:, 2] - batch.target[:, 0]).abs().detach().numpy()
    assert figures["mae"] == pytest.approx(np.average(errors[top], weights=weight[top]), rel=1e-5)
    assert figures["loss"] == pytest.approx(minimised(learning(), output, batch).item(), rel=1e-5)


def test_balanced_classes_and_smoothed_labels_are_the_classifications(case):
    output, batch = case
    made = learning(TrainingOptions(label_smoothing=0.2, class_weights="balanced"))
    smoothed, plain = made.loss(output, batch)
    expected = F.cross_entropy(output[:, :2], batch.label, reduction="none", label_smoothing=0.2)
    torch.testing.assert_close(smoothed[0], expected)
    assert torch.equal(smoothed[1], plain[1])
    factors = made.class_weights(batch.label.numpy(), batch.weight.numpy()).numpy()
    weight = factors[:, batch.label] * batch.weight.numpy()
    sums = [np.bincount(batch.label, weights=row, minlength=2) for row in weight]
    np.testing.assert_allclose(sums, [[SIZE / 2, SIZE / 2], [0, SIZE]], rtol=1e-6)


def test_the_first_objective_decides_and_every_column_means_what_its_head_says(case):
    output, _ = case
    made = learning()
    assert made.objective.best.name == "auc"
    assert made.columns == ("score_qcd", "score_top", "predicted_gen_mass")
    values = made.activate(output)
    torch.testing.assert_close(values[:, :2].sum(1), torch.ones(SIZE))
    assert torch.equal(values[:, 2], output[:, 2])
    first_mass = learning(heads=OBJECTIVE["heads"][::-1])
    assert first_mass.objective.best.name == "mae"
    assert first_mass.columns == ("predicted_gen_mass", "score_qcd", "score_top")
    assert torch.equal(first_mass.activate(output)[:, 0], output[:, 0])
