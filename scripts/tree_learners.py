"""What differs between boosted trees that classify and those that regress, for ``boosted_tree.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import mean_absolute_error, roc_auc_score

from e2egraph.errors import InputError
from e2egraph.graphs.storage.columns import TARGET_PREFIX
from e2egraph.tasks.objectives.classification import Classification
from e2egraph.tasks.objectives.objective import Objective
from e2egraph.tasks.objectives.regression import Regression

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TreeLearner:
    """``make``: a new estimator, without its settings; ``column`` of the data set that it learns; ``stages(tree,
    variables)``: outputs [J, C] after one tree, after two, …; ``quality(truth, outputs, weight)`` on validation
    objects, called ``quality_name``, best where highest or else lowest."""

    make: Callable[..., Any]
    column: str
    stages: Callable[[Any, Floats], Iterator[Floats]]
    quality: Callable[[NDArray[Any], Floats, Floats], float]
    quality_name: str
    highest: bool


def learner_of(objective: Objective, origin: str) -> TreeLearner:
    """InputError naming ``origin`` when the objective is neither a classification nor a regression to one target."""
    if isinstance(objective, Classification):
        signal = objective.class_names.index(objective.signal)
        return TreeLearner(
            make=HistGradientBoostingClassifier,
            column="label",
            stages=lambda tree, variables: tree.staged_predict_proba(variables),
            quality=partial(_auc, signal),
            quality_name="AUC",
            highest=True,
        )
    if isinstance(objective, Regression) and len(objective.targets) == 1:
        return TreeLearner(
            make=partial(HistGradientBoostingRegressor, loss="absolute_error"),
            column=TARGET_PREFIX + objective.target_names[0],
            stages=lambda tree, variables: (found[:, None] for found in tree.staged_predict(variables)),
            quality=_absolute_error,
            quality_name="MAE",
            highest=False,
        )
    learnt = ", ".join(name for head in objective.outputs.heads for name in head.columns)
    raise InputError(
        f"{origin}: a boosted tree learns a classification or one target, not a {objective.kind} of {learnt}; give "
        "another data set."
    )


def _auc(signal: int, label: NDArray[Any], outputs: Floats, weight: Floats) -> float:
    return float(roc_auc_score(label == signal, outputs[:, signal], sample_weight=weight))


def _absolute_error(target: NDArray[Any], outputs: Floats, weight: Floats) -> float:
    return float(mean_absolute_error(target, outputs[:, 0], sample_weight=weight))
