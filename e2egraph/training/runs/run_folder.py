"""A run's folder: ``config.yaml environment.json metrics.csv summary.json train.log checkpoints/{best,last}.ckpt``.

In addition, where there is something to put in them: ``tensorboard/``, ``code-….patch`` (how the code differed from
its commit), ``diverged.json``, ``loggers.json``, and ``checkpoints/previous.ckpt`` while the run is not finished.

``config.yaml`` is written first and ``summary.json`` last, so that the one says it is a run and the other that it is
finished.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from e2egraph import folders, yamlfile
from e2egraph.config import as_dict, validate
from e2egraph.data.options import DataOptions
from e2egraph.errors import InputError, UsageError
from e2egraph.files import is_partial, write_text
from e2egraph.folders import check_folder, names_in
from e2egraph.graphs.storage.manifest import Manifest, read_manifest
from e2egraph.models.registry import ModelConfig
from e2egraph.tasks.inputs import Inputs, read_inputs, stored
from e2egraph.tasks.nodeselection import NodeSelection, of_task
from e2egraph.tasks.objectives.objective import Objective, make_objective, with_loss_settings
from e2egraph.tasks.objects.naming import ObjectName, object_name
from e2egraph.tasks.outputs import Outputs
from e2egraph.tasks.task import import_extensions
from e2egraph.training.recipe import Recipe

CONFIG, ENVIRONMENT, METRICS, SUMMARY = "config.yaml", "environment.json", "metrics.csv", "summary.json"
CHECKPOINTS, TENSORBOARD, LOG, SERVICES = "checkpoints", "tensorboard", "train.log", "loggers.json"

# What reading a configuration raises that is not what it should be.
_DAMAGED = (KeyError, TypeError, ValueError, AttributeError, UsageError)


@dataclass(frozen=True)
class DataIdentity:
    """The data set a run was trained on.

    ``configuration``: the whole configuration of ``task``; ``inputs``: what the network reads (``tasks.inputs``);
    ``lacking``: fields of the event record that its files lacked, None where an earlier version did not record them.
    """

    folder: str
    digest: str
    task: str
    configuration: dict[str, Any]
    configuration_sha256: str
    inputs: dict[str, Any]
    lacking: list[str] | None = field(default=None, compare=False)

    @classmethod
    def of(cls, folder: Path, manifest: Manifest) -> DataIdentity:
        return cls(
            folder=str(folder.resolve()),
            digest=manifest.digest,
            task=manifest.task,
            configuration=manifest.configuration,
            configuration_sha256=manifest.configuration_sha256,
            inputs=stored(manifest.network_inputs),
            lacking=manifest.lacking,
        )

    @property
    def object_name(self) -> ObjectName:
        """What its objects are called."""
        return object_name(self.configuration)


@dataclass(frozen=True)
class RunInfo:
    """What a run's files say. ``summary``: the content of ``summary.json``, empty while the run is not finished.

    ``objective``: what was learnt; ``inputs``: what the network reads; ``reading``: how objects are read to be scored,
    as in the recipe unless asked for otherwise (``reading.read_with``).
    """

    folder: Path
    model: ModelConfig
    recipe: Recipe
    seed: int
    data: DataIdentity
    objective: Objective
    inputs: Inputs
    summary: dict[str, Any]
    environment: dict[str, Any]
    reading: DataOptions

    @property
    def outputs(self) -> Outputs:
        """What the network gives."""
        return self.objective.outputs

    @property
    def task_selection(self) -> NodeSelection:
        """Which deposits the task made nodes of."""
        return of_task(self.data.configuration, str(self.folder / CONFIG))

    @cached_property
    def training_manifest(self) -> Manifest | None:
        """The manifest of the data set that it was trained on; None where that is no longer there, or changed."""
        try:
            manifest = read_manifest(Path(self.data.folder))
        except InputError:
            return None
        return manifest if manifest.digest == self.data.digest else None

    @property
    def lacking(self) -> list[str] | None:
        """Fields that the files lacked which it was trained on; None where nobody knows."""
        if self.data.lacking is not None or self.training_manifest is None:
            return self.data.lacking
        return self.training_manifest.lacking

    @property
    def cap(self) -> int | None:
        """Nodes per object at most: the smaller of the task's cap and the recipe's."""
        caps = [self.data.configuration.get("inputs", {}).get("cap"), self.recipe.data.nodes.cap]
        return min((cap for cap in caps if cap is not None), default=None)


def holds_unfinished_run(folder: Path) -> bool:
    """Whether an unfinished run stands in ``folder``; nothing is touched.

    InputError when the folder holds a finished run or anything that is not a run, or when a file is in the way.
    """
    check_folder(folder)
    if (folder / SUMMARY).is_file():
        raise InputError(f"{folder}: already holds a finished run; choose another --output, or remove the folder.")
    unfinished = (folder / CONFIG).is_file()
    if folder.is_dir() and not unfinished and not all(map(_is_first, names_in(folder))):
        raise InputError(f"{folder}: holds other files and is no run; choose another --output.")
    return unfinished


def _is_first(name: str) -> bool:
    """Whether a file may stand in a run's folder before its configuration does."""
    return name == LOG or is_partial(name, CONFIG)


