"""A training recipe (``configs/recipes/*.yaml``): what is optimised, how, and how jets are batched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from e2egraph import config
from e2egraph.config import configuration
from e2egraph.data.options import DataOptions
from e2egraph.errors import UsageError

Positive = Annotated[int, Field(ge=1)]

# The groups that ``--set`` may name; ``model`` belongs to the model's own configuration.
GROUPS = ("model", "training", "data", "objective")

# Settings that say where and how a training runs or is watched, not what it computes: a run may go on with others.
CIRCUMSTANCES = (
    "training.accumulate",
    "training.devices",
    "training.nodes",
    "training.checkpoint_steps",
    "training.loggers",
    "data.evaluation_batch_size",
    "data.prefetch_batches",
    "data.reading_threads",
)


# Settings that one ``training.schedule`` alone has a use for.
OF_SCHEDULE = {"training.step_epochs": "step", "training.step_factor": "step"}


@configuration
class TrainingOptions:
    """The ``training`` group of a recipe. The defaults are those of the end-to-end papers (arXiv:2104.14659).

    ``batch_size``: jets of one step, over all devices. ``schedule``: ``step`` multiplies the learning rate by
    ``step_factor`` every ``step_epochs`` epochs, ``cosine`` falls to 0 over the run, ``constant`` does nothing;
    ``warmup_epochs`` before it the rate rises linearly. ``weight_decay`` leaves out biases and norms.
    ``gradient_clip``: largest norm of the gradient. ``ema_decay``: validate, keep and export an exponential moving
    average of the weights.
    ``patience``: stop after this many epochs without a better validation figure (``Objective.best``).
    ``label_smoothing``: of class labels, where an objective has them. ``reflect_eta``, ``reflect_phi``: mirror each jet
    with probability ½. ``rotate_phi``: turn each whole event around the beam by a random number of towers; the graph
    networks here turn events to a direction of their own, so that it is for others. ``class_weights``: ``balanced``
    gives every class the same sum of weights. ``accumulate``: pass each batch through the network in this many parts,
    for less memory; statistics of batches (batch norms, running means, what ``performer`` redraws) see the parts.
    ``deterministic``: the same seed gives the same weights, bit for bit on a CPU. ``devices``: GPUs (or CPU processes)
    of each of ``nodes`` machines.
    ``checkpoint_steps``: steps between checkpoints, in addition to those at the end of each epoch. ``loggers``: in
    addition to ``metrics.csv``.

    ``epochs``: passes over the training jets. ``optimizer``: of the weights. ``learning_rate``: its highest value
    during the run. ``weight_decay``: of weights, not of biases and norms. ``step_epochs``: epochs between two steps
    of the rate. ``step_factor``: factor of each step. ``warmup_epochs``: epochs over which the rate rises at the
    start. ``precision``: of the network's operations. ``compile``: compile the network with torch.compile.
    ``nodes``: machines.
    """

    epochs: Positive = 20
    batch_size: Positive = 64
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: Annotated[float, Field(gt=0)] = 5.0e-4
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    schedule: Literal["step", "cosine", "constant"] = "step"
    step_epochs: Positive = 10
    step_factor: Annotated[float, Field(gt=0, le=1)] = 0.5
    warmup_epochs: Annotated[float, Field(ge=0)] = 0.0
    gradient_clip: Annotated[float, Field(gt=0)] | None = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    patience: Positive | None = None
    reflect_eta: bool = False
    reflect_phi: bool = False
    rotate_phi: bool = False
    class_weights: Literal["none", "balanced"] = "none"
    accumulate: Positive = 1
    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = "32-true"
    compile: bool = False
    deterministic: bool = True
    devices: Positive = 1
    nodes: Positive = 1
    checkpoint_steps: Positive = 200
    loggers: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = ("tensorboard",)


@configuration
class Recipe:
    """All that a training needs other than the model and the data set.

    ``objective``: settings of the loss, such as weights of its parts, in place of those of the data set's objective.
    """

    training: TrainingOptions = Field(default_factory=TrainingOptions)
    data: DataOptions = Field(default_factory=DataOptions)
    objective: dict[str, Any] = Field(default_factory=dict)


def what_decides(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain values, without the settings that may be others when a run goes on."""
    content = config.as_dict(recipe)
    for name in CIRCUMSTANCES:
        group, _, key = name.partition(".")
        del content[group][key]
    return content


def load_recipe(name: str, settings: Iterable[str] = ()) -> Recipe:
    """The recipe of that name or YAML path, with ``settings`` such as ``training.epochs=5``; UsageError if wrong."""
    return config.load(Recipe, "recipes", name, settings)


def split_settings(settings: Sequence[str]) -> tuple[list[str], list[str]]:
    """``--set`` values for the model (without their ``model.``) and for the recipe; UsageError for any other group."""
    for_model: list[str] = []
    for_recipe: list[str] = []
    for setting in settings:
        group, _, rest = setting.partition("=")[0].partition(".")
        if group not in GROUPS or not rest:
            raise UsageError(
                f"--set {setting}: unknown group '{group}'; write GROUP.KEY=VALUE with a group of {', '.join(GROUPS)}, "
                "such as training.epochs=5."
            )
        if group == "model":
            for_model.append(config.Setting.inside("model", setting))
        else:
            for_recipe.append(setting)
    return for_model, for_recipe
