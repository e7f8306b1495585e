"""Convolution over kept cells, against torch's convolution of the whole image."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from e2egraph.models.registry import build_model, load_model_config
from e2egraph.models.tokens.cells import CellGrid, Cells
from e2egraph.models.tokens.neighbor_convolution import NeighborConvolution
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.region import Region
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.models.other_inputs import CROP, EVENT
from tests.models.zoo import parity

# Region, side of a cell and how far from the middle nodes lie [rad].
CASES = [(INPUTS.region, 5, 1.2), (CROP.region, 1, 0.3), (EVENT.region, 15, 3.1)]


def kept(region: Region, size: int, n_cells: int, spread: float) -> Cells:
    """Cells of two objects with 60 and no nodes, near the middle and at the edges alike."""
    generator = torch.Generator().manual_seed(4)
    points = (2 * torch.rand(2, 2, 60, generator=generator) - 1) * spread
    energy = torch.rand(2, 60, generator=generator)
    cells: Cells = CellGrid(n_cells, size, region)(points, energy, torch.tensor([[True], [False]]).expand(2, 60))
    return cells


@pytest.mark.parametrize(("region", "size", "spread"), CASES)
def test_the_kept_cells_get_what_an_image_network_gives_their_pixels(region: Region, size: int, spread: float) -> None:
    cells = kept(region, size, 70, spread)
    assert 10 < int(cells.found[0].sum()) < 70 and not cells.found[1].any()
    torch.manual_seed(1)
    layer, x = NeighborConvolution(4).double(), torch.randn(2, 70, 4, dtype=torch.float64)
    image = x.new_zeros(cells.side, cells.side, 4)
    rows, columns = (cells.kept[0][cells.found[0]] // cells.side, cells.kept[0][cells.found[0]] % cells.side)
    image[rows, columns] = layer.norm(x[0][cells.found[0]])
    if cells.around:
        image[:, 0], image[:, cells.around + 1] = image[:, cells.around], image[:, 1]
    filters = layer.filter.weight.view(4, 3, 3, 4).permute(0, 3, 1, 2)
    everywhere = F.conv2d(image.permute(2, 0, 1).unsqueeze(0), filters, layer.filter.bias, padding=1)[0]
    hidden = torch.relu(everywhere.permute(1, 2, 0)[rows, columns])
    expected = x[0][cells.found[0]] + layer.output(hidden)
    found = layer(x, cells.neighbors())
    torch.testing.assert_close(found[0][cells.found[0]], expected)
    assert torch.isfinite(found).all()


def test_a_whole_event_is_mixed_across_the_edge_of_phi() -> None:
    region = EVENT.region
    at_the_edge = torch.tensor([[[0.0, 0.0], [-np.pi + 0.01, np.pi - 0.01]]])
    cells: Cells = CellGrid(2, 15, region)(at_the_edge.float(), torch.ones(1, 2), torch.ones(1, 2, dtype=torch.bool))
    assert cells.around > 0
    left, right = cells.neighbors()[0].tolist()
    assert (left.count(2), right.count(2)) == (7, 7)  # itself and the other one are there


def network(inputs: Inputs, convolutions: int) -> torch.nn.Module:
    cells = f"[{{size: 1, keep: 40, octaves: 2, convolutions: {convolutions}}}, {{size: 5, keep: 12}}]"
    torch.manual_seed(2)
    config = load_model_config("tracks-and-cells-crystals", [f"options.cells={cells}", "options.width=16"])
    return build_model(config, inputs, TWO_CLASSES).eval()


@pytest.mark.parametrize("inputs", [INPUTS, CROP])
def test_the_exported_network_gives_the_same(inputs: Inputs) -> None:
    assert parity(network(inputs, 2), max_nodes=300, inputs=inputs).largest_difference < 1e-4


def test_gradients_reach_every_filter() -> None:
    layer, x = NeighborConvolution(4), torch.randn(2, 70, 4, requires_grad=True)
    layer(x, kept(CROP.region, 1, 70, spread=0.05).neighbors()).sum().backward()
    weight: Tensor = layer.filter.weight
    assert weight.grad is not None and (weight.grad.view(4, 9, 4).abs().amax((0, 2)) > 0).all()
