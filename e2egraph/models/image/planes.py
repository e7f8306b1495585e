"""The planes of images by name, each made of nodes: one table, whatever network draws them.

Names are those of image files (``events.sources.images.layout``); planes of hits have their channel's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator

from e2egraph.errors import UsageError
from e2egraph.models.layers.scaling import Scale
from e2egraph.tasks.inputs import Inputs

How = Literal["sum", "mean", "weighted", "count", "crystals", "crystal_mean", "towers"]

# A crystal or a track of 1 GeV is well above noise and selection (pT > 0.5 GeV): linear below, logarithmic above.
ENERGY = Scale(1.0, 0.5)
# A tower's noise is about 0.2 GeV (CMS HCAL TDR, CERN/LHCC 97-31), and a pixel holds a 25th of a tower.
TOWER_SHARE = Scale(0.04, 0.25)
COUNT = Scale(1.0, linear=True)
SIGNIFICANCE = Scale(1.0, 0.5)  # standard deviations
D0, DZ = Scale(0.01, 0.3), Scale(0.02, 0.3)  # cm as for nodes, or GeV cm: the same at 1 GeV
TIME = Scale(1.0, 0.5)  # ns, as for nodes


@dataclass(frozen=True)
class Plane:
    """A plane: ``variable`` of the nodes of ``channel``, and ``how`` those of one pixel are put together.

    ``sum``; ``mean``; ``weighted``: Σ value · variable; ``count``: nodes; ``crystals``: sum in a crystal;
    ``crystal_mean``: mean in a crystal; ``towers``: sum spread over a tower's 5×5 crystals. ``scale``: brings pixels to
    order one.
    """

    channel: str
    variable: str
    how: How
    scale: Scale


PLANES: dict[str, Plane] = {
    "track_pt": Plane("TRACK", "value", "sum", ENERGY),
    "track_d0": Plane("TRACK", "d0", "mean", D0),
    "track_dz": Plane("TRACK", "dz", "mean", DZ),
    "track_d0_sig": Plane("TRACK", "d0_sig", "mean", SIGNIFICANCE),
    "track_dz_sig": Plane("TRACK", "dz_sig", "mean", SIGNIFICANCE),
    "track_d0_weighted": Plane("TRACK", "d0", "weighted", D0),
    "track_dz_weighted": Plane("TRACK", "dz", "weighted", DZ),
    "ECAL": Plane("ECAL", "value", "crystals", ENERGY),
    "ECAL_t": Plane("ECAL", "energy_t", "crystals", ENERGY),
    "ECAL_z": Plane("ECAL", "energy_z", "crystals", ENERGY),
    "ECAL_time": Plane("ECAL", "time", "crystal_mean", TIME),
    "HCAL": Plane("HCAL", "value", "towers", TOWER_SHARE),
}

# The eight of the boosted-top image files, in their order (ntuples.md §3).
PUBLISHED_CHANNELS = ("track_pt", "track_d0_sig", "track_dz_sig", "ECAL", "HCAL", "BPIX1", "BPIX2", "BPIX3")


def plane(name: str) -> Plane:
    """The plane of that name; any name that the table does not hold is a layer of hits."""
    return PLANES.get(name) or Plane(name, "", "count", COUNT)


def planes_of(inputs: Inputs) -> tuple[str, ...]:
    """Every plane that can be drawn from nodes of these inputs."""
    tracks_and_calorimeters = [name for name in PLANES if fault(name, inputs) is None]
    return (*tracks_and_calorimeters, *(row.name for row in inputs.channels if row.collection == "hits"))


def fault(name: str, inputs: Inputs) -> str | None:
    """Why plane ``name`` cannot be drawn from nodes of these inputs; None when it can."""
    wanted = plane(name)
    channel = next((row for row in inputs.channels if row.name == wanted.channel), None)
    if channel is None:
        return f"the task has no channel {wanted.channel}"
    if wanted.how == "count" and channel.collection != "hits":
        return f"{name} is no layer of hits, and its nodes are no counts"
    needed = {wanted.variable} | ({"value"} if wanted.how == "weighted" else set())
    absent = [variable for variable in sorted(needed - {""}) if not inputs.has(variable)]
    if absent:
        return f"the task has no variable {absent[0]}"
    if wanted.how == "towers" and not inputs.region.whole_towers:
        return f"its region, {inputs.region.describe()}, does not hold whole towers (HCAL nodes are fine)"
    return None


def chosen(names: Sequence[str] | None, inputs: Inputs) -> tuple[str, ...]:
    """The planes that a network draws: ``names``, or where there are none the published ones that can be drawn.

    UsageError naming a plane that cannot be drawn, and why; ValueError for no names or one that occurs twice.
    """
    if names is None:
        drawn = tuple(name for name in PUBLISHED_CHANNELS if fault(name, inputs) is None)
        if not drawn:
            raise UsageError(
                "no published image plane can be drawn from the task's inputs; name planes with "
                f"model.options.channels, out of {', '.join(planes_of(inputs))}."
            )
        return drawn
    _different(tuple(names))
    for name in names:
        reason = fault(name, inputs)
        if reason is not None:
            raise UsageError(
                f"image plane {name} cannot be drawn: {reason}; choose model.options.channels out of "
                f"{', '.join(planes_of(inputs))}."
            )
    return tuple(names)


def _different(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if names is not None and (not names or len(set(names)) != len(names)):
        raise ValueError("image channels must be different names, at least one")
    return names


# Type of the option that says which planes an image network sees; None for the published ones of the task's inputs.
ImageChannels = Annotated[tuple[str, ...] | None, AfterValidator(_different)]
