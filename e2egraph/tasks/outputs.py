"""What a network gives, as a value: named heads with their columns, units and what is done to them in the graph."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from e2egraph.config import configuration

Level = Literal["object", "node"]
Activation = Literal["softmax", "none"]

# Tensors of an exported model by the activation of its head: the activated one first, which CMSSW's producers take.
TENSORS: dict[Activation, tuple[str, ...]] = {"softmax": ("scores", "logits"), "none": ("prediction",)}


@configuration
class Head:
    """Columns of a network's output that belong together.

    ``columns``: their names. ``level``: one row for each object or for each node. ``activation``: ``softmax`` turns raw
    columns into probabilities; ``none``: they are what is asked for. ``units``: of each column, empty for none.
    ``tensor``: name of the first tensor of an exported model that holds them, that of ``TENSORS`` where not given.
    A network's raw number r means ``offset + scale · r``: fixed constants, part of the network and of what is exported.

    ``name``: of the head. ``offset``: added to each raw number. ``scale``: by which each is multiplied first.
    """

    name: str
    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    level: Level = "object"
    activation: Activation = "none"
    units: tuple[str, ...] = ()
    offset: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    tensor: str = ""

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not self.tensor:
            object.__setattr__(self, "tensor", TENSORS[self.activation][0])
        return self

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        for name in ("units", "offset", "scale"):
            given = getattr(self, name)
            if given and len(given) != len(self.columns):
                raise ValueError(f"{name} has {len(given)} entries for {len(self.columns)} columns")
        if len(set(self.columns)) < len(self.columns):
            raise ValueError(f"columns must differ: {', '.join(self.columns)}")
        return self

    @property
    def tensors(self) -> tuple[str, ...]:
        """Names of this head's tensors in an exported model."""
        return (self.tensor, *TENSORS[self.activation][1:])

    @property
    def scaled(self) -> bool:
        """Whether raw numbers and outputs differ."""
        return any(value != 0.0 for value in self.offset) or any(value != 1.0 for value in self.scale)


@configuration
class Outputs:
    """All heads of a network, whose columns stand side by side in its output ``[B, C]`` (or ``[B, N, C]``)."""

    heads: Annotated[tuple[Head, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        tensors = [name for head in self.heads for name in head.tensors]
        if len(set(tensors)) < len(tensors):
            raise ValueError("two heads would give tensors of one name; join their columns in one head")
        if len({head.level for head in self.heads}) > 1:
            raise ValueError("heads must all be of objects or all of nodes")
        return self

    @property
    def size(self) -> int:
        """Columns in all, C."""
        return sum(len(head.columns) for head in self.heads)

    @property
    def level(self) -> Level:
        return self.heads[0].level

    @property
    def slices(self) -> dict[str, slice]:
        """Head name → its columns of the output."""
        found, first = {}, 0
        for head in self.heads:
            found[head.name] = slice(first, first + len(head.columns))
            first += len(head.columns)
        return found

    @property
    def tensors(self) -> dict[str, int]:
        """Tensor of an exported model → its columns, in order; CMSSW's producers take the first."""
        return {name: len(head.columns) for head in self.heads for name in head.tensors}

    @property
    def offset(self) -> tuple[float, ...]:
        """Offset of every column."""
        return tuple(value for head in self.heads for value in (head.offset or (0.0,) * len(head.columns)))

    @property
    def scale(self) -> tuple[float, ...]:
        """Scale of every column."""
        return tuple(value for head in self.heads for value in (head.scale or (1.0,) * len(head.columns)))


def class_outputs(classes: tuple[str, ...]) -> Outputs:
    """One head of class probabilities."""
    return Outputs(heads=(Head(name="class", columns=classes, activation="softmax"),))
