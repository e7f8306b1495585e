"""A gradient-boosted tree on variables of jets, clusters or events: the classical opponent of a network on the same.

    python scripts/boosted_tree.py data/qg --output runs/boosted_tree --training-jets 30000
    e2egraph compare runs/resnet15 runs/tracks-and-cells runs/boosted_tree --reference resnet15

Variables are those of `jet_variables.py`, `cluster_variables.py` and `event_variables.py`, made of the nodes of the
data set (of --channels alone where given), and columns of the object's own. Classes are learnt, or one target
(`tree_learners.py`). Learning rate and size of the trees are those of the best validation AUC or mean absolute error,
and so is the number of trees. OUTPUT gets scores.parquet and metrics.json, as of `e2egraph evaluate`.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from types import ModuleType
from typing import Any

import cluster_variables
import event_variables
import jet_variables
import numpy as np
from numpy.typing import NDArray
from tree_learners import learner_of

from e2egraph import __version__
from e2egraph.data.loading.pools import read_jets
from e2egraph.data.options import DataOptions
from e2egraph.data.scores import IDENTITY, Scores, output_columns, write_scores
from e2egraph.data.table import JetTable, read_table
from e2egraph.data.training_jets import training_jets
from e2egraph.errors import InputError, UsageError
from e2egraph.evaluation.evaluate import METRICS_NAME, SCORES_NAME
from e2egraph.evaluation.objectives.evaluation import evaluation_of
from e2egraph.files import write_json
from e2egraph.folders import check_folder, make_folder
from e2egraph.graphs.storage.columns import NODE_TYPES
from e2egraph.tasks.objectives.objective import stored
from e2egraph.training.datamodule import check_split
from e2egraph.training.objectives.learning import class_factors, make_learning
from e2egraph.training.recipe import TrainingOptions
from e2egraph.utf8 import use_utf8

Floats = NDArray[np.float64]

# Kind of the objects → what makes their variables.
VARIABLES: dict[str, ModuleType] = {"jet": jet_variables, "cluster": cluster_variables, "event": event_variables}

# ΔR of nodes to the axis.
RADIUS = 0.4

LEARNING_RATES = (0.03, 0.06, 0.12)
LEAVES = (15, 31, 63)
MOST_TREES = 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="data set folder")
    parser.add_argument("--output", type=Path, required=True, help="folder for scores.parquet and metrics.json")
    parser.add_argument("--channels", help="NAME,…: variables of these alone (default: all of the data set)")
    parser.add_argument("--without", help="NAME,… or patterns such as *_share_of_pt: variables to leave out")
    parser.add_argument("--radius", type=float, help=f"ΔR of nodes of jets, of tracks of clusters (default: {RADIUS})")
    parser.add_argument("--training-jets", type=int, help="as data.training_jets of a recipe")
    parser.add_argument("--balanced", action="store_true", help="all classes of the same weight in training")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    try:
        check_folder(options.output)
        channels = tuple(options.channels.split(",")) if options.channels else None
        chosen, value = fit(
            options.data, options.output, options.radius, options.training_jets, options.seed, channels=channels,
            balanced=options.balanced, without=tuple(options.without.split(",")) if options.without else (),
        )  # fmt: skip
    except (InputError, UsageError) as error:
        parser.exit(1, f"boosted_tree.py: {error}\n")
    print(f"wrote {options.output}: validation {value:.4f} with {chosen}; next: e2egraph compare {options.output} …")


@dataclass(frozen=True)
class Settings:
    """Learning rate, leaves of a tree, and number of trees."""

    learning_rate: float
    leaves: int
    trees: int


def fit(
    data: Path,
    output: Path,
    radius: float | None,
    limit: int | None,
    seed: int,
    *,
    channels: tuple[str, ...] | None = None,
    balanced: bool = False,
    without: tuple[str, ...] = (),
) -> tuple[Settings, float]:
    """Fit, score the test split and write; the chosen settings and their figure of validation.

    ``radius``: None for ``RADIUS``. ``without``: variables to leave out, by name or pattern. InputError: neither
    classes nor one target to learn, objects without variables, unknown ``channels`` or ``without``, ``channels`` or a
    ``radius`` that no variable of these objects knows, too few training jets, or a split that nothing can be learnt
    from or told by.
    """
    table = read_table(data)
    objective = table.manifest.objective
    learner = learner_of(objective, str(data))
    judge = evaluation_of(objective, table.manifest.object_kind.bins)
    made, channels = _variables(table, channels, radius)
    radius = RADIUS if radius is None else radius
    kept = _kept([*made.COLUMNS, *made.names(channels)], without, str(data))
    held = [name for name in judge.quantities if name in table.manifest.object_columns]
    identity = tuple(dict.fromkeys((*IDENTITY, learner.column)))
    table = read_table(data, extra=tuple(dict.fromkeys(("weight", learner.column, *made.COLUMNS, *held))))
    splits = {
        "train": training_jets(table, DataOptions(training_jets=limit)),
        "validation": table.jets_of("validation"),
        "test": table.jets_of("test"),
    }
    for name, numbers in splits.items():
        check_split(make_learning(objective), table, numbers, name)
    variables = {n: object_variables(table, numbers, made, kept, channels, radius) for n, numbers in splits.items()}
    truth = {name: table.columns[learner.column][numbers] for name, numbers in splits.items()}
    weight = {name: table.columns["weight"][numbers] for name, numbers in splits.items()}
    if balanced:
        label = table.columns["label"][splits["train"]].astype(np.int64)
        equal = TrainingOptions(class_weights="balanced")
        factors = class_factors(label, weight["train"], len(objective.class_names), equal)
        weight["train"] = weight["train"] * factors[label]
    pick = max if learner.highest else min

    scan: list[dict[str, float]] = []
    best: tuple[float, Any, Settings] | None = None
    for rate, leaves in product(LEARNING_RATES, LEAVES):
        begin = time.perf_counter()
        tree = learner.make(
            learning_rate=rate, max_leaf_nodes=leaves, max_iter=MOST_TREES, early_stopping=False, random_state=seed
        )
        tree.fit(variables["train"], truth["train"], sample_weight=weight["train"])
        values = [
            learner.quality(truth["validation"], outputs, weight["validation"])
            for outputs in learner.stages(tree, variables["validation"])
        ]
        value = pick(values)
        trees = values.index(value) + 1
        figure = f"validation_{learner.quality_name.lower()}"
        scan.append({"learning_rate": rate, "leaves": leaves, "trees": trees, figure: value})
        print(f"{scan[-1]} in {time.perf_counter() - begin:.0f} s", flush=True)
        if best is None or pick(value, best[0]) != best[0]:
            best = value, tree, Settings(rate, leaves, trees)
    assert best is not None
    value, tree, chosen = best

    outputs = next(islice(learner.stages(tree, variables["test"]), chosen.trees - 1, None))
    jets = {name: table.columns[name][splits["test"]] for name in identity}
    about = {"model": "boosted tree", "run": output.resolve().name, "data_set": table.manifest.digest, "split": "test"}
    scores = Scores(jets, outputs.astype(np.float32), output_columns(objective.outputs), about)
    # 0 for all: the data set does not hold it.
    quantities = dict.fromkeys(judge.quantities, np.zeros(len(splits["test"])))
    found = judge.measure(scores, quantities | {name: table.columns[name][splits["test"]] for name in held})
    make_folder(output)
    write_scores(output / SCORES_NAME, scores.jets, scores.values, scores.columns, about)
    content = {
        **found.content,
        **{name: about[name] for name in ("model", "run", "split")},
        "parameters": leaves_of(tree, chosen.trees),
        "task": table.manifest.task,
        "objective": stored(objective),
        "seed": seed,
        "training_jets": len(splits["train"]),
        "training_jets_per_second": None,
        "node_selection": None,
        "data_set": {"folder": str(data.resolve()), "digest": table.manifest.digest},
        "trained_on": {"folder": str(data.resolve()), "digest": table.manifest.digest},
        "radius": radius if made.WITHIN_RADIUS else None,
        "variables": kept,
        "balanced": balanced,
        "scan": scan,
        "e2egraph": __version__,
    }
    write_json(output / METRICS_NAME, json.loads(json.dumps(content)))
    print(found.line)
    return chosen, value


def leaves_of(tree: Any, steps: int) -> int:
    """Leaves of all trees of the first ``steps`` of a fit: a tree may have fewer than it is allowed, and with more than
    two classes each has a tree of its own in every step."""
    return sum(int(one.get_n_leaf_nodes()) for of_step in tree._predictors[:steps] for one in of_step)


def _variables(
    table: JetTable, channels: tuple[str, ...] | None, radius: float | None
) -> tuple[ModuleType, tuple[str, ...]]:
    """What makes the variables of the data set's objects, and the channels to make them of. InputError: there is none,
    a channel is not in the data set, or no variable is made of a channel or looks within a radius."""
    kind, there = table.manifest.configuration["object"]["kind"], tuple(table.manifest.numbers)
    if kind not in VARIABLES:
        known = ", ".join(VARIABLES)
        raise InputError(f"{table.folder}: a boosted tree has variables of {known}, not of {kind}; give other data.")
    made = VARIABLES[kind]
    absent = [name for name in channels or () if name not in there]
    if absent:
        raise InputError(
            f"{table.folder}: --channels {','.join(absent)} are not in it; choose out of {', '.join(there)}."
        )
    unused = [name for name in channels or () if not made.names((name,))]
    if unused:
        raise InputError(
            f"{table.folder}: --channels {','.join(unused)}: no variable of {kind}s is made of nodes of these; leave "
            "them out."
        )
    used = there if channels is None else channels
    if radius is not None and not set(made.WITHIN_RADIUS) & set(used):
        raise InputError(
            f"{table.folder}: --radius {radius:g}: no variable of these {kind}s is made of nodes within a radius; "
            "leave it out."
        )
    return made, used


def _kept(names: Sequence[str], without: Sequence[str], source: str) -> list[str]:
    """``names`` but for those that a name or pattern of ``without`` means. InputError: one that means none."""
    unknown = [pattern for pattern in without if not fnmatch.filter(names, pattern)]
    if unknown:
        raise InputError(f"{source}: --without {','.join(unknown)} is no variable; choose out of {', '.join(names)}.")
    return [name for name in names if not any(fnmatch.fnmatch(name, pattern) for pattern in without)]


def object_variables(
    table: JetTable,
    numbers: NDArray[np.int64],
    made: ModuleType,
    kept: Sequence[str],
    channels: tuple[str, ...],
    radius: float,
) -> Floats:
    """Variables ``kept`` [J, V] of the objects ``numbers`` (rising): columns of theirs, or of ``made.of_nodes``."""
    wanted = [name for name in made.NODE_COLUMNS if name in NODE_TYPES or name in table.inputs.variable_names]
    parts = []
    for group in np.unique(table.group_of(numbers)):
        found, clouds = read_jets(table, np.array([group]), numbers, wanted)
        own = {name: table.columns[name][found] for name in made.COLUMNS}
        of_nodes = made.of_nodes(clouds, own, table.manifest.numbers, channels, radius)
        every = own | dict(zip(made.names(channels), of_nodes, strict=True))
        parts.append(np.stack([every[name].astype(np.float64) for name in kept], axis=1))
    return np.concatenate(parts)


if __name__ == "__main__":
    use_utf8()
    main()
