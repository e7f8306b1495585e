"""Drawing images from points, against loops over nodes with numpy's own rounding rule."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from e2egraph.detector.geometry import ETA_PITCH, PHI_PITCH
from e2egraph.errors import UsageError
from e2egraph.graphs.making.pixels import inside_pixel, pixel_offset
from e2egraph.models.image.planes import PUBLISHED_CHANNELS, planes_of
from e2egraph.models.image.rasterize import Rasterize
from e2egraph.tasks.inputs import ChannelInput, Inputs
from e2egraph.tasks.region import RegionConfig
from tests.all_inputs import INPUTS
from tests.models.jets import jets
from tests.models.other_inputs import CROP, EVENT, HITS, SIX

VALUE = INPUTS.index("value")


def drawn_by_loop(points: Tensor, features: Tensor, mask: Tensor, inputs: Inputs) -> dict[str, np.ndarray]:
    """Every plane that the inputs allow, node by node: name → [B, rows, columns]."""
    region, variables = inputs.region, inputs.variable_names
    shape = (len(points), region.rows, region.columns)
    plane = {name: np.zeros(shape) for name in planes_of(inputs)}
    tracks, deposits = np.zeros(shape), np.zeros(shape)
    rows = pixel_offset(points[..., 0].numpy(), ETA_PITCH) + region.half_rows
    columns = pixel_offset(points[..., 1].numpy(), PHI_PITCH) + region.half_columns

    def add(name: str, at: tuple[int, int, int], value: float) -> None:
        if name in plane:
            plane[name][at] += value

    for b, i in mask.nonzero().tolist():
        at = b, int(rows[b, i]), int(columns[b, i])
        if not (0 <= at[1] < region.rows and 0 <= at[2] < region.columns):
            continue
        x = dict.fromkeys(("value", "d0", "dz", "d0_sig", "dz_sig", "time"), 0.0)
        x |= dict(zip(variables, features[b, i].double().tolist(), strict=False))
        channel = inputs.channels[int(features[b, i, len(variables) :].argmax())]
        if channel.name == "TRACK":
            add("track_pt", at, x["value"])
            for name in ("d0", "dz"):
                add(f"track_{name}_weighted", at, x["value"] * x[name])
                add(f"track_{name}", at, x[name])
                add(f"track_{name}_sig", at, x[f"{name}_sig"])
            tracks[at] += 1
        elif channel.name == "ECAL":
            add("ECAL", at, x["value"])
            add("ECAL_time", at, x["time"])
            deposits[at] += 1
        elif channel.name == "HCAL":
            for r, c in itertools.product(range(at[1] - 2, at[1] + 3), range(at[2] - 2, at[2] + 3)):
                if 0 <= r < region.rows and 0 <= c < region.columns:
                    add("HCAL", (b, r, c), x["value"] / 25)
        else:
            add(channel.name, at, 1)
    for name in ("track_d0", "track_dz", "track_d0_sig", "track_dz_sig"):
        if name in plane:
            plane[name] /= np.maximum(tracks, 1)
    if "ECAL_time" in plane:
        plane["ECAL_time"] /= np.maximum(deposits, 1)
    return plane


def window_jets(counts: list[int], seed: int, lattice: bool, inputs: Inputs = INPUTS) -> tuple[Tensor, Tensor, Tensor]:
    """Jets that also leave the region, with towers on tower centres, as builders store them."""
    points, features, mask, _ = jets(counts, seed=seed, lattice=lattice, inputs=inputs)
    points = points * 1.3
    tower = features[..., inputs.index("is_HCAL")] > 0
    pitch = torch.tensor([ETA_PITCH, PHI_PITCH], dtype=torch.float32)
    largest = inputs.region.half_rows // 5
    aligned = (points / (5 * pitch)).round().clamp(-largest, largest) * 5 * pitch
    return torch.where(tower.unsqueeze(-1), aligned, points), features, mask


OTHER_LAYER = ChannelInput(name="TID1", number=77, collection="hits", radius=30.0, cms=(4, 1))
WITH_ANOTHER_LAYER = replace(SIX, channels=(*SIX.channels, OTHER_LAYER))
SMALL_TOWERS = replace(INPUTS, region=RegionConfig(half_window=17).region)


@pytest.mark.parametrize("lattice", [False, True])
@pytest.mark.parametrize(
    ("inputs", "drawable"),
    [(INPUTS, 18), (SIX, 8), (CROP, 6), (WITH_ANOTHER_LAYER, 9), (SMALL_TOWERS, 18)],
    ids=["all", "six", "crop", "another layer", "small with towers"],
)
def test_every_plane_is_what_a_loop_over_nodes_draws(inputs: Inputs, drawable: int, lattice: bool) -> None:
    points, features, mask = window_jets([400, 37, 0], 5, lattice, inputs)
    names = planes_of(inputs)
    image = Rasterize(inputs, names)(points, features, mask)
    assert image.shape == (3, drawable, inputs.region.rows, inputs.region.columns)
    expected = drawn_by_loop(points, features, mask, inputs)
    for i, name in enumerate(names):
        assert np.abs(expected[name]).max() > 0
        np.testing.assert_allclose(image[:, i].numpy(), expected[name], rtol=3e-6, atol=1e-5, err_msg=name)


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
    features = torch.zeros(1, 1, INPUTS.n_features)
    features[0, 0, VALUE], features[0, 0, INPUTS.index("is_ECAL")] = energy, 1.0
    image = Rasterize(INPUTS, ("ECAL",))(points, features, torch.ones(1, 1))[0, 0]
    assert image[row + 62, column + 62] == energy
    assert image.count_nonzero() == 1


def test_no_nodes_draw_an_empty_image() -> None:
    points, features, mask, _ = jets([0, 0])
    image = Rasterize(INPUTS)(points, features, mask)
    assert image.shape == (2, len(PUBLISHED_CHANNELS), 125, 125)
    assert not image.any()


def test_the_order_of_image_channels_is_the_order_asked_for() -> None:
    points, features, mask = window_jets([300], seed=1, lattice=False)
    channels = ("HCAL", "BPIX2", "track_dz", "ECAL", "track_pt", "track_dz_sig")
    chosen = Rasterize(INPUTS, channels)(points, features, mask)
    names = planes_of(INPUTS)
    every = Rasterize(INPUTS, names)(points, features, mask)
    for i, name in enumerate(channels):
        assert torch.equal(chosen[:, i], every[:, names.index(name)])


def test_finer_pixels_add_up_to_the_coarse_image() -> None:
    points, features, mask = window_jets([500, 80], seed=2, lattice=False)
    channels = ("track_pt", "ECAL", "HCAL", "BPIX1")
    coarse = Rasterize(INPUTS, channels)(points, features, mask)
    fine = Rasterize(INPUTS, channels, granularity=3)(points, features, mask)
    assert fine.shape[-2:] == (375, 375)
    added = fine.reshape(2, len(channels), 125, 3, 125, 3).sum((3, 5))
    torch.testing.assert_close(added, coarse, rtol=1e-5, atol=1e-4)


def test_a_tower_is_spread_evenly_over_its_own_25_crystals() -> None:
    points = torch.tensor([[[12 * 5 * ETA_PITCH, -5 * PHI_PITCH]]])
    features = torch.zeros(1, 1, INPUTS.n_features)
    features[0, 0, VALUE], features[0, 0, INPUTS.index("is_HCAL")] = 50.0, 1.0
    image = Rasterize(INPUTS, ("HCAL",))(points, features, torch.ones(1, 1))[0, 0]
    expected = torch.zeros(125, 125)
    expected[120:125, 55:60] = 2.0
    assert torch.equal(image, expected)


@pytest.mark.parametrize("channels", [(), ("track_pt", "track_pt")])
def test_no_planes_or_repeated_ones_are_refused(channels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="image channels must be different names, at least one"):
        Rasterize(INPUTS, channels)


@pytest.mark.parametrize(
    ("inputs", "name", "reason"),
    [
        (INPUTS, "muons", "the task has no channel muons"),
        (INPUTS, "TRACK", "TRACK is no layer of hits"),
        (SIX, "track_d0", "the task has no variable d0"),
        (SIX, "BPIX4", "the task has no channel BPIX4"),
        (
            CROP,
            "HCAL",
            r"its region, 33×33 pixels around the seed crystal, does not hold whole towers \(HCAL",
        ),
        (HITS, "ECAL", "the task has no channel ECAL"),
    ],
)
def test_a_plane_that_cannot_be_drawn_is_refused_with_the_reason_and_what_can_be(
    inputs: Inputs, name: str, reason: str
) -> None:
    match = rf"image plane {name} cannot be drawn: {reason}.*; choose model.options.channels out of .*BPIX1"
    with pytest.raises(UsageError, match=match):
        Rasterize(inputs, (name,))


def test_inputs_without_any_published_plane_are_told_what_can_be_drawn() -> None:
    inputs = replace(HITS, channels=(OTHER_LAYER,))
    with pytest.raises(UsageError, match=r"no published image plane.* model.options.channels, out of TID1"):
        Rasterize(inputs)


def test_an_event_is_drawn_all_around_phi() -> None:
    points, features, mask, _ = jets([500, 20], inputs=EVENT)
    turn = torch.tensor([0.0, 2.0 * math.pi])
    draw = Rasterize(EVENT, ("track_pt", "ECAL"))
    image = draw(points, features, mask)
    assert image.shape == (2, 2, 287, 360)
    torch.testing.assert_close(draw(points + turn, features, mask).sum((2, 3)), image.sum((2, 3)))
    ecal = (features[..., EVENT.index("is_ECAL")] * features[..., EVENT.index("value")]).sum(1)
    torch.testing.assert_close(image[:, 1].sum((1, 2)), ecal)
