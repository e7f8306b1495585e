"""ResNet-15 against what is published of it: parameters and sizes of its feature maps."""

from dataclasses import replace

import pytest
import torch

from e2egraph.errors import UsageError
from e2egraph.models.image.resnet import ResidualBlock, ResNet15, ResNet15Options
from e2egraph.models.registry import build_model, load_model_config, parameter_count
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.region import RegionConfig
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.models.jets import jets
from tests.models.other_inputs import CROP, HITS
from tests.models.zoo import classes


def convolution(kernel: int, n_in: int, n_out: int) -> int:
    return kernel * kernel * n_in * n_out + n_out


# 8 image channels → 16 by 7×7; three blocks of 16; one 16 → 32 with its 1×1 shortcut; three blocks of 32.
BODY = (
    convolution(7, 8, 16)
    + 3 * 2 * convolution(3, 16, 16)
    + (convolution(3, 16, 32) + convolution(3, 32, 32) + convolution(1, 16, 32))
    + 3 * 2 * convolution(3, 32, 32)
)
UNUSED = 3 * convolution(1, 16, 16) + 3 * convolution(1, 32, 32)


def test_the_published_parameter_counts_come_out() -> None:
    assert BODY == 90_128
    assert UNUSED == 3_984
    one_output = ResNet15(ResNet15Options(), INPUTS, classes(1))  # Linear(32, 1), as published
    assert parameter_count(one_output) == BODY + 33 == 90_161
    with_unused = ResNet15(ResNet15Options(unused_shortcuts=True), INPUTS, classes(1))
    assert parameter_count(with_unused) == 94_145
    keras = ResNet15(ResNet15Options(variant="keras"), INPUTS, TWO_CLASSES)  # Dense(2) on 2048
    assert parameter_count(keras) == BODY + 2048 * 2 + 2 == 94_226


def test_a_two_class_task_costs_one_more_output_than_published() -> None:
    assert parameter_count(ResNet15(ResNet15Options(), INPUTS, TWO_CLASSES)) == 90_161 + 33


def test_unused_shortcuts_are_without_effect() -> None:
    inputs = jets([30, 3])
    model = ResNet15(ResNet15Options(unused_shortcuts=True), INPUTS, TWO_CLASSES)
    bare = ResNet15(ResNet15Options(), INPUTS, TWO_CLASSES)
    bare.load_state_dict({k: v for k, v in model.state_dict().items() if k in bare.state_dict()})
    assert torch.equal(model(*inputs), bare(*inputs))


@pytest.mark.parametrize("granularity", [1, 3, 9])
@pytest.mark.parametrize(("variant", "sizes"), [("torch", [61, 30, 15]), ("keras", [63, 31, 16])])
def test_feature_maps_have_the_published_sizes(variant: str, sizes: list[int], granularity: int) -> None:
    model = ResNet15(ResNet15Options(variant=variant, granularity=granularity), INPUTS, TWO_CLASSES)  # type: ignore[arg-type]
    seen: list[int] = []
    for layer in (model.stem[0], model.stem[2], model.blocks[-1]):
        layer.register_forward_hook(lambda _m, _i, out: seen.append(out.shape[-1]))
    assert model(*jets([20])).shape == (1, 2)
    assert seen == sizes


def test_a_block_is_two_convolutions_and_a_skip() -> None:
    block = ResidualBlock(16, 16)
    x = torch.randn(2, 16, 9, 9)
    torch.testing.assert_close(block(x), torch.relu(block.second(torch.relu(block.first(x))) + x))
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.zero_()
    assert torch.equal(block(x), torch.relu(x))


@pytest.mark.parametrize(
    ("inputs", "planes"),
    [
        (INPUTS, ("track_pt", "track_d0_sig", "track_dz_sig", "ECAL", "HCAL", "BPIX1", "BPIX2", "BPIX3")),
        (CROP, ("track_pt", "ECAL", "BPIX1")),  # no significances, no whole towers
        (HITS, ("BPIX1", "BPIX2")),
    ],
)
def test_planes_are_the_published_ones_that_the_inputs_hold(inputs: Inputs, planes: tuple[str, ...]) -> None:
    model = ResNet15(ResNet15Options(), inputs, TWO_CLASSES)
    assert model.rasterize.channels == planes
    assert model.stem[0].in_channels == len(planes)


@pytest.mark.parametrize("granularity", [1, 3, 9])
@pytest.mark.parametrize("variant", ["torch", "keras"])
def test_on_crops_every_pixel_reaches_the_blocks(variant: str, granularity: int) -> None:
    options = ResNet15Options(variant=variant, granularity=granularity, downsample=False, size=32)  # type: ignore[arg-type]
    model = ResNet15(options, CROP, TWO_CLASSES)
    seen: list[torch.Size] = []
    for layer in (model.stem, model.blocks[-1]):
        layer.register_forward_hook(lambda _m, _i, out: seen.append(out.shape))
    assert model(*jets([20], inputs=CROP)).shape == (1, 2)
    assert seen == [(1, 16, 32, 32), (1, 32, 16, 16)]


