"""A training recipe (``configs/recipes/*.yaml``): what is optimised, how, and how jets are batched."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import Field

from e2egraph import config
from e2egraph.config import configuration
from e2egraph.data.options import DataOptions
from e2egraph.errors import UsageError

Positive = Annotated[int, Field(ge=1)]

# The groups that ``--set`` may name; ``model`` belongs to the model's own configuration.
GROUPS = ("model", "training", "data")


@configuration
class TrainingOptions:
    """The ``training`` group of a recipe. The defaults are those of the end-to-end papers (arXiv:2104.14659).

    ``schedule``: ``step`` multiplies the learning rate by ``step_factor`` every ``step_epochs`` epochs, ``cosine``
    falls to 0 over the run, ``constant`` does nothing. ``gradient_clip``: largest norm of the gradient.
    ``reflect_eta``, ``reflect_phi``: mirror each jet with probability ½. ``class_weights``: ``balanced`` gives every
    class the same sum of weights. ``deterministic``: the same seed gives the same weights, bit for bit on a CPU.
    """

    epochs: Positive = 20
    batch_size: Positive = 64
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: Annotated[float, Field(gt=0)] = 5.0e-4
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    schedule: Literal["step", "cosine", "constant"] = "step"
    step_epochs: Positive = 10
    step_factor: Annotated[float, Field(gt=0, le=1)] = 0.5
    gradient_clip: Annotated[float, Field(gt=0)] | None = None
    reflect_eta: bool = False
    reflect_phi: bool = False
    class_weights: Literal["none", "balanced"] = "none"
    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = "32-true"
    deterministic: bool = True


@configuration
class Recipe:
    """All that a training needs beside the model and the data set."""

    training: TrainingOptions = Field(default_factory=TrainingOptions)
    data: DataOptions = Field(default_factory=DataOptions)


def load_recipe(name: str, settings: Iterable[str] = ()) -> Recipe:
    """The recipe of that name or YAML path, with ``settings`` such as ``training.epochs=5``; UsageError if wrong."""
    return config.load(Recipe, "recipes", name, settings)


def split_settings(settings: Sequence[str]) -> tuple[list[str], list[str]]:
    """``--set`` values for the model (without their ``model.``) and for the recipe; UsageError for any other group."""
    for_model, for_recipe = [], []
    for setting in settings:
        group, _, rest = setting.partition(".")
        if group not in GROUPS or not rest:
            raise UsageError(f"--set {setting}: unknown group '{group}'; begin with one of model, training, data.")
        if group == "model":
            for_model.append(rest)
        else:
            for_recipe.append(setting)
    return for_model, for_recipe
