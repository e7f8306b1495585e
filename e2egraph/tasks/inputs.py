"""What a network reads, as a value: the ordered variables and channels of its nodes, object quantities, the region.

A task chooses them by name; data set, run and bundle store them whole, so that a reader needs no table and a row added
to one later changes nothing that exists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from e2egraph.config import as_dict, configuration, validate
from e2egraph.detector.channels import LARGEST_NUMBER, Channel, channels
from e2egraph.detector.geometry import SOLENOID_FIELD
from e2egraph.tasks.region import Region
from e2egraph.tasks.variables import Variable, variables

# Δη and Δφ to the region's centre [rad], or η and φ where it has none: what every network gets as ``points``.
POINT_NAMES = ("deta", "dphi")

FLAG_PREFIX = "is_"


@configuration
class ChannelInput:
    """A channel that a network knows: its ``number`` in shards and C++ event files, the collection of the event record
    that its nodes come from, its ``radius`` [cm], whether values are momenta or energies, and CMS's subdetector and
    layer for layers of hits.

    ``name``: of the channel. ``number``: in shards and C++ event files. ``collection``: of the event record.
    ``radius`` [cm]: of a layer of hits. ``energy``: whether values are momenta or energies. ``cms``: CMS's
    subdetector and layer.
    """

    name: str
    number: Annotated[int, Field(ge=0, le=LARGEST_NUMBER)]
    collection: str
    radius: float
    energy: bool = False
    cms: tuple[int, int] | None = None


@configuration
class Inputs:
    """The order of ``features [B, N, V]`` and of ``jet [B, G]``.

    ``features``: ``variables`` in raw physical units, then one flag for each of ``channels``, 1 for its nodes.
    ``object``: quantities of the whole object. ``region``: the pixels that the nodes lie in. ``field`` [T]: of the
    solenoid, by which momenta are told from how hits bend.
    """

    variables: tuple[Variable, ...]
    channels: tuple[ChannelInput, ...]
    object: tuple[Variable, ...] = ()
    region: Region
    field: Annotated[float, Field(gt=0, allow_inf_nan=False)] = SOLENOID_FIELD

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for kind in (self.variables, self.channels, self.object):
            names = [entry.name for entry in kind]
            if len(set(names)) < len(names):
                raise ValueError(f"names must differ: {', '.join(names)}")
        if not self.channels:
            raise ValueError("name at least one channel")
        return self

    @property
    def variable_names(self) -> tuple[str, ...]:
        """Names of the node variables, in order."""
        return tuple(variable.name for variable in self.variables)

    @property
    def channel_names(self) -> tuple[str, ...]:
        """Names of the channels, in the order of their flags."""
        return tuple(channel.name for channel in self.channels)

    @property
    def numbers(self) -> dict[str, int]:
        """Channel name → its number in shards."""
        return {channel.name: channel.number for channel in self.channels}

    @property
    def object_names(self) -> tuple[str, ...]:
        """Names of the object quantities, in order."""
        return tuple(quantity.name for quantity in self.object)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The V names of ``features``: variables, then channel flags."""
        return (*self.variable_names, *(FLAG_PREFIX + name for name in self.channel_names))

    @property
    def n_features(self) -> int:
        return len(self.variables) + len(self.channels)

    def index(self, name: str) -> int:
        """Position of a variable (``value``) or channel flag (``is_TRACK``) in ``features``; ValueError if absent."""
        names = self.feature_names
        if name not in names:
            raise ValueError(f"'{name}' is not among the inputs {', '.join(names)}")
        return names.index(name)

    def has(self, name: str) -> bool:
        """Whether ``features`` holds the variable or flag ``name``."""
        return name in self.feature_names

    def object_index(self, name: str) -> int:
        """Position of an object quantity in ``jet [B, G]``; ValueError if absent."""
        if name not in self.object_names:
            raise ValueError(f"'{name}' is not among the object quantities {', '.join(self.object_names) or '(none)'}")
        return self.object_names.index(name)


def channel_input(channel: Channel) -> ChannelInput:
    """A row of the table of channels as an input."""
    return ChannelInput(
        name=channel.name,
        number=int(channel),
        collection=channel.collection,
        radius=channel.radius,
        energy=channel.energy,
        cms=channel.cms,
    )


def resolve(
    variable_names: Sequence[str],
    channel_names: Sequence[str],
    object_names: Sequence[str],
    region: Region,
    quantities: Mapping[str, Variable],
) -> Inputs:
    """The inputs of these names out of the tables; ``quantities``: those that the kind of object has.

    ValueError naming what is in no table.
    """
    tables: list[tuple[str, Sequence[str], Mapping[str, Any]]] = [
        ("variable", variable_names, variables()),
        ("channel", channel_names, channels()),
        ("object quantity", object_names, quantities),
    ]
    for what, names, table in tables:
        unknown = [name for name in names if name not in table]
        if unknown:
            raise ValueError(f"unknown {what} {', '.join(unknown)}; known are {', '.join(table)}")
    return Inputs(
        variables=tuple(variables()[name].variable for name in variable_names),
        channels=tuple(channel_input(channels()[name]) for name in channel_names),
        object=tuple(quantities[name] for name in object_names),
        region=region,
    )


def with_radii(inputs: Inputs, radii: Mapping[str, float]) -> Inputs:
    """The same inputs with the ``radii`` [cm] of some layers of hits; ValueError naming one that is not among them."""
    layers = [known.name for known in inputs.channels if known.collection == "hits"]
    unknown = [name for name in radii if name not in layers]
    if unknown:
        known = ", ".join(layers) or "none"
        raise ValueError(f"radii name {', '.join(unknown)}; layers of hits among the channels: {known}")
    channels = tuple(replace(known, radius=radii.get(known.name, known.radius)) for known in inputs.channels)
    return replace(inputs, channels=channels)


def numbered(inputs: Inputs, numbers: Mapping[str, int]) -> Inputs:
    """The same inputs with the channels' ``numbers`` (name → number) of a data set, their own where it has none."""
    channels = tuple(replace(known, number=numbers.get(known.name, known.number)) for known in inputs.channels)
    return replace(inputs, channels=channels)


def read_inputs(content: Mapping[str, Any], origin: str) -> Inputs:
    """Inputs as ``stored`` wrote them; UsageError naming ``origin`` when they are damaged."""
    return validate(Inputs, content, origin)


def stored(inputs: Inputs) -> dict[str, Any]:
    """Inputs as JSON-ready values."""
    return as_dict(inputs)
