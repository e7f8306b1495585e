"""A gradient-boosted tree on jet variables: the classical opponent of a network, for classifications of jets.

    python scripts/boosted_tree.py data/qg --output runs/boosted_tree --training-jets 30000
    e2egraph compare runs/resnet15 runs/tracks-and-cells runs/boosted_tree --reference resnet15

Variables are made of the nodes of the data set within --radius of the jet's axis, for tracks, ECAL and HCAL each:
multiplicity, pT^D, widths, share of the hardest, of the first three, and share of the jet's pT; of tracks also
displacement and charge; and the jet's own columns. Learning rate and size of the trees are those of the highest
validation AUC, and so is the number of trees. OUTPUT gets scores.parquet and metrics.json, as of `e2egraph evaluate`.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from e2egraph import __version__
from e2egraph.data.loading.pools import read_jets
from e2egraph.data.options import DataOptions
from e2egraph.data.scores import IDENTITY, Scores, output_columns, write_scores
from e2egraph.data.table import JetTable, read_table
from e2egraph.data.training_jets import training_jets
from e2egraph.errors import InputError
from e2egraph.evaluation.evaluate import METRICS_NAME, SCORES_NAME
from e2egraph.evaluation.objectives.evaluation import evaluation_of
from e2egraph.files import write_json
from e2egraph.folders import check_folder, make_folder
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.tasks.objectives.classification import Classification
from e2egraph.tasks.objectives.objective import stored

Floats = NDArray[np.float64]

CHANNELS = ("TRACK", "ECAL", "HCAL")
JET_COLUMNS = ("jet_pt", "jet_eta", "jet_mass", "softdrop_mass", "tau21", "tau32", "n_pv")

# Tracks of the primary vertex, and deposits well above noise.
TRACK_PT, TRACK_DZ, DEPOSIT = 1.0, 0.5, 0.5  # [GeV], [cm], [GeV]

LEARNING_RATES = (0.03, 0.06, 0.12)
LEAVES = (15, 31, 63)
MOST_TREES = 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="data set folder")
    parser.add_argument("--output", type=Path, required=True, help="folder for scores.parquet and metrics.json")
    parser.add_argument("--radius", type=float, default=0.4, help="ΔR of nodes to the jet's axis")
    parser.add_argument("--training-jets", type=int, help="as data.training_jets of a recipe")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    try:
        check_folder(options.output)
        chosen, value = fit(options.data, options.output, options.radius, options.training_jets, options.seed)
    except InputError as error:
        parser.exit(1, f"boosted_tree.py: {error}\n")
    print(
        f"wrote {options.output}: validation AUC {value:.4f} with {chosen}; next: e2egraph compare {options.output} …"
    )


@dataclass(frozen=True)
class Settings:
    """Learning rate, leaves of a tree, and number of trees."""

    learning_rate: float
    leaves: int
    trees: int


def fit(data: Path, output: Path, radius: float, limit: int | None, seed: int) -> tuple[Settings, float]:
    """Fit, score the test split and write; the chosen settings and their validation AUC. InputError: not a
    classification of jets, or too few training jets."""
    table = read_table(data)
    objective = table.manifest.objective
    if not isinstance(objective, Classification):
        raise InputError(
            f"{data}: a boosted tree needs a classification, not a {objective.kind}; give another data set."
        )
    judge = evaluation_of(objective)
    table = read_table(data, extra=tuple(dict.fromkeys(("weight", *JET_COLUMNS, *judge.quantities))))
    splits = {
        "train": training_jets(table, DataOptions(training_jets=limit)),
        "validation": table.jets_of("validation"),
        "test": table.jets_of("test"),
    }
    variables = {name: jet_variables(table, numbers, radius) for name, numbers in splits.items()}
    label = {name: table.columns["label"][numbers] for name, numbers in splits.items()}
    weight = {name: table.columns["weight"][numbers] for name, numbers in splits.items()}
    signal = objective.class_names.index(objective.signal)
    is_signal = label["validation"] == signal

    scan: list[dict[str, float]] = []
    best: tuple[float, HistGradientBoostingClassifier, Settings] | None = None
    for rate, leaves in product(LEARNING_RATES, LEAVES):
        begin = time.perf_counter()
        tree = HistGradientBoostingClassifier(
            learning_rate=rate, max_leaf_nodes=leaves, max_iter=MOST_TREES, early_stopping=False, random_state=seed
        )
        tree.fit(variables["train"], label["train"], sample_weight=weight["train"])
        values = [
            roc_auc_score(is_signal, scores[:, signal], sample_weight=weight["validation"])
            for scores in tree.staged_predict_proba(variables["validation"])
        ]
        trees = int(np.argmax(values)) + 1
        scan.append({"learning_rate": rate, "leaves": leaves, "trees": trees, "validation_auc": max(values)})
        print(f"{scan[-1]} in {time.perf_counter() - begin:.0f} s", flush=True)
        if best is None or max(values) > best[0]:
            best = max(values), tree, Settings(rate, leaves, trees)
    assert best is not None
    value, tree, chosen = best

    stages = tree.staged_predict_proba(variables["test"])
    probabilities = next(scores for number, scores in enumerate(stages, 1) if number == chosen.trees)
    jets = {name: table.columns[name][splits["test"]] for name in IDENTITY}
    about = {"model": "boosted tree", "run": output.resolve().name, "data_set": table.manifest.digest, "split": "test"}
    scores = Scores(jets, probabilities.astype(np.float32), output_columns(objective.outputs), about)
    found = judge.measure(scores, {name: table.columns[name][splits["test"]] for name in judge.quantities})
    make_folder(output)
    write_scores(output / SCORES_NAME, scores.jets, scores.values, scores.columns, about)
    content = {
        **found.content,
        **{name: about[name] for name in ("model", "run", "split")},
        "parameters": chosen.trees * chosen.leaves,
        "task": table.manifest.task,
        "objective": stored(objective),
        "seed": seed,
        "training_jets": len(splits["train"]),
        "training_jets_per_second": None,
        "node_selection": None,
        "data_set": {"folder": str(data.resolve()), "digest": table.manifest.digest},
        "trained_on": {"folder": str(data.resolve()), "digest": table.manifest.digest},
        "radius": radius,
        "variables": list(names(table)),
        "scan": scan,
        "e2egraph": __version__,
    }
    write_json(output / METRICS_NAME, json.loads(json.dumps(content)))
    print(found.line)
    return chosen, value


def names(table: JetTable) -> tuple[str, ...]:
    """Names of the variables of ``jet_variables``, in order."""
    found = list(JET_COLUMNS)
    for channel in _channels(table):
        found += [f"{channel}_{name}" for name in OF_CHANNEL]
    return tuple([*found, *OF_TRACKS] if "TRACK" in _channels(table) else found)


OF_CHANNEL = ("number", "pt_d", "width", "width_eta", "width_phi", "hardest", "first_three", "share_of_pt")
OF_TRACKS = ("tracks_displaced", "tracks_largest_d0_sig", "tracks_charge")


def jet_variables(table: JetTable, numbers: NDArray[np.int64], radius: float) -> Floats:
    """Variables [J, V] of the jets ``numbers`` (rising); ``radius``: ΔR of nodes to the jet's axis."""
    columns = ["deta", "dphi", "channel", "value", *(name for name in ("dz", "d0_sig", "charge") if _has(table, name))]
    parts = []
    for group in np.unique(table.group_of(numbers)):
        found, clouds = read_jets(table, np.array([group]), numbers, columns)
        own = np.stack([table.columns[name][found] for name in JET_COLUMNS], axis=1).astype(np.float64)
        parts.append(np.concatenate([own, _of_nodes(table, clouds, own[:, 0], radius)], axis=1))
    return np.concatenate(parts)


