"""Whether a data set holds what a network reads; all is compared by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from e2egraph.errors import InputError
from e2egraph.graphs.making.nodeselection import check_no_narrower
from e2egraph.graphs.storage.manifest import Manifest
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.tasks.elements import element_settings
from e2egraph.tasks.fields import first_lacking
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.nodeselection import NodeSelection, both, in_words, of_task
from e2egraph.tasks.variables import DISPLACEMENT_LIMITS, SUPPRESS, suppressed, variables


def check_inputs(
    data: Path,
    manifest: Manifest,
    inputs: Inputs,
    configuration: Mapping[str, Any],
    of_run: NodeSelection,
    lacked: Collection[str],
    reader: Path,
    *,
    uses_jet: bool = True,
) -> None:
    """InputError unless the data set holds the region, channels, variables and object quantities of ``inputs``, in
    their units, with no fewer nodes and no other values than the network learnt from, and elements made as its own.

    ``configuration``: of the task that the network was trained for; ``of_run``: those of its nodes that it was trained
    on; ``lacked``: fields that the files lacked which it was trained on; ``uses_jet``: whether it reads the object
    quantities. ``reader``: the folder of the run or bundle, for the message. Whatever else the data set holds is not
    read.
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
    asked = both(task_selection, of_run).among(channels)
    check_no_narrower(data, manifest, replace(asked, channels=list(channels)), reader)
    _check_values(data, manifest, inputs, configuration, channels, reader)
    read = inputs if uses_jet else replace(inputs, object=())
    absent = first_lacking(read, manifest.object_kind, channels, manifest.lacking, lacked)
    if absent is not None:
        raise InputError(
            f"{data}: files that it was built from have no {absent[1]}, so that {absent[0]}, which {reader} reads, is "
            "0; build it from files that have it, or give a network that was trained on such files."
        )


def _check_values(
    data: Path,
    manifest: Manifest,
    inputs: Inputs,
    configuration: Mapping[str, Any],
    channels: Collection[str],
    reader: Path,
) -> None:
    """InputError where the data set's task gives nodes of ``channels`` other values than the task ``configuration`` of
    the network: by the solenoid's field, the radii of layers of hits, or displacements that are set to 0."""
    held, own = manifest.network_inputs, {channel.name: channel.radius for channel in inputs.channels}
    faults: list[tuple[str, Any, Any]] = [("field", inputs.field, held.field)]
    for layer in held.channels:
        if layer.collection == "hits" and layer.name in channels and layer.name in own:
            faults.append((f"radii.{layer.name}", own[layer.name], layer.radius))
    asked, stored = (suppressed(content["inputs"]) for content in (configuration, manifest.configuration))
    collections = {channel.collection for channel in inputs.channels if channel.name in channels}
    for name in DISPLACEMENT_LIMITS:
        read = {name, f"{name}_sig"}.intersection(inputs.variable_names)
        if read and collections & variables()[name].origin.keys() and (name in asked) != (name in stored):
            settings = [content["inputs"].get(SUPPRESS, True) for content in (configuration, manifest.configuration)]
            if settings[0] == settings[1]:
                raise InputError(
                    f"{data}: {name}_sig is {'set to 0 where' if name in stored else 'kept where'} {name} is large, "
                    f"unlike those that {reader} learnt from; build it again with the variables of its task."
                )
            faults.append((SUPPRESS, *settings))
    for key, wanted, found in faults:
        if wanted != found:
            raise InputError(
                f"{data}: built with inputs.{key} {_plain(found)}, but {reader} learnt from nodes of {_plain(wanted)}; "
                f"build it again with inputs.{key}={_plain(wanted)}."
            )


def _plain(value: float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


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
