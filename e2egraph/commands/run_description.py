"""A run as its bundle describes it: model, task, data, recipe and figures."""

from __future__ import annotations

import json
import math
import shlex
from pathlib import Path
from typing import Any

from e2egraph.config import as_dict
from e2egraph.errors import InputError, UsageError
from e2egraph.export.bundle import DEFAULT_CAP, BundleInfo
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.models.registry import ModelConfig, load_model_config
from e2egraph.training.runs.history import VALIDATION
from e2egraph.training.runs.run_folder import RunInfo

# Of summary.json, with the validation figures after the first.
SUMMARY_METRICS = ("best_epoch", "training_jets", "jets_per_second")


def describe_run(run: RunInfo, data: Path, jets: PointClouds) -> BundleInfo:
    """What a bundle says of a run whose jets look like ``jets``, some of those in ``data``.

    Jets are counted where ``data`` is what the run was trained on; the figures of ``e2egraph evaluate`` are taken where
    the run's folder holds them.
    """
    from e2egraph.data.simulated import all_simulated

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
        simulated=all_simulated(jets.jets["run"]) if len(jets) else None,
    )


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
    return [train, f"e2egraph evaluate {folder}", f"e2egraph export {folder} --output {shlex.quote(name)}"]


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
