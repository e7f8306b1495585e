"""The figures that are shown first, what could not be said, and all figures."""

from __future__ import annotations

from e2egraph.evaluation.pages.elements import Section
from e2egraph.evaluation.pages.sections.registry import Evaluated, section


@section("summary")
def summary(evaluated: Evaluated) -> Section:
    values = {
        "cards": evaluated.own.cards,
        "note": "",
        "limits": evaluated.metrics["limits"],
        "tables": evaluated.own.figures,
    }
    return Section("Summary", "summary.html.j2", values)
