"""What every shipped network promises, whatever it is made of (DESIGN §7)."""

import pytest
import torch
from torch import Tensor, nn

from e2egraph.tasks.inputs import Inputs
from tests.all_inputs import INPUTS
from tests.models.jets import Inputs as Tensors
from tests.models.jets import jets
from tests.models.other_inputs import CROP, EVENT, HITS, SIX
from tests.models.zoo import FOR_FEWER_INPUTS, MODELS, build, graph_models

# These see crystals within ±16 of the centre alone, and must find some in every jet.
NODES_TO_LEARN_FROM = {"cnn-egamma": 200, "resnet-mass": 200}

# All inputs, fewer of them, and a region of 33×33 crystals: the networks that can read them. Deposits lie on a lattice,
# with many ties, or anywhere.
CASES = [
    *(pytest.param(name, INPUTS, lattice, id=f"{name}-all-{lattice}") for name in MODELS for lattice in (False, True)),
    *(pytest.param(name, SIX, True, id=f"{name}-six") for name in MODELS if name != "fcn"),
    *(pytest.param(name, CROP, False, id=f"{name}-crop") for name in MODELS if name != "fcn"),
]


def small(name: str, seed: int = 0, inputs: Inputs = INPUTS) -> nn.Module:
    return build(name, seed, settings=() if inputs is INPUTS else FOR_FEWER_INPUTS.get(name, ()), inputs=inputs)


def scores(model: nn.Module, tensors: Tensors) -> Tensor:
    with torch.no_grad():
        return model(*tensors)


@pytest.mark.parametrize(("name", "inputs", "lattice"), CASES)
def test_the_order_of_nodes_does_not_matter(name: str, inputs: Inputs, lattice: bool) -> None:
    model = small(name, inputs=inputs)
    points, features, mask, jet = jets([41, 17, 1], lattice=lattice, inputs=inputs)
    order = torch.randperm(41, generator=torch.Generator().manual_seed(3))
    shuffled = (points[:, order], features[:, order], mask[:, order], jet)
    torch.testing.assert_close(scores(model, shuffled), scores(model, (points, features, mask, jet)), atol=2e-5, rtol=0)


@pytest.mark.parametrize(("name", "inputs", "lattice"), CASES)
def test_padding_changes_nothing_whatever_it_holds(name: str, inputs: Inputs, lattice: bool) -> None:
    model = small(name, inputs=inputs)
    counts = [23, 6, 5, 2, 1, 0]
    together = jets(counts, lattice=lattice, n=29, inputs=inputs)
    result = scores(model, together)
    points, features, mask, jet = together
    for i, n in enumerate(counts):
        alone = (points[i : i + 1, :n], features[i : i + 1, :n], mask[i : i + 1, :n], jet[i : i + 1])
        torch.testing.assert_close(scores(model, alone)[0], result[i], atol=1e-5, rtol=0)
    garbage = torch.where(mask.unsqueeze(-1), points, float("nan")), torch.where(mask.unsqueeze(-1), features, 1e30)
    assert torch.equal(scores(model, (*garbage, mask, jet)), result)


@pytest.mark.parametrize("name", MODELS)
def test_a_mask_of_zeros_and_ones_does_as_well_as_one_of_bools(name: str) -> None:
    model = small(name)
    points, features, mask, jet = jets([9, 4, 0])
    assert torch.equal(
        scores(model, (points, features, mask.float(), jet)), scores(model, (points, features, mask, jet))
    )


@pytest.mark.parametrize("name", MODELS)
def test_jets_without_nodes_have_finite_scores_and_gradients(name: str) -> None:
    model = small(name)
    for inputs in (jets([0, 0]), jets([0, 0], n=7)):
        result = model(*inputs)
        assert result.shape == (2, 3)
        assert result.isfinite().all()
        model.zero_grad()
        result.square().sum().backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize(("name", "inputs", "lattice"), [case for case in CASES if not case.values[2]])
def test_the_gradient_reaches_every_parameter(name: str, inputs: Inputs, lattice: bool) -> None:
    model = small(name, inputs=inputs).train()
    model(*jets([60, 50, 40, 30], lattice=lattice, inputs=inputs))[:, 1:].square().sum().backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert not silent


@pytest.mark.parametrize("inputs", [HITS, EVENT], ids=["hits without energies", "whole events"])
@pytest.mark.parametrize("name", [*graph_models(), "resnet15", "vit"])
def test_networks_are_made_for_whatever_the_task_has(name: str, inputs: Inputs) -> None:
    model = small(name, inputs=inputs).train()
    result = model(*jets([60, 9, 0], inputs=inputs))
    assert result.shape == (3, 3)
    result.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize("name", MODELS)
def test_every_model_learns_32_jets_by_heart(name: str) -> None:
    model = small(name).train()
    inputs = jets([NODES_TO_LEARN_FROM.get(name, 20) + i for i in range(32)])
    labels = torch.arange(32) % 3
    optimizer, in_a_row = torch.optim.Adam(model.parameters(), 3e-3), 0
    for _ in range(150):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(*inputs), labels)
        # One small loss may be luck of the step: the weights still move fast.
        in_a_row = in_a_row + 1 if loss < 0.02 else 0
        if in_a_row == 5:
            break
        loss.backward()
        optimizer.step()
    if any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules()):
        with torch.no_grad():  # running statistics are behind after so few steps
            for _ in range(40):
                model(*inputs)
    assert (scores(model.eval(), inputs).argmax(1) == labels).all()


@pytest.mark.parametrize("name", MODELS)
def test_a_saved_state_gives_the_same_scores_after_training(name: str) -> None:
    model, inputs = small(name).train(), jets([30, 20, 10])
    for _ in range(3):
        model(*inputs)
    copy = small(name, seed=1)
    copy.load_state_dict(model.state_dict())
    assert torch.equal(scores(copy.eval(), inputs), scores(model.eval(), inputs))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", MODELS)
def test_reduced_precision_stays_finite_and_near(name: str, dtype: torch.dtype) -> None:
    model = small(name)
    inputs = jets([40, 12, 0])
    with torch.autocast("cpu", dtype):
        result = model(*inputs)
        result.float().square().sum().backward()
    torch.testing.assert_close(result.float(), scores(model, inputs), atol=0.1, rtol=0.1)
    assert all(p.grad.isfinite().all() for p in model.parameters())
