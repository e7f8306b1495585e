"""Points of image files → point clouds: the counterpart of ``nodes`` for sources without events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector import geometry
from e2egraph.detector.channels import LARGEST_NUMBER
from e2egraph.errors import InputError
from e2egraph.events.schema import ImagePoints, Missing, PointSource
from e2egraph.events.sources.images.layout import JET_COLUMNS
from e2egraph.graphs.making.nodes import finish_nodes
from e2egraph.graphs.making.pixels import inside_pixel
from e2egraph.graphs.storage.columns import BEFORE, NODE_TYPES, variable_columns
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.objects.objects import Objects
from e2egraph.tasks.region import Centre, Region
from e2egraph.tasks.task import TaskConfig
from e2egraph.tasks.variables import values_of, variables

_GIVEN_LATER = ("label", "weight", "split")

# Where a region lies → the columns of image files that say so.
_SEEDS: dict[Centre, tuple[str, ...]] = {
    "tower": ("seed_ieta", "seed_iphi"),
    "crystal": ("seed_row", "seed_column"),
    "none": (),
}


def check_image_source(source: PointSource, task: TaskConfig) -> None:
    """Fail at once, naming file and image channel, when the images lack what the task needs or there are none."""
    if source.of_events != (task.region.region.centre == "none"):
        raise InputError(
            f"{source.path}: holds images of {'whole events' if source.of_events else 'jets'}, but task '{task.name}' "
            f"sees {task.region.region.describe()}; choose a task of {'events' if source.of_events else 'jets'}."
        )
    here = {channel.name for channel in source.channels}
    absent = [name for name in task.inputs.channels if name not in here]
    if absent:
        has = ",".join(channel.name for channel in sorted(source.channels))
        raise InputError(
            f"{source.path}: no image channel for {', '.join(absent)}, which task '{task.name}' needs; give images "
            f"that have it, or --set inputs.channels=[{has}]."
        )
    made = ", ".join(_of_places(task.network_inputs))
    unknown = [name for name in _SEEDS[task.region.centre] if name not in source.recognised]
    if made and unknown:
        raise InputError(
            f"{source.path}: no column {' or '.join(JET_COLUMNS[unknown[0]])}, and so no place in the detector that "
            f"{made} could be made of; give images that have it, or take {made} out of inputs.variables."
        )
    kind = task.object_kind
    for name, option in kind.needs(task.object).items():
        # Cuts on quantities that images do not hold are left out; one on deposits around an object cannot be.
        if name not in kind.cut_needs.values():
            raise InputError(
                f"{source.path}: holds images, and no {name} of events, which {option} of task '{task.name}' needs; "
                "set it to null."
            )
    if source.n_jets == 0:
        raise InputError(f"{source.path}: holds no objects; leave it out.")


def image_objects(columns: dict[str, NDArray], task: TaskConfig) -> Objects:
    """Objects of an image file with every plain column of the task's kind, 0 where the file holds nothing.

    Each is an event of its own: which ones share an event is not known. Columns of ``read_jets`` that are none of a
    shard's (such as ``gen_mass``) come along, and can be targets of a task.
    """
    size = len(next(iter(columns.values()))) if columns else 0
    types = {name: kind for name, kind in BEFORE.items() if name not in _GIVEN_LATER} | dict(task.object_kind.columns)
    made: dict[str, NDArray] = {name: np.zeros(size, kind) for name, kind in (types | {"n_pv": "uint16"}).items()}
    # In the file's own types: what does not fit a shard's is told, and not cut off, when it is written.
    made |= {name: columns[name] for name in types if name in columns}
    made |= {name: columns[name].astype(np.int64) for name in ("seed_ieta", "seed_iphi") if name in columns}
    made |= {name: values for name, values in columns.items() if name not in made}
    return task.object_kind.from_columns(made)


def image_cuts(objects: Objects, task: TaskConfig, missing: Missing) -> dict[str, NDArray[np.bool_]]:
    """Name of each cut → the objects [J] that pass it; without the cuts on quantities the file lacks.

    Image files hold objects that were selected when they were made; what they lack is listed in the manifest.
    """
    kind = task.object_kind
    passed = kind.cuts(objects, task.object)
    return {name: cut for name, cut in passed.items() if kind.cut_needs.get(name) not in missing}


def image_clouds(points: ImagePoints, objects: Objects, task: TaskConfig) -> tuple[PointClouds, dict[str, int]]:
    """Point clouds of the selected objects and what became of their nodes, as ``nodes.make_nodes``.

    ``objects``: some of ``image_objects(points.jets)``; ``objects.event`` is the index in ``points``. A node lies in
    the middle of its pixel, of whose place and planes variables are made; those of fields that images do not hold are
    0. InputError: a variable needs more than that. Pixels whose value is 0 while another plane's is
    not (an impact parameter, a time) are kept unless a threshold is set for their channel.
    """
    ends = np.cumsum(points.counts)
    counts = points.counts[objects.event]
    first = (ends - points.counts)[objects.event]
    starts = np.cumsum(counts) - counts
    index = np.repeat(first - starts, counts) + np.arange(int(counts.sum()))
    owner = np.repeat(np.arange(len(objects)), counts)
    inside, places = _places(points, index, task.network_inputs.region)
    index, owner = index[inside], owner[inside]
    channel = points.channel[index]
    made: dict[str, NDArray] = {"owner": owner, **places, "channel": channel.astype(NODE_TYPES["channel"])}
    made |= _variables(points, index, objects.take(owner), task.network_inputs)
    others = [values[index] != 0 for name, values in points.variables.items() if name != "value"]
    informative = np.logical_or.reduce(others) if others else np.zeros(len(index), bool)
    no_threshold = ~np.isin(channel, [task.numbers[name] for name in task.inputs.thresholds])
    return finish_nodes(made, objects, task, exempt=(made["value"] == 0) & informative & no_threshold)


def _places(
    points: ImagePoints, index: NDArray[np.int64], region: Region
) -> tuple[NDArray[np.bool_], dict[str, NDArray]]:
    """Which of the points ``index`` lie in the region, and Δη and Δφ of those."""
    if points.eta is not None and points.phi is not None:
        eta, phi = points.eta[index], points.phi[index]
        inside = np.abs(eta) < region.half_eta
        return inside, {"deta": eta[inside].astype(np.float32), "dphi": phi[inside].astype(np.float32)}
    rows, columns = points.rows[index], points.columns[index]
    inside = (np.abs(rows) <= region.half_rows) & (np.abs(columns) <= region.half_columns)
    rows, columns = rows[inside], columns[inside]
    return inside, {
        "deta": inside_pixel(rows * geometry.ETA_PITCH, rows, geometry.ETA_PITCH),
        "dphi": inside_pixel(columns * geometry.PHI_PITCH, columns, geometry.PHI_PITCH),
    }


def _of_places(inputs: Inputs) -> Iterator[str]:
    """The variables of ``inputs`` that are worked out from where a node lies in the detector."""
    collections = {channel.collection for channel in inputs.channels}
    for name in inputs.variable_names:
        if name != "rho" and any(callable(variables()[name].origin.get(each)) for each in collections):
            yield name


def _variables(points: ImagePoints, index: NDArray[np.int64], of: Objects, inputs: Inputs) -> dict[str, NDArray]:
    """``variable_columns`` of the points ``index``, each [S] float32; ``of``: the object of each."""
    channel = points.channel[index]
    radius = np.zeros(LARGEST_NUMBER + 1)
    for known in inputs.channels:
        radius[known.number] = known.radius
    made: dict[str, NDArray] = {name: values[index] for name, values in points.variables.items()}
    made["rho"] = radius[channel]
    for name in variable_columns(inputs):
        if name not in made:
            made[name] = np.zeros(len(index), np.float32)
            for collection, origin in variables()[name].origin.items():
                numbers = [known.number for known in inputs.channels if known.collection == collection]
                here = np.flatnonzero(np.isin(channel, numbers))
                fields = _fields(collection, points, index[here], of.take(here))
                if isinstance(origin, str) and origin not in fields:
                    continue  # told as missing
                try:
                    made[name][here] = values_of(variables()[name], collection, fields, len(here))
                except (ValueError, KeyError) as error:
                    raise InputError(
                        f"variable {name} cannot be made of images ({error}); give files of events, or take it out of "
                        "inputs.variables."
                    ) from error
    return {name: made[name].astype(np.float32) for name in variable_columns(inputs)}


def _fields(collection: str, points: ImagePoints, index: NDArray[np.int64], of: Objects) -> Mapping[str, NDArray]:
    """What images know of the fields of a collection's deposits, each [S]: rows and columns of crystals and towers (of
    whole events, fractions of them), energies, times; of tracks pT and impact parameters."""
    held = {name: values[index] for name, values in points.variables.items()}
    if collection == "tracks":
        return {"pt": held["value"], **{name: held[name] for name in ("d0", "dz", "d0_sig", "dz_sig")}}
    if collection not in ("ecal", "hcal"):
        return {}
    row: NDArray
    column: NDArray
    if points.eta is not None and points.phi is not None:
        row = points.eta[index] / geometry.ETA_PITCH + 0.5 * (geometry.ECAL_ROWS - 1)
        column = np.degrees(points.phi[index]) - geometry.FIRST_COLUMN_DEGREES - 0.5
    else:
        row = of.centres.row + points.rows[index]
        column = of.centres.column + points.columns[index]
    column = column % geometry.ECAL_COLUMNS
    cells = {"energy": held["value"]}
    if collection == "hcal":
        towers = (row // geometry.CRYSTALS_PER_TOWER, column // geometry.CRYSTALS_PER_TOWER)
        return {**cells, "ieta": towers[0], "iphi": towers[1]}
    return {**cells, "ieta": row, "iphi": column, "time": held["time"]}
