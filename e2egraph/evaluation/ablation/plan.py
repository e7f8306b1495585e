"""Which runs an ablation is made of, in which order, with which settings, and where each one lies."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from e2egraph.errors import UsageError
from e2egraph.evaluation.ablation.results import InputRow, TrainingJets
from e2egraph.evaluation.ablation.rows import draws_images, row_settings
from e2egraph.models.image.planes import PUBLISHED_CHANNELS
from e2egraph.models.registry import ModelConfig, load_model_config
from e2egraph.training.recipe import Recipe, load_recipe, split_settings

RUNS = "runs"
ALL = "all"

# Set by the rows and the numbers of training jets.
_OWN = ("data.nodes.channels", "data.training_jets", "model.options.channels", "model.hide")


@dataclass(frozen=True)
class CurvePoint:
    """This many training jets for the row of all inputs, with these seeds (none: those of every row)."""

    training_jets: TrainingJets
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Request:
    """What was asked for.

    ``models``: names or YAML files. ``training_jets``: of every row (None: all). ``seeds``: of every row, and
    ``full_seeds`` of the row of all inputs. ``curve``: further numbers of training jets for that row. ``settings``:
    ``--set`` values for every run, or with ``MODEL:`` in front for those of one model. ``rows_name``: how the rows were
    asked for (``load_rows``), for the record.
    """

    models: tuple[str, ...]
    rows: tuple[InputRow, ...]
    reference: str | None = None
    recipe: str = "published"
    settings: tuple[str, ...] = ()
    training_jets: TrainingJets = None
    seeds: tuple[int, ...] = (1,)
    full_seeds: tuple[int, ...] = (1, 2, 3)
    curve: tuple[CurvePoint, ...] = ()
    rows_name: str = ""


@dataclass(frozen=True)
class PlannedRun:
    """One training. ``model``: as given to ``train``; ``folder``: relative to the ablation's."""

    row: InputRow
    name: str
    model: str
    training_jets: TrainingJets
    seed: int
    settings: tuple[str, ...]
    config: ModelConfig = field(repr=False)
    recipe: Recipe = field(repr=False)

    @property
    def folder(self) -> Path:
        return Path(RUNS) / self.row.name / self.name / f"jets_{jets_name(self.training_jets)}" / f"seed_{self.seed}"

    def __str__(self) -> str:
        return f"{self.row.name}, {self.name}, {jets_name(self.training_jets)} objects, seed {self.seed}"


@dataclass(frozen=True)
class Plan:
    """``runs`` in the order they are made; ``models``: names, in the order given; ``reference``: one of them."""

    request: Request
    models: tuple[str, ...]
    reference: str
    recipe: Recipe
    runs: tuple[PlannedRun, ...]


def jets_name(training_jets: TrainingJets) -> str:
    return ALL if training_jets is None else str(training_jets)


def make_plan(request: Request) -> Plan:
    """Every run of ``request``: first the row of all inputs, then the other rows, then the learning curve.

    Within each, seed by seed all models, so that what is to be compared comes together. UsageError: unknown model,
    recipe or setting, two models of one name, an unknown reference, no models, rows or seeds, a setting that the rows
    make, several devices, a learning curve without a row of all inputs, an image network that lacks a plane of a row.
    """
    for what, values in (("--models", request.models), ("--rows", request.rows), ("--seeds", request.seeds)):
        if not values:
            raise UsageError(f"{what}: nothing is named; name at least one.")
    for setting in request.settings:
        if _key(setting) in _OWN:
            raise UsageError(f"--set {setting}: the rows and --training-jets set it; leave it out.")
    for_model, for_recipe = split_settings(_settings_of(None, request.settings))
    recipe = load_recipe(request.recipe, for_recipe)
    if recipe.training.devices * recipe.training.nodes > 1 or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError(
            "an ablation trains on one device; use training.devices=1 without torchrun, or train its runs by "
            "'e2egraph train' into the same folders."
        )
    configs: dict[str, tuple[str, ModelConfig]] = {}
    for given in request.models:
        config = load_model_config(given, for_model)
        if config.name in configs:
            raise UsageError(
                f"--models {','.join(request.models)}: two models are named '{config.name}'; give one another name in "
                "its YAML file."
            )
        configs[config.name] = (given, config)
    for setting in request.settings:
        name = _model_of(setting)
        if name is not None and name not in configs:
            raise UsageError(
                f"--set {setting}: none of the models is named '{name}'; choose one of {', '.join(configs)}."
            )
    reference = next(iter(configs)) if request.reference is None else request.reference
    if reference not in configs:
        raise UsageError(f"--reference {reference}: none of the models; choose one of {', '.join(configs)}.")
    runs = [
        _run(request, row, configs[name], training_jets, seed)
        for row, training_jets, seed in _order(request)
        for name in configs
    ]
    return Plan(request, tuple(configs), reference, recipe, tuple(runs))


