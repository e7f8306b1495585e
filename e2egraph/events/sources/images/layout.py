"""What the planes of an image file mean, in order: never guessed, always given by the user or a named preset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from e2egraph import config
from e2egraph.config import configuration
from e2egraph.detector.channels import Channel, hit_channels
from e2egraph.detector.geometry import WINDOW_SIZE
from e2egraph.errors import UsageError

_PLANES: dict[str, tuple[Channel, str]] = {
    "track_pt": (Channel.TRACK, "value"),
    "track_d0": (Channel.TRACK, "d0"),
    "track_dz": (Channel.TRACK, "dz"),
    "track_d0_sig": (Channel.TRACK, "d0_sig"),
    "track_dz_sig": (Channel.TRACK, "dz_sig"),
    "ECAL": (Channel.ECAL, "value"),
    "ECAL_time": (Channel.ECAL, "time"),
    "HCAL": (Channel.HCAL, "value"),
}
# A plane that is there and not wanted.
IGNORED = "ignore"

# Quantity of a jet → the columns that hold it, the first that is there (converters of RHTree files, ntuples.md §3).
# ``gen_mass``, ``gen_pt``: of the generated particle, targets of a regression. ``seed_row``, ``seed_column``: of a seed
# crystal in the barrel (0–169, 0–359). ``jet``: number of an object in its event.
JET_COLUMNS: dict[str, tuple[str, ...]] = {
    "jet_pt": ("pt", "jetPt", "jetpt", "pho_pT"),
    "jet_eta": ("eta", "jetEta", "pho_eta"),
    "jet_phi": ("phi", "jetPhi", "pho_phi"),
    "jet_mass": ("m0", "jetM"),
    "seed_ieta": ("ieta",),
    "seed_iphi": ("iphi",),
    "seed_row": ("SC_ieta",),
    "seed_column": ("SC_iphi",),
    "truth_label": ("y",),
    "run": ("runId",),
    "lumi": ("lumiId",),
    "event": ("eventId",),
    "jet": ("SC_number",),
    "gen_mass": ("am", "m", "SC_mass"),
    "gen_pt": ("apt", "SC_pT"),
}


def planes() -> dict[str, tuple[Channel, str]]:
    """Name of a plane → the nodes it makes and the node variable it fills. Planes of hits have the name of their layer
    and count hits, which each become a node."""
    return _PLANES | {channel.name: (channel, "value") for channel in hit_channels()}


# Planes that images of whole events can have: energies and pT add up in their pixels.
EVENT_PLANES = ("track_pt", "ECAL", "HCAL")


@configuration
class ImageLayout:
    """The planes of an image file.

    ``planes``: names of ``planes()`` or ``ignore``, in the file's order. ``flat``: how a flat row of pixels is folded
    (``channel-last``: row, column, plane); the axes of nested and HDF5 images are known by their length. ``columns``:
    jet quantity → the file's column, where it is not one of ``JET_COLUMNS``. ``seed``: whether ieta and iphi count
    ``towers`` (0–55, 0–71) or ``crystals`` (0–279, 0–359, the window's centre). ``size``: pixels along η and φ, whose
    pixel (size − 1) // 2 lies in the middle of the 125×125 window. ``seed_crystal``: whether that pixel is the seed of
    a cluster, with no more energetic one within 2 rows and 8 columns; images that it is not true of are counted as a
    cut (``seed``), and a file where it is not true of half of them is refused. ``HCAL`` planes hold tower energy / 25
    in each of 5×5 crystals, as every converter writes them.

    ``events_abs_eta_max``: images are of whole events, in HDF5: equal steps of η along rows, from minus to plus this,
    and of φ along columns, from −π to π; energies there are those of the towers, not their 25th part. Their number of
    pixels is the file's.

    ``description``: what kind of files it is.
    """

    planes: list[str] = Field(min_length=1)
    description: str = ""
    flat: Literal["channel-last", "channel-first"] = "channel-last"
    columns: dict[str, str] = Field(default_factory=dict)
    seed: Literal["towers", "crystals"] = "towers"
    size: int = Field(default=WINDOW_SIZE, ge=1, le=WINDOW_SIZE)
    seed_crystal: bool = False
    events_abs_eta_max: float | None = Field(default=None, gt=0)

    @field_validator("planes")
    @classmethod
    def _known_planes(cls, names: list[str]) -> list[str]:
        known = planes()
        unknown = [name for name in names if name not in known and name != IGNORED]
        if unknown:
            raise ValueError(f"unknown image channels {', '.join(unknown)}; known are {', '.join(known)}, {IGNORED}")
        used = [name for name in names if name != IGNORED]
        if not used or len(set(used)) < len(used):
            raise ValueError("image channels must be different names, at least one of them not ignored")
        return names

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, columns: dict[str, str]) -> dict[str, str]:
        unknown = [name for name in columns if name not in JET_COLUMNS]
        if unknown:
            raise ValueError(f"unknown jet quantities {', '.join(unknown)}; known are {', '.join(JET_COLUMNS)}")
        return columns

    @model_validator(mode="after")
    def _seed_is_seen(self) -> Self:
        if self.seed_crystal and "ECAL" not in self.planes:
            raise ValueError("seed_crystal needs a plane ECAL")
        return self

    @model_validator(mode="after")
    def _events_have_sums(self) -> Self:
        if self.events_abs_eta_max is None:
            return self
        other = [name for name in self.planes if name not in (*EVENT_PLANES, IGNORED)]
        if other:
            raise ValueError(f"images of whole events (events_abs_eta_max) have no {', '.join(other)}")
        if self.seed_crystal or self.columns or self.size != WINDOW_SIZE:
            raise ValueError("images of whole events (events_abs_eta_max) take no size, columns or seed_crystal")
        return self

    @property
    def channels(self) -> frozenset[Channel]:
        """Detector layers that the planes fill."""
        return frozenset(planes()[name][0] for name in self.planes if name != IGNORED)

    def column_names(self, quantity: str) -> tuple[str, ...]:
        """Columns of a file that may hold a jet quantity."""
        return (self.columns[quantity],) if quantity in self.columns else JET_COLUMNS[quantity]


def image_layout(channels: str | None, preset: str | None, settings: Sequence[str] = ()) -> ImageLayout | None:
    """The layout that ``--image-channels A,B,…`` or ``--image-preset NAME|FILE.yaml`` asks for; None without either.

    UsageError: both given, an unknown plane or an unknown preset.
    """
    if channels is not None and preset is not None:
        raise UsageError("--image-channels and --image-preset both say what the planes are; give one of them.")
    if preset is not None:
        return config.load(ImageLayout, "images", preset, settings)
    if channels is None:
        return None
    planes = [name.strip() for name in channels.split(",")]
    return config.validate(ImageLayout, config.override({"planes": planes}, settings), "--image-channels")
