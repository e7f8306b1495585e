"""Whether a data set holds what a bundle's network was trained on; all is compared by name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from e2egraph.errors import InputError
from e2egraph.graphs.making.nodeselection import check_available
from e2egraph.graphs.storage.manifest import Manifest
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.inference.session import Bundle, of_channels
from e2egraph.tasks.objectives.description import meaning


def check_fit(bundle: Bundle, data: Path, manifest: Manifest) -> None:
    """InputError unless the network of ``bundle`` can score the objects of the data set.

    It must be of the bundle's objective, classes and region, and hold the channels, variables and object quantities
    that the bundle reads. What it holds besides is not read.
    """
    info = bundle.metadata.info
    asked, found = meaning(info.objective), meaning(manifest.configuration["objective"])
    if asked != found:
        raise InputError(
            f"{data}: its objective is {found}, that of {bundle.folder} {asked}; give a data set of the bundle's task."
        )
    region = manifest.network_inputs.region
    if region != bundle.inputs.region:
        raise InputError(
            f"{data}: nodes lie in {region.describe()}, those of {bundle.folder} in "
            f"{bundle.inputs.region.describe()}; build the data set with the bundle's region."
        )
    channels = info.node_selection.channels or info.task_selection.channels or list(bundle.inputs.channel_names)
    _require(channels, manifest.numbers, "nodes of channel", data, bundle.folder)
    columns = _columns(data, manifest)
    _require(bundle.inputs.variable_names, columns, "variable", data, bundle.folder)
    _require(bundle.inputs.object_names, columns, "object quantity", data, bundle.folder)
    for selection in (info.task_selection, info.node_selection):
        check_available(data, manifest, of_channels(selection, channels))


def _columns(data: Path, manifest: Manifest) -> list[str]:
    """The columns of its shards, which are the same in all."""
    if not manifest.shards:
        raise InputError(f"{data}: holds no shard; build it from events that pass the task's cuts.")
    with open_shard(data / manifest.shards[0].name) as file:
        return list(file.schema_arrow.names)


def _require(names: Iterable[str], held: Iterable[str], what: str, data: Path, bundle: Path) -> None:
    held = set(held)
    absent = [name for name in names if name not in held]
    if absent:
        raise InputError(
            f"{data}: has no {what} {', '.join(absent)}, which {bundle} reads; build it with the bundle's task."
        )
