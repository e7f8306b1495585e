"""``e2egraph.train``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from e2egraph.api.run import Run
from e2egraph.api.settings import Settings, as_texts, keywords_as_settings
from e2egraph.data.options import DataOptions
from e2egraph.folders import user_path
from e2egraph.models.given import lent, model_of
from e2egraph.training.recipe import TrainingOptions
from e2egraph.training.runs.history import EpochRow
from e2egraph.training.train import train as run

# Groups of a recipe whose keys may be given as keyword arguments.
GROUPS: dict[str, type] = {"training": TrainingOptions, "data": DataOptions}


def train(
    network: str | Path | nn.Module | type[nn.Module],
    data: str | Path,
    output: str | Path,
    *,
    recipe: str | Path = "published",
    seed: int = 1,
    restart: bool = False,
    settings: Settings | None = None,
    progress: bool = True,
    on_epoch: Callable[[EpochRow], None] | None = None,
    **options: Any,
) -> Run:
    """Train a network on a data set.

    A run that was stopped goes on when the same call is repeated, and ends as if it had not been stopped. The weights
    of the best epoch by the validation figure of the task are kept.

    With several ``devices`` every process runs the calling program from its beginning and goes on with it after the
    training; what only one may do belongs behind ``if os.environ.get("RANK", "0") == "0":``.

    Args:
        network: Name in ``configs/models``, such as ``gravnet`` or ``resnet15``, or a YAML file. Or a network of your
            own: a ``torch.nn.Module`` with ``forward(points [B, N, 2], features [B, N, V], mask [B, N], jet [B, G])``,
            raw physical quantities, that gives [B, C] raw numbers (classes before softmax), of which a copy is trained;
            or a class that is made as ``Class(options, inputs, outputs)`` (documentation, "Your own network").
        data: Folder of the data set.
        output: Folder of the run to make.
        recipe: Name in ``configs/recipes``, such as ``short``, or a YAML file.
        seed: Random seed; the same one on the same machine gives the same weights.
        restart: Begin an unfinished run again instead of going on with it.
        settings: Other settings by their dotted names, such as ``{"model.options.width": 32}``.
        progress: Print a line for each epoch to standard error.
        on_epoch: Called after each epoch with its figures.
        **options: Keys of the recipe's groups ``training`` and ``data``, such as ``epochs=5``, ``learning_rate=1e-3``
            or ``training_jets=10000`` (``e2egraph config show recipe`` lists them).

    Returns:
        The run, with its ``summary``, ``network``, ``predict`` and ``export``.

    Raises:
        UsageError: Unknown network, recipe or setting, a network that fails on a small batch, or one that the
            objective has no use for.
        InputError: Unsuitable data set, an output folder with other content, a finished run or one of other settings
            in it, training that diverges, or memory or disk that is full.
        Stopped: On SIGTERM, SIGUSR1 or Ctrl-C, after a checkpoint was written.

    Example:
        >>> run = e2e.train("gravnet", data="data/top", output="runs/g", epochs=1, progress=False)
        >>> run.summary["epochs"]
        1
    """
    texts = as_texts(keywords_as_settings(options, GROUPS)) + as_texts(settings)
    model = str(network) if isinstance(network, str | Path) else model_of(network)
    given = network if isinstance(network, nn.Module) else None
    with lent(given):
        run(
            model,
            user_path(data),
            user_path(output),
            settings=texts,
            seed=seed,
            recipe=str(recipe),
            restart=restart,
            progress=progress,
            on_epoch=on_epoch,
        )
    return Run(user_path(output), given)
