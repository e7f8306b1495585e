"""The named sections of an evaluation's page; an objective names those that apply to it (``Evaluation.sections``)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2egraph.evaluation.objectives.evaluation import ReportParts, ShownJets
from e2egraph.evaluation.pages.elements import Section
from e2egraph.evaluation.significance.analysis import Analysis
from e2egraph.evaluation.significance.results import Significance
from e2egraph.tasks.objects.naming import ANY_OBJECT, ObjectName
from e2egraph.training.runs.run_folder import RunInfo


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation found, for sections to choose from.

    ``folder``: where its plots are; ``metrics``: the content of ``metrics.json``; ``own``: what the objective says of
    it; ``shown`` with their ``jets`` (as ``jet_data``): the jets displayed, None for none; ``expected``: the expected
    significance with its analysis, None for none; ``objects``: what these are called.
    """

    folder: Path
    metrics: Mapping[str, Any]
    info: RunInfo
    own: ReportParts
    shown: ShownJets | None = None
    jets: Mapping[str, Any] | None = None
    expected: tuple[Significance, Analysis] | None = None
    objects: ObjectName = ANY_OBJECT


# None: there is nothing to show.
SectionMaker = Callable[[Evaluated], Section | None]

_MAKERS: dict[str, SectionMaker] = {}


def section(name: str) -> Callable[[SectionMaker], SectionMaker]:
    """Decorator: makes a function known as the section ``name``. ValueError when the name is taken."""

    def add(maker: SectionMaker) -> SectionMaker:
        if name in _MAKERS and _MAKERS[name].__qualname__ != maker.__qualname__:
            raise ValueError(f"section {name} exists already; choose another name")
        _MAKERS[name] = maker
        return maker

    return add


def make_sections(names: Sequence[str], evaluated: Evaluated) -> dict[str, Section]:
    """Those of ``names``, in that order, that have something to show. ValueError: no such section."""
    # Sections register themselves when their files are imported.
    import e2egraph.evaluation.pages.sections  # noqa: F401

    unknown = [name for name in names if name not in _MAKERS]
    if unknown:
        raise ValueError(f"no section {', '.join(unknown)}; there are {', '.join(sorted(_MAKERS))}")
    made = {name: _MAKERS[name](evaluated) for name in names}
    return {name: one for name, one in made.items() if one is not None}
