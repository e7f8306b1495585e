"""What each key of a configuration class means, out of the class's docstring, which is the one place that says it.

A docstring names a key, with its unit where it has one, and what it means, in one sentence, at the beginning of it or
after a semicolon: "``radius`` [cm]: of the cylinder". Keys that share a meaning stand in one list; what a base class
says holds for classes made of it. A group of keys may be left to the first sentence of its own class.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from e2egraph import yamlfile
from e2egraph.config import as_dict

# Units that may stand in brackets; anything else in brackets is text.
UNITS = ("GeV", "rad", "cm", "ns", "T", "X₀", "pb", "fb⁻¹", "crystals", "cells")

_NAME = r"``(\w+)``(?: \[([^\]]+)\])?"
_ENTRY = re.compile(rf"(?:^|(?<=[.;)] ))((?:{_NAME}(?:, | and |: )?)+)(?<=: )")
# A unit that belongs to all that was said, not to something inside it.
_UNIT = re.compile(rf"\[({'|'.join(UNITS)})\](?=$|[;,])")

# What stands for any name or number in the dotted name of a key.
ANY = "*"


@dataclass(frozen=True)
class Description:
    """``meaning`` of a key, and its ``unit``, empty for none."""

    meaning: str
    unit: str = ""


@dataclass(frozen=True)
class Key:
    """A key by its dotted ``name``, with its ``default`` and ``value`` as YAML has them (None: required, not given)."""

    name: str
    description: Description
    default: str | None
    value: str | None = None


# (class, key, value where there is one) → what the key may hold: label (empty where it is certain), class, value.
Alternatives = Callable[[type, str, Any], Sequence[tuple[str, type, Any]]]


def is_configuration(kind: object) -> bool:
    """Whether ``kind`` is a class made by ``config.configuration``."""
    return isinstance(kind, type) and is_dataclass(kind) and hasattr(kind, "__pydantic_fields__")


def descriptions(cls: type) -> dict[str, Description]:
    """Key → description, for those keys of a configuration class that have one."""
    names = [entry.name for entry in fields(cls)]
    found: dict[str, Description] = {}
    for base in cls.__mro__:
        for name, description in _entries(base.__dict__.get("__doc__") or "").items():
            if name in names:
                found.setdefault(name, description)
    for name, annotation in _annotations(cls).items():
        inside, _ = _inside(annotation)
        if name not in found and inside is not None and (summary := _summary(inside)):
            found[name] = Description(summary)
    return {name: found[name] for name in names if name in found}


def keys(
    cls: type, value: Any = None, prefix: str = "", *, alternatives: Alternatives | None = None, above: tuple = ()
) -> Iterator[Key]:
    """Every key of a configuration class, those of groups inside it along, in order.

    ``value``: a configuration of that class, whose values to give. ``alternatives``: of keys whose class does not tell.
    A group that is always there has no row of its own, as its keys say it all. ``above``: classes that ``cls`` lies in.
    """
    described = descriptions(cls)
    for name, annotation in _annotations(cls).items():
        info = cls.__pydantic_fields__[name]  # type: ignore[attr-defined]
        label = prefix + (info.alias or name)
        own = None if value is None else getattr(value, name)
        groups = list(alternatives(cls, name, own)) if alternatives is not None else []
        inside, many = _inside(annotation)
        if not groups and inside is not None:
            groups = list(_members(inside, own)) if many else [("", inside, own)]
        always = any(not which for which, _, _ in groups) and type(None) not in get_args(annotation)
        if not always:
            description = described.get(name, Description(""))
            shown = None if value is None or (groups and own is not None) else _text(own)
            yield Key(label, _with_choices(description, annotation), _default(info), shown)
        for which, group, held in groups:
            if group not in (*above, cls) or held is not None:
                inner = f"{label}{which}."
                yield from keys(group, held, inner, alternatives=alternatives, above=(*above, cls))


def _entries(text: str) -> dict[str, Description]:
    found: dict[str, Description] = {}
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        words = " ".join(paragraph.split())
        matches = list(_ENTRY.finditer(words))
        ends = [*(match.start() for match in matches), len(words)]
        for match, end in zip(matches, ends[1:], strict=True):
            meaning = first_sentence(words[match.end() : end]).rstrip(" ;")
            named = re.findall(_NAME, match.group(1))
            unit = named[-1][1] or next(iter(_UNIT.findall(meaning)), "")
            for name, own in named:
                found.setdefault(name, Description(meaning.replace("``", ""), own or unit))
    return found


def first_sentence(text: str) -> str:
    """What stands before the first full stop, without it; those in parentheses belong to names and references."""
    depth = 0
    for place, character in enumerate(text):
        depth = max(0, depth + (character == "(") - (character == ")"))
        if depth == 0 and text.startswith(". ", place):
            return text[:place]
    return text.rstrip(". ")


def _summary(cls: type) -> str:
    """The first sentence of a class's docstring, unless it begins with a key."""
    words = " ".join(inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0].split())
    return "" if words.startswith("``") else first_sentence(words).replace("``", "")


def _annotations(cls: type) -> dict[str, Any]:
    return {entry.name: cls.__pydantic_fields__[entry.name].annotation for entry in fields(cls)}  # type: ignore[attr-defined]


def _inside(annotation: Any) -> tuple[type | None, bool]:
    """The configuration class that a key holds, if any, and whether it holds several (a list, or a group by name)."""
    if is_configuration(annotation):
        return annotation, False
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _inside(arguments[0])
    if origin in (Union, types.UnionType):
        found = [_inside(argument) for argument in arguments]
        return next((entry for entry in found if entry[0] is not None), (None, False))
    if origin in (list, tuple, dict) and arguments:
        return _inside(arguments[1 if origin is dict else 0])[0], True
    return None, False


def _members(cls: type, value: Any) -> Iterator[tuple[str, type, Any]]:
    """The entries of a list or of a group by name; one for any of them where no value is known."""
    if value is None:
        yield f".{ANY}", cls, None
        return
    for name, entry in value.items() if isinstance(value, Mapping) else enumerate(value):
        yield f".{name}", type(entry), entry


def _with_choices(description: Description, annotation: Any) -> Description:
    """The description with the values that are allowed, where these are few and it does not name them all."""
    choices = [str(choice) for choice in _literals(annotation)]
    if not choices or all(choice in description.meaning for choice in choices):
        return description
    return Description(f"{description.meaning} (one of {', '.join(choices)})", description.unit)


def _literals(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [choice for argument in get_args(annotation) for choice in _literals(argument)]


def _default(info: Any) -> str | None:
    if info.is_required():
        return None
    value = info.default if info.default_factory is None else info.default_factory()
    return _text(value)


def _text(value: Any) -> str:
    return yamlfile.written(as_dict(value))
