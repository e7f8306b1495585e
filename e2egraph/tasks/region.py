"""The region: the part of the detector around an object that is cut out, as the pixels it is made of."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from e2egraph.config import configuration
from e2egraph.detector.geometry import (
    CRYSTALS_PER_TOWER,
    ECAL_COLUMNS,
    ECAL_ROWS,
    ETA_PITCH,
    PHI_PITCH,
    WINDOW_HALF_WIDTH,
)

Centre = Literal["tower", "crystal", "none"]

# The window of the end-to-end papers (arXiv:1807.11916, §3): the centre crystal and 62 on either side.
JET_HALF_WINDOW = WINDOW_HALF_WIDTH
# Around the seed crystal of a cluster: holds the field's crops of 32 × 32 crystals, −15 … 16 from the seed.
CLUSTER_HALF_WINDOW = 16


@configuration
class Region:
    """``rows`` × ``columns`` pixels of ``eta_pitch`` × ``phi_pitch`` [rad] around a ``centre``.

    ``centre``: the middle crystal of an object's seed tower, its seed crystal, or none, where coordinates are those of
    the detector. ``periodic``: whether the columns close in φ. ``lattice``: whether pixels are crystals, so that every
    node lies in the pixel it was measured in.

    ``rows``, ``columns``: pixels along η and φ. ``eta_pitch``, ``phi_pitch`` [rad]: sides of a pixel.
    """

    centre: Centre
    rows: int = Field(ge=1)
    columns: int = Field(ge=1)
    eta_pitch: float = Field(default=ETA_PITCH, gt=0)
    phi_pitch: float = Field(default=PHI_PITCH, gt=0)
    periodic: bool = False
    lattice: bool = True

    @property
    def half_rows(self) -> int:
        """Rows on either side of the middle one."""
        return self.rows // 2

    @property
    def half_columns(self) -> int:
        """Columns on either side of the middle one."""
        return self.columns // 2

    @property
    def half_eta(self) -> float:
        """Half the extent along η: the unit in which networks see positions."""
        return 0.5 * self.rows * self.eta_pitch

    @property
    def half_phi(self) -> float:
        """Half the extent along φ [rad]."""
        return 0.5 * self.columns * self.phi_pitch

    @property
    def whole_towers(self) -> bool:
        """Whether towers lie in it as whole blocks of 5 × 5 pixels, so that an HCAL plane can be drawn."""
        if self.centre == "none":
            # Rows are counted from η = 0, where a tower begins, and columns from φ = −π, where one begins too.
            return self.of_crystals and self.rows % (2 * CRYSTALS_PER_TOWER) == 0
        return (
            self.centre == "tower"
            and self.rows % CRYSTALS_PER_TOWER == 0
            and self.columns % CRYSTALS_PER_TOWER == 0
            and (self.rows // CRYSTALS_PER_TOWER) % 2 == 1
            and (self.columns // CRYSTALS_PER_TOWER) % 2 == 1
        )

    @property
    def of_crystals(self) -> bool:
        """Whether pixels are the detector's crystals, row by row and column by column."""
        if self.centre != "none":
            return self.lattice
        return self.rows % 2 == 0 and self.columns == ECAL_COLUMNS and math.isclose(self.eta_pitch, ETA_PITCH)

    def describe(self) -> str:
        """The region in words."""
        around = {"tower": "around the seed tower", "crystal": "around the seed crystal", "none": "of the detector"}
        return f"{self.rows}×{self.columns} pixels {around[self.centre]}"


@configuration
class RegionConfig:
    """The region of a task.

    ``centre``: ``tower``, ``crystal`` or ``none`` (the whole detector, φ periodic). ``half_window``: crystals on either
    side of the centre crystal, by default 62 around towers and 16 around crystals. ``abs_eta_max``: of the whole
    detector, with ``centre: none`` alone; where it ends a row of crystals (1.479: the barrel; 2.436: all 280 rows),
    pixels are the crystals.
    """

    centre: Centre = "tower"
    half_window: int | None = Field(default=None, ge=0, lt=ECAL_ROWS // 2)
    abs_eta_max: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one_extent(self) -> Self:
        if self.centre == "none" and (self.half_window is not None or self.abs_eta_max is None):
            raise ValueError("centre: none takes abs_eta_max, and no half_window")
        if self.centre != "none" and self.abs_eta_max is not None:
            raise ValueError(f"abs_eta_max belongs to centre: none; give half_window for centre: {self.centre}")
        return self

    @property
    def region(self) -> Region:
        """The region's pixels."""
        if self.centre == "none":
            extent = 2.0 * (self.abs_eta_max or 0.0)
            rows = max(1, round(extent / ETA_PITCH))
            pitch = extent / rows
            return Region(centre="none", rows=rows, columns=ECAL_COLUMNS, eta_pitch=pitch, periodic=True, lattice=False)
        usual = JET_HALF_WINDOW if self.centre == "tower" else CLUSTER_HALF_WINDOW
        size = 2 * (usual if self.half_window is None else self.half_window) + 1
        return Region(centre=self.centre, rows=size, columns=size)


JET_REGION = RegionConfig().region
