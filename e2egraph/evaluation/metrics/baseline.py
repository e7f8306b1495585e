"""The honest baseline: logistic regression on soft-drop mass and τ32, quantities that any analysis has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from e2egraph.data.table import JetTable, read_table
from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.roc.curve import check
from e2egraph.evaluation.metrics.tagging import TaggingMetrics, tagging_metrics
from e2egraph.tasks.objectives.classification import Classification

VARIABLES = ("softdrop_mass", "tau32")
NAME = "soft-drop mass + τ32 (logistic regression)"

# A logistic regression on the bare mass could only prefer heavy or light jets; on cubic splines of it, it can prefer a
# window. Knots at quantiles of the training jets, so that they stand where jets are.
KNOTS = 10
DEGREE = 3


@dataclass(frozen=True)
class Baseline:
    """``score`` [J] of the jets ``numbers`` [J] of the split; ``parameters``: fitted coefficients and intercept."""

    metrics: TaggingMetrics
    parameters: int
    numbers: NDArray[np.int64]
    score: NDArray[np.float64]


def baseline(data: Path, split: str = "test") -> Baseline:
    """Fit on the training split, evaluate on ``split`` of the same data set, with the jets' weights.

    The features are cubic splines (``KNOTS`` knots) of each variable, standardised, without products: the sum of a
    function of mass and a function of τ32. Signal against all other classes. InputError: a data set without these
    variables (columns that its inputs could not fill hold 0), or without signal or background in either split.
    """
    table = read_table(data, extra=VARIABLES)
    objective = table.manifest.objective
    if not isinstance(objective, Classification):
        raise InputError(f"{data}: a baseline needs a classification, not a {objective.kind}; give another data set.")
    signal = table.manifest.classes.index(objective.signal)
    train, test = table.jets_of("train"), table.jets_of(split)
    features = _features(table)
    is_signal, weight = table.columns["label"] == signal, table.columns["weight"].astype(np.float64)
    check(is_signal[train], np.zeros(len(train)), weight[train])
    pipeline = classifier()
    mean_weight = weight[train].mean()
    pipeline.fit(features[train], is_signal[train], logisticregression__sample_weight=weight[train] / mean_weight)
    score = pipeline.decision_function(features[test])
    fitted = pipeline[-1]
    return Baseline(
        metrics=tagging_metrics(is_signal[test], score, weight[test]),
        parameters=int(fitted.coef_.size + fitted.intercept_.size),
        numbers=test,
        score=score,
    )


def classifier() -> Any:
    """The scikit-learn pipeline that the baseline fits, of the features [J, 2] in the order of ``VARIABLES``."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import SplineTransformer, StandardScaler

    return make_pipeline(
        SplineTransformer(n_knots=KNOTS, degree=DEGREE, knots="quantile", extrapolation="constant", include_bias=False),
        StandardScaler(),
        LogisticRegression(max_iter=2000),
    )


def _features(table: JetTable) -> NDArray[np.float64]:
    """The variables of every jet, [J, 2]."""
    for name in VARIABLES:
        values = table.columns[name]
        if not np.isfinite(values).all() or not values.any():
            raise InputError(
                f"{table.folder}: no usable '{name}' (its inputs did not hold it); the baseline needs "
                f"{' and '.join(VARIABLES)}, so build from inputs that have them."
            )
    return np.stack([table.columns[name] for name in VARIABLES], axis=1).astype(np.float64)
