"""Typed configuration: YAML files shipped with the package (or the user's own), ``--set`` overrides, and hashes.

The classes themselves live next to what they configure; this file reads, overrides, validates and hashes them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar, dataclass_transform, get_args, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as _pydantic_dataclass

from e2egraph import yamlfile
from e2egraph.errors import UsageError

T = TypeVar("T")

_SINGULAR = {"analyses": "analysis"}


class RefusedError(ValueError):
    """What a validator refuses in a whole sentence, which ``validate`` passes on as it is."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
def configuration(cls: type[T]) -> type[T]:
    """Class decorator: a frozen, keyword-only dataclass that refuses unknown keys, wrong types and numbers that are not
    finite."""
    decorate = _pydantic_dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
    return decorate(cls)  # type: ignore[return-value]


def configs_folder() -> Path:
    """The shipped ``configs/``: inside the installed package, or at the top of a source checkout."""
    package = Path(__file__).parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def config_names(kind: str) -> list[str]:
    """Names of the shipped configurations of one kind, such as ``models``, ``tasks`` or ``processes``."""
    return sorted(path.stem for path in (configs_folder() / kind).glob("*.yaml"))


def find_config(kind: str, name: str) -> Path:
    """Path of configuration ``name`` of ``kind``: a shipped name, or a path to a YAML file of the user's own."""
    own = Path(name)
    if own.suffix in {".yaml", ".yml"}:
        if own.is_file():
            return own
        raise UsageError(
            f"{own}: no such configuration file{did_you_mean(own.stem, config_names(kind))}; give an existing YAML "
            f"file or one of {_listed(kind)}."
        )
    shipped = configs_folder() / kind / f"{name}.yaml"
    if not shipped.is_file():
        one = _SINGULAR.get(kind, kind.removesuffix("es" if kind.endswith("sses") else "s"))
        raise UsageError(
            f"unknown {one} '{name}'{did_you_mean(name, config_names(kind))}; choose one of {_listed(kind)}, or give a "
            "YAML file."
        )
    return shipped


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`` (did you mean 'gravnet'?)``: the one of ``known`` that is spelt most like ``name``; empty where none is."""
    close = get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f" (did you mean '{close[0]}'?)" if close else ""


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file (see ``yamlfile``) as a dictionary; UsageError when it is not one."""
    content = yamlfile.read(path)
    if not isinstance(content, dict):
        raise UsageError(f"{path}: expected 'key: value' lines at the top level; correct the file.")
    return content


class Setting(str):
    """A ``KEY=VALUE`` whose key is as a group inside the configuration sees it, empty where the whole group was given;
    ``typed``: as it was given, which errors name."""

    typed: str

    @staticmethod
    def inside(group: str, setting: str) -> Setting:
        """``setting``, whose key is ``group`` or lies in it, as that group sees it."""
        found = Setting(setting.removeprefix(group).removeprefix("."))
        found.typed = _typed(setting)
        return found


def _typed(setting: str) -> str:
    return getattr(setting, "typed", setting)


class _Overridden(dict[str, Any]):
    """A group of a configuration that remembers the ``settings`` applied to it, which errors name."""

    settings: tuple[str, ...] = ()


