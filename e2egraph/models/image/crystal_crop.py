"""The crystals around a region's centre as a small image, with the centre where the field's image files have it."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from e2egraph.errors import UsageError
from e2egraph.models.image.rasterize import Rasterize
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.region import Region

# Energy [GeV] and time [ns], as in the e/γ image files.
ENERGY_AND_TIME = ("ECAL", "ECAL_time")

Pixels = tuple[int, int]


class CrystalCrop(nn.Module):
    """``points, features, mask`` → the middle of ``Rasterize``'s image, ``[B, len(channels), size, size]``."""

    def __init__(self, inputs: Inputs, size: int = 32, channels: Sequence[str] = ENERGY_AND_TIME) -> None:
        """UsageError when ``inputs`` lack what is drawn, or their region is smaller than the crop."""
        super().__init__()
        self.rasterize = Rasterize(inputs, channels)
        self.channels = self.rasterize.channels
        self.rows, self.columns = (slice(*pixels) for pixels in middle(inputs.region, size))

    def forward(self, points: Tensor, features: Tensor, mask: Tensor) -> Tensor:
        image: Tensor = self.rasterize(points, features, mask)
        return image[:, :, self.rows, self.columns]


def middle(region: Region, size: int | None) -> tuple[Pixels, Pixels]:
    """First row of the region's image in a crop of ``size`` crystals a side, and the row after its last; columns
    likewise. All of it for None.

    A crop holds −⌊(size − 1) / 2⌋ … ⌊size / 2⌋ counted from the centre: −15 … 16 for the crops of 32 of the e/γ image
    files, whose seed crystal is pixel (15, 15). UsageError when it does not fit into the region.
    """
    if size is None:
        return (0, region.rows), (0, region.columns)
    if min(region.half_rows, region.half_columns) < size // 2:
        raise UsageError(
            f"a crop of model.options.size={size} crystals does not fit into {region.describe()}; lower size, or "
            "build the data set with a larger region.half_window."
        )
    row, column = (half - (size - 1) // 2 for half in (region.half_rows, region.half_columns))
    return (row, row + size), (column, column + size)
