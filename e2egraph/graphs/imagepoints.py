"""Points of jet images → point clouds: the counterpart of ``selection`` and ``nodes`` for sources without events."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector import geometry
from e2egraph.detector.channels import LARGEST_NUMBER, channels
from e2egraph.errors import InputError
from e2egraph.events.schema import ImagePoints, Missing, PointSource
from e2egraph.graphs.columns import JET_TYPES, NODE_TYPES, numpy_type
from e2egraph.graphs.nodes import finish_nodes
from e2egraph.graphs.pixels import inside_pixel
from e2egraph.graphs.pointclouds import PointClouds
from e2egraph.tasks.objects.jet import Jets, kinematic_cuts
from e2egraph.tasks.task import Nodes, Selection, TaskConfig
from e2egraph.tasks.truth import truth_source

# Quantity that each kinematic cut needs, by its name in ``missing``.
CUT_NEEDS = {"pt": "jets.pt", "eta": "jets.eta", "seed_edge": "jets.seed_ieta"}

_GIVEN_LATER = ("label", "weight", "split", "n_nodes", "nodes_cut")


def check_image_source(source: PointSource, task: TaskConfig, sample: str) -> None:
    """Fail at once, naming file and image channel, when the images lack what the task needs or there are none."""
    absent = [channel.name for channel in task.nodes.members if channel not in source.channels]
    if absent:
        has = ",".join(channel.name for channel in sorted(source.channels))
        raise InputError(
            f"{source.path}: no image channel for {', '.join(absent)}, which task '{task.name}' needs; give images "
            f"that have it, or --set nodes.channels=[{has}]."
        )
    truth_source(task.truth, sample, source)
    if source.n_jets == 0:
        raise InputError(f"{source.path}: holds no jets; leave it out.")


def image_jets(columns: dict[str, NDArray]) -> Jets:
    """Jets of an image file with every jet column of ``selection.flatten_jets``, 0 where the file holds nothing.

    Each jet is an event of its own: which jets share one is not known. Columns of ``read_jets`` that are none of a
    shard's (such as ``mass_target``) come along, and can be targets of a task.
    """
    size = len(next(iter(columns.values()))) if columns else 0
    made = {name: np.zeros(size, numpy_type(name)) for name in JET_TYPES if name not in _GIVEN_LATER}
    made |= {name: columns[name].astype(numpy_type(name)) for name in made if name in columns}
    made |= {name: columns[name].astype(np.int64) for name in ("seed_ieta", "seed_iphi") if name in columns}
    made |= {name: values for name, values in columns.items() if name not in made}
    return Jets(np.arange(size), made)


def image_cuts(jets: Jets, selection: Selection, missing: Missing) -> dict[str, NDArray[np.bool_]]:
    """Name of each cut → the jets [J] that pass it; without the cuts on quantities the file lacks.

    Image files hold jets that were selected when they were made; what they lack is listed in the manifest.
    """
    cuts = kinematic_cuts(jets, selection)
    return {name: passed for name, passed in cuts.items() if CUT_NEEDS[name] not in missing}


def image_clouds(points: ImagePoints, jets: Jets, nodes: Nodes) -> tuple[PointClouds, dict[str, int]]:
    """Point clouds of the selected jets and the fates of their nodes, as ``nodes.make_nodes``.

    ``jets``: some of ``image_jets(points.jets)``; ``jets.event`` is the jet's index in ``points``. A node lies in the
    middle of its pixel. Pixels whose value is 0 while another plane's is not (an impact parameter, a time) are kept
    unless a threshold is set for their channel.
    """
    ends = np.cumsum(points.counts)
    counts = points.counts[jets.event]
    first = (ends - points.counts)[jets.event]
    starts = np.cumsum(counts) - counts
    index = np.repeat(first - starts, counts) + np.arange(int(counts.sum()))
    rows, columns = points.rows[index], points.columns[index]
    channel = points.channel[index]
    radius = np.zeros(LARGEST_NUMBER + 1)
    for member in channels().values():
        radius[member] = member.radius
    given: dict[str, NDArray] = {
        "deta": inside_pixel(rows * geometry.ETA_PITCH, rows, geometry.ETA_PITCH),
        "dphi": inside_pixel(columns * geometry.PHI_PITCH, columns, geometry.PHI_PITCH),
        "channel": channel,
        "rho": radius[channel],
        **{name: values[index] for name, values in points.variables.items()},
    }
    zeros = np.zeros(len(index))
    made = {name: given.get(name, zeros).astype(numpy_type(name)) for name in NODE_TYPES}
    made["owner"] = np.repeat(np.arange(len(jets)), counts)
    informative = np.logical_or.reduce([made[name] != 0 for name in ("d0", "dz", "d0_sig", "dz_sig", "time")])
    no_threshold = ~np.isin(channel, [channels()[name] for name in nodes.thresholds])
    return finish_nodes(made, jets, nodes, exempt=(made["value"] == 0) & informative & no_threshold)
