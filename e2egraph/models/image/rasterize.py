"""Point clouds → the dense images of the ntuples, on the device (the equivalence contract of DESIGN §5)."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import AfterValidator
from torch import Tensor, nn

from e2egraph.detector.channels import Channel, channels, hit_channels
from e2egraph.detector.geometry import CRYSTALS_PER_TOWER, WINDOW_SIZE
from e2egraph.models.grid import window_pixels
from e2egraph.models.image.pixel_sums import pixel_sums
from e2egraph.models.network import clear_padding, feature_index

ImpactParameter = Literal["significance", "mean", "weighted"]

HIT_IMAGES = tuple(channel.name for channel in hit_channels())
IMAGE_CHANNELS = ("track_pt", "track_d0", "track_dz", "ECAL", "HCAL", *HIT_IMAGES)

# The eight of the boosted-top image files, in their order (ntuples.md §3).
PUBLISHED_CHANNELS = ("track_pt", "track_d0", "track_dz", "ECAL", "HCAL", "BPIX1", "BPIX2", "BPIX3")


def _known(channels: tuple[str, ...]) -> tuple[str, ...]:
    if not channels or len(set(channels)) != len(channels) or not set(channels) <= set(IMAGE_CHANNELS):
        raise ValueError(f"image channels must be different names out of {', '.join(IMAGE_CHANNELS)}")
    return channels


# Type of the option that says which planes an image network sees.
ImageChannels = Annotated[tuple[str, ...], AfterValidator(_known)]


class Rasterize(nn.Module):
    """``points, features, mask`` → image ``[B, len(channels), 125 g, 125 g]``, rows along η, columns along φ.

    ``track_pt``: sum of pT [GeV] in a pixel. ``track_d0``, ``track_dz``, by ``impact``: mean of the signed
    significance (``significance``, as ``ECAL_tracksD0Sig_atECALfixIP`` and the network of the papers), mean of the
    signed value in cm (``mean``, as ``ECAL_tracksD0_atECALfixIP``), or Σ pT·d0 [GeV cm] (``weighted``).
    ``BPIX1`` … ``TOB2``: hits counted. ``ECAL``: energy [GeV] summed in a crystal. ``HCAL``: tower energy [GeV]
    divided by 25 and spread over its 5×5 crystals (the window is aligned with the towers).
    ``granularity`` g makes pixels of a g-th of a crystal for tracks and hits; a crystal's energy is then spread evenly
    over its g×g pixels. Nodes outside the window, in padding, or of a channel not asked for leave no trace.
    """

    def __init__(
        self,
        channels: tuple[str, ...] = PUBLISHED_CHANNELS,
        impact: ImpactParameter = "significance",
        granularity: int = 1,
    ) -> None:
        super().__init__()
        if granularity < 1 or granularity % 2 == 0:
            raise ValueError("granularity must be odd, so that a crystal's centre is a pixel's centre")
        self.channels = _known(tuple(channels))
        self.impact = impact
        self.granularity = granularity
        self.size = WINDOW_SIZE * granularity

    def extra_repr(self) -> str:
        return f"{', '.join(self.channels)}, impact={self.impact}, granularity={self.granularity}"

    def forward(self, points: Tensor, features: Tensor, mask: Tensor) -> Tensor:
        points, features, valid = clear_padding(points, features, mask)
        g = self.granularity
        crystal = _Pixels(points, valid, 1)
        planes = self._fine_planes(_Pixels(points, valid, g) if g > 1 else crystal, features)
        if "ECAL" in self.channels:
            deposits = crystal.sums([_flagged(features, Channel.ECAL, "value") / (g * g)], 1)
            planes["ECAL"] = _spread(deposits, g)[:, 0]
        if "HCAL" in self.channels:
            share = float((CRYSTALS_PER_TOWER * g) ** 2)
            deposits = crystal.sums([_flagged(features, Channel.HCAL, "value") / share], CRYSTALS_PER_TOWER)
            planes["HCAL"] = _spread(deposits, CRYSTALS_PER_TOWER * g)[:, 0]
        return torch.stack([planes[name] for name in self.channels], dim=1)

    def _fine_planes(self, pixels: _Pixels, features: Tensor) -> dict[str, Tensor]:
        """The planes made of tracks and hits, each [B, size, size]."""
        sums: dict[str, Tensor] = {}
        if "track_pt" in self.channels:
            sums["track_pt"] = _flagged(features, Channel.TRACK, "value")
        suffix = "_sig" if self.impact == "significance" else ""
        impacts: list[str] = [name for name in ("track_d0", "track_dz") if name in self.channels]
        for name in impacts:
            sums[name] = _flagged(features, Channel.TRACK, name.removeprefix("track_") + suffix)
            if self.impact == "weighted":
                sums[name] = sums[name] * _flagged(features, Channel.TRACK, "value")
        for name in HIT_IMAGES:
            if name in self.channels:
                sums[name] = _flag(features, channels()[name])
        mean = bool(impacts) and self.impact != "weighted"
        if mean:
            sums["tracks"] = _flag(features, Channel.TRACK)
        if not sums:
            return {}
        stacked = pixels.sums(list(sums.values()), 1)
        planes = {name: stacked[:, i] for i, name in enumerate(sums)}
        if mean:
            # A mean is sum over count: scatter_reduce("mean") exports wrong numbers to ONNX (cmssw.md).
            count = planes.pop("tracks").clamp(min=1.0)
            planes.update({name: planes[name] / count for name in impacts})
        return planes


class _Pixels:
    """Where each node of ``points [B, N, 2]`` lies in a window of 125 g × 125 g pixels."""

    def __init__(self, points: Tensor, valid: Tensor, granularity: int) -> None:
        self.size = WINDOW_SIZE * granularity
        self.row, self.column, inside = window_pixels(points, granularity)
        self.inside = inside & valid

    def sums(self, values: list[Tensor], cell: int) -> Tensor:
        """Each of ``values`` ([B, N]) summed in cells of ``cell`` × ``cell`` pixels: [B, len(values), n, n]."""
        return pixel_sums(values, self.row // cell, self.column // cell, self.inside, self.size // cell)


def _spread(image: Tensor, factor: int) -> Tensor:
    """Every pixel of ``image [B, P, n, n]`` repeated over factor × factor pixels."""
    if factor == 1:
        return image
    n_jets, planes, n, _ = image.shape
    repeated = image[:, :, :, None, :, None].expand(-1, -1, -1, factor, -1, factor)
    return repeated.reshape(n_jets, planes, n * factor, n * factor)


def _flag(features: Tensor, channel: Channel) -> Tensor:
    return features[..., feature_index(f"is_{channel.name}")]


def _flagged(features: Tensor, channel: Channel, variable: str) -> Tensor:
    return _flag(features, channel) * features[..., feature_index(variable)]
