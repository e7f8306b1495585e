"""Regressed quantities: their figures, plots (response, true against predicted, figures in bins) and tables of bins."""

from __future__ import annotations

from e2egraph.evaluation.objectives.regression import stems
from e2egraph.evaluation.pages.elements import Section, pictures
from e2egraph.evaluation.pages.regression_tables import bin_tables, figures_table
from e2egraph.evaluation.pages.sections.registry import Evaluated, section


@section("regression")
def regression(evaluated: Evaluated) -> Section:
    metrics, objects = evaluated.metrics, evaluated.objects
    targets = []
    for number, (name, found) in enumerate(metrics["targets"].items()):
        response, matrix, bins = stems(name, first=number == 0)
        plots = {
            matrix: (
                "True against predicted, with the median and the central 68% of the predictions",
                f"Predicted against true {name} in two dimensions",
            ),
            response: ("Response", f"Distribution of predicted/true {name}"),
            bins: ("In bins", f"Response, resolution and mean absolute error of {name} in bins of each quantity"),
        }
        outside = found["true_against_predicted"]["outside"]
        targets.append(
            {
                "name": name,
                "note": f"{100 * outside:.1f}% of the weight is predicted beyond the axes of true against predicted."
                if outside > 5e-4
                else "",
                "pictures": pictures(evaluated.folder, plots),
                "tables": bin_tables(name, found, objects),
            }
        )
    return Section("Regression", "regression.html.j2", {"figures": figures_table(metrics, objects), "targets": targets})
