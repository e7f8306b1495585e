"""``benchmark scaling --batch-sizes``: validation AUC, time and steps of the same training with each batch size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from statistics import median, stdev
from tempfile import TemporaryDirectory
from typing import Literal

from e2egraph.benchmark.report import Record
from e2egraph.benchmark.scaling.scaling import Progress, check_one_process
from e2egraph.models.registry import load_model_config
from e2egraph.training.datamodule import JetDataModule
from e2egraph.training.recipe import load_recipe, split_settings
from e2egraph.training.runs.history import VALIDATION
from e2egraph.training.train import TrainSummary, train

Rule = Literal["none", "linear", "sqrt"]


def scaled_learning_rate(rate: float, batch_size: int, reference: int, rule: Rule) -> float:
    """The learning rate for ``batch_size`` where ``rate`` is that for ``reference``, with k their ratio.

    ``linear``: k·η (Goyal et al., arXiv:1706.02677, §2.1); ``sqrt``: √k·η (Krizhevsky, arXiv:1404.5997, §5; for Adam,
    Malladi et al., arXiv:2205.10287); ``none``: η.
    """
    ratio = batch_size / reference
    return rate * {"none": 1.0, "linear": ratio, "sqrt": math.sqrt(ratio)}[rule]


def benchmark_batch_sizes(
    model: str,
    data: Path,
    sizes: Sequence[int],
    *,
    rule: Rule = "none",
    recipe: str = "published",
    settings: Sequence[str] = (),
    repeats: int = 1,
    progress: Progress | None = None,
) -> list[Record]:
    """Train ``model`` for the recipe's epochs with each batch size of ``sizes``, from seeds 1 … ``repeats``.

    ``rule`` scales the recipe's learning rate from the recipe's batch size. Raises what ``train`` raises, and
    UsageError when ``settings`` ask for several processes.
    """
    for_model, for_recipe = split_settings(settings)
    name = load_model_config(model, for_model).name
    options = load_recipe(recipe, for_recipe).training
    check_one_process(options.devices * options.nodes)
    rates = {size: scaled_learning_rate(options.learning_rate, size, options.batch_size, rule) for size in sizes}
    found: dict[int, list[TrainSummary]] = {size: [] for size in sizes}
    with TemporaryDirectory() as folder:
        for done, (seed, size) in enumerate(product(range(1, repeats + 1), sizes), 1):
            changed = (f"training.batch_size={size}", f"training.learning_rate={rates[size]!r}")
            output = Path(folder) / f"{size}-{seed}"
            run = train(model, data, output, settings=[*settings, *changed], seed=seed, recipe=recipe, progress=False)
            found[size].append(run)
            if progress is not None:
                progress(done, repeats * len(sizes))
    records = []
    for size, runs in found.items():
        resized = load_recipe(recipe, [*for_recipe, f"training.batch_size={size}"])
        an_epoch = len(JetDataModule(data, resized, seed=1).training(0))
        records += _records(f"{name}, batch size", size, runs, an_epoch, rates[size], rule)
    return records


def _records(
    case: str, size: int, runs: Sequence[TrainSummary], an_epoch: int, rate: float, rule: Rule
) -> list[Record]:
    def middle(figure: Callable[[TrainSummary], float]) -> float:
        return float(median(figure(run) for run in runs))

    epochs = middle(lambda run: run.epochs)
    note = f"best of {epochs:.0f} epochs, median of {len(runs)} seed{'s' if len(runs) > 1 else ''}"
    figure = VALIDATION + runs[0].best.name
    records = [Record(case, size, figure, middle(lambda run: run.value), "", note)]
    if len(runs) > 1:
        spread = stdev(run.value for run in runs)
        records.append(Record(case, size, f"{figure}_deviation", spread, "", "standard deviation over seeds"))
    jets, device = runs[0].training_jets, runs[0].device
    return [
        *records,
        Record(case, size, "seconds", middle(lambda run: run.seconds), "s", f"whole training, {device}"),
        Record(case, size, "steps", epochs * an_epoch, "", f"{jets} training jets per epoch"),
        Record(case, size, "jets_per_second", middle(lambda run: run.jets_per_second), "1/s", device),
        Record(case, size, "learning_rate", rate, "", f"rule {rule}"),
    ]
