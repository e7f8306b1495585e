"""How well links of hits find the tracks: efficiency, purity, pT, and a jet with its links drawn.

    python scripts/link_quality.py data/top --output links [--layers BPIX1,BPIX2,BPIX3] [--jets 2000]

The tracks of the data set are the reference, of the primary vertex and above 1 GeV: what a link should find, and what a
true one is. Hits know nothing of them. A link and a track match where they meet at the crystals (Δφ < 0.06, Δη < 0.01
and as much as the longer way of a bent track can make) with 1 / pT of one sign within 0.05 / GeV and 20%. η of hits is
seen from the vertex, of tracks from the detector's centre: what they differ by in most pairs of a jet is taken off
first. Writes OUTPUT/link_quality.json, .md, .png and .pdf. Where the data come from the parametric simulation, so do
the figures: it is not CMS simulation.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from hist.intervals import ratio_uncertainty
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from e2egraph.benchmark.report import Record, write_report
from e2egraph.config import validate
from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.loading.loader import random_loader
from e2egraph.data.options import DataOptions
from e2egraph.data.table import JetTable, read_table
from e2egraph.detector.geometry import ECAL_RADIUS
from e2egraph.detector.helix import GEV_PER_TESLA_CM
from e2egraph.errors import InputError, UsageError
from e2egraph.folders import check_folder, make_folder
from e2egraph.models.network import clear_padding
from e2egraph.models.tokens.link_tokens import LinkGroup, LinkTokens, turn_to_crystals
from e2egraph.models.tokens.tokens import NodeMaker, Nodes
from e2egraph.plots.style import figure_style, label_of, save
from e2egraph.tasks.inputs import Inputs
from e2egraph.utf8 import use_utf8

Floats = NDArray[np.float64]

NEAR_ETA, NEAR_PHI = 0.01, 0.06
NEAR_CURVATURE, CURVATURE_SHARE = 0.05, 0.2  # [1/GeV]
LEAST_PT, LARGEST_DZ = 1.0, 0.5  # [GeV], [cm]

# Sine of the turn to the crystals of a track of 1 GeV.
SINE_PER_CURVATURE = 0.5 * GEV_PER_TESLA_CM * 3.8 * ECAL_RADIUS

PT_EDGES = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0, 500.0)
DISTANCE_EDGES = (0.0, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.4)


@dataclass(frozen=True)
class Found:
    """Tracks and links, one number each: pT [GeV], distance ΔR to the nearest other track, whether a partner matches,
    and that partner's pT (of tracks). Of links, every track is another one but the partner."""

    track_pt: Floats
    track_distance: Floats
    track_matched: NDArray[np.bool_]
    partner_pt: Floats
    link_pt: Floats
    link_distance: Floats
    link_matched: NDArray[np.bool_]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="data set folder")
    parser.add_argument("--output", type=Path, required=True, help="folder for the results")
    parser.add_argument("--layers", default="BPIX1,BPIX2,BPIX3", help="of hits, from the inside out")
    parser.add_argument("--jets", type=int, default=2000)
    options = parser.parse_args()
    try:
        check_folder(options.output)
        if options.jets < 1:
            raise UsageError(f"--jets {options.jets}: give one at least.")
        table = read_table(options.data)
        group = validate(LinkGroup, {"layers": options.layers.split(","), "hits": 256}, "--layers")
        finder = LinkTokens(group, 1, table.inputs, ())
        batches = list(random_loader(table, DataOptions(), options.jets))
        absent = [name for name in ("value", "charge", "dz") if not table.inputs.has(name)]
        if absent or "TRACK" not in table.inputs.channel_names:
            raise UsageError(f"{options.data}: its inputs lack tracks or {', '.join(absent)}; build it with them.")
        found = compared(table.inputs, finder, batches)
        if not len(found.track_pt) or not len(found.link_pt):
            raise InputError(f"{options.data}: no tracks or no links in {options.jets} jets; take another data set.")
    except (InputError, UsageError) as error:
        parser.exit(1, f"link_quality.py: {error}\n")
    make_folder(options.output)
    command = " ".join(["python", "scripts/link_quality.py", *sys.argv[1:]])
    for path in write_report(options.output / "link_quality.json", command, records_of(found)):
        print(f"wrote {path}")
    for path in draw(table, finder, found, batches[-1], options.output / "link_quality"):
        print(f"wrote {path}")


