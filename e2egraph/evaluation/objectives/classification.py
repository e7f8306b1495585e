"""Judging a classification: ROC curves, calibration, bins, mass sculpting, and a baseline of jet quantities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from e2egraph.data.scores import Scores
from e2egraph.evaluation.compare.joined import join
from e2egraph.evaluation.compare.paired import Contender, PairedResult, paired
from e2egraph.evaluation.metrics import baseline as jet_baseline
from e2egraph.evaluation.metrics.figures import AUC, EFFICIENCY, FIGURES, LOW_EFFICIENCY
from e2egraph.evaluation.metrics_report import MASSES, QUANTITIES, MetricsReport, metrics_report
from e2egraph.evaluation.objectives.evaluation import Baseline, ComparedFigure, Evaluation, Measured
from e2egraph.tasks.objectives.classification import Classification

STRATA = ("signal", "background")

ROC_STEM, SCORES_STEM, SCULPTING_STEM, BINS_STEM = "roc", "scores", "mass_sculpting", "bins"


class ClassificationEvaluation(Evaluation):
    """Signal against all other classes; with more than two classes also one against the rest and pairs."""

    quantities: ClassVar[tuple[str, ...]] = QUANTITIES
    objective: Classification

    @property
    def figures(self) -> tuple[ComparedFigure, ...]:
        return tuple(
            ComparedFigure(name, FIGURES[name].title, FIGURES[name].digits, highest=True, ratio=name != AUC)
            for name in (AUC, EFFICIENCY, LOW_EFFICIENCY)
        )

    def measure(self, scores: Scores, quantities: Mapping[str, NDArray]) -> Measured:
        found = metrics_report(scores, quantities, self.objective.signal)
        tagging = found.tagging
        line = (
            f"AUC {tagging.auc:.4f} ± {tagging.auc_error:.4f}, signal efficiency at 1% mistag "
            f"{tagging.signal_efficiency_at_1pct_mistag:.3f} ± {tagging.signal_efficiency_at_1pct_mistag_error:.3f}"
        )
        about = {"classes": list(self.objective.class_names), "signal": self.objective.signal}
        return Measured({**found.content, **about}, found, line, tuple(found.content["limits"]), STRATA)

    def plots(self, measured: Measured, scores: Scores, model: str, folder: Path, label: str) -> None:
        from e2egraph.plots.bins import plot_bins
        from e2egraph.plots.scores import plot_roc, plot_scores
        from e2egraph.plots.sculpting import plot_sculpting

        classes, signal = self.objective.class_names, self.objective.signal
        number, weight = classes.index(signal), scores.jets["weight"]
        is_signal, score = scores.jets["label"] == number, scores.probabilities[:, number]
        plot_roc(is_signal, score, weight, model, folder / ROC_STEM, label)
        class_of = np.array(classes)[scores.jets["label"]]
        plot_scores(score, class_of, list(classes), signal, folder / SCORES_STEM, label, weight)
        found: MetricsReport = measured.values
        remove_plots(folder, (SCULPTING_STEM, BINS_STEM))
        drawn = [found.sculpting[name] for name in MASSES if name in found.sculpting]
        if drawn:
            plot_sculpting(drawn[0], folder / SCULPTING_STEM, label)
        if found.content["bins"]:
            plot_bins(found.content["bins"], folder / BINS_STEM, label)

    def paired(
        self,
        scores: Sequence[Scores],
        names: Sequence[str],
        contenders: Sequence[Contender],
        reference: int,
        *,
        resamples: int,
    ) -> PairedResult:
        return paired(join(scores, names, self.objective.signal), contenders, reference, resamples=resamples)

    def baseline(self, data: Path, split: str) -> Baseline | None:
        found = jet_baseline.baseline(data, split)
        return Baseline(jet_baseline.NAME, vars(found.metrics), found.parameters)


def remove_plots(folder: Path, stems: Sequence[str]) -> None:
    """Remove the plots of an earlier evaluation, so that none of other scores stays."""
    for stem in stems:
        for suffix in (".png", ".pdf"):
            (folder / (stem + suffix)).unlink(missing_ok=True)
