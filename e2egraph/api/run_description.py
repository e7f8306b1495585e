"""A run as its bundle describes it: model, task, data, recipe and figures."""

from __future__ import annotations

import json
import math
import shlex
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from e2egraph.config import as_dict
from e2egraph.errors import InputError, UsageError
from e2egraph.export.bundle import DEFAULT_CAP, BundleInfo
from e2egraph.graphs.storage.manifest import Manifest, read_manifest
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.models.registry import ModelConfig, load_model_config
from e2egraph.simulation.writer import CONFIGURATION
from e2egraph.training.runs.history import VALIDATION
from e2egraph.training.runs.run_folder import RunInfo

# How ``e2egraph simulate`` makes its tracks and seeds.
SIMULATED_DIRECTION, SIMULATED_DEPTH = "ecal_point", 0

# Of summary.json, with the validation figures after the first.
SUMMARY_METRICS = ("best_epoch", "training_jets", "jets_per_second")


def describe_run(
    run: RunInfo,
    data: Path,
    track_direction: str | None = None,
    seed_depth: int | None = None,
) -> BundleInfo:
    """What a bundle says of a run whose export is checked on ``data``.

    Jets are counted where ``data`` is what the run was trained on. Whether they are simulated is said of all of them,
    where they are in ``data`` or still where they were. The figures of ``e2egraph evaluate`` are taken where the run's
    folder holds them. ``track_direction``, ``seed_depth``: as ``BundleInfo``; where they are not given, those of
    ``e2egraph simulate`` if it made all files that the run was trained on (and they are still there), else None.
    """
    from e2egraph.data.simulated import all_simulated

    trained_on = _training_data(run, data)
    manifest = None if trained_on is None else read_manifest(trained_on)
    if None in (track_direction, seed_depth) and manifest is not None and all_made_by_simulate(manifest):
        track_direction = SIMULATED_DIRECTION if track_direction is None else track_direction
        seed_depth = SIMULATED_DEPTH if seed_depth is None else seed_depth
    return BundleInfo(
        model=run.model.name,
        model_config=as_dict(run.model),
        task=run.data.task,
        configuration=run.data.configuration,
        node_selection=run.recipe.data.nodes,
        cap=DEFAULT_CAP if run.cap is None else run.cap,
        dataset_sha256=run.data.digest,
        metrics=_metrics(run),
        training=_training(run, data),
        simulated=None if trained_on is None else all_simulated(_runs(trained_on)),
        track_direction=track_direction,
        seed_depth=seed_depth,
        lacking=run.data.lacking if manifest is None else manifest.lacking,
    )


def _training_data(run: RunInfo, data: Path) -> Path | None:
    """The folder of the run's training data, ``data`` or where it was; None where it is in neither."""
    for folder in dict.fromkeys((data, Path(run.data.folder))):
        try:
            manifest = read_manifest(folder)
        except InputError:
            continue
        if manifest.digest == run.data.digest:
            return folder
    return None


def _runs(data: Path) -> NDArray:
    """Run number of every object of a data set."""
    parts = []
    for shard in read_manifest(data).shards:
        with open_shard(data / shard.name) as file:
            parts.append(file.read(["run"]).jets["run"])
    return np.concatenate(parts)


def all_made_by_simulate(manifest: Manifest) -> bool:
    """Whether every input file of a data set is there and was made by ``e2egraph simulate``.

    Its files have the run number that CMS gives to all simulation, so that a jet alone does not tell.
    """
    import uproot

    def made(path: str) -> bool:
        try:
            with uproot.open(path) as file:
                return CONFIGURATION in file
        except Exception:  # moved, remote, or not of ROOT: uproot's errors have no common class
            return False

    return bool(manifest.inputs) and all(made(entry.path) for entry in manifest.inputs)


def _training(run: RunInfo, data: Path) -> dict[str, Any]:
    manifest = read_manifest(data)
    training: dict[str, Any] = {"recipe": as_dict(run.recipe), "seed": run.seed}
    if manifest.digest == run.data.digest:
        training["jets"] = manifest.counts
        training["inputs"] = ", ".join(sorted(Path(item.path).name for item in manifest.inputs))
    code = run.environment.get("code")
    if isinstance(code, dict) and code.get("commit"):
        training["code"] = f"{code['commit']}{' (modified)' if code.get('modified') else ''}"
    return training | {"commands": _commands(run)}


def _commands(run: RunInfo) -> list[str]:
    """How to train it again, with the recipe below the commands saved as ``recipe.yaml``."""
    name, folder = run.model.name, shlex.quote(run.folder.resolve().name)
    model = name if _is_shipped(run.model) else "model.yaml"
    data = shlex.quote(Path(run.data.folder).name)
    train = f"e2egraph train --model {model} --data {data} --recipe recipe.yaml --seed {run.seed} --output {folder}"
    judged = [f"e2egraph evaluate {folder}"] if run.outputs.level == "object" else []
    return [train, *judged, f"e2egraph export {folder} --output {shlex.quote(name)}"]


def _is_shipped(model: ModelConfig) -> bool:
    try:
        return load_model_config(model.name) == model
    except UsageError:
        return False


def _metrics(run: RunInfo) -> dict[str, float]:
    """Figures of the best epoch, and those of the evaluation that comparisons show, with the split before the name."""
    from e2egraph.evaluation.objectives.evaluation import evaluation_of

    first, *others = SUMMARY_METRICS
    validation = [name for name in run.summary if name.startswith(VALIDATION) and name != "validation_jets"]
    found = {name: run.summary[name] for name in (first, *validation, *others) if name in run.summary}
    path = run.folder / "metrics.json"
    try:
        report = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: damaged; run 'e2egraph evaluate {run.folder}' again, or remove it.") from error
    trained_on = report.get("trained_on") if isinstance(report, dict) else None
    if isinstance(trained_on, dict) and trained_on.get("digest") == run.data.digest:
        figures = [figure.name for figure in evaluation_of(run.objective).figures]
        names = (*(name for figure in figures for name in (figure, f"{figure}_error")), "jets")
        found |= {f"{report.get('split')}_{name}": report[name] for name in names if name in report}
    return {name: value for name, value in found.items() if isinstance(value, int | float) and math.isfinite(value)}