def compared(inputs: Inputs, finder: LinkTokens, batches: list[JetBatch]) -> Found:
    """All tracks and links of the jets of ``batches``."""
    parts: list[list[Floats]] = []
    for batch in batches:
        nodes = nodes_of(inputs, batch)
        links = finder.links(nodes)
        turn = turn_to_crystals(links.bend, finder.radii[1])
        own = torch.stack([links.points[:, 0], links.points[:, 1] + turn, links.bend / finder.per_bend], dim=-1)
        value, charge, dz = (nodes.variables[:, inputs.index(name)] for name in ("value", "charge", "dz"))
        good = nodes.is_track & (value > LEAST_PT) & (dz.abs() < LARGEST_DZ)
        # A positive charge turns towards smaller φ.
        tracks = torch.stack([nodes.points[:, 0], nodes.points[:, 1], -charge / value.clamp(min=0.1)], dim=-1)
        hard = links.found & (own[..., 2].abs() < 1.0 / LEAST_PT)
        for b in range(len(batch)):
            parts.append(_of_jet(tracks[b, good[b]].double().numpy(), own[b, hard[b]].double().numpy()))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Found(*columns[:2], columns[2] > 0.5, *columns[3:6], columns[6] > 0.5)


def _of_jet(tracks: Floats, links: Floats) -> list[Floats]:
    """Of one jet, in the order of ``Found``; ``tracks`` [T, 3] and ``links`` [L, 3]: η, φ, signed 1 / pT."""
    difference = tracks[:, None] - links[None]
    allowed = NEAR_CURVATURE + CURVATURE_SHARE * np.abs(tracks[:, None, 2])
    same = (np.abs(difference[..., 1]) < NEAR_PHI) & (np.abs(difference[..., 2]) < allowed)
    shifts = difference[same][:, 0]
    near = np.abs(shifts[:, None] - shifts[None]) < NEAR_ETA / 2
    shift = np.median(shifts[near[near.sum(1).argmax()]]) if len(shifts) else 0.0
    sine = np.clip(SINE_PER_CURVATURE * np.abs(links[:, 2]), 1e-6, 0.99)
    same &= np.abs(difference[..., 0] - shift) < NEAR_ETA + np.arcsin(sine) / sine - 1.0
    links = links + np.array([shift, 0.0, 0.0])
    apart = np.hypot(*(tracks[:, None, :2] - tracks[None, :, :2]).transpose(2, 0, 1)) + np.diag([np.inf] * len(tracks))
    to_tracks = np.hypot(*(links[:, None, :2] - tracks[None, :, :2]).transpose(2, 0, 1))
    best = np.where(same, np.abs(difference[..., 2]), np.inf)
    partner = best.argmin(1) if best.size else np.zeros(len(tracks), int)
    curvature = np.abs(links[partner, 2]) if len(links) else np.full(len(tracks), np.nan)
    matched = same.any(0)
    if matched.any():
        to_tracks[matched, best.argmin(0)[matched]] = np.inf
    return [
        1.0 / np.abs(tracks[:, 2]), apart.min(1, initial=np.inf), same.any(1).astype(float),
        1.0 / np.maximum(curvature, 1e-4),
        1.0 / np.maximum(np.abs(links[:, 2]), 1e-4), to_tracks.min(1, initial=np.inf), matched.astype(float),
    ]  # fmt: skip


def nodes_of(inputs: Inputs, batch: JetBatch) -> Nodes:
    """The nodes of a batch as tokens are made from."""
    points, features = (rows.transpose(1, 2).contiguous() for rows in (batch.points, batch.features))
    # As many places as hits of a layer are asked for.
    more = max(0, 256 - points.shape[2])
    mask = torch.nn.functional.pad(batch.mask, (0, more))
    points, features = (torch.nn.functional.pad(rows, (0, more)) for rows in (points, features))
    nodes: Nodes = NodeMaker(inputs)(*clear_padding(points, features, mask, channels_first=True))
    return nodes


def records_of(found: Found) -> list[Record]:
    """Efficiency and purity in bins of pT and of the distance to the nearest other track; response and resolution of
    pT."""
    records = []
    for name, pt, distance, matched in (
        ("efficiency", found.track_pt, found.track_distance, found.track_matched),
        ("purity", found.link_pt, found.link_distance, found.link_matched),
    ):
        what = "tracks with a link" if name == "efficiency" else "links with a track"
        records.append(Record("all", len(pt), name, float(matched.mean()), "", what))
        for by, values, edges in (("pt", pt, PT_EDGES), ("distance", distance, DISTANCE_EDGES)):
            for low, high in pairwise(edges):
                here = (values >= low) & (values < high)
                if here.any():
                    mean = float(matched[here].mean())
                    records.append(Record(f"{by} {low:g}-{high:g}", int(here.sum()), name, mean, "", what))
    for low, high in pairwise(PT_EDGES):
        here = found.track_matched & (found.track_pt >= low) & (found.track_pt < high)
        if here.sum() > 10:
            ratio = found.partner_pt[here] / found.track_pt[here]
            middle = float(np.median(ratio))
            width = float(np.subtract(*np.percentile(ratio, [84.135, 15.865])) / 2)
            records.append(Record(f"pt {low:g}-{high:g}", int(here.sum()), "pt_response", middle, "", "median"))
            records.append(Record(f"pt {low:g}-{high:g}", int(here.sum()), "pt_resolution", width, "", "half of 68%"))
    return records


