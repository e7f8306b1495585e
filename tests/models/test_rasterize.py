"""Drawing images from points, against loops over nodes with numpy's own rounding rule."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from e2egraph.data.padding import FEATURE_NAMES
from e2egraph.detector.channels import Channel
from e2egraph.detector.geometry import ETA_PITCH, PHI_PITCH
from e2egraph.graphs.pixels import inside_pixel, pixel_offset
from e2egraph.models.image.rasterize import IMAGE_CHANNELS, PUBLISHED_CHANNELS, Rasterize
from tests.models.jets import jets

D0, DZ, D0_SIG, DZ_SIG, VALUE = (FEATURE_NAMES.index(n) for n in ("d0", "dz", "d0_sig", "dz_sig", "value"))


def drawn_by_loop(points: Tensor, features: Tensor, mask: Tensor, impact: str) -> np.ndarray:
    """All image channels, node by node."""
    B, N, _ = points.shape
    image = np.zeros((B, len(IMAGE_CHANNELS), 125, 125))
    plane = {name: image[:, i] for i, name in enumerate(IMAGE_CHANNELS)}
    tracks = np.zeros((B, 125, 125))
    rows = pixel_offset(points[..., 0].numpy(), ETA_PITCH) + 62
    columns = pixel_offset(points[..., 1].numpy(), PHI_PITCH) + 62
    for b in range(B):
        for i in range(N):
            r, c, x = rows[b, i], columns[b, i], features[b, i].numpy().astype(np.float64)
            if not mask[b, i] or not (0 <= r < 125 and 0 <= c < 125):
                continue
            channel = Channel(int(x[8:].argmax()))
            if channel is Channel.TRACK:
                plane["track_pt"][b, r, c] += x[VALUE]
                d0, dz = (x[D0_SIG], x[DZ_SIG]) if impact == "significance" else (x[D0], x[DZ])
                factor = x[VALUE] if impact == "weighted" else 1.0
                plane["track_d0"][b, r, c] += factor * d0
                plane["track_dz"][b, r, c] += factor * dz
                tracks[b, r, c] += 1
            elif channel is Channel.ECAL:
                plane["ECAL"][b, r, c] += x[VALUE]
            elif channel is Channel.HCAL:
                for dr in range(-2, 3):
                    for dc in range(-2, 3):
                        if 0 <= r + dr < 125 and 0 <= c + dc < 125:
                            plane["HCAL"][b, r + dr, c + dc] += x[VALUE] / 25
            else:
                plane[channel.name][b, r, c] += 1
    if impact != "weighted":
        for name in ("track_d0", "track_dz"):
            plane[name] /= np.maximum(tracks, 1)
    return image


def window_jets(counts: list[int], seed: int, lattice: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Jets that also leave the window, with towers on tower centres, as builders store them."""
    points, features, mask, _ = jets(counts, seed=seed, lattice=lattice)
    points = points * 1.3
    tower = features[..., FEATURE_NAMES.index("is_HCAL")] > 0
    pitch = torch.tensor([ETA_PITCH, PHI_PITCH], dtype=torch.float32)
    aligned = (points / (5 * pitch)).round().clamp(-12, 12) * 5 * pitch
    return torch.where(tower.unsqueeze(-1), aligned, points), features, mask


@pytest.mark.parametrize("lattice", [False, True])
@pytest.mark.parametrize("impact", ["significance", "mean", "weighted"])
def test_every_image_channel_is_what_a_loop_over_nodes_draws(impact: str, lattice: bool) -> None:
    points, features, mask = window_jets([400, 37, 0], seed=5, lattice=lattice)
    image = Rasterize(IMAGE_CHANNELS, impact)(points, features, mask)
    assert image.shape == (3, len(IMAGE_CHANNELS), 125, 125)
    expected = drawn_by_loop(points, features, mask, impact)
    assert (np.abs(expected).max(axis=(0, 2, 3)) > 0).all()
    np.testing.assert_allclose(image.numpy(), expected, rtol=2e-6, atol=1e-5)


@given(
    row=st.integers(-62, 62),
    column=st.integers(-62, 62),
    shift=st.floats(-0.5, 0.5),
    energy=st.floats(0.125, 1000.0, width=32),
)
def test_a_crystal_stored_by_the_builder_comes_back_in_its_pixel(
    row: int, column: int, shift: float, energy: float
) -> None:
    points = torch.zeros(1, 1, 2)
    for axis, (offset, pitch) in enumerate(((row, ETA_PITCH), (column, PHI_PITCH))):
        stored = inside_pixel(np.array([(offset + shift) * pitch]), np.array([offset]), pitch)
        points[0, 0, axis] = float(stored[0])
    features = torch.zeros(1, 1, len(FEATURE_NAMES))
    features[0, 0, VALUE], features[0, 0, FEATURE_NAMES.index("is_ECAL")] = energy, 1.0
    image = Rasterize(("ECAL",))(points, features, torch.ones(1, 1))[0, 0]
    assert image[row + 62, column + 62] == energy
    assert image.count_nonzero() == 1


def test_no_nodes_draw_an_empty_image() -> None:
    points, features, mask, _ = jets([0, 0])
    image = Rasterize()(points, features, mask)
    assert image.shape == (2, len(PUBLISHED_CHANNELS), 125, 125)
    assert not image.any()


def test_the_order_of_image_channels_is_the_order_asked_for() -> None:
    points, features, mask = window_jets([300], seed=1, lattice=False)
    channels = ("HCAL", "BPIX2", "track_dz", "ECAL", "track_pt")
    chosen = Rasterize(channels)(points, features, mask)
    every = Rasterize(IMAGE_CHANNELS)(points, features, mask)
    for i, name in enumerate(channels):
        assert torch.equal(chosen[:, i], every[:, IMAGE_CHANNELS.index(name)])


def test_finer_pixels_add_up_to_the_coarse_image() -> None:
    points, features, mask = window_jets([500, 80], seed=2, lattice=False)
    channels = ("track_pt", "ECAL", "HCAL", "BPIX1")
    coarse = Rasterize(channels)(points, features, mask)
    fine = Rasterize(channels, granularity=3)(points, features, mask)
    assert fine.shape[-2:] == (375, 375)
    added = fine.reshape(2, len(channels), 125, 3, 125, 3).sum((3, 5))
    torch.testing.assert_close(added, coarse, rtol=1e-5, atol=1e-4)


def test_a_tower_is_spread_evenly_over_its_own_25_crystals() -> None:
    points = torch.tensor([[[12 * 5 * ETA_PITCH, -5 * PHI_PITCH]]])
    features = torch.zeros(1, 1, len(FEATURE_NAMES))
    features[0, 0, VALUE], features[0, 0, FEATURE_NAMES.index("is_HCAL")] = 50.0, 1.0
    image = Rasterize(("HCAL",))(points, features, torch.ones(1, 1))[0, 0]
    expected = torch.zeros(125, 125)
    expected[120:125, 55:60] = 2.0
    assert torch.equal(image, expected)


@pytest.mark.parametrize("channels", [(), ("track_pt", "track_pt"), ("muons",)])
def test_unknown_or_repeated_image_channels_are_refused(channels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="image channels"):
        Rasterize(channels)
