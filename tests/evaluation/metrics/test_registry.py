"""A new figure of merit is one file that registers it: evaluations, comparisons and tables then have it."""

from dataclasses import replace
from pkgutil import iter_modules

import numpy as np
import pytest

from e2egraph.evaluation.compare.joined import JoinedScores
from e2egraph.evaluation.compare.paired import paired
from e2egraph.evaluation.compare.paired_result import Contender
from e2egraph.evaluation.metrics import figure, figures
from e2egraph.evaluation.metrics.figure import ResidualFigure, register
from e2egraph.evaluation.metrics.figures import AUC, EFFICIENCY
from e2egraph.evaluation.metrics.figures.signal_efficiency import efficiency_figure
from e2egraph.evaluation.metrics.registry import FIGURES, figures_of
from e2egraph.evaluation.metrics.regression.summary import regression_metrics
from e2egraph.evaluation.metrics.roc.curve import roc_curve
from e2egraph.evaluation.metrics.tagging import tagging_metrics


@pytest.fixture
def registered():
    """Figures that a test registers do not stay."""
    kept = {kind: dict(of_kind) for kind, of_kind in figure.REGISTERED.items()}
    yield
    for kind, of_kind in figure.REGISTERED.items():
        of_kind.clear()
        of_kind.update(kept[kind])


@pytest.fixture
def tagger():
    is_signal = np.arange(2000) < 800
    return is_signal, np.random.default_rng(0).normal(is_signal * 1.5, 1.0)


def test_every_file_of_the_folder_registers_a_figure_with_a_title_for_one_objective():
    known = {kind: figures_of(kind) for kind in ("classification", "regression")}
    assert list(known["classification"])[:2] == [AUC, EFFICIENCY]
    assert list(known["regression"]) == ["response", "resolution", "bias", "mae", "mean_relative_error"]
    assert all(one.title and one.objective == kind for kind, of_kind in known.items() for one in of_kind.values())
    assert len(list(iter_modules(figures.__path__))) == 8
    assert figures_of("clustering") == {}


def test_a_new_figure_of_a_roc_curve_is_in_metrics_and_paired_differences(registered, tagger):
    is_signal, score = tagger
    before = tagging_metrics(is_signal, score).content()
    name = "signal_efficiency_at_10pct_mistag"
    register(efficiency_figure(name, 0.1, 15))
    assert list(FIGURES)[:3] == [AUC, name, EFFICIENCY]
    content = tagging_metrics(is_signal, score).content()
    assert content[name] == roc_curve(is_signal, score).efficiency_at(0.1)
    assert 0.005 < content[f"{name}_error"] < 0.05
    assert {key: value for key, value in content.items() if name not in key} == before
    scores = np.stack([score, score + np.random.default_rng(1).normal(0, 0.5, 2000)])
    jets = JoinedScores(("a", "b"), is_signal, None, scores)
    result = paired(jets, [Contender("a", (0,)), Contender("b", (1,))], resamples=50)
    assert name in {one.figure for one in result.differences}


def test_a_new_figure_of_residuals_is_in_the_metrics_of_a_regression(registered):
    worst = ResidualFigure(
        name="underestimated",
        title="share of jets below their true value",
        highest=None,
        place=60,
        of_rows=lambda rows: rows.mean(rows.residuals.difference < 0),
    )
    register(worst)
    rng = np.random.default_rng(0)
    true = rng.uniform(1, 2, 4000)
    found = regression_metrics(true, true + rng.normal(0, 0.1, 4000), resamples=100)
    assert found.figures["underestimated"] == pytest.approx(0.5, abs=0.03)
    assert found.errors["underestimated"] == pytest.approx(0.5 / np.sqrt(4000), rel=0.3)


def test_a_name_is_registered_once(registered):
    auc = FIGURES[AUC]
    assert register(auc) is auc
    with pytest.raises(ValueError, match="figure of merit auc exists already"):
        register(replace(auc, title="another"))