def draw(table: JetTable, finder: LinkTokens, found: Found, batch: JetBatch, output: Path) -> list[Path]:
    """Links of a jet, their pT against that of tracks, and efficiency and purity."""
    with figure_style(14):
        figure = Figure(figsize=(16, 13), layout="constrained")
        (left, right), (below, right_below) = figure.subplots(2, 2)
        _draw_jet(left, table.inputs, finder, batch)
        edges = np.geomspace(1, 300, 60)
        counts, _, _ = np.histogram2d(
            found.track_pt[found.track_matched], found.partner_pt[found.track_matched], bins=(edges, edges)
        )
        mesh = right.pcolormesh(edges, edges, np.where(counts > 0, counts, np.nan).T, norm="log")
        figure.colorbar(mesh, ax=right, label="tracks")
        right.plot(edges, edges, color="black", linewidth=1)
        right.set(xscale="log", yscale="log", xlabel=r"track $p_\mathrm{T}$ [GeV]", ylabel=r"link $p_\mathrm{T}$ [GeV]")
        for axes, by, edges_of, label in (
            (below, "pt", PT_EDGES, r"$p_\mathrm{T}$ [GeV]"),
            (right_below, "distance", DISTANCE_EDGES, r"$\Delta R$ to the nearest other track"),
        ):
            for name, kind in (("efficiency", "track"), ("purity", "link")):
                values = getattr(found, f"{kind}_{by}")
                matched = getattr(found, f"{kind}_matched")
                total, passed = (np.histogram(v, edges_of)[0] for v in (values, values[matched]))
                shown = np.divide(passed, total, out=np.full(len(total), np.nan), where=total > 0)
                axes.stairs(shown, edges_of, label=f"{name}: {kind}s with a partner", linewidth=2)
                middle = 0.5 * (np.array(edges_of[1:]) + np.array(edges_of[:-1]))
                errors = ratio_uncertainty(passed, np.maximum(total, 1), "efficiency")
                axes.errorbar(middle, shown, errors, fmt="none", color="grey", linewidth=1)
            axes.set(xlabel=label, ylabel="share with a partner", ylim=(0, 1.15))
            axes.legend()
        below.set_xscale("log")
        figure.suptitle(label_of(table.columns["run"]), x=0.02, horizontalalignment="left")
        return save(figure, output)


def _draw_jet(axes: Axes, inputs: Inputs, finder: LinkTokens, batch: JetBatch) -> None:
    """The jet with the most links of a batch: its hits, links from the first layer to the crystals, and tracks."""
    nodes = nodes_of(inputs, batch)
    links = finder.links(nodes)
    b = int(links.found.sum(1).argmax())
    for number, (i, name) in enumerate(zip(finder.layers_at, finder.group.layers, strict=True)):
        here = nodes.flags[b, i] > 0.5
        axes.scatter(
            *nodes.points[b][:, here].numpy(), s=5, color=f"{0.2 + 0.5 * number / len(finder.radii)}", label=name
        )
    way = np.linspace(finder.radii[0], ECAL_RADIUS, 60)
    kept = links.found[b] & (links.bend[b].abs() < finder.per_bend / LEAST_PT)
    for eta, phi, bend in zip(*links.points[b][:, kept].tolist(), links.bend[b, kept].tolist(), strict=True):
        turned = np.arcsin(bend * way) - np.arcsin(bend * finder.radii[1])
        axes.plot(np.full(len(way), eta), phi + turned, color="#e42536" if bend < 0 else "#5790fc", linewidth=1)
    tracks = nodes.is_track[b] & (nodes.variables[b, inputs.index("value")] > LEAST_PT)
    axes.scatter(*nodes.points[b][:, tracks].numpy(), marker="x", color="black", s=30, label="tracks at the crystals")
    reach = 0.4
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel=r"$\Delta\eta$", ylabel=r"$\Delta\varphi$")
    axes.set_title(f"{int(kept.sum())} links above {LEAST_PT:g} GeV (red: positive)", fontsize="medium")
    axes.legend(loc="upper left", fontsize="x-small")


if __name__ == "__main__":
    use_utf8()
    main()
