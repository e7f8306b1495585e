"""What an objective's evaluation must offer: ``evaluate``, ``compare`` and ``ablate`` know nothing but this."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from e2egraph.data.scores import Scores
from e2egraph.evaluation.compare.paired_result import Contender, PairedResult
from e2egraph.evaluation.explain.chosen_jets import ChosenJet
from e2egraph.evaluation.pages.elements import Cards, Cell, Table, figure_cell, table
from e2egraph.tasks.objectives.objective import Objective, implementation
from e2egraph.tasks.objects.naming import ANY_OBJECT, ObjectName
from e2egraph.tasks.objects.objects import Binning, usual_bins


@dataclass(frozen=True)
class ComparedFigure:
    """A figure of merit as comparisons show it.

    ``name``: its key in ``metrics.json``, whose error is ``NAME_error``; ``title`` and ``unit`` for tables; ``digits``
    after the point; ``highest``: whether the highest value is the best; ``ratio``: whether a ratio of two says
    something.
    """

    name: str
    title: str
    digits: int
    highest: bool
    unit: str = ""
    ratio: bool = True

    @property
    def head(self) -> str:
        """Title with unit."""
        return f"{self.title} [{self.unit}]" if self.unit else self.title


@dataclass(frozen=True)
class Measured:
    """What an evaluation found: ``content`` for ``metrics.json``, and ``values`` that plots and pages are made from.

    ``line``: the main figures on one line. ``limits``: what could not be said, each a sentence. ``strata``: groups of
    objects that the bootstrap draws apart.
    """

    content: dict[str, Any]
    values: Any
    line: str
    limits: tuple[str, ...]
    strata: tuple[str, ...] = ()


@dataclass(frozen=True)
class Baseline:
    """A baseline's row of a comparison: its ``name``, ``figures`` (as in ``metrics.json``), fitted parameters, and the
    number of objects that the figures are of."""

    name: str
    figures: Mapping[str, Any]
    parameters: int
    jets: int


@dataclass(frozen=True)
class ShownJets:
    """The objects that a report shows, and what is said of each; lists are in the order of ``chosen``.

    ``column``: of the network's outputs, whose change is the effect of nodes; ``is_class``: the change of its log-odds.
    ``effect``: what that is called, ``of`` what it is evidence for. ``headline``: for the list; ``outputs``: (name,
    text) of every output; ``strong``: whether the object is set off from the others; ``words``: paragraphs above them.
    """

    chosen: list[ChosenJet]
    column: int
    is_class: bool
    effect: str
    of: str
    headline: list[str]
    outputs: list[list[tuple[str, str]]]
    strong: list[bool]
    words: tuple[str, ...]


@dataclass(frozen=True)
class ReportParts:
    """What an objective adds to a report: ``cards`` (title → value and what stands small below it) and tables of
    ``figures`` on top, other ``tables`` below the plots.

    ``about``: a sentence part that says what was predicted. ``plots``: file without suffix → caption and alternative
    text.
    """

    about: str = ""
    cards: Cards = field(default_factory=dict)
    figures: list[Table] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    plots: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Overlay:
    """A panel of curves: its ``title``, the ``scores`` (with ``names`` for errors) and the ``contenders`` drawn, the
    first of which is the reference."""

    title: str
    scores: Sequence[Scores]
    names: Sequence[str]
    contenders: Sequence[Contender]


# The sections of a report (``pages.sections``) in their order, unless an evaluation names others.
SECTIONS = ("summary", "significance", "plots", "jets", "tables", "configuration", "provenance")


class Evaluation(ABC):
    """Metrics, tables, plots and report sections of one kind of objective.

    ``needs``: plain columns of a data set that the metrics need as well as the scores and those of ``bins``, which are
    those of the kind of object; ``objects``: what these are called. ``sections``: those of a report, by name.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    sections: ClassVar[tuple[str, ...]] = SECTIONS

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.bins: Mapping[str, Binning] = usual_bins()
        self.objects: ObjectName = ANY_OBJECT

    @property
    def quantities(self) -> tuple[str, ...]:
        """Plain columns that ``measure`` is given of a data set whose kind of object has them."""
        return tuple(dict.fromkeys([*(of.column for of in self.bins.values()), *self.needs]))

    @property
    @abstractmethod
    def figures(self) -> tuple[ComparedFigure, ...]:
        """The figures that comparisons show, the main one first."""

    @property
    def main_figures(self) -> tuple[ComparedFigure, ...]:
        """Those of ``figures`` that an ablation shows, the main one first."""
        return self.figures[:2]

    def too_few(self, label: NDArray[np.int64]) -> str | None:
        """What there are fewer than two of among objects of these labels [J], so that no figure has an error, and how
        many; None: nothing."""
        return None if len(label) > 1 else self.objects.count(len(label))

    @abstractmethod
    def measure(self, scores: Scores, quantities: Mapping[str, NDArray]) -> Measured:
        """All figures of ``scores`` with those of ``self.quantities`` that their kind of object has (each [J]);
        InputError when the objects cannot be judged by."""

    @abstractmethod
    def plots(self, measured: Measured, scores: Scores, model: str, folder: Path, label: str) -> None:
        """Write every plot that applies into ``folder``, and remove those of an earlier evaluation that do not."""

    @abstractmethod
    def paired(
        self,
        scores: Sequence[Scores],
        names: Sequence[str],
        contenders: Sequence[Contender],
        reference: int,
        *,
        resamples: int,
    ) -> PairedResult:
        """Every figure of each contender, and its difference to contender number ``reference``, on the same objects.

        ``scores``, with ``names`` for errors, one for each row that contenders name. InputError when they are of
        different objects or outputs.
        """

    def in_a_mean(self, name: str, report: Mapping[str, Any]) -> float | None:
        """Figure ``name`` of the ``metrics.json`` of one seed as a mean over seeds takes it; None: it cannot be quoted
        in one."""
        value: float | None = report.get(name)
        return value

    def plot_overlays(self, panels: Sequence[Overlay], stem: Path, label: str) -> list[Path] | None:
        """A picture of curves of several contenders, a panel for each of ``panels``; None where there is no such."""
        return None

    def report(self, metrics: Mapping[str, Any]) -> ReportParts:
        """Parts of the report from the content of ``metrics.json``: by default, a table of ``figures``."""
        rows: list[list[Cell | str]] = [
            [one.head, figure_cell(metrics[one.name], metrics.get(f"{one.name}_error"), one.digits)]
            for one in self.figures
        ]
        return ReportParts(figures=[table("Figures", ["figure", "value"], rows)])

    def shown_jets(self, scores: Scores) -> ShownJets | None:
        """The objects that the report shows; None where it shows none."""
        return None

    def baseline(self, data: Path, split: str) -> Baseline | None:
        """What quantities that any analysis has reach on the same split; None where there is no such baseline.

        InputError when the data set lacks them.
        """
        return None


def evaluation_of(
    objective: Objective, bins: Mapping[str, Binning] | None = None, objects: ObjectName = ANY_OBJECT
) -> Evaluation:
    """The evaluation that an objective names; UsageError when it cannot be imported.

    ``bins``: those of the kind of object (``ObjectKind.bins``), those of jets where not given. ``objects``: what tables
    and sentences call them.
    """
    made: Evaluation = implementation(objective.evaluation)(objective)
    made.objects = objects
    if bins is not None:
        made.bins = bins
    return made
