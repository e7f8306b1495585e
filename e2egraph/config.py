"""Typed configuration: YAML files shipped with the package (or the user's own), ``--set`` overrides, and hashes.

The classes themselves live next to what they configure; this file reads, overrides, validates and hashes them.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, dataclass_transform

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as _pydantic_dataclass

from e2egraph import yamlfile
from e2egraph.errors import UsageError

T = TypeVar("T")

_SINGULAR = {"analyses": "analysis"}


class InnerError(ValueError):
    """Raised while a configuration is validated for a group of it that was refused, with that ``error``'s sentence."""

    def __init__(self, error: UsageError) -> None:
        super().__init__(str(error))


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
        raise UsageError(f"{own}: no such configuration file; give an existing YAML file or one of {_listed(kind)}.")
    shipped = configs_folder() / kind / f"{name}.yaml"
    if not shipped.is_file():
        one = _SINGULAR.get(kind, kind.removesuffix("es" if kind.endswith("sses") else "s"))
        raise UsageError(f"unknown {one} '{name}'; choose one of {_listed(kind)}, or give a YAML file.")
    return shipped


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file (see ``yamlfile``) as a dictionary; UsageError when it is not one."""
    content = yamlfile.read(path)
    if not isinstance(content, dict):
        raise UsageError(f"{path}: expected 'key: value' lines at the top level; correct the file.")
    return content


def override(content: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """A copy of ``content`` with ``a.b.c=value`` settings applied; values are read as YAML.

    A key that stands nowhere in a configuration is refused later, by its class, with the names that exist.
    """
    result: dict[str, Any] = json.loads(json.dumps(content))
    for setting in settings:
        key, separator, text = setting.partition("=")
        if not separator or not key:
            raise UsageError(f"--set {setting}: expected KEY=VALUE, such as training.epochs=5.")
        *parents, last = key.split(".")
        node = result
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise UsageError(f"--set {setting}: '{parent}' is a value, not a group; name a key inside a group.")
        node[last] = yamlfile.parse(text, f"--set {setting}")
    return result


def validate(cls: type[T], content: Mapping[str, Any], origin: str) -> T:
    """``content`` as an instance of ``cls``; UsageError naming ``origin``, the key at fault and what it should be."""
    try:
        return TypeAdapter(cls).validate_python(dict(content))
    except ValidationError as error:
        first = error.errors()[0]
        inside = first.get("ctx", {}).get("error")
        if isinstance(inside, InnerError):
            raise UsageError(f"{origin}: {inside}") from error
        key = ".".join(str(part) for part in first["loc"]) or "configuration"
        if first["type"] == "unexpected_keyword_argument":
            raise UsageError(f"{origin}: unknown key '{key}'; remove it or correct its spelling.") from error
        reason = first["msg"].removeprefix("Value error, ")
        raise UsageError(
            f"{origin}: '{key}' is wrong ({reason[:1].lower()}{reason[1:]}); correct the value."
        ) from error


def load(cls: type[T], kind: str, name: str, settings: Iterable[str] = ()) -> T:
    """Find, read, override and validate one configuration."""
    path = find_config(kind, name)
    return validate(cls, override(read_yaml(path), settings), str(path))


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
