"""The expected significance of an evaluation: its scores, its data set and an analysis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from e2egraph.data.scores import Scores
from e2egraph.data.table import JetTable, read_table
from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.roc.curve import effective_number
from e2egraph.evaluation.significance.analysis import Analysis, expected_jets, load_analysis
from e2egraph.evaluation.significance.counting import Jets
from e2egraph.evaluation.significance.results import Significance
from e2egraph.evaluation.significance.scan import significance
from e2egraph.tasks.objectives.classification import Classification


@dataclass(frozen=True)
class Plan:
    """An analysis of a split [J] of a data set whose signal is class ``signal``.

    ``yields``: expected; ``passes``: which objects pass the cuts (None: no cuts). ``limits``: of the yields, sentences.
    ``counted``: what they are called.
    """

    analysis: Analysis
    yields: NDArray[np.float64]
    passes: NDArray[np.bool_] | None
    limits: tuple[str, ...]
    signal: str
    counted: str


def plan(name: str, table: JetTable, split: str) -> Plan:
    """What can be known before any jet is scored.

    Errors as ``load_analysis``, ``expected_jets``, ``Cuts.passes``; InputError when the split has too few background
    jets for any threshold.
    """
    objective = table.manifest.objective
    if not isinstance(objective, Classification):
        raise InputError(
            f"--analysis {name}: an expected significance needs a classification, but task '{table.manifest.task}' is "
            f"a {objective.kind}; leave --analysis out."
        )
    analysis, cuts = load_analysis(name, table.manifest)
    numbers = table.jets_of(split)
    label, weight = table.columns["label"][numbers], table.columns["weight"][numbers]
    yields, limits = expected_jets(analysis, table.manifest, label, weight, split)
    background = effective_number(yields[label != table.manifest.classes.index(objective.signal)])
    counted = table.manifest.object_name.many
    # Rounding of the sums does not count.
    if background * (1.0 + 1e-9) < analysis.minimum_background_jets:
        raise InputError(
            f"{table.folder}: {background:.1f} background {counted} (effective number) in split '{split}', but "
            f"analysis {name} asks for {analysis.minimum_background_jets} beyond a threshold; evaluate more, or lower "
            "its minimum_background_jets."
        )
    passes = None
    if cuts is not None:
        columns = read_table(table.folder, extra=cuts.columns).columns
        passes = cuts.passes({column: columns[column][numbers] for column in cuts.columns})
    return Plan(analysis, yields, passes, tuple(limits), objective.signal, counted)


def planned_significance(planned: Plan, scores: Scores) -> Significance:
    """Of the ``scores`` of the planned split's jets, in data set order; InputError as ``significance``."""
    number = scores.classes.index(planned.signal)
    label = scores.jets["label"].astype(np.int64)
    score = scores.probabilities[:, number].astype(np.float64)
    jets = Jets(score, planned.yields, label, label == number, planned.passes)
    return significance(jets, planned.analysis, limits=planned.limits, counted=planned.counted)
