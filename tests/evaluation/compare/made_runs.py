"""Runs with made-up scores, as an evaluation leaves them."""

import json

import numpy as np

from e2egraph.data.scores import IDENTITY, write_scores
from e2egraph.data.table import read_table
from e2egraph.evaluation.evaluate import METRICS_NAME, SCORES_NAME
from e2egraph.evaluation.metrics.tagging import tagging_metrics


def write_run(folder, data, model, seed, shift, unseen=(), **changes):
    """What an evaluation of a run with made-up scores leaves; the test jets ``unseen`` have no nodes for its inputs."""
    table = read_table(data)
    numbers = table.jets_of("test")
    jets = {name: table.columns[name][numbers] for name in IDENTITY}
    is_signal = jets["label"] == 1
    common = np.random.default_rng(0).normal(0, 1, len(numbers))
    logit = common + shift * is_signal + np.random.default_rng([seed, len(model)]).normal(0, 0.3, len(numbers))
    probability = (1 / (1 + np.exp(-logit))).astype(np.float32)
    about = {"data_set": table.manifest.digest, "split": "test"}
    seen = np.ones(len(numbers), bool)
    seen[list(unseen)] = False
    values = np.where(seen[:, None], np.stack([1 - probability, probability], 1), -1.0)
    write_scores(
        folder / SCORES_NAME, jets | {"n_nodes": seen.astype(np.int32)}, values, ("score_qcd", "score_top"), about
    )
    report = {
        **tagging_metrics(is_signal[seen], probability[seen]).content(),
        "jets_without_nodes": int((~seen).sum()),
        "model": model,
        "seed": seed,
        "parameters": 1000 + len(model),
        "training_jets_per_second": 100.0 * seed,
        "objective": {"kind": "classification", "classes": ["qcd", "top"], "signal": "top"},
        "split": "test",
        "data_set": {"folder": str(data), "digest": table.manifest.digest},
    }
    (folder / METRICS_NAME).write_text(json.dumps(report | changes))
    return folder
