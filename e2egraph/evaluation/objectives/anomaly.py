"""Judging an anomaly score: how well it tells each other class from the one that was learnt, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from numpy.typing import NDArray

from e2egraph.data.scores import Scores
from e2egraph.evaluation.objectives.classification import ClassificationEvaluation
from e2egraph.evaluation.objectives.evaluation import Measured

LIMIT = "scores are errors, not probabilities: accuracy and calibration say nothing"


class AnomalyEvaluation(ClassificationEvaluation):
    """The figures of a classification. Classes that were not learnt share one score, so that figures of pairs of them,
    and of one against the rest, would say nothing: left out."""

    def measure(self, scores: Scores, quantities: Mapping[str, NDArray]) -> Measured:
        found = super().measure(scores, quantities)
        content = {name: values for name, values in found.content.items() if name != "one_vs_rest"}
        learnt = f"{self.objective.class_names[0]} vs "
        if "pairwise" in content:
            content["pairwise"] = {name: one for name, one in content["pairwise"].items() if name.startswith(learnt)}
        limits = (*(limit for limit in found.limits if "one vs rest" not in limit), LIMIT)
        return replace(found, content=content | {"limits": list(limits)}, limits=limits)
