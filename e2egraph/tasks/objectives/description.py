"""What a stored objective says to a reader that has no need of its class: its package may not be installed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The configuration of an objective as JSON-ready values (``objective.stored``).
Stored = Mapping[str, Any]


def parts_of(objective: Stored) -> list[Stored]:
    """The objectives of a joint one, or the objective itself."""
    return list(objective.get("heads") or [objective])


def class_names(objective: Stored) -> tuple[str, ...]:
    """The classes that examples belong to, in the order of their labels; none where it names none."""
    return tuple(next((part["classes"] for part in parts_of(objective) if part.get("classes")), ()))


def signal_name(objective: Stored) -> str | None:
    """The class that counts as signal; None where there is none."""
    return next((part["signal"] for part in parts_of(objective) if part.get("signal")), None)


def learnt_classes(objective: Stored, head: str) -> tuple[str, ...]:
    """The classes whose examples the objective of kind ``head`` learns from (``Joint.only``)."""
    return tuple((objective.get("only") or {}).get(head) or class_names(objective))


def meaning(objective: Stored) -> str:
    """In words what is predicted of what: equal for objectives that differ in nothing but how they are learnt."""
    return f"{_parts_in_words(objective)} (classes {', '.join(class_names(objective)) or 'none'})"


def predicted(objective: Stored) -> str:
    """The same without the classes where only quantities are predicted, which those of any class have."""
    if all(part.get("targets") for part in parts_of(objective)):
        return _parts_in_words(objective)
    return meaning(objective)


def difference(one: Stored, other: Stored) -> tuple[str, str] | None:
    """The first setting in which two objectives differ, in the words of either; None where they are equal."""
    if one == other:
        return None
    name = min(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    return f"{one['kind']} with {name} {one.get(name)}", f"{other['kind']} with {name} {other.get(name)}"


def _parts_in_words(objective: Stored) -> str:
    words = []
    for part in parts_of(objective):
        targets = [_target(target) for target in part.get("targets") or ()]
        words.append(f"{part.get('kind')} of {', '.join(targets)}" if targets else str(part.get("kind")))
    return " with ".join(words)


def _target(target: Any) -> str:
    if not isinstance(target, Mapping):
        return str(target)
    return f"{target.get('name')} [{target['unit']}]" if target.get("unit") else str(target.get("name"))
