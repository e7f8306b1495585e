"""The chosen objects as the page's scripts read them: nodes, images, scores and the contribution of each node."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.loading.pools import columns_for, read_jets
from e2egraph.data.options import DataOptions
from e2egraph.data.padding import pad
from e2egraph.data.scores import Scores
from e2egraph.data.table import JetTable
from e2egraph.detector.geometry import CRYSTALS_PER_TOWER
from e2egraph.evaluation.explain.attribution import (
    ROWS,
    column_score,
    occlusion_by_cell,
    occlusion_by_channel,
)
from e2egraph.evaluation.objectives.evaluation import ShownJets
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.models.image.planes import plane
from e2egraph.models.image.rasterize import Rasterize
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.objects.naming import ObjectName

# Towers two by two: about a hundred forward passes a jet, some seconds for all of them.
CELL_CRYSTALS = 2 * CRYSTALS_PER_TOWER

# Jet quantities shown next to a jet: column → (title, unit, digits). A column that is 0 for all jets shown is unknown.
QUANTITIES = {
    "jet_pt": ("pT", "GeV", 0),
    "jet_eta": ("η", "", 2),
    "cluster_energy": ("energy", "GeV", 0),
    "r9": ("R9", "", 2),
    "jet_mass": ("mass", "GeV", 0),
    "softdrop_mass": ("soft-drop mass", "GeV", 0),
    "tau21": ("τ21", "", 2),
    "tau32": ("τ32", "", 2),
    "n_pv": ("primary vertices", "", 0),
    "ht": ("H_T", "GeV", 0),
    "n_jets": ("jets", "", 0),
    "n_bjets": ("b-tagged jets", "", 0),
    "sum_fatjet_mass": ("ΣM", "GeV", 0),
    "met": ("missing pT", "GeV", 0),
}

IDENTITY = ("run", "lumi", "event", "jet")

_PLANES = {
    "track_pt": ("track pT", "GeV"),
    "ECAL": ("ECAL energy", "GeV"),
    "HCAL": ("HCAL energy / 25", "GeV"),
}
_IMPACT_UNITS = {"mean": "cm", "weighted": "GeV cm"}

# Node variables of the display with the digits that are kept: positions to 10⁻⁴, a hundredth of a crystal.
_POSITION_DIGITS = 4
_SIGNIFICANT = 4


def jet_data(
    network: nn.Module,
    options: DataOptions,
    table: JetTable,
    numbers: NDArray[np.int64],
    scores: Scores,
    shown: ShownJets,
) -> dict[str, Any]:
    """JSON-ready content for ``jets.js``; ``numbers`` [J]: places in ``table`` of the jets of ``scores``.

    The image is that of the network's own ``Rasterize``, or the published planes for a network without. Effects are
    changes of what ``shown`` names when nodes are left out: of a channel at once, and of a square of ``CELL_CRYSTALS``
    crystals, the same for all nodes in it. InputError when a shard is damaged.
    """
    places = np.array([jet.place for jet in shown.chosen])
    clouds = _read(table, numbers[places], options)
    inputs = table.inputs
    batch = JetBatch.from_arrays(pad(clouds, inputs))
    own = next((module for module in network.modules() if isinstance(module, Rasterize)), None)
    rasterize = own or Rasterize(inputs)
    # It has no weights, so that it runs wherever its input is.
    images: NDArray[np.float32] = rasterize(batch.points, batch.features, batch.mask).numpy()
    rows = min(ROWS, options.evaluation_batch_size)
    score = column_score(table.manifest.objective.outputs, shown.column)
    by_channel = occlusion_by_channel(network, batch, score=score, inputs=inputs, rows=rows).numpy()
    region = inputs.region
    by_cell = occlusion_by_cell(network, batch, score=score, region=region, crystals=CELL_CRYSTALS, rows=rows).numpy()
    known = {name for name in QUANTITIES if name in clouds.jets and clouds.jets[name].any()}
    jets = []
    for place, jet in enumerate(shown.chosen):
        count = int(clouds.offsets[place + 1] - clouds.offsets[place])
        said = {
            "group": jet.group,
            "headline": shown.headline[place],
            "strong": shown.strong[place],
            "outputs": [list(one) for one in shown.outputs[place]],
            "identity": {name: int(scores.jets[name][jet.place]) for name in IDENTITY},
            "quantities": _quantities(clouds, place, known),
        }
        seen = drawn(clouds, place, images[place], inputs, by_cell[place, :count])
        jets.append(said | seen | {"channel_effect": [_number(one) for one in by_channel[place]]})
    name = table.manifest.object_name
    return window_data(inputs, rasterize, jets, name) | {"effect": shown.effect, "image_is_input": own is not None}


def plain_jet_data(
    table: JetTable, numbers: NDArray[np.int64], groups: list[str], headlines: list[str], facts: list[dict[str, str]]
) -> dict[str, Any]:
    """The same for objects ``numbers`` [J] of a data set without a network: no effects, the published planes.

    ``groups``, ``headlines``: of each in the list; ``facts``: name → text of each. InputError when a shard is damaged.
    """
    clouds = _read(table, numbers, DataOptions())
    inputs = table.inputs
    batch = JetBatch.from_arrays(pad(clouds, inputs))
    rasterize = Rasterize(inputs)
    images: NDArray[np.float32] = rasterize(batch.points, batch.features, batch.mask).numpy()
    known = {name for name in QUANTITIES if name in clouds.jets and clouds.jets[name].any()}
    jets = [
        {
            "group": groups[place],
            "headline": headlines[place],
            "strong": False,
            "outputs": [list(one) for one in facts[place].items()],
            "identity": {name: int(clouds.jets[name][place]) for name in IDENTITY},
            "quantities": _quantities(clouds, place, known),
            "channel_effect": [],
        }
        | drawn(clouds, place, images[place], inputs, None)
        for place in range(len(numbers))
    ]
    name = table.manifest.object_name
    return window_data(inputs, rasterize, jets, name) | {"effect": None, "image_is_input": False}


def window_data(inputs: Inputs, rasterize: Rasterize, jets: list[dict[str, Any]], name: ObjectName) -> dict[str, Any]:
    """What the scripts know of all objects: what they are called (``name``), the window, channels and planes."""
    region = inputs.region
    return {
        "half": [region.half_eta, region.half_phi],
        "axes": ["η", "φ"] if region.centre == "none" else ["Δη", "Δφ"],
        "channels": list(inputs.channel_names),
        "pixels": rasterize.height,
        "planes": [_plane(name) for name in rasterize.channels],
        "cell": CELL_CRYSTALS,
        "object": name.one,
        "jets": jets,
    }


def drawn(
    clouds: PointClouds, place: int, image: NDArray[np.float32], inputs: Inputs, effect: NDArray[np.float32] | None
) -> dict[str, Any]:
    """One jet's nodes and image."""
    nodes = slice(*clouds.offsets[place : place + 2].tolist())
    return {"nodes": _nodes(clouds, nodes, effect, inputs), "image": [_sparse(plane) for plane in image]}