def _order(request: Request) -> list[tuple[InputRow, TrainingJets, int]]:
    full = next((row for row in request.rows if row.full), None)
    if full is None and request.curve:
        raise UsageError("--learning-curve: no row has all inputs; add the row 'all' to --rows.")
    order: list[tuple[InputRow, TrainingJets, int]] = []
    if full is not None:
        order += [(full, request.training_jets, seed) for seed in request.full_seeds or request.seeds]
    others = [row for row in request.rows if row is not full]
    order += [(row, request.training_jets, seed) for seed in request.seeds for row in others]
    if full is not None:
        order += [(full, point.training_jets, seed) for point in request.curve for seed in point.seeds or request.seeds]
    return list(dict.fromkeys(order))


def _run(
    request: Request, row: InputRow, model: tuple[str, ModelConfig], training_jets: TrainingJets, seed: int
) -> PlannedRun:
    given, plain = model
    jets = [] if training_jets is None else [f"data.training_jets={training_jets}"]
    settings = [*_settings_of(plain.name, request.settings), *jets, *row_settings(row, plain)]
    for_model, for_recipe = split_settings(settings)
    config = load_model_config(given, for_model)
    if row.image is not None and draws_images(plain) and any(other.full for other in request.rows):
        # Where the model names no planes it draws the published ones that the data set holds.
        drawn = plain.options["channels"] or PUBLISHED_CHANNELS
        absent = [plane for plane in row.image if plane not in drawn]
        if absent:
            raise UsageError(
                f"--models {given}: row '{row.name}' has the plane {absent[0]}, which {config.name} does not draw with "
                "all inputs; choose other rows, or add the plane to its channels."
            )
    recipe = load_recipe(request.recipe, for_recipe)
    return PlannedRun(row, config.name, given, training_jets, seed, tuple(settings), config, recipe)


def _model_of(setting: str) -> str | None:
    """The model that a setting ``MODEL:KEY=VALUE`` is for, None where it is for all."""
    name, colon, _ = setting.partition("=")[0].partition(":")
    return name.strip() if colon else None


def _key(setting: str) -> str:
    return setting.partition("=")[0].rpartition(":")[2].strip()


def _settings_of(model: str | None, settings: Sequence[str]) -> list[str]:
    """The settings for all models, then those for ``model`` alone, without its name."""
    own = [setting.partition(":")[2] for setting in settings if model is not None and _model_of(setting) == model]
    return [*(setting for setting in settings if _model_of(setting) is None), *own]


def parse_seeds(text: str, option: str) -> tuple[int, ...]:
    """``1,2,3``; UsageError where it is not whole numbers from 0, or one occurs twice."""
    try:
        seeds = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"{option} {text}: give whole numbers with commas between, such as 1,2,3.") from error
    if min(seeds) < 0 or max(seeds) >= 2**31 or len(set(seeds)) < len(seeds):
        raise UsageError(f"{option} {text}: give different numbers from 0 to {2**31 - 1}.")
    return seeds


def parse_jets(text: str, option: str) -> TrainingJets:
    """A number of jets from 1, or ``all``; UsageError for anything else."""
    if text == ALL:
        return None
    if not text.isdecimal() or int(text) == 0:
        raise UsageError(f"{option} {text}: give a number of objects, or '{ALL}'.")
    return int(text)


def parse_curve(points: Sequence[str]) -> tuple[CurvePoint, ...]:
    """``JETS[,JETS][:SEED,SEED]`` values, such as ``2500,5000`` and ``all:1,2,3``; UsageError where they are not."""
    option = "--learning-curve"
    curve: list[CurvePoint] = []
    for text in points:
        jets, colon, seeds = text.partition(":")
        chosen = parse_seeds(seeds, f"{option} {jets}:") if colon else ()
        curve += [CurvePoint(parse_jets(number.strip(), option), chosen) for number in jets.split(",")]
    return tuple(curve)
