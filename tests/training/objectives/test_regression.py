"""Losses of quantities against torch's own and closed forms, and figures in the unit of the target."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from e2egraph.tasks.objectives.objective import make_objective
from e2egraph.training.objectives.learning import make_learning
from e2egraph.training.objectives.regression import log_cosh
from e2egraph.training.steps.epoch_metrics import EpochScores
from tests.training.batches import batch_of

SCALES = (50.0, 0.5)


def learning(loss="mae", targets=1, **more):
    names = [{"name": f"t{n}", "unit": "GeV", "offset": 100.0, "scale": SCALES[n]} for n in range(targets)]
    return make_learning(
        make_objective({"kind": "regression", "classes": ["a", "b"], "targets": names, "loss": loss, **more}, "test")
    )


def differences():
    """Prediction minus target in units of the scale: small, large, and either sign."""
    return torch.tensor([-30.0, -2.0, -0.7, -1e-3, 0.0, 1e-3, 0.4, 1.0, 3.0, 200.0])


TORCHS = {
    "mae": lambda x: F.l1_loss(x, torch.zeros_like(x), reduction="none"),
    "mse": lambda x: F.mse_loss(x, torch.zeros_like(x), reduction="none"),
    "huber": lambda x: F.smooth_l1_loss(x, torch.zeros_like(x), reduction="none", beta=0.8) * 0.8,
    # ln cosh x = ln(eˣ + e⁻ˣ) − ln 2
    "log_cosh": lambda x: torch.logaddexp(x, -x) - math.log(2.0),
}


@pytest.mark.parametrize("loss", TORCHS)
def test_losses_and_their_gradients_are_those_of_the_scaled_difference(loss):
    x = differences()
    target = torch.full((len(x), 1), 120.0)
    output = (target + SCALES[0] * x.unsqueeze(1)).requires_grad_()
    made = learning(loss, delta=0.8)
    minimised, plain = made.loss(output, batch_of(torch.zeros(len(x), dtype=torch.int64), target))
    expected_of = output.detach().clone().requires_grad_()
    expected = TORCHS[loss]((expected_of[:, 0] - 120.0) / SCALES[0])
    torch.testing.assert_close(minimised, expected.unsqueeze(0), rtol=1e-5, atol=1e-6)
    assert plain is minimised
    (gradient,) = torch.autograd.grad(minimised.sum(), output)
    (wanted,) = torch.autograd.grad(expected.sum(), expected_of)
    torch.testing.assert_close(gradient, wanted, rtol=1e-5, atol=1e-6)


def test_log_cosh_is_right_near_zero_does_not_overflow_and_its_derivative_is_the_hyperbolic_tangent():
    x = torch.tensor([0.0, 1e-2, 1.0, 5.0, -5.0, 1e4, -1e30], dtype=torch.float64, requires_grad=True)
    value = log_cosh(x)
    assert value.isfinite().all()
    small = x.detach()[1:5]
    torch.testing.assert_close(value[1:5], small.cosh().log())
    torch.testing.assert_close(value[5].item(), 1e4 - math.log(2.0))
    (gradient,) = torch.autograd.grad(value.sum(), x)
    torch.testing.assert_close(gradient, x.detach().tanh())
    assert torch.autograd.gradcheck(log_cosh, (x[1:5].detach().requires_grad_(),))


def test_targets_are_summed_by_their_weights():
    output, target = torch.tensor([[150.0, 3.0], [90.0, 1.0]]), torch.tensor([[100.0, 1.0], [100.0, 1.5]])
    loss, _ = learning(targets=2, weights=[2.0, 0.25]).loss(output, batch_of(torch.tensor([0, 1]), target))
    torch.testing.assert_close(loss, torch.tensor([[2 * 1.0 + 0.25 * 4.0, 2 * 0.2 + 0.25 * 1.0]]))


def test_errors_of_an_epoch_are_weighted_means_in_the_unit_of_each_target():
    torch.manual_seed(0)
    made = learning("mse", targets=2)
    output, target, weight = torch.randn(60, 2) + 100, torch.randn(60, 2) + 100, torch.rand(60)
    label = torch.arange(60) % 2
    scores = EpochScores(made)
    for part in torch.arange(60).split(25):
        batch = batch_of(label[part], target[part], weight[part])
        scores.add(output[part], batch, weight[part].unsqueeze(0), made.loss(output[part], batch)[1])
    figures = scores.finish()
    errors = np.average((output - target).abs().double().numpy(), axis=0, weights=weight)
    assert list(figures) == ["loss", "mae", "mae_t1"]
    assert [figures["mae"], figures["mae_t1"]] == pytest.approx(errors.tolist(), rel=1e-5)
    scaled = ((output - target) / torch.tensor(SCALES)).square().sum(1)
    assert figures["loss"] == pytest.approx(float((weight * scaled).sum() / weight.sum()), rel=1e-5)


def test_what_is_best_and_what_columns_are_called():
    made = learning(targets=2)
    assert made.objective.best.words(12.345) == "mean absolute error of t0 12.35 GeV"
    assert not made.objective.best.highest
    assert made.columns == ("predicted_t0", "predicted_t1")
    output = torch.tensor([[1.0, -2.0]])
    assert torch.equal(made.activate(output), output)


def test_objects_whose_target_was_drawn_are_learnt_from_and_do_not_count():
    target = [{"name": "gen_mass", "drawn": {"b": [-0.3, 0.0]}}]
    made = make_learning(make_objective({"kind": "regression", "classes": ["a", "b"], "targets": target}, "test"))
    batch = batch_of(torch.tensor([0, 1, 0]), torch.tensor([[1.0], [-0.2], [3.0]]))
    output = torch.tensor([[1.5], [5.0], [2.0]])
    loss, _ = made.loss(output, batch)
    torch.testing.assert_close(loss, torch.tensor([[0.5, 5.2, 1.0]]))
    records = made.record(output, batch).numpy()
    assert np.isnan(records[0]).tolist() == [False, True, False]
    assert made.figures(records, np.array([[1.0, 7.0, 3.0]])) == {"mae": pytest.approx((0.5 + 3.0) / 4)}
