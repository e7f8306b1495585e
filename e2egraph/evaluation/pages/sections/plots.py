"""The plots of the objective and of the expected significance, those that are there."""

from __future__ import annotations

from e2egraph.evaluation.pages.elements import Section, pictures
from e2egraph.evaluation.pages.sections.registry import Evaluated, section


@section("plots")
def plots(evaluated: Evaluated) -> Section:
    return Section("Plots", "plots.html.j2", {"pictures": pictures(evaluated.folder, evaluated.own.plots)})
