"""What networks owe to the nodes of a jet, drawn on the jet, and to its channels, averaged over jets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from e2egraph.detector.channels import hit_channels
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.plots.style import figure_style, position_titles, save
from e2egraph.tasks.objects.naming import ANY_OBJECT, ObjectName
from e2egraph.tasks.region import Region

# Colours reach their full strength at this quantile of |attribution|, so that no single node washes out all others.
FULL_COLOUR = 0.99

# Markers as ``jet_display``: area by value (pT or energy [GeV]), hits small.
_AREA_PER_GEV, _HIT_AREA, _SMALLEST_AREA, _LARGEST_AREA = 6.0, 6.0, 6.0, 300.0


def draw_attribution(
    jet: PointClouds, maps: Mapping[str, NDArray], region: Region, stem: Path, label: str
) -> list[Path]:
    """One panel for each network: the nodes of ``jet`` (a single one), coloured by their attribution [N] in ``maps``.

    Red is evidence for the class, blue against it; every panel has a scale of its own, since networks differ in how far
    their log-odds reach. Nodes with the strongest attribution are drawn last.
    """
    eta, phi = region.half_eta, region.half_phi
    along_eta, along_phi = position_titles(region)
    place = {name: jet.nodes[name] for name in ("deta", "dphi")}
    hits = np.isin(jet.nodes["channel"], [int(channel) for channel in hit_channels()])
    area = np.clip(_AREA_PER_GEV * jet.nodes["value"], _SMALLEST_AREA, _LARGEST_AREA)
    area = np.where(hits, _HIT_AREA, area)
    with figure_style(15):
        figure = Figure(figsize=(8.5 * len(maps), 7.5), layout="constrained")
        panels = figure.subplots(1, len(maps), squeeze=False, sharey=True)[0]
        for axes, (name, attribution) in zip(panels, maps.items(), strict=True):
            strength = np.abs(np.asarray(attribution, np.float64))
            order = np.argsort(strength, kind="stable")
            limit = float(np.quantile(strength, FULL_COLOUR)) if len(strength) else 0.0
            limit = limit or float(strength.max(initial=0.0)) or 1.0
            drawn = axes.scatter(
                place["deta"][order],
                place["dphi"][order],
                s=area[order],
                c=np.asarray(attribution)[order],
                cmap="coolwarm",
                vmin=-limit,
                vmax=limit,
                edgecolors="grey",
                linewidths=0.2,
            )
            axes.set(xlim=(-eta, eta), ylim=(-phi, phi), xlabel=along_eta)
            axes.set_title(name, fontsize="medium")
            figure.colorbar(drawn, ax=axes, label="change of log-odds", extend="both")
        panels[0].set_ylabel(along_phi)
        figure.suptitle(label, x=0.02, horizontalalignment="left", fontsize="small")
        return save(figure, stem)


def plot_channel_attribution(
    changes: Mapping[str, NDArray],
    channels: Sequence[str],
    class_of: NDArray,
    classes: Sequence[str],
    stem: Path,
    label: str,
    objects: ObjectName = ANY_OBJECT,
) -> list[Path]:
    """One panel for each class: mean change of the log-odds [J, channels] when a channel is taken away, by network.

    ``channels``: their names, in order; ``class_of`` [J]: each jet's class, as a number; ``objects``: what the jets are
    called. Bars are standard errors of the mean. Channels without any change in any network (there are no such nodes,
    or none is read) are left out.
    """
    seen = np.any([np.asarray(change).any(axis=0) for change in changes.values()], axis=0)
    drawn = np.flatnonzero(seen)
    with figure_style(15):
        figure = Figure(figsize=(7.5 * len(classes), 1.5 + 0.6 * max(len(drawn), 4)), layout="constrained")
        panels = figure.subplots(1, len(classes), squeeze=False, sharey=True)[0]
        height = 0.8 / len(changes)
        for number, (axes, name) in enumerate(zip(panels, classes, strict=True)):
            members = np.asarray(class_of) == number
            for place, (network, change) in enumerate(changes.items()):
                own = np.asarray(change, np.float64)[members][:, drawn]
                error = own.std(axis=0, ddof=1) / np.sqrt(len(own)) if len(own) > 1 else None
                rows = np.arange(len(drawn)) + height * (place - (len(changes) - 1) / 2)
                if len(own):
                    axes.barh(rows, own.mean(axis=0), height, xerr=error, label=network, capsize=2)
            axes.axvline(0.0, color="grey", linewidth=1)
            axes.set_title(f"{members.sum()} {name} {objects.many}", fontsize="medium")
            axes.set_xlabel("change of log-odds by the channel", fontsize="small")
        panels[0].set_yticks(range(len(drawn)), [channels[place] for place in drawn.tolist()], fontsize="small")
        panels[0].minorticks_off()
        panels[0].invert_yaxis()
        # Where there are objects: a class without any has no bars, and so no names of networks.
        named = [axes for axes in panels if axes.get_legend_handles_labels()[0]]
        if named:
            named[0].legend(fontsize="x-small")
        figure.suptitle(label, x=0.02, horizontalalignment="left", fontsize="small")
        return save(figure, stem)
