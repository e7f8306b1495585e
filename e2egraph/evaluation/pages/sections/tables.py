"""The other tables of the objective: in bins, by class, and so on."""

from __future__ import annotations

from e2egraph.evaluation.pages.elements import Section
from e2egraph.evaluation.pages.sections.registry import Evaluated, section


@section("tables")
def tables(evaluated: Evaluated) -> Section | None:
    if not evaluated.own.tables:
        return None
    return Section("Tables", "tables.html.j2", {"tables": evaluated.own.tables})
