"""Figures of a model as means over its seeds."""

import math

import numpy as np
import pytest

from e2egraph.evaluation.compare.over_seeds import NOT_QUOTED, MeanFigure, mean_figure, reported_figure
from e2egraph.evaluation.compare.paired_result import Standing
from e2egraph.evaluation.objectives.evaluation import evaluation_of
from e2egraph.tasks.objectives.objective import make_objective

EFFICIENCY = "signal_efficiency_at_1pct_mistag"
CLASSES = ["qcd", "top"]
CLASSIFICATION = {"kind": "classification", "classes": CLASSES, "signal": "top"}
REGRESSION = {"kind": "regression", "classes": CLASSES, "targets": [{"name": "gen_mass", "unit": "GeV"}]}
JOINT = {"kind": "joint", "heads": [REGRESSION, CLASSIFICATION]}


def test_the_error_of_a_mean_is_that_of_the_jets_and_of_the_seeds_in_quadrature():
    values = (0.91, 0.93, 0.95)
    spread = np.std(values, ddof=1)
    found = mean_figure(Standing("a", "auc", values, 0.93, spread, 0.004), {"auc": 0.91, "auc_error": 0.01})
    assert (found.mean, found.error_jets, found.spread) == (0.93, 0.004, spread)
    assert found.error == pytest.approx(math.sqrt(0.004**2 + spread**2 / 3))


def test_a_single_seed_has_figure_and_error_of_its_evaluation():
    report = {"auc": 0.9, "auc_error": 0.01}
    assert mean_figure(Standing("a", "auc", (0.9,), 0.9, None, 0.02), report) == MeanFigure(0.9, 0.01, 0.01, None)


def test_what_cannot_be_quoted_of_the_jets_has_no_error():
    few = Standing("a", "auc", (None, None), None, None, None)
    assert mean_figure(few, {"auc": 0.9, "auc_error": 0.01}) == NOT_QUOTED
    without = Standing("a", "auc", (0.8, 0.9), 0.85, 0.07, None)
    assert mean_figure(without, {}) == MeanFigure(0.85, None, None, 0.07)


@pytest.mark.parametrize("objective", [CLASSIFICATION, JOINT])
def test_means_of_reports_leave_out_the_efficiency_of_too_little_background_and_nothing_else(objective):
    judge = evaluation_of(make_objective(objective, "test"))
    few = {"auc": 0.9, EFFICIENCY: 0.5, f"{EFFICIENCY}_error": 0.1, "mae": 3.0, "background_passing": 9.4}
    enough = few | {"background_passing": 9.6}
    other = {"auc": 0.8, EFFICIENCY: 0.7, "mae": 5.0, "background_passing": 50.0}
    assert reported_figure(EFFICIENCY, [few, other], judge) == NOT_QUOTED
    assert reported_figure(EFFICIENCY, [enough, other], judge).mean == pytest.approx(0.6)
    assert reported_figure(EFFICIENCY, [few], judge).mean == 0.5
    area = reported_figure("auc", [few, other], judge)
    assert (area.mean, area.error, area.spread) == (pytest.approx(0.85), None, pytest.approx(0.1 / math.sqrt(2)))
    if objective is JOINT:
        assert reported_figure("mae", [few, other], judge).mean == 4.0
    assert reported_figure("auc", [few, {"auc": None}], judge) == NOT_QUOTED
