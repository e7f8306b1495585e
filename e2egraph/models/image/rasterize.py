"""Point clouds → the dense images of the ntuples, on the device (the equivalence contract of DESIGN §6)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from e2egraph.detector.geometry import CRYSTALS_PER_TOWER
from e2egraph.models.image.pixel_sums import pixel_sums
from e2egraph.models.image.planes import chosen, plane
from e2egraph.models.layers.geometry.grid import region_pixels
from e2egraph.models.network import clear_padding
from e2egraph.tasks.inputs import FLAG_PREFIX, Inputs
from e2egraph.tasks.region import Region


class Rasterize(nn.Module):
    """``points, features, mask`` → image ``[B, len(channels), rows · g, columns · g]``, rows along η, columns along φ.

    ``track_pt``: sum of pT [GeV] in a pixel. ``track_d0``, ``track_dz``: mean of the signed value in cm (as
    ``ECAL_tracksD0_atECALfixIP``); ``track_d0_sig``, ``track_dz_sig``: mean of the signed significance (as
    ``ECAL_tracksD0Sig_atECALfixIP`` and the network of the papers); ``track_d0_weighted``, ``track_dz_weighted``:
    Σ pT·d0 [GeV cm]. Channels of hits by name: hits counted. ``ECAL``: energy [GeV] summed in a crystal;
    ``ECAL_time``: the mean of its deposits' times [ns]. ``HCAL``: tower energy [GeV] divided by 25 and spread over its
    5×5 crystals (the region is aligned with the towers). ``granularity`` g makes pixels of a g-th of a crystal for
    tracks and hits; a crystal's energy is then spread evenly over its g×g pixels, each of which has its time.
    Nodes outside the region, in padding, or of a channel not asked for leave no trace.
    """

    def __init__(self, inputs: Inputs, channels: Sequence[str] | None = None, granularity: int = 1) -> None:
        """``channels``: planes by name, the published ones that ``inputs`` allow where not given. UsageError when one
        cannot be drawn."""
        super().__init__()
        if granularity < 1 or granularity % 2 == 0:
            raise ValueError("granularity must be odd, so that a crystal's centre is a pixel's centre")
        self.channels = chosen(channels, inputs)
        self.granularity = granularity
        self.region: Region = inputs.region
        self.height, self.width = inputs.region.rows * granularity, inputs.region.columns * granularity
        planes = {name: plane(name) for name in self.channels}
        self._how = {name: one.how for name, one in planes.items()}
        self._flag = {name: inputs.index(FLAG_PREFIX + one.channel) for name, one in planes.items()}
        self._variable = {name: inputs.index(one.variable) for name, one in planes.items() if one.variable}
        self._value = inputs.index("value") if inputs.has("value") else -1

    def extra_repr(self) -> str:
        return f"{', '.join(self.channels)}, granularity={self.granularity}"

    def forward(self, points: Tensor, features: Tensor, mask: Tensor) -> Tensor:
        points, features, valid = clear_padding(points, features, mask)
        g = self.granularity
        crystal = _Pixels(points, valid, self.region, 1)
        planes = self._fine_planes(_Pixels(points, valid, self.region, g) if g > 1 else crystal, features)
        for name, how in self._how.items():
            if how == "crystals":
                deposits = crystal.sums([self._flagged(features, name) / (g * g)], 1)
                planes[name] = _spread(deposits, g)[:, 0]
            elif how == "crystal_mean":
                totals = crystal.sums([self._flagged(features, name), features[..., self._flag[name]]], 1)
                mean = totals[:, :1] / totals[:, 1:].clamp(min=1.0)
                planes[name] = _spread(mean, g)[:, 0]
            elif how == "towers":
                share = float((CRYSTALS_PER_TOWER * g) ** 2)
                deposits = crystal.sums([self._flagged(features, name) / share], CRYSTALS_PER_TOWER)
                planes[name] = _spread(deposits, CRYSTALS_PER_TOWER * g)[:, 0]
        return torch.stack([planes[name] for name in self.channels], dim=1)

    def _fine_planes(self, pixels: _Pixels, features: Tensor) -> dict[str, Tensor]:
        """The planes made of tracks and hits, each [B, height, width]."""
        sums: dict[str | int, Tensor] = {}
        for name, how in self._how.items():
            if how == "count":
                sums[name] = features[..., self._flag[name]]
            elif how in ("sum", "mean", "weighted"):
                sums[name] = self._flagged(features, name)
            if how == "weighted":
                sums[name] = sums[name] * features[..., self._value]
            if how == "mean":  # of nodes of one flag: their number, once
                sums[self._flag[name]] = features[..., self._flag[name]]
        if not sums:
            return {}
        stacked = pixels.sums(list(sums.values()), 1)
        found = {name: stacked[:, i] for i, name in enumerate(sums)}
        planes = {name: plane for name, plane in found.items() if isinstance(name, str)}
        # A mean is sum over count: scatter_reduce("mean") exports wrong numbers to ONNX (cmssw.md).
        counts = {flag: count.clamp(min=1.0) for flag, count in found.items() if isinstance(flag, int)}
        for name, how in self._how.items():
            if how == "mean":
                planes[name] = planes[name] / counts[self._flag[name]]
        return planes

    def _flagged(self, features: Tensor, name: str) -> Tensor:
        return features[..., self._flag[name]] * features[..., self._variable[name]]


class _Pixels:
    """Where each node of ``points [B, N, 2]`` lies among the pixels of the region, g of them a crystal's side."""

    def __init__(self, points: Tensor, valid: Tensor, region: Region, granularity: int) -> None:
        self.height, self.width = region.rows * granularity, region.columns * granularity
        self.row, self.column, inside = region_pixels(points, region, granularity)
        self.inside = inside & valid

    def sums(self, values: list[Tensor], cell: int) -> Tensor:
        """Each of ``values`` ([B, N]) summed in cells of ``cell`` × ``cell`` pixels: [B, values, rows, columns]."""
        return pixel_sums(
            values, self.row // cell, self.column // cell, self.inside, self.height // cell, self.width // cell
        )


def _spread(image: Tensor, factor: int) -> Tensor:
    """Every pixel of ``image [B, P, m, n]`` repeated over factor × factor pixels."""
    if factor == 1:
        return image
    n_jets, planes, m, n = image.shape
    repeated = image[:, :, :, None, :, None].expand(-1, -1, -1, factor, -1, factor)
    return repeated.reshape(n_jets, planes, m * factor, n * factor)