def _of_nodes(table: JetTable, clouds: PointClouds, jet_pt: Floats, radius: float) -> Floats:
    jets = len(clouds)
    deta, dphi = (clouds.nodes[name].astype(np.float64) for name in ("deta", "dphi"))
    value = clouds.nodes["value"].astype(np.float64)
    near = np.hypot(deta, dphi) < radius
    result: list[Floats] = []
    for channel in _channels(table):
        here = near & (clouds.nodes["channel"] == table.manifest.numbers[channel])
        if channel == "TRACK":
            here &= value > TRACK_PT
            if "dz" in clouds.nodes:
                here &= np.abs(clouds.nodes["dz"]) < TRACK_DZ
        else:
            here &= value > DEPOSIT
        result += _shape(clouds.jet_of_node[here], value[here], deta[here], dphi[here], jets, jet_pt)
        if channel == "TRACK":
            tracks = here
    if "TRACK" in _channels(table):
        owner = clouds.jet_of_node[tracks]
        significance = np.abs(clouds.nodes.get("d0_sig", np.zeros(len(value)))[tracks])
        charge = clouds.nodes.get("charge", np.zeros(len(value)))[tracks] * value[tracks]
        largest = np.zeros(jets)
        np.maximum.at(largest, owner, significance)
        total = np.bincount(owner, value[tracks], jets)
        result += [
            np.bincount(owner, significance > 3.0, jets),
            largest,
            _ratio(np.bincount(owner, charge, jets), total),
        ]
    return np.stack(result, axis=1)


def _shape(owner: NDArray, value: Floats, deta: Floats, dphi: Floats, jets: int, jet_pt: Floats) -> list[Floats]:
    """The variables ``OF_CHANNEL`` of J jets from nodes with their ``owner``, hardest first within each."""
    total = np.bincount(owner, value, jets)
    squares = np.bincount(owner, value**2, jets)
    axis = [_ratio(np.bincount(owner, value * delta, jets), total)[owner] for delta in (deta, dphi)]
    spread = [
        _ratio(np.bincount(owner, value * (d - a) ** 2, jets), total) for d, a in zip((deta, dphi), axis, strict=True)
    ]
    count = np.bincount(owner, minlength=jets)
    rank = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    first = [_ratio(np.bincount(owner[rank < n], value[rank < n], jets), total) for n in (1, 3)]
    width = _ratio(np.bincount(owner, value * np.hypot(deta, dphi), jets), total)
    return [
        count.astype(np.float64),
        _ratio(np.sqrt(squares), total),
        width,
        np.sqrt(spread[0]),
        np.sqrt(spread[1]),
        *first,
        total / jet_pt,
    ]


def _ratio(above: Floats, below: Floats) -> Floats:
    """0 where there is nothing below."""
    return np.divide(above, below, out=np.zeros(len(below)), where=below > 0)


def _channels(table: JetTable) -> list[str]:
    return [name for name in CHANNELS if name in table.manifest.numbers]


def _has(table: JetTable, name: str) -> bool:
    return name in table.inputs.variable_names


if __name__ == "__main__":
    main()
