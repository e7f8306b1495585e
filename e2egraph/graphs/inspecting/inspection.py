"""What a data set holds: jets by class and split, spectra, nodes by channel, bytes per jet; read back and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from e2egraph.detector.channels import LARGEST_NUMBER
from e2egraph.graphs.building.cutflow import in_words as cutflow_in_words
from e2egraph.graphs.building.cutflow import particles_in_words
from e2egraph.graphs.making.nodeselection import built_with
from e2egraph.graphs.storage.columns import TARGET_PREFIX
from e2egraph.graphs.storage.manifest import Manifest, read_manifest
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.tasks.nodeselection import in_words
from e2egraph.tasks.objects.registry import kinds

# Planes of the dense images that the field stores, float32 each.
DENSE_PLANES = 8
# Inputs that are named where only some lack something.
SHOWN_FILES = 3


@dataclass(frozen=True)
class NodeCounts:
    """Nodes per jet: mean and 90th percentile."""

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
    """``nodes``: class → channel name (those of which any jet has nodes, and ``all``) → nodes per jet;
    ``bytes_per_jet`` on disk, quantities included; ``jets_cut``: jets that lost nodes to the cap; ``weights``: class →
    sum of event weights; ``spectra``: jet quantity → class → its spread."""

    manifest: Manifest
    jets: int
    bytes_per_jet: float
    jets_cut: int
    nodes: dict[str, dict[str, NodeCounts]]
    weights: dict[str, float]
    spectra: dict[str, dict[str, Spectrum]]


def inspect_data_set(folder: Path, *, verify: bool = False) -> Inspection:
    """Read a whole data set, block by block; InputError when a checksum or anything else does not fit.

    ``verify``: hash every shard, also those that have not changed since they were last hashed.
    """
    manifest = read_manifest(folder, rehash=verify)
    spectra = spectra_of(manifest)
    plain = ["label", "nodes_cut", "weight", *spectra]
    tables: list[np.ndarray] = []
    columns: list[dict[str, np.ndarray]] = []
    for shard in manifest.shards:
        with open_shard(folder / shard.name) as file:
            for block in range(len(file.blocks)):
                clouds = file.read(["channel", *plain], [block])
                tables.append(_by_channel(clouds, manifest))
                columns.append(clouds.jets)
    table, whole = np.concatenate(tables), {name: np.concatenate([part[name] for part in columns]) for name in plain}
    names = manifest.network_inputs.channel_names
    here = [names[position] for position in np.flatnonzero(table.any(axis=0))]
    members = {name: whole["label"] == label for label, name in enumerate(manifest.classes)}
    jets = sum(shard.jets for shard in manifest.shards)
    return Inspection(
        manifest=manifest,
        jets=jets,
        bytes_per_jet=sum(shard.size for shard in manifest.shards) / jets,
        jets_cut=int((whole["nodes_cut"] > 0).sum()),
        nodes={name: _node_counts(table[chosen], here, manifest) for name, chosen in members.items()},
        weights={name: float(whole["weight"][chosen].sum(dtype=np.float64)) for name, chosen in members.items()},
        spectra={
            quantity: {
                name: Spectrum(*np.percentile(whole[quantity][chosen], (5, 50, 95)).tolist())
                for name, chosen in members.items()
            }
            for quantity in spectra
        },
    )


def spectra_of(manifest: Manifest) -> dict[str, str]:
    """Plain column → title, of the quantities whose spectra are shown: those of the kind of object, and targets."""
    shown = dict(kinds()[manifest.configuration["object"]["kind"]].spectra)
    return shown | {TARGET_PREFIX + name: f"target {name}" for name in manifest.targets}


def _by_channel(clouds: PointClouds, manifest: Manifest) -> np.ndarray:
    """Nodes of each object by channel, [J, channels of the data set]."""
    place = np.zeros(LARGEST_NUMBER + 1, np.int64)
    channels = manifest.network_inputs.channels
    for position, channel in enumerate(channels):
        place[channel.number] = position
    cell = clouds.jet_of_node * len(channels) + place[clouds.nodes["channel"]]
    return np.bincount(cell, minlength=len(clouds) * len(channels)).reshape(-1, len(channels))


def describe(inspection: Inspection) -> str:
    """The inspection as text: number of objects, cutflow and a table of nodes."""
    manifest = inspection.manifest
    objects = manifest.object_name
    region = manifest.network_inputs.region
    dense, dense_bytes = (
        f"{DENSE_PLANES}×{region.rows}×{region.columns}",
        DENSE_PLANES * region.rows * region.columns * 4,
    )
    lines = [
        f"task {manifest.task}, made by e2egraph {manifest.software_version} from {len(manifest.inputs)} files; "
        f"every checksum fits",
        f"{objects.count(inspection.jets)}, {inspection.bytes_per_jet / 1000:.1f} kB each; a dense {dense} float32 "
        f"image takes {dense_bytes / 1000:.0f} kB ({dense_bytes / 1024:.0f} KiB), "
        f"{dense_bytes / inspection.bytes_per_jet:.0f} times as much",
        f"{objects.count(inspection.jets_cut)} lost nodes to the cap",
    ]
    lines.append(f"nodes: {in_words(built_with(manifest))}")
    for name, splits in manifest.counts.items():
        lines.append(f"{name}: " + ", ".join(f"{split} {number}" for split, number in splits.items()))
    for name, flow in manifest.cutflow.items():
        lines.append(f"{name}: {cutflow_in_words(flow, objects)}")
    for name, outcomes in manifest.nodes.items():
        lines.append(
            f"{name}, deposits in windows: " + ", ".join(f"{k.replace('_', ' ')} {n}" for k, n in outcomes.items())
        )
    lines += [f"{name}: {particles_in_words(books)}" for name, books in manifest.particles.items()]
    if manifest.duplicates:
        lines.append(f"{manifest.duplicates} events occur more than once (allowed by --allow-duplicate-events)")
    lines += [f"skipped {entry.path}: {entry.reason}" for entry in manifest.skipped]
    lines += ["", "spectra: median (5th, 95th percentile)", "| | " + " | ".join(manifest.classes) + " |"]
    lines.append("|---|" + "---:|" * len(manifest.classes))
    for quantity, title in spectra_of(manifest).items():
        spread = [inspection.spectra[quantity][name] for name in manifest.classes]
        lines.append(f"| {title} | " + " | ".join(f"{s.median:.4g} ({s.low:.4g}, {s.high:.4g})" for s in spread) + " |")
    total = " | ".join(f"{inspection.weights[name]:.6g}" for name in manifest.classes)
    lines.append(f"| sum of weights | {total} |")
    lines += [
        "",
        f"nodes per {objects.one}: mean (90th percentile)",
        "| channel | " + " | ".join(manifest.classes) + " |",
    ]
    lines.append("|---|" + "---:|" * len(manifest.classes))
    for channel in next(iter(inspection.nodes.values())):
        found = [inspection.nodes[name][channel] for name in manifest.classes]
        cells = " | ".join(f"{count.mean:.1f} ({count.percentile_90:.0f})" for count in found)
        lines.append(f"| {channel} | {cells} |")
    if manifest.remarks:
        lines += ["", "faults of the inputs", *(f"  {line}" for line in manifest.remarks)]
    if manifest.missing:
        lines += ["", "not in the inputs", *(f"  {line}" for line in _missing(manifest))]
    return "\n".join(lines)


def _missing(manifest: Manifest) -> list[str]:
    """What inputs lack, each once, with those that lack it where not all do."""
    lacking: dict[str, list[str]] = {}
    for entry in manifest.missing:
        path, _, name = entry.rpartition(": ")
        lacking.setdefault(name, []).append(path)
    files = len({entry.path for entry in manifest.inputs})
    lines = []
    for name, paths in sorted(lacking.items()):
        named = ", ".join(paths[:SHOWN_FILES]) + (", …" if len(paths) > SHOWN_FILES else "")
        lines.append(name if len(paths) == files else f"{name}: {len(paths)} of {files} files ({named})")
    return lines


def _node_counts(table: np.ndarray, names: Sequence[str], manifest: Manifest) -> dict[str, NodeCounts]:
    """``table`` [J, channels] of counts; of the channels ``names`` and all."""
    places = manifest.network_inputs.channel_names
    columns = {name: table[:, places.index(name)] for name in names}
    columns["all"] = table.sum(axis=1)
    return {
        name: NodeCounts(float(column.mean()), float(np.percentile(column, 90))) for name, column in columns.items()
    }
