"""Whether a run in a folder is the one now asked for, and from where it goes on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from e2egraph import yamlfile
from e2egraph.config import as_dict, digest
from e2egraph.errors import InputError
from e2egraph.models.registry import ModelConfig, complete
from e2egraph.training.recipe import Recipe, what_decides
from e2egraph.training.runs.checkpoint import LAST, SUFFIX, read_latest
from e2egraph.training.runs.run_folder import CHECKPOINTS, CONFIG, DataIdentity, RunInfo, holds_unfinished_run, read_run

_OTHERWISE = "give the run's own settings, choose another --output, or begin again with --restart"


@dataclass(frozen=True)
class RunIdentity:
    """What decides the weights a training ends with."""

    model: ModelConfig
    recipe: Recipe
    seed: int
    data: DataIdentity

    @classmethod
    def of(cls, info: RunInfo) -> RunIdentity:
        """What a run's own files say."""
        return cls(info.model, info.recipe, info.seed, info.data)

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting by its dotted name."""
        recipe = what_decides(self.recipe)
        content = {
            "model": as_dict(self.model),
            **recipe,
            "objective": {**self.data.configuration["objective"], **recipe["objective"]},
            "--seed": self.seed,
            "data set": self.data.digest,
        }
        return dict(_flat(content))

    @property
    def digest(self) -> str:
        return digest(self.settings)

    @property
    def recorded(self) -> dict[str, Any]:
        """What checkpoints say of the run that they are of."""
        return {"identity": self.digest, "settings": self.settings}


@dataclass(frozen=True)
class Beginning:
    """Where a training begins: ``checkpoint`` None for the beginning; ``found`` says that a run was in the folder."""

    found: bool = False
    checkpoint: dict[str, Any] | None = None
    remarks: list[str] = field(default_factory=list)


def find_beginning(folder: Path, identity: RunIdentity, restart: bool) -> Beginning:
    """Look into ``folder`` without touching it.

    InputError: it holds a finished run, something else, a run of other settings, model, seed or data (named), or
    checkpoints that cannot be used.
    """
    if not holds_unfinished_run(folder):
        return Beginning()
    if restart:
        return Beginning(found=True)
    checkpoint, remarks = read_latest(folder / CHECKPOINTS)
    if checkpoint is None:
        return Beginning(found=True)
    info = read_run(folder)
    if other := other_setting(info, identity):
        raise InputError(f"{folder}: holds an unfinished run with another {other}; {_OTHERWISE}.")
    path = folder / CHECKPOINTS / f"{LAST}{SUFFIX}"
    if not isinstance(checkpoint.get("resume"), dict):
        raise InputError(f"{path}: made by a version that could not go on; begin again with --restart.")
    if not _is_of(checkpoint, info):
        raise InputError(f"{path}: belongs to another run than {folder / CONFIG} says; begin again with --restart.")
    try:
        position = checkpoint["resume"]["position"]
        remarks.append(f"goes on at epoch {position['epoch'] + 1}, batch {position['batch']}")
    except (KeyError, TypeError) as error:
        raise does_not_fit(folder) from error
    remarks += _other_rounding(info.recipe, identity.recipe)
    return Beginning(found=True, checkpoint=checkpoint, remarks=remarks)


def _is_of(checkpoint: dict[str, Any], info: RunInfo) -> bool:
    """Whether a checkpoint is of the run that ``config.yaml`` describes: settings that both know are the same.

    Those that one of them lacks came with a later version than it was written by, and are what they are by default.
    """
    now, recorded = RunIdentity.of(info).settings, checkpoint.get("settings")
    if isinstance(recorded, dict):
        return all(now[name] == value for name, value in recorded.items() if name in now)
    # Checkpoints used to have the digest alone, of the settings that there were then.
    content = yamlfile.read(info.folder / CONFIG)
    written = {name for name, _ in _flat({group: content[group] for group in ("training", "data")})}
    then = {name: now[name] for name in now if name in written or not name.startswith(("training.", "data."))}
    return checkpoint.get("identity") in (digest(now), digest(then))


def other_setting(info: RunInfo, identity: RunIdentity) -> str:
    """The first setting in which a run is another than ``identity``, in words; empty where there is none.

    Options of networks that came after the run was made are taken to be what they are by default.
    """
    there = replace(RunIdentity.of(info), model=complete(info.model, f"model {info.model.name}")).settings
    now = identity.settings
    for name in dict.fromkeys((*there, *now)):
        if there.get(name) != now.get(name):
            return f"{name} ({_short(there.get(name))} there, {_short(now.get(name))} now)"
    return ""


def does_not_fit(folder: Path) -> InputError:
    """What to say of a whole checkpoint of the run in ``folder`` whose content this version cannot use."""
    return InputError(
        f"{folder / CHECKPOINTS}: the checkpoint does not fit this version of the model; begin again with --restart."
    )


def _other_rounding(there: Recipe, now: Recipe) -> list[str]:
    """A remark on each setting that is another now and moves the last bits of what is computed."""
    changes = (
        (
            "training.accumulate",
            there.training.accumulate,
            now.training.accumulate,
            "steps (batch norms see the parts)",
        ),
        (
            "data.evaluation_batch_size",
            there.data.evaluation_batch_size,
            now.data.evaluation_batch_size,
            "validation",
        ),
    )
    return [
        f"{name} is {new} from here on, {old} before: the same {what}, but not to the last bit"
        for name, old, new, what in changes
        if old != new
    ]


def _flat(content: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    items: list[tuple[str, Any]] = []
    for name, value in content.items():
        if isinstance(value, dict) and value:
            items += _flat(value, f"{prefix}{name}.")
        else:
            items.append((f"{prefix}{name}", value))
    return items


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:24]}…"
