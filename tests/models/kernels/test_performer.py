"""FAVOR+ against the exact softmax and against the variance its paper gives (arXiv:2009.14794)."""

import math

import pytest
import torch
from torch import Tensor

from e2egraph.models.kernels.performer import (
    STABILIZER,
    PerformerKernel,
    key_features,
    linear_attention,
    orthogonal_directions,
    query_features,
    random_features,
    unit,
)
from tests.models.kept import kept_for_gradient

DRAWS, SIZE, FEATURES = 20_000, 16, 16


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pair_with(product: float) -> tuple[Tensor, Tensor]:
    """Two unit vectors of ``SIZE`` numbers with the given scalar product."""
    x, y = torch.zeros(2, SIZE, dtype=torch.float64)
    x[0], y[0], y[1] = 1.0, product, math.sqrt(1 - product**2)
    return x, y


def squared_errors(directions: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(φ(x)ᵀφ(y) − e^(xᵀy))² for each draw of ``directions [draws, m, d]``."""
    phi_x, phi_y = (random_features(directions @ z, 0.5 * z.square().sum()) for z in (x, y))
    return ((phi_x * phi_y).sum(-1) - torch.exp(x @ y)).square()


def mean_and_error(values: Tensor) -> tuple[float, float]:
    return float(values.mean()), float(values.std() / math.sqrt(len(values)))


@pytest.mark.parametrize("product", [-0.5, 0.0, 0.3])
def test_the_error_of_an_estimated_weight_is_that_of_the_papers_lemma(product: float) -> None:
    x, y = pair_with(product)
    # Lemma 2: SM² (e^{‖x + y‖²} − 1) / m for independent features.
    expected = math.exp(2 * product) * (math.exp(2 + 2 * product) - 1) / FEATURES
    independent = torch.randn(DRAWS, FEATURES, SIZE, dtype=torch.float64, generator=generator())
    mean, error = mean_and_error(squared_errors(independent, x, y))
    assert abs(mean - expected) < 3 * error
    assert error < 0.1 * expected


def test_orthogonal_directions_have_a_smaller_error() -> None:
    x, y = pair_with(0.3)
    # Blocks of SIZE rows are independent of each other, so each is a draw.
    orthogonal = orthogonal_directions(DRAWS * FEATURES, SIZE, generator()).double().view(DRAWS, FEATURES, SIZE)
    independent = math.exp(0.6) * (math.exp(2.6) - 1) / FEATURES
    mean, error = mean_and_error(squared_errors(orthogonal, x, y))
    assert mean + 3 * error < independent


def test_directions_are_orthogonal_in_blocks_and_normal_each_by_itself() -> None:
    source = generator()
    directions = torch.stack([orthogonal_directions(11, 4, source) for _ in range(3000)]).double()
    products = directions @ directions.transpose(1, 2)
    same_block = torch.arange(11).unsqueeze(0) // 4 == torch.arange(11).unsqueeze(1) // 4
    off_diagonal = same_block & ~torch.eye(11, dtype=torch.bool)
    assert products[:, off_diagonal].abs().max() < 1e-5
    assert products[:, ~same_block].abs().max() > 1
    numbers = directions.flatten()
    for values, expected in ((numbers, 0.0), (numbers**2, 1.0), (numbers**4, 3.0)):
        mean, error = mean_and_error(values)
        assert abs(mean - expected) < 4 * error
    mean, error = mean_and_error(directions.square().sum(2).square().flatten())
    assert abs(mean - 4 * 6) < 4 * error  # χ² of 4 degrees of freedom: ⟨(χ²)²⟩ = d (d + 2)


def relative_errors(features: int, draws: int = 40) -> Tensor:
    """‖estimate − softmax attention‖ / ‖softmax attention‖ with normalised queries and keys, for some draws."""
    source = generator(features)
    q, k = (unit(torch.randn(1, 1, 200, SIZE, dtype=torch.float64, generator=generator(i))) for i in (1, 2))
    v = torch.randn(1, 1, 200, 8, dtype=torch.float64, generator=generator(3))
    mask = torch.ones(1, 200, dtype=torch.bool)
    exact = torch.softmax(q @ k.transpose(-1, -2), -1) @ v
    errors = []
    for _ in range(draws):
        directions = orthogonal_directions(features, SIZE, source).double().unsqueeze(0)
        estimate = linear_attention(query_features(q, directions), key_features(k, directions, mask), v, mask)
        errors.append((estimate - exact).norm() / exact.norm())
    return torch.stack(errors)


def test_attention_with_normalised_queries_and_keys_is_near_the_softmax() -> None:
    # Independent features would give about √((e² − 1) / 64) = 0.32, as ‖q + k‖² is 2 for random directions.
    assert relative_errors(64).square().mean().sqrt() < 0.35
    assert relative_errors(1024).max() < 0.12


def test_the_error_falls_as_one_over_the_root_of_the_number_of_features() -> None:
    counts = torch.tensor([128, 512, 2048], dtype=torch.float64)
    errors = torch.stack([relative_errors(int(m)).square().mean().sqrt() for m in counts])
    x, y = counts.log(), errors.log()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
    assert abs(slope + 0.5) < 0.05


def loop(kernel: PerformerKernel, x: Tensor) -> Tensor:
    """Estimated attention of the nodes of one jet ``x [n, width]``, pair by pair, without any common factors."""
    width = x.shape[1]
    heads, m, size = kernel.directions.shape
    q, k, v = (part.view(-1, heads, size) for part in kernel.projection.qkv(x).split(width, dim=1))
    out = torch.zeros_like(v)
    for h in range(heads):
        temperature = 2 / (1 + math.exp(-float(kernel.raw_temperature[h])))
        for i in range(len(x)):
            weights = torch.zeros(len(x), dtype=x.dtype)
            for j in range(len(x)):
                a, b = (math.sqrt(temperature) * z / z.norm() for z in (q[i, h], k[j, h]))
                for w in kernel.directions[h]:
                    weights[j] += torch.exp(w @ a - a @ a / 2) * torch.exp(w @ b - b @ b / 2) / m
            out[i, h] = (weights / weights.sum()) @ v[:, h]
    return kernel.projection.output(out.flatten(1))


def test_the_kernel_is_its_formula_and_padding_is_no_key() -> None:
    torch.manual_seed(0)
    kernel = PerformerKernel(width=8, heads=2, features=6, redraw=0).double().eval()
    with torch.no_grad():
        kernel.raw_temperature.copy_(torch.tensor([0.7, -1.0]))
        x = 3 * torch.randn(3, 7, 8, dtype=torch.float64)
        counts = [7, 3, 0]
        mask = torch.arange(7) < torch.tensor(counts).unsqueeze(1)
        result = kernel(x, torch.zeros(3, 7, 2), mask)
        assert result.isfinite().all()
        for b, n in enumerate(counts[:2]):
            # The stabiliser and the smooth normalisation are all that differs.
            torch.testing.assert_close(result[b, :n], loop(kernel, x[b, :n]), rtol=1e-4, atol=20 * STABILIZER)


def test_nothing_quadratic_in_the_nodes_is_kept_for_the_gradient() -> None:
    N, features, heads = 600, 16, 2
    kernel = PerformerKernel(width=8, heads=heads, features=features, redraw=0)
    x = torch.randn(1, N, 8, requires_grad=True)
    with kept_for_gradient() as kept:
        kernel(x, torch.zeros(1, N, 2), torch.ones(1, N, dtype=torch.bool)).sum().backward()
    assert max(kept) <= N * heads * features


def run(kernel: PerformerKernel, steps: int) -> None:
    for _ in range(steps):
        kernel(torch.zeros(1, 2, 8), torch.zeros(1, 2, 2), torch.ones(1, 2, dtype=torch.bool))


def test_directions_are_drawn_anew_in_training_only() -> None:
    kernel = PerformerKernel(width=8, heads=2, features=6, redraw=3)
    first = kernel.directions.clone()
    run(kernel.eval(), 10)
    assert torch.equal(kernel.directions, first)
    run(kernel.train(), 2)
    assert torch.equal(kernel.directions, first)
    run(kernel, 1)
    assert not torch.isclose(kernel.directions, first).any()
    assert not torch.isclose(kernel.directions[0], kernel.directions[1]).any()  # each head its own


def test_a_resumed_training_draws_what_an_uninterrupted_one_draws() -> None:
    torch.manual_seed(1)
    whole = PerformerKernel(width=8, heads=2, features=6, redraw=3)
    run(whole, 4)
    resumed = PerformerKernel(width=8, heads=2, features=6, redraw=3)
    resumed.load_state_dict(whole.state_dict())
    assert torch.equal(resumed.directions, whole.directions)
    run(whole, 5)
    run(resumed, 5)
    assert torch.equal(resumed.directions, whole.directions)


def test_the_same_seed_gives_the_same_directions() -> None:
    kernels = []
    for _ in range(2):
        torch.manual_seed(4)
        kernels.append(PerformerKernel(width=8, heads=2, features=6, redraw=2))
        run(kernels[-1], 3)
    assert torch.equal(kernels[0].directions, kernels[1].directions)


def test_redraw_zero_never_draws_again() -> None:
    kernel = PerformerKernel(width=8, heads=2, features=6, redraw=0)
    first = kernel.directions.clone()
    run(kernel.train(), 3)
    assert torch.equal(kernel.directions, first)
