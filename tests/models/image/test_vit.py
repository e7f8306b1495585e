"""The vision transformer against torch's own layers: convolution for patches, encoder layer for blocks."""

import pytest
import torch
from torch import Tensor, nn

from e2egraph.errors import UsageError
from e2egraph.models.image.patches import PatchEmbedding, sinusoidal_positions
from e2egraph.models.image.vit import ViT, ViTBlock, ViTOptions
from e2egraph.models.registry import load_model_config, parameter_count
from e2egraph.tasks.inputs import Inputs
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.models.jets import jets
from tests.models.other_inputs import CROP, EVENT
from tests.models.zoo import classes, parity

SMALL = {"width": 16, "depth": 2, "patch": 25, "channels": ("track_pt", "ECAL")}


@pytest.mark.parametrize(
    ("size", "patch", "rows", "columns"),
    [((125, 125), 5, 25, 25), ((125, 125), 10, 13, 13), ((7, 7), 3, 3, 3), ((4, 4), 4, 1, 1), ((7, 12), 3, 3, 4)],
)
def test_patches_are_a_convolution_that_steps_by_whole_patches(
    size: tuple[int, int], patch: int, rows: int, columns: int
) -> None:
    torch.manual_seed(0)
    embedding = PatchEmbedding(3, size, patch, 6)
    image = torch.randn(2, 3, *size)
    filled = nn.functional.pad(image, (0, columns * patch - size[1], 0, rows * patch - size[0]))
    weight = embedding.project.weight.view(6, 3, patch, patch)
    expected = nn.functional.conv2d(filled, weight, embedding.project.bias, stride=patch).flatten(2).transpose(1, 2)
    assert (embedding.rows, embedding.columns) == (rows, columns)
    torch.testing.assert_close(embedding(image), expected, atol=1e-5, rtol=1e-5)


def test_a_block_is_torchs_pre_norm_encoder_layer() -> None:
    torch.manual_seed(0)
    ours = ViTBlock(12, 3, 24, 0.0)
    theirs = nn.TransformerEncoderLayer(12, 3, 24, 0.0, activation="gelu", batch_first=True, norm_first=True)
    copies: dict[str, Tensor] = {
        "self_attn.in_proj_weight": ours.attention.project.qkv.weight,
        "self_attn.in_proj_bias": ours.attention.project.qkv.bias,
        "self_attn.out_proj.weight": ours.attention.project.output.weight,
        "self_attn.out_proj.bias": ours.attention.project.output.bias,
        "linear1.weight": ours.mlp[0].weight,
        "linear1.bias": ours.mlp[0].bias,
        "linear2.weight": ours.mlp[3].weight,
        "linear2.bias": ours.mlp[3].bias,
        "norm1.weight": ours.attention_norm.weight,
        "norm1.bias": ours.attention_norm.bias,
        "norm2.weight": ours.mlp_norm.weight,
        "norm2.bias": ours.mlp_norm.bias,
    }
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    theirs.load_state_dict(copies)
    x = torch.randn(2, 9, 12)
    torch.testing.assert_close(ours(x), theirs(x), atol=1e-5, rtol=1e-5)


def test_sinusoidal_positions_are_those_of_the_formula_and_all_different() -> None:
    table = sinusoidal_positions(5, 4, 8)
    assert table.shape == (20, 8)
    row, column = 3, 2
    expected = [
        f(torch.tensor(x / 10_000 ** (k / 2))) for x in (row, column) for f in (torch.sin, torch.cos) for k in (0, 1)
    ]
    torch.testing.assert_close(table[row * 4 + column], torch.stack(expected))
    distance = torch.cdist(table, table) + 9.0 * torch.eye(20)
    assert distance.min() > 0.1


def parameters(tokens: int, inputs: int, width: int, depth: int, hidden: int, n_outputs: int) -> int:
    """Patches, positions, blocks of attention and perceptron with two norms, last norm, head (eqs. 1 to 4)."""
    attention = 4 * (width * width + width)
    perceptron = width * hidden + hidden + hidden * width + width
    block = attention + perceptron + 2 * 2 * width
    return inputs * width + width + tokens * width + depth * block + 2 * width + width * n_outputs + n_outputs


