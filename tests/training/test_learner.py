import numpy as np
import pytest
import torch
from torch.nn import functional as F

from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.padding import pad
from e2egraph.tasks.objectives.classification import Classification
from e2egraph.training.objectives.learning import make_learning
from e2egraph.training.parts import joined, split_batch
from e2egraph.training.processes import make_fabric
from e2egraph.training.recipe import TrainingOptions
from e2egraph.training.steps.epoch_metrics import EpochScores
from e2egraph.training.steps.learner import Learner
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.toy_dataset import toy_clouds
from tests.training.tiny_model import Tiny, TinyOptions

CLASS_WEIGHTS = torch.tensor([0.5, 2.0])
OBJECTIVE = Classification(classes=["qcd", "top"], signal="top")


@pytest.fixture
def batch():
    clouds = toy_clouds(0, 23, np.random.default_rng(1), nodes=(0, 12))
    clouds.jets["label"] = np.arange(23) % 2
    clouds.jets["weight"] = np.linspace(0.5, 2.0, 23)
    return JetBatch.from_arrays(pad(clouds, INPUTS))


def learner(**options):
    training = TrainingOptions(optimizer="sgd", learning_rate=0.1, **options)
    torch.manual_seed(4)
    network = Tiny(TinyOptions(), INPUTS, TWO_CLASSES)
    fabric = make_fabric(training)
    fabric.launch()
    return Learner(
        fabric,
        network,
        training,
        learning=make_learning(OBJECTIVE, training),
        class_weights=CLASS_WEIGHTS.unsqueeze(0),
        inputs=INPUTS,
        seed=1,
    )


def epoch_scores():
    return EpochScores(make_learning(OBJECTIVE))


def after_a_step(batch, rate=0.1, **options):
    taught = learner(**options)
    taught.step(batch, rate, 0, epoch_scores())
    return torch.cat([parameter.detach().flatten() for parameter in taught.network.parameters()])


def test_a_step_is_the_one_of_a_plain_loop(batch):
    torch.manual_seed(4)
    network = Tiny(TinyOptions(), INPUTS, TWO_CLASSES)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    weight = batch.weight * CLASS_WEIGHTS[batch.label]
    loss = F.cross_entropy(network(*batch.inputs), batch.label, reduction="none", label_smoothing=0.1)
    (weight * loss).mean().backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 0.2)
    optimizer.step()
    expected = torch.cat([parameter.detach().flatten() for parameter in network.parameters()])
    found = after_a_step(batch, 0.05, label_smoothing=0.1, gradient_clip=0.2)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("parts", [2, 5, 23, 100])
def test_a_batch_in_parts_makes_the_step_of_the_whole(batch, parts):
    torch.testing.assert_close(after_a_step(batch, accumulate=parts), after_a_step(batch), rtol=1e-5, atol=1e-7)


def test_the_parts_of_a_batch_are_about_equal_and_each_has_jets_of_all_sizes(batch):
    parts = split_batch(batch, 5)
    assert [len(part) for part in parts] == [5, 5, 5, 4, 4]
    assert [part.number.tolist() for part in parts] == [batch.number[place::5].tolist() for place in range(5)]
    assert torch.equal(joined([part.number for part in parts]), batch.number)
    assert torch.equal(parts[1].features, batch.features[1::5])
    assert split_batch(batch, 1) == [batch]


def test_the_scores_of_training_are_those_of_the_loss_that_validation_measures(batch):
    scores = epoch_scores()
    taught = learner(label_smoothing=0.3, accumulate=2)
    with torch.no_grad():
        loss = F.cross_entropy(taught.network(*batch.inputs), batch.label, reduction="none")
    weight = batch.weight * CLASS_WEIGHTS[batch.label]
    taught.step(batch, 0.1, 0, scores)
    assert scores.finish()["loss"] == pytest.approx(float((weight * loss).sum() / weight.sum()), rel=1e-5)


def test_mixed_precision_leaves_the_inputs_in_full(batch):
    taught = learner(precision="bf16-mixed")
    seen = []
    taught.network.register_forward_pre_hook(lambda module, inputs: seen.append([x.dtype for x in inputs]))
    inside = []
    taught.network.node.register_forward_hook(lambda module, inputs, output: inside.append(output.dtype))
    taught.step(batch, 0.1, 0, epoch_scores())
    assert seen == [[torch.float32, torch.float32, torch.bool, torch.float32]]
    assert inside == [torch.bfloat16]
