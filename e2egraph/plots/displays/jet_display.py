"""One jet in its two forms side by side: the graph's points by channel, and the image drawn from the same points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import colors
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.loading.pools import columns_for, read_jets
from e2egraph.data.padding import pad
from e2egraph.data.table import read_table
from e2egraph.detector.channels import Channel, channels
from e2egraph.errors import InputError
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.models.image.planes import PUBLISHED_CHANNELS
from e2egraph.models.image.rasterize import Rasterize
from e2egraph.plots.style import figure_style, label_of, position_titles, save
from e2egraph.tasks.objects.registry import kinds
from e2egraph.tasks.region import Region

# One colour a detector: tracks, pixel and strip hits, the two calorimeters.
COLOURS = {
    "tracks": "#e42536",
    "pixel hits": "#7a21dd",
    "strip hits": "#9c9ca1",
    "ECAL crystals": "#5790fc",
    "HCAL towers": "#f89c20",
}

# Nodes with a value (pT or energy [GeV]) grow with its square root, so that the area says it; hits have none.
_AREA_PER_GEV, _HIT_AREA, _LARGEST_AREA = 6.0, 4.0, 400.0


def draw_jet(data: Path, stem: Path, *, number: int | None = None, label: str | None = None) -> list[Path]:
    """Draw a jet of a data set into ``stem.png`` and ``stem.pdf``.

    ``number``: the jet's place in the data set; when not given, the jet of class ``label`` (of the signal class, when
    that is not given either) whose number of nodes is the median of its class. InputError: no such jet or class.
    """
    table = read_table(data)
    classes, objects = table.manifest.classes, table.manifest.object_name
    if number is None:
        name = getattr(table.manifest.objective, "signal", classes[-1]) if label is None else label
        if name not in classes:
            raise InputError(f"{data}: no class '{name}'; choose one of {', '.join(classes)}.")
        members = np.flatnonzero(table.columns["label"] == classes.index(name))
        if len(members) == 0:
            raise InputError(f"{data}: no {objects.many} of class '{name}'; choose another class.")
        by_size = members[np.argsort(table.columns["n_nodes"][members], kind="stable")]
        number = int(by_size[len(by_size) // 2])
    if not 0 <= number < len(table):
        raise InputError(f"{data}: no {objects.one} number {number}; give a number from 0 to {len(table) - 1}.")
    wanted, inputs = np.array([number]), table.inputs
    kind = kinds()[table.manifest.configuration["object"]["kind"]]
    columns = list(dict.fromkeys([*columns_for(inputs), *kind.spectra]))
    _, jet = read_jets(table, table.group_of(wanted), wanted, columns)
    batch = JetBatch.from_arrays(pad(jet, inputs))
    rasterize = Rasterize(inputs)
    image = rasterize(batch.points, batch.features, batch.mask)[0].numpy()

    with figure_style(16):
        figure = Figure(figsize=(17, 8.5), layout="constrained")
        left, right = figure.subplots(1, 2)
        _draw_points(left, jet, inputs.region)
        _draw_image(right, dict(zip(rasterize.channels, image, strict=True)), inputs.region)
        counts, filled = int(jet.counts[0]), float((image != 0).mean())
        title = f"{label_of(table.columns['run'][wanted])}: {classes[int(jet.jets['label'][0])]} {kind.name}, "
        title += ", ".join(_stated(words, float(jet.jets[name][0])) for name, words in kind.spectra.items())
        figure.suptitle(title, x=0.02, horizontalalignment="left")
        left.set_title(f"as graph: {counts} nodes", fontsize="medium")
        planes = f"{len(rasterize.channels)}×{rasterize.height}×{rasterize.width}"
        right.set_title(f"as image: {planes}, {100 * (1 - filled):.1f}% zeros", fontsize="medium")
        return save(figure, stem)


def _stated(title: str, value: float) -> str:
    """A quantity's value in words; ``title`` as of an axis, with its unit in brackets."""
    name, _, unit = title.partition(" [")
    return f"{name} = {value:.0f} {unit.rstrip(']')}" if unit else f"{name} = {value:.2g}"


def _draw_points(axes: Axes, jet: PointClouds, region: Region) -> None:
    channel = jet.nodes["channel"].astype(int)
    handles = []
    for name, colour in COLOURS.items():
        members = np.isin(channel, _channels(name))
        if not members.any():
            continue
        hits = "hits" in name
        value = jet.nodes["value"][members]
        area = np.full(len(value), _HIT_AREA) if hits else np.clip(_AREA_PER_GEV * value, 3.0, _LARGEST_AREA)
        axes.scatter(
            jet.nodes["deta"][members],
            jet.nodes["dphi"][members],
            s=area,
            color=colour,
            alpha=0.8 if hits else 0.55,
            marker="s" if name == "HCAL towers" else ("x" if name == "tracks" else "o"),
            linewidths=1.2 if name == "tracks" else 0,
            zorder=3 if name == "tracks" else (1 if name == "HCAL towers" else 2),
        )
        handles.append(Line2D([], [], color=colour, marker="o", linestyle="", label=f"{members.sum()} {name}"))
    eta, phi = region.half_eta, region.half_phi
    along_eta, along_phi = position_titles(region)
    axes.set(xlim=(-eta, eta), ylim=(-phi, phi), xlabel=along_eta, ylabel=along_phi)
    if handles:
        axes.legend(handles=handles, loc="upper left", fontsize="x-small", frameon=True, handletextpad=0.1)


def _draw_image(axes: Axes, plane: dict[str, NDArray[np.float32]], region: Region) -> None:
    """All planes in one: each pixel takes the colour of what lies there, darker where there is more."""
    empty = np.zeros((region.rows, region.columns), np.float32)
    found = {name: plane.get(name, empty) for name in PUBLISHED_CHANNELS}
    plane = found
    impact = np.abs(plane["track_d0_sig"]) + np.abs(plane["track_dz_sig"])
    layers = {
        "HCAL towers": plane["HCAL"],
        "ECAL crystals": plane["ECAL"],
        "pixel hits": plane["BPIX1"] + plane["BPIX2"] + plane["BPIX3"],
        # A track is drawn by its pT, and a little stronger the less it points to the vertex.
        "tracks": plane["track_pt"] * (1.0 + np.tanh(impact / 10.0)),
    }
    canvas = np.ones((region.rows, region.columns, 3))
    for name, layer in layers.items():
        strength = np.log1p(layer / max(float(np.percentile(layer[layer > 0], 50)), 1e-9)) if layer.any() else layer
        cover = np.where(layer > 0, np.clip(0.25 + 0.35 * strength, 0.0, 1.0), 0.0)[..., None]
        canvas = canvas * (1.0 - cover) + cover * np.array(colors.to_rgb(COLOURS[name]))
    # Rows run along η and are drawn along x.
    axes.imshow(
        canvas.transpose(1, 0, 2),
        origin="lower",
        extent=(-region.half_eta, region.half_eta, -region.half_phi, region.half_phi),
        interpolation="nearest",
        aspect="auto",
    )
    along_eta, along_phi = position_titles(region)
    axes.set(xlabel=along_eta, ylabel=along_phi)


def _channels(name: str) -> list[int]:
    members = {
        "tracks": [Channel.TRACK],
        "pixel hits": [channel for channel in channels().values() if channel.name.startswith("BPIX")],
        "strip hits": [channel for channel in channels().values() if channel.name.startswith(("TIB", "TOB"))],
        "ECAL crystals": [Channel.ECAL],
        "HCAL towers": [Channel.HCAL],
    }
    return [int(channel) for channel in members[name]]