def override(content: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """A copy of ``content`` with ``a.b.c=value`` settings applied; values are read as YAML.

    A key that no configuration has is refused later, by its class, with the names that exist.
    """
    result: dict[str, Any] = json.loads(json.dumps(content))
    settings = tuple(settings)
    for setting in settings:
        key, separator, text = setting.partition("=")
        if not separator or not key:
            raise UsageError(f"--set {_typed(setting)}: expected KEY=VALUE, such as training.epochs=5.")
        *parents, last = key.split(".")
        node = result
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise UsageError(
                    f"--set {_typed(setting)}: '{parent}' is a value, not a group; name a key inside a group."
                )
        node[last] = yamlfile.parse(text, f"--set {_typed(setting)}")
    return _remembering(result, (*getattr(content, "settings", ()), *settings))


def _remembering(content: dict[str, Any], settings: tuple[str, ...]) -> _Overridden:
    """``content`` and the groups inside, each with those of the ``settings`` that lie in it."""
    result = _Overridden(content)
    result.settings = settings
    for group, held in content.items():
        own = [Setting.inside(group, setting) for setting in settings if _is_about(_key(setting), group)]
        if own and isinstance(held, dict):
            result[group] = _remembering(held, tuple(own))
    return result


def settings_of(content: object) -> tuple[str, ...]:
    """The settings that ``override`` applied to a configuration's content, or to a group inside it."""
    return content.settings if isinstance(content, _Overridden) else ()


def validate(cls: type[T], content: Mapping[str, Any], origin: str, settings: Iterable[str] = ()) -> T:
    """``content`` as an instance of ``cls``; UsageError naming ``origin``, or the setting that ``override`` applied,
    the key at fault and what it should be. ``settings``: those applied, where ``content`` is a copy that does not tell.
    """
    settings = (*settings_of(content), *settings)
    try:
        made = TypeAdapter(cls).validate_python(dict(content))
    except ValidationError as error:
        first = error.errors()[0]
        cause = first.get("ctx", {}).get("error")
        if isinstance(cause, RefusedError):
            # A group's own validation may have named the setting already.
            raise UsageError(str(cause) if str(cause).startswith("--set ") else f"{origin}: {cause}") from error
        key = ".".join(str(part) for part in first["loc"]) or "configuration"
        origin = _origin_of(key, settings, origin)
        if first["type"] == "unexpected_keyword_argument":
            close = did_you_mean(str(first["loc"][-1]), _known_keys(cls, first["loc"][:-1]))
            raise UsageError(
                f"{origin}: unknown key '{key}'{close}; remove it or correct its spelling ('e2egraph config show KIND' "
                "lists the keys of a kind of configuration)."
            ) from error
        reason = first["msg"].removeprefix("Value error, ")
        raise UsageError(
            f"{origin}: '{key}' is wrong ({reason[:1].lower()}{reason[1:]}); correct the value."
        ) from error
    for key in _switches_as_numbers(content, made):
        raise UsageError(
            f"{_origin_of(key, settings, origin)}: '{key}' is wrong (input should be a number, and true, yes and on, "
            "or false, no and off, are none); correct the value."
        )
    return made


def _origin_of(key: str, settings: Iterable[str], origin: str) -> str:
    """The last of ``settings`` that is about ``key``, as it was given with --set; ``origin`` where there is none."""
    given = [setting for setting in settings if _is_about(_key(setting), key)]
    return f"--set {_typed(given[-1])}" if given else origin


def _switches_as_numbers(given: object, made: object, name: str = "") -> Iterator[str]:
    """Keys whose value is given as true or false, and was taken as 1 or 0 of a number."""
    if isinstance(given, bool):
        if isinstance(made, int | float) and not isinstance(made, bool):
            yield name
        return
    pairs: Iterable[tuple[object, object, object]] = ()
    if isinstance(given, Mapping):
        held = made if isinstance(made, Mapping) else vars(made) if dataclasses.is_dataclass(made) else {}
        pairs = ((key, value, held.get(key)) for key, value in given.items())
    elif isinstance(given, list | tuple) and isinstance(made, list | tuple):
        pairs = ((place, *pair) for place, pair in enumerate(zip(given, made, strict=False)))
    for key, value, other in pairs:
        yield from _switches_as_numbers(value, other, f"{name}.{key}" if name else str(key))


def _key(setting: str) -> str:
    return setting.partition("=")[0]


def _is_about(setting: str, key: str) -> bool:
    """Whether a setting's key is the ``key`` of an error, a group that holds it or something in it."""
    one, other = setting.split(".") if setting else [], key.split(".")
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _known_keys(cls: Any, groups: Iterable[int | str]) -> list[str]:
    """The keys that the group at ``groups`` of configuration ``cls`` can have; none where that is not known."""
    for group in groups:
        if not dataclasses.is_dataclass(cls):
            return []
        hint = get_type_hints(cls).get(str(group))
        cls = next((each for each in (hint, *get_args(hint)) if dataclasses.is_dataclass(each)), None)
    return [field.name for field in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else []


def load(cls: type[T], kind: str, name: str, settings: Iterable[str] = ()) -> T:
    """Find, read, override and validate one configuration."""
    path = find_config(kind, name)
    return validate(cls, override(read_yaml(path), settings), str(path))


def rising(values: Sequence[float]) -> bool:
    """Whether there are values, each above the one before, as a table that is interpolated needs them."""
    return len(values) > 0 and all(low < high for low, high in pairwise(values))


def as_dict(config: object) -> dict[str, Any]:
    """A configuration as plain JSON-ready values."""
    return TypeAdapter(type(config)).dump_python(config, mode="json")


def changed(config: object) -> dict[str, Any]:
    """Of ``as_dict``, what differs from the defaults: the same in versions that have further keys."""
    content: dict[str, Any] = TypeAdapter(type(config)).dump_python(config, mode="json", exclude_defaults=True)
    return content


def digest(config: object) -> str:
    """SHA-256 of a configuration's canonical JSON: equal configurations, and only those, have equal digests."""
    content = config if isinstance(config, dict) else as_dict(config)
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _listed(kind: str) -> str:
    return ", ".join(config_names(kind)) or "none shipped"
