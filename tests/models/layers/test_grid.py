"""Pixels of a region against numpy's histograms of the detector, whole events closed in φ among them."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from e2egraph.models.layers.geometry.grid import region_pixels
from e2egraph.tasks.region import JET_REGION, Region
from tests.models.other_inputs import SMALL_REGION, WHOLE_DETECTOR

REGIONS = {
    "jet": JET_REGION,
    "small": SMALL_REGION,
    "event": WHOLE_DETECTOR,
    "event with even rows": replace(WHOLE_DETECTOR, rows=286),
}


@pytest.mark.parametrize("granularity", [1, 3])
@pytest.mark.parametrize("name", REGIONS)
def test_pixels_are_the_bins_of_a_histogram_over_the_region(name: str, granularity: int) -> None:
    region: Region = REGIONS[name]
    half = np.array([region.half_eta, region.half_phi])
    points = ((np.random.default_rng(1).random((20_000, 2)) * 2 - 1) * half * 1.1).astype(np.float32)
    if region.periodic:
        points[:, 1] /= 1.1
    found = region_pixels(torch.from_numpy(points[None]), region, granularity)
    row, column, inside = (values[0].numpy() for values in found)
    bins = (region.rows * granularity, region.columns * granularity)
    expected = np.histogram2d(*points.T.astype(float), bins, [(-half[0], half[0]), (-half[1], half[1])])[0]
    counts = np.zeros(bins)
    np.add.at(counts, (row[inside], column[inside]), 1)
    # Nodes that lie on an edge to float32 may fall on either side.
    assert np.abs(counts - expected).sum() <= 2 * 5
    assert 0 < expected.sum() <= counts.sum() + 5


def test_in_an_event_every_phi_is_inside_and_plus_and_minus_pi_meet() -> None:
    phi = torch.tensor([-math.pi, math.pi, math.nextafter(math.pi, 0), 3 * math.pi, -7.0, 100.0])
    points = torch.stack([torch.zeros_like(phi), phi], dim=-1).unsqueeze(0)
    row, column, inside = region_pixels(points, WHOLE_DETECTOR)
    assert inside.all()
    assert row.tolist() == [[143] * 6]
    apart = (column[0, :4].unsqueeze(0) - column[0, :4].unsqueeze(1)).abs()
    assert set(apart.flatten().tolist()) <= {0, 1, 359}
    wrapped = torch.remainder(points[..., 1].double() + math.pi, 2 * math.pi) / (2 * math.pi) * 360
    assert column[0, 4:].tolist() == wrapped[0, 4:].floor().long().tolist()


def test_outside_a_window_the_nearest_pixel_is_given() -> None:
    points = torch.tensor([[[9.0, -9.0], [-9.0, 9.0]]])
    row, column, inside = region_pixels(points, REGIONS["small"])
    assert not inside.any()
    assert (row.tolist(), column.tolist()) == ([[32, 0]], [[0, 32]])
