"""Kinds of objects by name. A kind is one file in this folder; other packages register theirs."""

from __future__ import annotations

import importlib
import pkgutil

from e2egraph.tasks import objects as _folder
from e2egraph.tasks.objects.objects import ObjectKind

_KINDS: dict[str, ObjectKind] = {}


def register(kind: ObjectKind) -> ObjectKind:
    """Add a kind of object; ValueError when its name is taken."""
    if kind.name in _KINDS and _KINDS[kind.name] is not kind:
        raise ValueError(f"object kind {kind.name} exists already; choose another name")
    _KINDS[kind.name] = kind
    return kind


def bin_title(name: str) -> tuple[str, int]:
    """Title and digits of bins by their name in ``metrics.json``, whatever the kind; the name itself if unknown."""
    found = next((kind.bins[name] for kind in kinds().values() if name in kind.bins), None)
    return (name, 2) if found is None else (found.title, found.digits)


def kinds() -> dict[str, ObjectKind]:
    """Name → kind, all that are known."""
    for module in pkgutil.iter_modules(_folder.__path__):
        if module.name not in ("objects", "registry"):
            found = importlib.import_module(f"{_folder.__name__}.{module.name}")
            if hasattr(found, "KIND"):
                register(found.KIND)
    return dict(_KINDS)
