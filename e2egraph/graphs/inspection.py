"""What a data set holds: jets by class and split, spectra, nodes by channel, bytes a jet; read back and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from e2egraph.detector.channels import channels
from e2egraph.detector.geometry import WINDOW_SIZE
from e2egraph.graphs.manifest import Manifest, read_manifest, verify_shards
from e2egraph.graphs.nodeselection import built_with
from e2egraph.graphs.shards import open_shard, read_row_groups
from e2egraph.tasks.nodeselection import in_words

# A 125 × 125 image of eight float32 channels, as the field stores it.
DENSE_IMAGE_BYTES = 8 * WINDOW_SIZE**2 * 4

# Jet quantity → what it is called and its unit.
SPECTRA = {"jet_pt": "pT [GeV]", "jet_eta": "η", "softdrop_mass": "soft-drop mass [GeV]"}


@dataclass(frozen=True)
class NodeCounts:
    """Nodes a jet: mean and 90th percentile."""

    mean: float
    percentile_90: float


@dataclass(frozen=True)
class Spectrum:
    """A jet quantity: its 5th, 50th and 95th percentiles, unweighted."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Inspection:
    """``nodes``: class → channel name (and ``all``) → nodes a jet; ``bytes_per_jet`` on disk, jet quantities included;
    ``jets_cut``: jets that lost nodes to the cap; ``weights``: class → sum of event weights; ``spectra``: jet quantity
    → class → its spread."""

    manifest: Manifest
    jets: int
    bytes_per_jet: float
    jets_cut: int
    nodes: dict[str, dict[str, NodeCounts]]
    weights: dict[str, float]
    spectra: dict[str, dict[str, Spectrum]]


def inspect_data_set(folder: Path) -> Inspection:
    """Read a whole data set, row group by row group; InputError when a checksum or anything else does not fit."""
    manifest = read_manifest(folder)
    verify_shards(folder, manifest)
    counts: dict[str, list[np.ndarray]] = {name: [] for name in manifest.classes}
    quantities: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in manifest.classes}
    jets_cut = 0
    for shard in manifest.shards:
        with open_shard(folder / shard.name) as file:
            for group in range(file.num_row_groups):
                clouds = read_row_groups(file, [group], ["channel", "nodes_cut", "weight", *SPECTRA])
                cell = clouds.jet_of_node * len(channels()) + clouds.nodes["channel"]
                table = np.bincount(cell, minlength=len(clouds) * len(channels())).reshape(-1, len(channels()))
                counts[shard.sample].append(table)
                quantities[shard.sample].append({name: clouds.jets[name] for name in ("weight", *SPECTRA)})
                jets_cut += int((clouds.jets["nodes_cut"] > 0).sum())
    jets = sum(shard.jets for shard in manifest.shards)
    return Inspection(
        manifest=manifest,
        jets=jets,
        bytes_per_jet=sum(shard.size for shard in manifest.shards) / jets,
        jets_cut=jets_cut,
        nodes={name: _node_counts(np.concatenate(tables)) for name, tables in counts.items()},
        weights={
            name: float(sum(part["weight"].sum(dtype=np.float64) for part in parts))
            for name, parts in quantities.items()
        },
        spectra={
            quantity: {
                name: Spectrum(*np.percentile(np.concatenate([part[quantity] for part in parts]), (5, 50, 95)).tolist())
                for name, parts in quantities.items()
            }
            for quantity in SPECTRA
        },
    )


def describe(inspection: Inspection) -> str:
    """The inspection as text: jets, cutflow and a table of nodes."""
    manifest = inspection.manifest
    lines = [
        f"task {manifest.task}, made by e2egraph {manifest.software_version} from {len(manifest.inputs)} files; "
        f"every checksum fits",
        f"{inspection.jets} jets, {inspection.bytes_per_jet / 1000:.1f} kB each; a dense 8×125×125 float32 image "
        f"takes {DENSE_IMAGE_BYTES / 1000:.0f} kB ({DENSE_IMAGE_BYTES / 1024:.0f} KiB), "
        f"{DENSE_IMAGE_BYTES / inspection.bytes_per_jet:.0f} times as much",
        f"{inspection.jets_cut} jets lost nodes to the cap",
    ]
    if (selection := built_with(manifest.configuration)) is not None:
        lines.append(f"nodes: {in_words(selection)}")
    for name, splits in manifest.counts.items():
        lines.append(f"{name}: " + ", ".join(f"{split} {number}" for split, number in splits.items()))
    for name, flow in manifest.cutflow.items():
        lines.append(f"{name}: " + " → ".join(f"{step} {number}" for step, number in flow.items()))
    for name, fates in manifest.nodes.items():
        lines.append(
            f"{name}, deposits in windows: " + ", ".join(f"{k.replace('_', ' ')} {n}" for k, n in fates.items())
        )
    if manifest.duplicates:
        lines.append(f"{manifest.duplicates} events stand more than once (allowed by --allow-duplicate-events)")
    lines += [f"skipped {entry.path}: {entry.reason}" for entry in manifest.skipped]
    lines += ["", "spectra: median (5th, 95th percentile)", "| | " + " | ".join(manifest.classes) + " |"]
    lines.append("|---|" + "---:|" * len(manifest.classes))
    for quantity, title in SPECTRA.items():
        spread = [inspection.spectra[quantity][name] for name in manifest.classes]
        lines.append(f"| {title} | " + " | ".join(f"{s.median:.4g} ({s.low:.4g}, {s.high:.4g})" for s in spread) + " |")
    total = " | ".join(f"{inspection.weights[name]:.6g}" for name in manifest.classes)
    lines.append(f"| sum of weights | {total} |")
    lines += ["", "nodes a jet: mean (90th percentile)", "| channel | " + " | ".join(manifest.classes) + " |"]
    lines.append("|---|" + "---:|" * len(manifest.classes))
    for channel in next(iter(inspection.nodes.values())):
        found = [inspection.nodes[name][channel] for name in manifest.classes]
        cells = " | ".join(f"{count.mean:.1f} ({count.percentile_90:.0f})" for count in found)
        lines.append(f"| {channel} | {cells} |")
    if manifest.missing:
        lines += ["", "not in the inputs: " + "; ".join(manifest.missing)]
    return "\n".join(lines)


def _node_counts(table: np.ndarray) -> dict[str, NodeCounts]:
    """``table`` [J, channels] of counts; channels without any node are left out."""
    columns = {channel.name: table[:, channel] for channel in channels().values() if table[:, channel].any()}
    columns["all"] = table.sum(axis=1)
    return {
        name: NodeCounts(float(column.mean()), float(np.percentile(column, 90))) for name, column in columns.items()
    }
