"""A detector's YAML file: where it is, and what it says, laid over that of the detector it extends."""

from __future__ import annotations

from pathlib import Path

from e2egraph.config import configs_folder, did_you_mean, read_yaml
from e2egraph.errors import UsageError
from e2egraph.simulation.generation.generator_files import seen_from


def detector_content(path: Path, extended_by: tuple[Path, ...] = ()) -> object:
    """What a detector's YAML says, laid over that of the detector it ``extends``, if any.

    A file of rules that it names (``candidates.rules``) is looked for in its folder. ``extended_by``: the files that
    led here. UsageError when it extends one of them.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        return content
    content = _with_folder(content, path.parent)
    if "extends" not in content:
        return content
    chain = (*extended_by, path.absolute())
    changes = {key: value for key, value in content.items() if key != "extends"}
    name = str(content["extends"])
    base = detector_path(str(path.parent / name if name.endswith((".yaml", ".yml")) else Path(name)))
    if any(base.resolve() == one.resolve() for one in chain):
        raise UsageError(f"{path}: extends {name}, which extends this file; name another detector.")
    return _laid_over(detector_content(base, chain), changes)


def _with_folder(content: dict[str, object], folder: Path) -> dict[str, object]:
    candidates = content.get("candidates")
    if isinstance(candidates, dict) and str(rules := candidates.get("rules")).endswith((".yaml", ".yml")):
        return {**content, "candidates": {**candidates, "rules": str(seen_from(folder, str(rules)))}}
    return content


def _laid_over(base: object, changes: object) -> object:
    if not isinstance(base, dict) or not isinstance(changes, dict):
        return changes
    return base | {key: _laid_over(base.get(key), value) for key, value in changes.items()}


def detector_path(detector: str) -> Path:
    """The file of a shipped detector, or the user's own; UsageError when there is none."""
    own = Path(detector)
    if own.suffix in {".yaml", ".yml"}:
        if own.is_file():
            return own
        raise UsageError(f"{own}: no such detector configuration; give an existing YAML file.")
    shipped = configs_folder() / f"{detector}.yaml"
    if shipped.is_file():
        return shipped
    known = [path.stem for path in sorted(configs_folder().glob("detector*.yaml"))]
    raise UsageError(
        f"unknown detector '{detector}'{did_you_mean(detector, known)}; choose one of {', '.join(known)}, or give a "
        "YAML file."
    )