def _read(table: JetTable, wanted: NDArray[np.int64], options: DataOptions) -> PointClouds:
    """Jets ``wanted`` in that order, with the nodes that the network was given."""
    in_order = np.sort(wanted)
    groups = np.unique(table.group_of(in_order))
    held = [name for name in QUANTITIES if name in table.manifest.object_columns]
    columns = list(dict.fromkeys([*columns_for(table.inputs), *IDENTITY, *held]))
    found, clouds = read_jets(table, groups, in_order, columns, options.nodes)
    return clouds.take(np.argsort(found)[np.searchsorted(np.sort(found), wanted)])


def _quantities(clouds: PointClouds, place: int, known: set[str]) -> list[list[Any]]:
    """Title and text of each; the text is null where the data set does not hold it."""
    result: list[list[Any]] = []
    for name, (title, unit, digits) in QUANTITIES.items():
        if name not in clouds.jets:
            continue
        text = f"{clouds.jets[name][place]:.{digits}f} {unit}".strip().replace("-", "−") if name in known else None
        result.append([title, text])
    return result


def _nodes(
    clouds: PointClouds, nodes: slice, effect: NDArray[np.float32] | None, inputs: Inputs
) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        name: [round(float(one), _POSITION_DIGITS) for one in clouds.nodes[name][nodes]] for name in ("deta", "dphi")
    }
    # A channel is its position among the names that the page is given.
    position = {number: place for place, number in enumerate(inputs.numbers.values())}
    columns["channel"] = [position[number] for number in clouds.nodes["channel"][nodes].tolist()]
    impacts = [name + ("_sig" if f"{name}_sig" in clouds.nodes else "") for name in ("d0", "dz")]
    for name in ("value", *impacts):
        if name in clouds.nodes:
            columns[name] = [_number(one) for one in clouds.nodes[name][nodes]]
    columns["effect"] = [] if effect is None else [_number(one) for one in effect]
    return columns


def _sparse(plane: NDArray[np.float32]) -> list[list[Any]]:
    """Pixels that are not zero: steps from one to the next in row-major order, and values. Rows run along η."""
    flat = plane.ravel()
    filled = np.flatnonzero(flat)
    return [np.diff(filled, prepend=0).tolist(), [_number(one) for one in flat[filled]]]


def _plane(name: str) -> dict[str, Any]:
    drawn = plane(name)
    if drawn.how in _IMPACT_UNITS:
        significance = name.endswith("_sig")
        title = "track " + name.removeprefix("track_").split("_")[0] + (" significance" if significance else "")
        return {"name": name, "title": title, "unit": "σ" if significance else _IMPACT_UNITS[drawn.how], "signed": True}
    title, unit = _PLANES.get(name, (f"{name} hits", ""))
    return {"name": name, "title": title, "unit": unit, "signed": False}


def _number(value: float) -> float | int | None:
    """Rounded to what a display needs; whole numbers without a point, null for what is not finite."""
    value = float(value)
    if not np.isfinite(value):
        return None
    rounded = float(f"{value:.{_SIGNIFICANT}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e9 else rounded
