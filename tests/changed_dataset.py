"""A data set written again with content that a network does not know: what it does know is found by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np

from e2egraph.graphs.storage.columns import arrow_schema
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.graphs.storage.shards import open_shard, write_shard


def with_more(folder: Path, to: Path, package: str | None = None) -> Path:
    """The same data set with a node of a layer of one's own in every jet, and a variable of one's own.

    ``package``: the one that the task names for them.
    """
    own = {"deta": 0.1, "dphi": 0.2, "channel": 77, "rho": 500.0, "value": 30.0}

    def longer(clouds: PointClouds) -> PointClouds:
        ends = clouds.offsets[1:]
        nodes = {
            name: np.insert(column, ends, own.get(name, 0.0)).astype(column.dtype)
            for name, column in clouds.nodes.items()
        }
        nodes["muon_quality"] = np.full(len(nodes["rho"]), 1.5, np.float32)
        jets = {**clouds.jets, "n_nodes": clouds.jets["n_nodes"] + 1}
        return PointClouds(jets, nodes, clouds.offsets + np.arange(len(clouds.offsets)))

    manifest = rewritten(folder, to, longer)
    known = manifest["network_inputs"]
    known["channels"].append({"name": "MUON1", "number": 77, "collection": "muons", "radius": 500.0, "energy": True})
    quality = {"name": "muon_quality", "unit": "", "description": "of one's own", "scale": {"unit": 1.0}}
    known["variables"].append(quality)
    manifest["configuration"]["inputs"]["channels"].append("MUON1")
    manifest["configuration"]["inputs"]["variables"].append("muon_quality")
    manifest["configuration"]["extensions"] = [] if package is None else [package]
    (to / "manifest.json").write_text(json.dumps(manifest))
    return to


def with_other_numbers(folder: Path, to: Path) -> Path:
    """The same data set with every channel's number 100 higher."""

    def renumbered(clouds: PointClouds) -> PointClouds:
        return PointClouds(clouds.jets, {**clouds.nodes, "channel": clouds.nodes["channel"] + 100}, clouds.offsets)

    manifest = rewritten(folder, to, renumbered)
    for channel in manifest["network_inputs"]["channels"]:
        channel["number"] += 100
    (to / "manifest.json").write_text(json.dumps(manifest))
    return to


def with_larger_values(folder: Path, to: Path, label: int, factor: float) -> Path:
    """The same data set with the nodes' values of the classes from ``label`` on times ``factor``."""

    def larger(clouds: PointClouds) -> PointClouds:
        scale = np.where(clouds.jets["label"] >= label, factor, 1.0)[clouds.jet_of_node]
        nodes = {**clouds.nodes, "value": (clouds.nodes["value"] * scale).astype(np.float32)}
        return PointClouds(clouds.jets, nodes, clouds.offsets)

    (to / "manifest.json").write_text(json.dumps(rewritten(folder, to, larger)))
    return to


def without_channel(folder: Path, to: Path, label: int, channel: int) -> Path:
    """The same data set, whose objects of one class have no nodes of ``channel``."""

    def without(clouds: PointClouds) -> PointClouds:
        of_class = clouds.jets["label"][clouds.jet_of_node] == label
        left = clouds.keep_nodes(~of_class | (clouds.nodes["channel"] != channel))
        return PointClouds({**left.jets, "n_nodes": left.counts.astype("uint32")}, left.nodes, left.offsets)

    (to / "manifest.json").write_text(json.dumps(rewritten(folder, to, without)))
    return to


def rewrite(shard: Path, to: Path, change: Callable[[PointClouds], PointClouds]) -> None:
    """Write a shard again, with other content, to ``to``."""
    with open_shard(shard) as file:
        clouds, footer = change(file.read()), file.footer
    kinds = {
        name: "U10" if column.dtype.kind == "U" else str(column.dtype)
        for name, column in (*clouds.jets.items(), *clouds.nodes.items())
    }
    objects, nodes = ({name: kinds[name] for name in columns} for columns in (clouds.jets, clouds.nodes))
    write_shard(to, clouds, arrow_schema(objects, nodes), footer)


def rewritten(folder: Path, to: Path, change: Callable[[PointClouds], PointClouds]) -> dict:
    """Writes changed shards into ``to``; the manifest that fits them, which is not written yet."""
    to.mkdir()
    manifest: dict = json.loads((folder / "manifest.json").read_text())
    for shard in manifest["shards"]:
        rewrite(folder / shard["name"], to / shard["name"], change)
        content = (to / shard["name"]).read_bytes()
        shard |= {"size": len(content), "sha256": sha256(content).hexdigest()}
    return manifest
