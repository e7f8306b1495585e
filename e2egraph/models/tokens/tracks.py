"""The hardest tracks of a jet, each a token of its own."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from e2egraph.detector import Channel
from e2egraph.models.network import feature_index
from e2egraph.models.serialization import content_fraction

# Keys are pT · (1 + fraction · 2⁻³⁰) in float64: far below the step of a float32, so that only equal pT are affected.
TIE_STEP = 2.0**-30


@torch.no_grad()
def hardest_tracks(features: Tensor, content: Tensor, mask: Tensor, n_tracks: int) -> tuple[Tensor, Tensor]:
    """Indices [B, n_tracks] of the tracks of highest pT in ``features [B, N, V]`` (raw), and whether there is one.

    Tracks of equal pT are told apart by ``content [B, N, D]`` (numbers of order one), not by their index. Where a jet
    has fewer tracks the index is 0.
    """
    value = features[..., feature_index("value")].double()
    key = value * (1.0 + content_fraction(content) * TIE_STEP)
    is_track = mask & (features[..., feature_index(f"is_{Channel.TRACK.name}")] > 0.5)
    # n_tracks columns more, so that TopK is legal at any N.
    key = F.pad(key.masked_fill(~is_track, float("-inf")), (0, n_tracks), value=float("-inf"))
    highest, index = torch.topk(key, n_tracks, dim=1)
    found = highest > float("-inf")
    return torch.where(found, index, torch.zeros_like(index)), found
