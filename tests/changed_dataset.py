"""A data set written again with content that a network does not know: what it does know is found by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def with_more(folder: Path, to: Path, package: str | None = None) -> Path:
    """The same data set with a node of a layer of one's own in every jet, and a variable of one's own.

    ``package``: the one that the task names for them.
    """
    own = {"deta": 0.1, "dphi": 0.2, "channel": 77, "rho": 500.0, "value": 30.0}

    def longer(table: pa.Table) -> pa.Table:
        arrays = {}
        for field in table.schema:
            column = table[field.name]
            if pa.types.is_list(field.type):
                column = pa.array([[*jet, own.get(field.name, 0.0)] for jet in column.to_pylist()], field.type)
            arrays[field.name] = column
        arrays["muon_quality"] = pa.array(
            [[1.5] * len(jet) for jet in arrays["rho"].to_pylist()], pa.list_(pa.float32())
        )
        arrays["n_nodes"] = pa.array([count + 1 for count in table["n_nodes"].to_pylist()], table["n_nodes"].type)
        return pa.table(arrays)

    manifest = _rewritten(folder, to, longer)
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

    def renumbered(table: pa.Table) -> pa.Table:
        at = table.schema.get_field_index("channel")
        field = table.schema.field(at)
        numbers = [[number + 100 for number in jet] for jet in table["channel"].to_pylist()]
        return table.set_column(at, field, pa.array(numbers, field.type))

    manifest = _rewritten(folder, to, renumbered)
    for channel in manifest["network_inputs"]["channels"]:
        channel["number"] += 100
    (to / "manifest.json").write_text(json.dumps(manifest))
    return to


def _rewritten(folder: Path, to: Path, change: Callable[[pa.Table], pa.Table]) -> dict:
    """Writes changed shards into ``to``; the manifest that fits them, which is not written yet."""
    to.mkdir()
    manifest: dict = json.loads((folder / "manifest.json").read_text())
    for shard in manifest["shards"]:
        table = pq.read_table(folder / shard["name"])
        pq.write_table(change(table).replace_schema_metadata(table.schema.metadata), to / shard["name"])
        content = (to / shard["name"]).read_bytes()
        shard |= {"size": len(content), "sha256": sha256(content).hexdigest()}
    return manifest