def test_parameters_are_those_of_the_published_layers() -> None:
    shipped = ViT(ViTOptions(), INPUTS, TWO_CLASSES)
    assert parameter_count(shipped) == parameters(13 * 13, 8 * 100, 64, 4, 128, 2) == 196_226
    with_token = ViT(ViTOptions(pooling="class"), INPUTS, TWO_CLASSES)
    assert parameter_count(with_token) == parameter_count(shipped) + 64
    fixed = ViT(ViTOptions(positions="sinusoidal"), INPUTS, TWO_CLASSES)
    assert parameter_count(fixed) == parameter_count(shipped) - 13 * 13 * 64


def tokens_before_the_head(model: ViT, pooling: str) -> tuple[Tensor, Tensor]:
    seen: list[Tensor] = []
    model.norm.register_forward_hook(lambda _m, _i, out: seen.append(out))
    scores = model(*jets([30, 12, 0]))
    return seen[0], scores


def test_the_class_token_is_read_and_the_mean_is_over_patches() -> None:
    torch.manual_seed(0)
    model = ViT(ViTOptions(pooling="class", **SMALL), INPUTS, classes(3))  # type: ignore[arg-type]
    tokens, scores = tokens_before_the_head(model, "class")
    assert tokens.shape == (3, 26, 16)
    torch.testing.assert_close(scores, model.head(tokens[:, 0]))
    model = ViT(ViTOptions(pooling="mean", **SMALL), INPUTS, classes(3))  # type: ignore[arg-type]
    tokens, scores = tokens_before_the_head(model, "mean")
    assert tokens.shape == (3, 25, 16)
    torch.testing.assert_close(scores, model.head(tokens.mean(1)))


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
def test_where_a_deposit_lies_matters_through_positions_alone(positions: str) -> None:
    torch.manual_seed(0)
    model = ViT(ViTOptions(positions=positions, **SMALL), INPUTS, TWO_CLASSES).eval()  # type: ignore[arg-type]
    points, features, mask, jet = jets([40])
    points = points.clamp(-0.1, 0.1)  # within the middle patch
    moved = points.clone()
    moved[..., 0] += 50 * 0.0174  # two patches on
    with torch.no_grad():
        assert (model(points, features, mask, jet) - model(moved, features, mask, jet)).abs().max() > 1e-6
        model.positions.zero_()
        torch.testing.assert_close(model(points, features, mask, jet), model(moved, features, mask, jet))


def test_dropout_acts_in_training_alone() -> None:
    torch.manual_seed(0)
    model = ViT(ViTOptions(dropout=0.3, **SMALL), INPUTS, TWO_CLASSES)  # type: ignore[arg-type]
    inputs = jets([40])
    with torch.no_grad():
        assert not torch.equal(model.train()(*inputs), model(*inputs))
        assert torch.equal(model.eval()(*inputs), model(*inputs))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("options.heads=5", "width 64 cannot be shared by 5 heads"),
        ("options.channels=[ECAL,ECAL]", "image channels must be different names"),
        ("options.patch=0", "patch"),
    ],
)
def test_wrong_options_are_refused_by_name(setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_model_config("vit", [setting])


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
@pytest.mark.parametrize("inputs", [CROP, EVENT])
def test_it_fits_regions_of_any_size(inputs: Inputs, positions: str) -> None:
    options = ViTOptions(patch=25, width=8, depth=1, positions=positions)  # type: ignore[arg-type]
    model = ViT(options, inputs, TWO_CLASSES)
    assert model.patches.rows * 25 >= inputs.region.rows > (model.patches.rows - 1) * 25
    assert model.patches.columns * 25 >= inputs.region.columns > (model.patches.columns - 1) * 25
    assert model(*jets([20, 0], inputs=inputs)).shape == (2, 2)


def test_a_patch_larger_than_the_image_is_refused() -> None:
    with pytest.raises(UsageError, match=r"model.options.patch=40 pixels, but they are of 33×33 pixels .* smaller"):
        ViT(ViTOptions(patch=40), CROP, TWO_CLASSES)


def test_sinusoidal_positions_need_a_width_in_fours() -> None:
    with pytest.raises(UsageError, match="multiple of 4, not 6"):
        load_model_config("vit", ["options.width=6", "options.heads=2", "options.positions=sinusoidal"])
    with pytest.raises(ValueError, match="not 6"):
        sinusoidal_positions(3, 3, 6)


def test_the_exported_network_scores_as_torch_does() -> None:
    torch.manual_seed(0)
    model = ViT(ViTOptions(pooling="class", **(SMALL | {"depth": 1})), INPUTS, TWO_CLASSES)  # type: ignore[arg-type]
    report = parity(model, 200)
    assert report.largest_difference < 1e-5