def test_crops_have_the_seed_where_image_files_have_it() -> None:
    model = ResNet15(ResNet15Options(size=32, downsample=False), CROP, TWO_CLASSES)
    features = torch.zeros(1, 1, CROP.n_features)
    features[0, 0, CROP.index("value")] = features[0, 0, CROP.index("is_ECAL")] = 1.0
    image: list[torch.Tensor] = []
    model.stem.register_forward_pre_hook(lambda _m, args: image.append(args[0]))
    model(torch.zeros(1, 1, 2), features, torch.ones(1, 1), torch.zeros(1, 0))
    assert image[0][0, model.rasterize.channels.index("ECAL")].nonzero().tolist() == [[15, 15]]


@pytest.mark.parametrize("downsample", [True, False])
@pytest.mark.parametrize("variant", ["torch", "keras"])
@pytest.mark.parametrize("half_window", [5, 7, 12, 16, 30])
def test_it_fits_regions_of_any_size(half_window: int, variant: str, downsample: bool) -> None:
    region = RegionConfig(centre="crystal", half_window=half_window).region
    inputs = replace(CROP, region=region)
    options = ResNet15Options(variant=variant, downsample=downsample)  # type: ignore[arg-type]
    model = ResNet15(options, inputs, TWO_CLASSES)
    assert model(*jets([20, 3, 0], inputs=inputs)).shape == (3, 2)


def test_an_image_larger_than_the_region_is_refused() -> None:
    with pytest.raises(UsageError, match=r"model\.options\.size=34 crystals does not fit into 33×33"):
        ResNet15(ResNet15Options(size=34), CROP, TWO_CLASSES)
    with pytest.raises(UsageError, match="needs images of 7×7 pixels at least, not of 4×4"):
        ResNet15(ResNet15Options(size=4), CROP, TWO_CLASSES)


@pytest.mark.parametrize(
    ("variant", "half_window", "downsample"), [("torch", 2, True), ("keras", 4, True), ("keras", 0, False)]
)
def test_a_region_of_which_nothing_would_be_left_is_refused(variant: str, half_window: int, downsample: bool) -> None:
    inputs = replace(CROP, region=RegionConfig(centre="crystal", half_window=half_window).region)
    with pytest.raises(UsageError, match=f"variant={variant}.* pixels at least, not "):
        ResNet15(ResNet15Options(variant=variant, downsample=downsample), inputs, TWO_CLASSES)  # type: ignore[arg-type]


def test_gains_are_all_that_the_bright_variant_changes() -> None:
    bright = load_model_config("configs/variants/resnet15-bright.yaml")
    plain = load_model_config("resnet15")
    torch.manual_seed(1)
    of_plain = build_model(plain, INPUTS, TWO_CLASSES)
    torch.manual_seed(1)
    of_bright = build_model(bright, INPUTS, TWO_CLASSES)
    assert all(torch.equal(a, b) for a, b in zip(of_plain.parameters(), of_bright.parameters(), strict=True))
    points, features, mask, _ = jets([40, 40])
    image = of_plain.rasterize(points, features, mask)
    ratio = of_bright.scaling(image) / of_plain.scaling(image).masked_fill(image == 0, torch.nan)
    for plane, gain in zip(ratio.unbind(1), (4.0, 2.0, 1.2, 4.0, 4.0, 4.0, 4.0, 4.0), strict=True):
        filled = plane[~plane.isnan()]
        torch.testing.assert_close(filled, torch.full_like(filled, gain))


def test_a_gain_of_no_image_plane_is_refused_and_one_of_a_plane_not_drawn_is_not() -> None:
    config = load_model_config("resnet15", ["options.gains.ECAl=2"])
    with pytest.raises(UsageError, match=r"model.options.gains name no image planes: ECAl; choose out of track_pt"):
        build_model(config, INPUTS, TWO_CLASSES)
    bright = load_model_config("configs/variants/resnet15-bright.yaml")
    assert build_model(bright, HITS, TWO_CLASSES).rasterize.channels == ("BPIX1", "BPIX2")


@pytest.mark.parametrize("channels", ["[ECAL,ECAL]", "[]"])
def test_planes_named_twice_or_not_at_all_are_refused_with_the_configuration(channels: str) -> None:
    with pytest.raises(UsageError, match="image channels must be different names, at least one"):
        load_model_config("resnet15", [f"options.channels={channels}"])
