"""Every kind of configuration file: its class, what is shipped, and how a file of it is read."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from e2egraph import config
from e2egraph.config import config_names, configs_folder, find_config, read_yaml
from e2egraph.descriptions import ANY, Key, first_sentence, is_configuration, keys
from e2egraph.errors import UsageError


@dataclass(frozen=True)
class Kind:
    """A kind of configuration file.

    ``used_by``: command that takes its files, ``folder``: of those shipped, in ``configs`` (None: none are);
    ``keys(name)``: every key, with the values of file ``name`` where it is given.
    """

    used_by: str
    folder: str | None
    keys: Callable[[str | None], Iterator[Key]]

    @property
    def names(self) -> list[str]:
        """What is shipped."""
        if self.folder == "":  # detectors lie at the top, among other files
            return sorted(path.stem for path in configs_folder().glob("detector*.yaml"))
        return [] if self.folder is None else config_names(self.folder)

    def about(self, name: str) -> str:
        """What a shipped configuration is, in its own words: its title or description, or its first comment."""
        path = configs_folder() / (self.folder or "") / f"{name}.yaml"
        content = read_yaml(path)
        words = content.get("description") or content.get("title")
        return str(words) if words else _first_comment(path)


def kinds() -> dict[str, Kind]:
    """Name of a kind → the kind."""
    return {
        "task": Kind("build-graphs", "tasks", _task),
        "samples": Kind("build-graphs", None, _samples),
        "images": Kind("build-graphs", "images", _images),
        "model": Kind("train", "models", _model),
        "recipe": Kind("train", "recipes", _recipe),
        "search": Kind("tune", "search", _search),
        "analysis": Kind("evaluate", "analyses", _analysis),
        "ablation": Kind("ablate", "ablations", _ablation),
        "process": Kind("simulate", "processes", _process),
        "detector": Kind("simulate", "", _detector),
        "particleflow": Kind("simulate", "particleflow", _rules),
    }


def kind_of(name: str) -> Kind:
    """The kind of that name; UsageError when there is none."""
    found = kinds()
    if name not in found:
        raise UsageError(f"unknown kind '{name}'; choose one of {', '.join(found)}.")
    return found[name]


def _task(name: str | None) -> Iterator[Key]:
    from e2egraph.tasks.task import TaskConfig, load_task

    return keys(TaskConfig, None if name is None else load_task(name), alternatives=_of_tasks)


def _of_tasks(cls: type, key: str, value: Any) -> Sequence[tuple[str, type, Any]]:
    """What a task's groups hold whose ``kind`` decides."""
    from e2egraph.tasks.objects.registry import kinds as object_kinds
    from e2egraph.tasks.task import TaskConfig

    if key == "heads" and isinstance(value, list):
        return [(f".{place}", type(head), head) for place, head in enumerate(value)]
    if cls is not TaskConfig or key not in ("object", "objective"):
        return []
    if value is not None:
        return [("", type(value), value)]
    if key == "object":
        return [(f"[{kind}]", found.configuration, None) for kind, found in object_kinds().items()]
    return [(f"[{kind}]", found, None) for kind, found in _objectives().items()]


def _objectives() -> dict[str, type]:
    from e2egraph.tasks import objectives
    from e2egraph.tasks.objectives.objective import Objective

    for module in pkgutil.iter_modules(objectives.__path__):
        importlib.import_module(f"{objectives.__name__}.{module.name}")
    found = [cls for cls in Objective.__subclasses__() if is_configuration(cls)]
    return {cls.__pydantic_fields__["kind"].default: cls for cls in found}  # type: ignore[attr-defined]


def _samples(name: str | None) -> Iterator[Key]:
    from e2egraph.events.samples import SampleList

    if name is not None and not Path(name).is_file():
        raise UsageError(f"{name}: no such file; give a YAML file that lists samples (none are shipped).")
    content = None if name is None else config.validate(SampleList, read_yaml(Path(name)), name)
    return keys(SampleList, content)


def _images(name: str | None) -> Iterator[Key]:
    from e2egraph.events.sources.images.layout import ImageLayout

    return _plain(ImageLayout, "images", name)


def _model(name: str | None) -> Iterator[Key]:
    from e2egraph.models.registry import ModelConfig, load_model_config, network_class

    if name is None:
        return keys(ModelConfig)
    loaded = load_model_config(name)
    options = network_class(loaded, name).Options
    held = config.validate(options, loaded.options, f"{name}, options")

    def of_model(cls: type, key: str, value: Any) -> Sequence[tuple[str, type, Any]]:
        return [("", options, held)] if cls is ModelConfig and key == "options" else []

    return keys(ModelConfig, loaded, alternatives=of_model)


def _recipe(name: str | None) -> Iterator[Key]:
    from e2egraph.training.recipe import Recipe

    return _plain(Recipe, "recipes", name)


def _search(name: str | None) -> Iterator[Key]:
    from e2egraph.training.tuning.space import Choices, Interval, read_space

    dimensions: Mapping[str, Any] = {} if name is None else read_space(name).dimensions
    if name is None:
        yield from keys(Choices, prefix=f"{ANY}.")
        yield from keys(Interval, prefix=f"{ANY}.")
    for key, dimension in dimensions.items():
        yield from keys(type(dimension), dimension, prefix=f"{key}.")


def _analysis(name: str | None) -> Iterator[Key]:
    from e2egraph.evaluation.significance.analysis import Analysis

    return _plain(Analysis, "analyses", name)


def _ablation(name: str | None) -> Iterator[Key]:
    from e2egraph.evaluation.ablation.rows import Preset

    return _plain(Preset, "ablations", name)


def _process(name: str | None) -> Iterator[Key]:
    from e2egraph.simulation.generation.process import ProcessConfig
    from e2egraph.simulation.simulate import read_settings

    return keys(ProcessConfig, None if name is None else read_settings(name).process)


def _detector(name: str | None) -> Iterator[Key]:
    from e2egraph.simulation.response.response import DetectorConfig
    from e2egraph.simulation.simulate import read_settings

    # Any process will do: it is read along and left out.
    any_process = partial(read_settings, config_names("processes")[0])
    return keys(DetectorConfig, None if name is None else any_process(detector=name).detector)


def _rules(name: str | None) -> Iterator[Key]:
    from e2egraph.reconstruction.rulesconfig import RulesConfig, read_rules

    return keys(RulesConfig, None if name is None else read_rules(name))


def _plain(cls: type, folder: str, name: str | None) -> Iterator[Key]:
    return keys(cls, None if name is None else config.load(cls, folder, str(find_config(folder, name))))


def _first_comment(path: Path) -> str:
    """The first sentence of the comment that a file begins with; empty without one."""
    words: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        words.append(line.removeprefix("#").strip())
    return first_sentence(" ".join(words))
