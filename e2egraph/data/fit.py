"""Whether a data set holds what a network reads; all is compared by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from e2egraph.errors import InputError
from e2egraph.graphs.making.nodeselection import check_available
from e2egraph.graphs.storage.manifest import Manifest
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.tasks.elements import element_settings
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.nodeselection import NodeSelection, in_words, of_task


def check_inputs(
    data: Path,
    manifest: Manifest,
    inputs: Inputs,
    configuration: Mapping[str, Any],
    of_run: NodeSelection,
    reader: Path,
) -> None:
    """InputError unless the data set holds the region, channels, variables and object quantities of ``inputs``, in
    their units, and elements made as those the network learnt from.

    ``configuration``: of the task that the network was trained for; ``of_run``: those of its nodes that it was trained
    on. ``reader``: the folder of the run or bundle, for the message. Whatever else the data set holds is not read.
    """
    check_elements(data, manifest, configuration, reader)
    task_selection = of_task(configuration, str(reader))
    region = manifest.network_inputs.region
    if region != inputs.region:
        raise InputError(
            f"{data}: nodes lie in {region.describe()}, those of {reader} in {inputs.region.describe()}; build the "
            "data set with that region."
        )
    channels = of_run.channels or task_selection.channels or list(inputs.channel_names)
    _require(channels, manifest.numbers, "nodes of channel", data, reader)
    columns = _columns(data, manifest)
    _require(inputs.variable_names, columns, "variable", data, reader)
    _require(inputs.object_names, columns, "object quantity", data, reader)
    held = manifest.network_inputs
    units = {variable.name: variable.unit for variable in (*held.variables, *held.object)}
    for variable in (*inputs.variables, *inputs.object):
        unit = units.get(variable.name, variable.unit)
        if unit != variable.unit:
            raise InputError(
                f"{data}: {variable.name} is in {unit or 'no unit'}, but {reader} reads it in "
                f"{variable.unit or 'no unit'}; build it with the same task."
            )
    for selection in (task_selection, of_run):
        check_available(data, manifest, selection.among(channels))


def check_elements(data: Path, manifest: Manifest, configuration: Mapping[str, Any], reader: Path) -> None:
    """InputError where the data set's elements were made with other settings than those of the task ``configuration``
    that the network of ``reader`` was trained for."""
    own = element_settings(configuration, str(reader))
    held = element_settings(manifest.configuration, str(data))
    for name in own:
        if own[name] != held.get(name):
            raise InputError(
                f"{data}: elements made with elements.{name} {held.get(name)}, those of {reader} with {own[name]}; "
                "build the data set with the same task."
            )


def check_same_elements(data: Path, manifest: Manifest, configuration: Mapping[str, Any], reader: Path) -> None:
    """InputError where the data set's task selects other elements than the task ``configuration`` that the network of
    ``reader`` was trained for, however many at most: candidates say by its number which element they are of."""
    own, held = (
        replace(of_task(content, str(origin)), cap=None)
        for content, origin in ((configuration, reader), (manifest.configuration, data))
    )
    if own != held:
        raise InputError(
            f"{data}: its task selects elements of {in_words(held)}, that of {reader} {in_words(own)}; candidates name "
            "elements by their numbers, so build the data set with the same task."
        )


def _columns(data: Path, manifest: Manifest) -> list[str]:
    """The columns of its shards, which are the same in all."""
    if not manifest.shards:
        raise InputError(f"{data}: holds no shard; build it from events that pass the task's cuts.")
    with open_shard(data / manifest.shards[0].name) as file:
        return list(file.names)


def _require(names: Iterable[str], held: Iterable[str], what: str, data: Path, reader: Path) -> None:
    held = set(held)
    absent = [name for name in names if name not in held]
    if absent:
        raise InputError(
            f"{data}: has no {what} {', '.join(absent)}, which {reader} reads; build it with the same task."
        )
