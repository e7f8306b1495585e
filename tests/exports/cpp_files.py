"""What the C++ runner writes, read in Python."""

from __future__ import annotations

import csv
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Identity = tuple[int, int, int, int]


@dataclass(frozen=True)
class Inferred:
    """One run of the runner: rows of its CSV and nodes of each scored jet, by (run, lumi, event, jet)."""

    rows: dict[Identity, dict[str, str]]
    nodes: dict[Identity, dict[str, NDArray]]
    errors: str

    def scores(self, identity: Identity, kind: str = "score") -> NDArray[np.float64]:
        return np.array([float(v) for k, v in self.rows[identity].items() if k.startswith(f"{kind}_")])


def infer(runner: Path, bundle: Path, events: Path, folder: Path, *options: str) -> Inferred:
    """Run e2e_infer, which must succeed."""
    scores, nodes = folder / f"{bundle.name}.csv", folder / f"{bundle.name}.nodes"
    words = [runner, bundle, events, "--output", scores, "--dump-nodes", nodes, *options]
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    with scores.open(newline="") as file:
        rows = {identity_of(row): row for row in csv.DictReader(file)}
    return Inferred(rows, read_nodes(nodes), result.stderr)


def identity_of(row: dict[str, str]) -> Identity:
    return int(row["run"]), int(row["lumi"]), int(row["event"]), int(row["jet"])


def read_nodes(path: Path) -> dict[Identity, dict[str, NDArray]]:
    """The nodes of every jet of a node file (exports/cpp/EVENTS.md)."""
    content = path.read_bytes()
    assert content.startswith(b"E2ENODE3")
    (length,) = struct.unpack_from("<I", content, 8)
    at, jets = 12 + length, {}
    names = content[12:at].decode().splitlines()
    at += 4 + struct.unpack_from("<I", content, at)[0]
    while at < len(content):
        run, lumi, event, jet, size = struct.unpack_from("<IIQiI", content, at)
        at += 24
        columns = {"channel": np.frombuffer(content, "<i4", size, at)}
        for number, name in enumerate(names, 1):
            columns[name] = np.frombuffer(content, "<f4", size, at + 4 * size * number)
        at += 4 * size * (1 + len(names))
        jets[run, lumi, event, jet] = columns
    return jets


def assert_same_nodes(found: dict[str, NDArray], expected: dict[str, NDArray], jet: object) -> None:
    """Bit for bit, in the same order: all columns that C++ gives."""
    assert {"channel", "deta", "dphi", "value"} <= set(found)
    for name in found:
        kind = np.int32 if name == "channel" else np.float32
        assert found[name].tobytes() == expected[name].astype(kind).tobytes(), f"{name} of jet {jet}"
