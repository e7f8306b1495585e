"""The vision transformer against torch's own layers: convolution for patches, encoder layer for blocks."""

import pytest
import torch
from torch import Tensor, nn

from e2egraph.errors import UsageError
from e2egraph.export.onnx import to_onnx
from e2egraph.export.parity import check_parity
from e2egraph.models.image.patches import PatchEmbedding, sinusoidal_positions
from e2egraph.models.image.vit import ViT, ViTBlock, ViTOptions
from e2egraph.models.registry import load_model_config, parameter_count
from tests.models.jets import jets

SMALL = {"width": 16, "depth": 2, "patch": 25, "channels": ("track_pt", "ECAL")}


@pytest.mark.parametrize(("size", "patch", "side"), [(125, 5, 25), (125, 10, 13), (125, 25, 5), (7, 3, 3), (4, 4, 1)])
def test_patches_are_a_convolution_that_steps_by_whole_patches(size: int, patch: int, side: int) -> None:
    torch.manual_seed(0)
    embedding = PatchEmbedding(3, size, patch, 6)
    image = torch.randn(2, 3, size, size)
    missing = side * patch - size
    filled = nn.functional.pad(image, (0, missing, 0, missing))
    weight = embedding.project.weight.view(6, 3, patch, patch)
    expected = nn.functional.conv2d(filled, weight, embedding.project.bias, stride=patch).flatten(2).transpose(1, 2)
    assert embedding.side == side
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
    table = sinusoidal_positions(5, 8)
    assert table.shape == (25, 8)
    row, column = 3, 2
    expected = [
        f(torch.tensor(x / 10_000 ** (k / 2))) for x in (row, column) for f in (torch.sin, torch.cos) for k in (0, 1)
    ]
    torch.testing.assert_close(table[row * 5 + column], torch.stack(expected))
    distance = torch.cdist(table, table) + 9.0 * torch.eye(25)
    assert distance.min() > 0.1


def parameters(tokens: int, inputs: int, width: int, depth: int, hidden: int, n_outputs: int) -> int:
    """Patches, positions, blocks of attention and perceptron with two norms, last norm, head (eqs. 1 to 4)."""
    attention = 4 * (width * width + width)
    perceptron = width * hidden + hidden + hidden * width + width
    block = attention + perceptron + 2 * 2 * width
    return inputs * width + width + tokens * width + depth * block + 2 * width + width * n_outputs + n_outputs


def test_parameters_are_those_of_the_published_layers() -> None:
    shipped = ViT(ViTOptions(), 2)
    assert parameter_count(shipped) == parameters(13 * 13, 8 * 100, 64, 4, 128, 2) == 196_226
    with_token = ViT(ViTOptions(pooling="class"), 2)
    assert parameter_count(with_token) == parameter_count(shipped) + 64
    fixed = ViT(ViTOptions(positions="sinusoidal"), 2)
    assert parameter_count(fixed) == parameter_count(shipped) - 13 * 13 * 64


def tokens_before_the_head(model: ViT, pooling: str) -> tuple[Tensor, Tensor]:
    seen: list[Tensor] = []
    model.norm.register_forward_hook(lambda _m, _i, out: seen.append(out))
    scores = model(*jets([30, 12, 0]))
    return seen[0], scores


def test_the_class_token_is_read_and_the_mean_is_over_patches() -> None:
    torch.manual_seed(0)
    model = ViT(ViTOptions(pooling="class", **SMALL), 3)  # type: ignore[arg-type]
    tokens, scores = tokens_before_the_head(model, "class")
    assert tokens.shape == (3, 26, 16)
    torch.testing.assert_close(scores, model.head(tokens[:, 0]))
    model = ViT(ViTOptions(pooling="mean", **SMALL), 3)  # type: ignore[arg-type]
    tokens, scores = tokens_before_the_head(model, "mean")
    assert tokens.shape == (3, 25, 16)
    torch.testing.assert_close(scores, model.head(tokens.mean(1)))


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
def test_where_a_deposit_lies_matters_through_positions_alone(positions: str) -> None:
    torch.manual_seed(0)
    model = ViT(ViTOptions(positions=positions, **SMALL), 2).eval()  # type: ignore[arg-type]
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
    model = ViT(ViTOptions(dropout=0.3, **SMALL), 2)  # type: ignore[arg-type]
    inputs = jets([40])
    with torch.no_grad():
        assert not torch.equal(model.train()(*inputs), model(*inputs))
        assert torch.equal(model.eval()(*inputs), model(*inputs))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("options.heads=5", "width 64 cannot be shared by 5 heads"),
        ("options.channels=[muons]", "track_pt, track_d0"),
        ("options.patch=0", "patch"),
    ],
)
def test_wrong_options_are_refused_by_name(setting: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_model_config("vit", [setting])


def test_sinusoidal_positions_need_a_width_in_fours() -> None:
    with pytest.raises(UsageError, match="multiple of 4, not 6"):
        load_model_config("vit", ["options.width=6", "options.heads=2", "options.positions=sinusoidal"])
    with pytest.raises(ValueError, match="not 6"):
        sinusoidal_positions(3, 6)


def test_the_exported_network_scores_as_torch_does() -> None:
    torch.manual_seed(0)
    model = ViT(ViTOptions(pooling="class", **(SMALL | {"depth": 1})), 2)  # type: ignore[arg-type]
    report = check_parity(model, to_onnx(model, 2).SerializeToString(), max_nodes=200)
    assert report.largest_difference < 1e-5
