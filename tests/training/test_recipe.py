import math

import pytest
import torch
from torch import nn

from e2egraph.training.recipe import Recipe, TrainingOptions, load_recipe
from e2egraph.training.steps.optimizer import make_optimizer
from e2egraph.training.steps.schedule import learning_rate


def test_the_published_recipe_is_also_the_default():
    recipe = load_recipe("published")
    assert recipe == Recipe()
    training = recipe.training
    assert (training.optimizer, training.learning_rate, training.batch_size) == ("adam", 5e-4, 64)
    assert (training.schedule, training.step_epochs, training.step_factor) == ("step", 10, 0.5)


def test_the_modern_recipe_has_what_its_name_promises():
    training = load_recipe("modern").training
    assert (training.optimizer, training.schedule) == ("adamw", "cosine")
    assert min(training.warmup_epochs, training.weight_decay, training.label_smoothing, training.ema_decay) > 0
    assert training.gradient_clip is not None
    assert training.reflect_eta
    assert training.reflect_phi


def rates(steps_per_epoch, **options):
    training = TrainingOptions(**options)
    return [learning_rate(training, step, steps_per_epoch) for step in range(training.epochs * steps_per_epoch)]


def torch_rates(schedule, optimizer, steps):
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


@pytest.fixture
def optimizer():
    return torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)


def test_the_step_schedule_is_that_of_torch_once_an_epoch(optimizer):
    expected = torch_rates(torch.optim.lr_scheduler.StepLR(optimizer, 2, 0.5), optimizer, 7)
    found = rates(4, epochs=7, learning_rate=0.3, schedule="step", step_epochs=2)
    assert found == pytest.approx([rate for rate in expected for _ in range(4)])


def test_warm_up_and_cosine_are_those_of_torch_at_every_step(optimizer):
    warm_up = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / 6, 1.0, total_iters=5)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 24)
    both = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm_up, cosine], [6])
    expected = torch_rates(both, optimizer, 30)
    found = rates(10, epochs=3, learning_rate=0.3, schedule="cosine", warmup_epochs=0.6)
    assert found == pytest.approx(expected, abs=1e-9)
    assert found[0] == pytest.approx(0.05)
    assert found[18] == pytest.approx(0.3 * (1 + math.cos(math.pi / 2)) / 2)


def test_a_run_of_warm_up_alone_rises_to_its_end():
    assert rates(2, epochs=2, learning_rate=1.0, warmup_epochs=50) == [0.25, 0.5, 0.75, 1.0]


def test_weight_decay_shrinks_matrices_and_spares_biases_and_norms():
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Linear(3, 4), nn.LayerNorm(4))
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    options = TrainingOptions(optimizer="adamw", learning_rate=0.1, weight_decay=0.5)
    optimizer = make_optimizer(network, options)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, value in network.named_parameters():
        factor = 0.95 if name in ("0.weight", "2.weight") else 1.0
        torch.testing.assert_close(value.detach(), before[name] * factor)
