"""Judging a classification: ROC curves, calibration, bins, mass sculpting, and a baseline of object quantities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from e2egraph.data.scores import Scores, output_columns
from e2egraph.evaluation.compare.joined import join
from e2egraph.evaluation.compare.paired import paired
from e2egraph.evaluation.compare.paired_result import Contender, PairedResult
from e2egraph.evaluation.compare.roc_overlay import overlay_bands
from e2egraph.evaluation.explain.chosen_jets import choose_jets
from e2egraph.evaluation.metrics import baseline as jet_baseline
from e2egraph.evaluation.metrics.enough import enough_pass
from e2egraph.evaluation.metrics.figures import AUC, EFFICIENCY, LOW_EFFICIENCY
from e2egraph.evaluation.metrics.registry import FIGURES
from e2egraph.evaluation.metrics.roc.band import roc_band
from e2egraph.evaluation.metrics.roc.curve import WORKING_POINT
from e2egraph.evaluation.metrics_report import MASSES, MetricsReport, metrics_report
from e2egraph.evaluation.objectives.evaluation import (
    Baseline,
    ComparedFigure,
    Evaluation,
    Measured,
    Overlay,
    ReportParts,
    ShownJets,
)
from e2egraph.files import remove
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.tasks.objectives.classification import Classification

STRATA = ("signal", "background")

ROC_STEM, SCORES_STEM, SCULPTING_STEM, BINS_STEM = "roc", "scores", "mass_sculpting", "bins"


# Plots by the names of their files without suffix: (caption, what a reader sees in it).
PLOTS = {
    ROC_STEM: ("ROC curve", "Background rejection against signal efficiency with its error band and 1% mistag marked"),
    SCORES_STEM: (
        "Scores by class",
        "Signal score in each class, normalised to one, and the ratio to signal",
    ),
    SCULPTING_STEM: (
        "Background mass before and after a cut on the score",
        "Mass spectrum of all background objects and of those with the highest scores, and their ratio",
    ),
    BINS_STEM: ("In bins of quantities", "AUC, signal efficiency and mistag rate in bins of each quantity"),
}


class ClassificationEvaluation(Evaluation):
    """Signal against all other classes; with more than two classes also one against the rest and pairs."""

    needs: ClassVar[tuple[str, ...]] = MASSES
    objective: Classification

    @property
    def figures(self) -> tuple[ComparedFigure, ...]:
        return tuple(
            ComparedFigure(name, FIGURES[name].title, FIGURES[name].digits, highest=True, ratio=FIGURES[name].ratio)
            for name in (AUC, EFFICIENCY, LOW_EFFICIENCY)
        )

    def too_few(self, label: NDArray[np.int64]) -> str | None:
        signal = label == self.objective.class_names.index(self.objective.signal)
        for what, found in (("signal", signal), ("background", ~signal)):
            if found.sum() < 2:
                return f"{found.sum()} {what} {self.objects.many}"
        return None

    def measure(self, scores: Scores, quantities: Mapping[str, NDArray]) -> Measured:
        found = metrics_report(scores, quantities, self.objective.signal, self.bins, self.objects)
        value, error = found.tagging.figures, found.tagging.errors
        line = (
            f"AUC {value[AUC]:.4f} ± {error[AUC]:.4f}, signal efficiency at 1% mistag "
            f"{value[EFFICIENCY]:.3f} ± {error[EFFICIENCY]:.3f}"
        )
        about = {"classes": list(self.objective.class_names), "signal": self.objective.signal}
        return Measured({**found.content, **about}, found, line, tuple(found.content["limits"]), STRATA)

    def plots(self, measured: Measured, scores: Scores, model: str, folder: Path, label: str) -> None:
        from e2egraph.plots.classification.bins import plot_bins
        from e2egraph.plots.classification.roc import plot_roc
        from e2egraph.plots.classification.scores import plot_scores
        from e2egraph.plots.classification.sculpting import plot_sculpting

        classes, signal = self.objective.class_names, self.objective.signal
        number, weight = classes.index(signal), scores.jets["weight"]
        is_signal, score = scores.jets["label"] == number, scores.probabilities[:, number]
        band = roc_band(is_signal, score, weight)
        plot_roc(band, model, folder / ROC_STEM, label, marked=WORKING_POINT)
        class_of = np.array(classes)[scores.jets["label"]]
        plot_scores(score, class_of, list(classes), signal, folder / SCORES_STEM, label, weight)
        found: MetricsReport = measured.values
        remove_plots(folder, (SCULPTING_STEM, BINS_STEM))
        drawn = [found.sculpting[name] for name in MASSES if name in found.sculpting]
        if drawn:
            plot_sculpting(drawn[0], folder / SCULPTING_STEM, label)
        if found.content["bins"]:
            plot_bins(found.content["bins"], folder / BINS_STEM, label, mistag=WORKING_POINT)

    def paired(
        self,
        scores: Sequence[Scores],
        names: Sequence[str],
        contenders: Sequence[Contender],
        reference: int,
        *,
        resamples: int,
    ) -> PairedResult:
        joined = join(scores, names, self.objective.signal)
        return paired(joined, contenders, reference, resamples=resamples, objects=self.objects)

    def in_a_mean(self, name: str, report: Mapping[str, Any]) -> float | None:
        """Without the efficiency at 1% mistag of too little background, which is quoted of single runs alone."""
        passing = report.get("background_passing")
        few = name == EFFICIENCY and passing is not None and not enough_pass(passing)
        return None if few else super().in_a_mean(name, report)

    def report(self, metrics: Mapping[str, Any]) -> ReportParts:
        from e2egraph.evaluation.pages import metrics_tables as tables

        return ReportParts(
            about=f"signal {metrics['signal']} of {', '.join(metrics['classes'])}",
            cards=tables.summary_cards(metrics, self.objects),
            figures=[tables.figures_table(metrics, self.objects)],
            tables=[
                *tables.bin_tables(metrics, self.objects),
                tables.reliability_table(metrics, self.objects),
                *tables.class_tables(metrics),
            ],
            plots=PLOTS,
        )

    def plot_overlays(self, panels: Sequence[Overlay], stem: Path, label: str) -> list[Path]:
        """ROC curves with their bands, and ratios to the reference's."""
        from e2egraph.plots.classification.roc_overlay import plot_roc_overlay

        drawn = []
        for panel in panels:
            joined = join(panel.scores, panel.names, self.objective.signal)
            drawn.append((panel.title, overlay_bands(joined, panel.contenders)))
        return plot_roc_overlay(drawn, stem, label)

    def shown_jets(self, scores: Scores) -> ShownJets:
        signal = self.objective.signal
        column = scores.classes.index(signal)
        label, probabilities = scores.jets["label"], scores.probabilities
        chosen = choose_jets(label == column, probabilities[:, column])
        places = [jet.place for jet in chosen]
        true = [self.objective.class_names[int(label[place])] for place in places]
        return ShownJets(
            chosen=chosen,
            column=scores.columns.index(output_columns(self.objective.outputs)[column]),
            is_class=True,
            effect="log-odds",
            of=signal,
            headline=[f"{name} {probabilities[place, column]:.3f}" for name, place in zip(true, places, strict=True)],
            outputs=[
                [
                    ("true class", name),
                    *(
                        (f"score ({one})", f"{value:.4f}")
                        for one, value in zip(scores.classes, probabilities[place].tolist(), strict=True)
                    ),
                ]
                for name, place in zip(true, places, strict=True)
            ],
            strong=[bool(label[place] == column) for place in places],
            words=(
                f"Best: {self.objects.many} of signal and background whose scores are most clearly right; worst: those "
                "most clearly wrong, or nearest to it; random: drawn with a fixed seed.",
            ),
        )

    def baseline(self, data: Path, split: str) -> Baseline | None:
        if not set(jet_baseline.VARIABLES) <= set(read_manifest(data).object_columns):
            return None  # clusters have neither mass nor substructure
        found = jet_baseline.baseline(data, split)
        return Baseline(jet_baseline.NAME, found.metrics.content(), found.parameters, found.metrics.jets)


def remove_plots(folder: Path, stems: Sequence[str]) -> None:
    """Remove the plots of an earlier evaluation, so that none of other scores stays."""
    for stem in stems:
        for suffix in (".png", ".pdf"):
            remove(folder / (stem + suffix))
