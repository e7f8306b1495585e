"""What messages, tables and plots call the objects of a task: jets, clusters, events; "objects" where it is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ObjectName:
    """The word for ``one`` object, such as "cluster"."""

    one: str = "object"

    @property
    def many(self) -> str:
        """The plural, such as "clusters"."""
        return f"{self.one}s"

    def count(self, number: int) -> str:
        """A number of them in words: "1 cluster", "12 clusters"."""
        return f"{number} {self.one if number == 1 else self.many}"


# Where nothing tells the kind of object.
ANY_OBJECT = ObjectName()


def object_name(configuration: Mapping[str, Any]) -> ObjectName:
    """The name of the objects of a task's ``configuration``, as data sets, runs and bundles store it."""
    kind = (configuration.get("object") or {}).get("kind")
    return ANY_OBJECT if kind is None else ObjectName(kind)