def make_folder(folder: Path) -> None:
    """Make the folder of a run; InputError when that cannot be done or nothing can be written there."""
    try:
        folders.make_folder(folder)
        with (folder / LOG).open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be written ({error.strerror or error}); choose another --output, or change its "
            "permissions."
        ) from error


def clear(folder: Path) -> None:
    """Remove what an unfinished run wrote, but its log, to begin again."""
    for name in (CHECKPOINTS, TENSORBOARD):
        shutil.rmtree(folders.real(folder / name), ignore_errors=True)
    for name in (METRICS, ENVIRONMENT, SERVICES, *(path.name for path in folder.glob("diverged*.json"))):
        (folder / name).unlink(missing_ok=True)
    for path in folder.glob("code-*.patch"):
        path.unlink()


def write_config(folder: Path, model: ModelConfig, recipe: Recipe, seed: int, data: DataIdentity) -> None:
    """Everything resolved, defaults included: what is needed to train again and to load what was trained."""
    content = {"model": as_dict(model), **as_dict(recipe), "seed": seed, "data_set": asdict(data)}
    write_text(folder / CONFIG, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def read_run(folder: Path) -> RunInfo:
    """What a run's files say; InputError when the folder is no run, of an earlier version, or damaged.

    The modules that the task names as its extensions are imported; UsageError when one cannot be.
    """
    path = folder / CONFIG
    if not folder.exists():
        raise InputError(f"{folder}: no such run; give a folder made by 'e2egraph train'.")
    if not path.is_file():
        raise InputError(f"{folder}: not a run ({CONFIG} is missing); give a folder made by 'e2egraph train'.")
    try:
        content = yamlfile.read(path)
        if "inputs" not in content["data_set"]:
            raise InputError(f"{path}: made by an earlier version, which did not keep a network's inputs; train again.")
        data = DataIdentity(**content["data_set"])
        extensions = [str(name) for name in data.configuration.get("extensions") or ()]
    except _DAMAGED as error:
        raise _damaged(path, error) from error
    import_extensions(extensions, str(path))
    try:
        objective = make_objective(data.configuration["objective"], str(path))
        inputs = read_inputs(data.inputs, f"{path}, inputs")
        model = validate(ModelConfig, content["model"], str(path))
        groups = {name: content[name] for name in ("training", "data", "objective") if name in content}
        recipe = validate(Recipe, groups, str(path))
        objective = with_loss_settings(objective, recipe.objective, str(path))
        seed = int(content["seed"])
    except _DAMAGED as error:
        raise _damaged(path, error) from error
    summary, environment = (read_json(folder / name) for name in (SUMMARY, ENVIRONMENT))
    return RunInfo(folder, model, recipe, seed, data, objective, inputs, summary, environment, recipe.data)


def _damaged(path: Path, error: Exception) -> InputError:
    reason = " ".join(str(error).split())
    return InputError(f"{path}: damaged, or made by another version ({reason}); train again.")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file's content, empty when there is none; InputError when it is damaged."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: damaged; train again.") from error
    return dict(content)
