"""Node files: elements of events as C++ reads them (``exports/cpp/EVENTS.md``, ``e2e_flow``)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from e2egraph.errors import InputError, UsageError
from e2egraph.files import check_not_read, replacing
from e2egraph.folders import make_folder
from e2egraph.graphs.storage.columns import SPLITS
from e2egraph.graphs.storage.manifest import files_of, read_manifest
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.tasks.elements import elements_digest
from e2egraph.tasks.inputs import POINT_NAMES

MAGIC = b"E2ENODE3"


def dump_elements(
    data: Path, output: Path, split: str | None = None, progress: Callable[[int, int], None] | None = None
) -> int:
    """Write the nodes of a data set's events (of one ``split``) to one file, in data set order; how many events.

    InputError: no data set, a split without events, a file of the data set as ``output``, or one that cannot be
    written. UsageError: an unknown split.
    """
    if split is not None and split not in SPLITS:
        raise UsageError(f"unknown split '{split}'; choose one of {', '.join(SPLITS)}.")
    manifest = read_manifest(data)
    check_not_read(output, files_of(data, manifest))
    if split is not None and not any(counts.get(split) for counts in manifest.counts.values()):
        raise InputError(
            f"{data}: no {manifest.object_name.one} in split '{split}'; choose another split, or build it "
            "from more events."
        )
    names = (*POINT_NAMES, *manifest.network_inputs.variable_names)
    listed = "".join(f"{name}\n" for name in names).encode()
    made = b""
    if manifest.objective.outputs.level == "node":
        made = elements_digest(manifest.configuration, manifest.numbers, str(data)).encode()
    events = 0
    try:
        make_folder(output.parent)
        with replacing(output) as stream:
            for text in (MAGIC, struct.pack("<I", len(listed)), listed, struct.pack("<I", len(made)), made):
                stream.write(text)
            for done, shard in enumerate(manifest.shards):
                with open_shard(data / shard.name) as file:
                    columns = ("run", "lumi", "event", "jet", "split", "channel", *names)
                    for block in range(len(file.blocks)):
                        clouds = file.read(columns, [block], split)
                        events += len(clouds)
                        stream.writelines(_blocks(clouds, names))
                if progress is not None:
                    progress(done + 1, len(manifest.shards))
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror}); choose another --output.") from error
    return events


def _blocks(clouds: PointClouds, names: Iterable[str]) -> Iterable[bytes]:
    """The events, one after the other."""
    columns = [clouds.nodes["channel"].astype("<i4"), *(clouds.nodes[name].astype("<f4") for name in names)]
    for number, (start, stop) in enumerate(zip(clouds.offsets[:-1], clouds.offsets[1:], strict=True)):
        identity = (int(clouds.jets[name][number]) for name in ("run", "lumi", "event", "jet"))
        yield struct.pack("<IIQiI", *identity, int(stop - start))
        yield from (np.ascontiguousarray(column[start:stop]).tobytes() for column in columns)
