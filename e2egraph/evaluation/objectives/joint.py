"""Judging several objectives of one network: each by its own evaluation, over the objects that it is learnt from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from e2egraph.data.scores import Scores, output_columns
from e2egraph.evaluation.compare.paired_result import Contender, PairedResult
from e2egraph.evaluation.objectives.evaluation import (
    ComparedFigure,
    Evaluation,
    Measured,
    Overlay,
    ReportParts,
    ShownJets,
    evaluation_of,
)
from e2egraph.evaluation.pages.elements import Cards
from e2egraph.tasks.objectives.joint import Joint


class JointEvaluation(Evaluation):
    """All figures under their own names; where two objectives have one of the same name, the first keeps it."""

    objective: Joint

    @cached_property
    def parts(self) -> tuple[Evaluation, ...]:
        """The evaluations of the objectives, in order."""
        return tuple(evaluation_of(head, self.bins, self.objects) for head in self.objective.heads)

    @property
    def quantities(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for part in self.parts for name in part.quantities))

    @property
    def sections(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of all parts: what the first has not, right after what it follows in another."""
        names: list[str] = []
        for part in self.parts:
            for place, name in enumerate(part.sections):
                if name not in names:
                    names.insert(names.index(part.sections[place - 1]) + 1 if place else 0, name)
        return tuple(names)

    @property
    def figures(self) -> tuple[ComparedFigure, ...]:
        return tuple(figure for part in self.parts for figure in part.figures)

    @property
    def main_figures(self) -> tuple[ComparedFigure, ...]:
        """The main one of each objective."""
        return tuple(part.figures[0] for part in self.parts)

    def too_few(self, label: NDArray[np.int64]) -> str | None:
        found = (part.too_few(label[np.isin(label, self._labels(part))]) for part in self.parts)
        return next((fault for fault in found if fault is not None), None)

    def measure(self, scores: Scores, quantities: Mapping[str, NDArray]) -> Measured:
        found = []
        for part in self.parts:
            own, members = self._own(part, scores)
            found.append(part.measure(own, {name: values[members] for name, values in quantities.items()}))
        content: dict[str, Any] = {}
        for one in reversed(found):
            content |= one.content
        limits = tuple(limit for one in found for limit in one.limits)
        content |= {"limits": list(limits), "heads": [head.kind for head in self.objective.heads]}
        line = "; ".join(one.line for one in found)
        return Measured(
            content, found, line, limits, tuple(dict.fromkeys(name for one in found for name in one.strata))
        )

    def plots(self, measured: Measured, scores: Scores, model: str, folder: Path, label: str) -> None:
        for part, found in zip(self.parts, measured.values, strict=True):
            part.plots(found, self._own(part, scores)[0], model, folder, label)

    def paired(
        self,
        scores: Sequence[Scores],
        names: Sequence[str],
        contenders: Sequence[Contender],
        reference: int,
        *,
        resamples: int,
    ) -> PairedResult:
        found = [
            part.paired([self._own(part, one)[0] for one in scores], names, contenders, reference, resamples=resamples)
            for part in self.parts
        ]
        return replace(
            found[0],
            jets=max(one.jets for one in found),
            standings=tuple(standing for one in found for standing in one.standings),
            differences=tuple(difference for one in found for difference in one.differences),
            limits=tuple(dict.fromkeys(limit for one in found for limit in one.limits)),
        )

    def in_a_mean(self, name: str, report: Mapping[str, Any]) -> float | None:
        owners = (part for part in self.parts if name in {figure.name for figure in part.figures})
        return next(owners, self.parts[0]).in_a_mean(name, report)

    def report(self, metrics: Mapping[str, Any]) -> ReportParts:
        found = [part.report(metrics) for part in self.parts]
        cards: Cards = {}
        for one in reversed(found):
            cards = {**one.cards, **{title: said for title, said in cards.items() if title not in one.cards}}
        return ReportParts(
            about="; ".join(one.about for one in found),
            cards=cards,
            figures=[part for one in found for part in one.figures],
            tables=[part for one in found for part in one.tables],
            plots={stem: said for one in found for stem, said in one.plots.items()},
        )

    def shown_jets(self, scores: Scores) -> ShownJets | None:
        """Those of the first objective, which learns from all of its own classes."""
        own, members = self._own(self.parts[0], scores)
        found = self.parts[0].shown_jets(own)
        if found is None:
            return None
        chosen = [replace(jet, place=int(members[jet.place])) for jet in found.chosen]
        return replace(found, chosen=chosen, column=scores.columns.index(own.columns[found.column]))

    def plot_overlays(self, panels: Sequence[Overlay], stem: Path, label: str) -> list[Path] | None:
        """Those of the first objective that has some."""
        for part in self.parts:
            own = [replace(panel, scores=[self._own(part, one)[0] for one in panel.scores]) for panel in panels]
            drawn = part.plot_overlays(own, stem, label)
            if drawn is not None:
                return drawn
        return None

    def _labels(self, part: Evaluation) -> list[int]:
        """Labels of the classes that ``part`` judges."""
        return [self.objective.class_names.index(name) for name in self.objective.classes_of(part.objective.kind)]

    def _own(self, part: Evaluation, scores: Scores) -> tuple[Scores, NDArray[np.int64]]:
        """What ``part`` judges: its columns and the objects of its classes, and the places of these among all."""
        columns = output_columns(part.objective.outputs)
        members = np.flatnonzero(np.isin(scores.jets["label"], self._labels(part)))
        chosen = [scores.columns.index(name) for name in columns]
        jets = {name: values[members] for name, values in scores.jets.items()}
        return replace(scores, jets=jets, values=scores.values[members][:, chosen], columns=columns), members
