"""``e2egraph benchmark pareto``: quality against cost."""

from __future__ import annotations

from pathlib import Path

import click

from e2egraph.commands.benchmark.shared import finish
from e2egraph.commands.console import FolderOrFile, OutputFile, example, keep_inputs


@example("e2egraph benchmark pareto runs/* --costs train.json --costs infer.json --output pareto.json")
@click.command()
@click.argument("runs", nargs=-1, required=True, type=FolderOrFile)
@click.option("--costs", multiple=True, required=True, type=FolderOrFile, help="JSON of benchmark train or infer.")
@click.option(
    "--output", required=True, type=OutputFile(".md", ".png", ".pdf"), help="JSON file to write (table, plots)."
)
def pareto(runs: tuple[Path, ...], costs: tuple[Path, ...], output: Path) -> None:
    """Quality of evaluated runs against their cost: table, picture, and the models that no other beats in both.

    Quality is the first figure of their objective, such as the AUC or the mean absolute error. Runs of one model are
    its seeds.
    """
    from e2egraph.benchmark.pareto import LATENCY, compared_figures, contenders, front, pareto_records
    from e2egraph.evaluation.compare.comparison import same_jets
    from e2egraph.evaluation.compare.evaluated_run import read_evaluated
    from e2egraph.folders import make_folder
    from e2egraph.plots.pareto import plot_pareto
    from e2egraph.plots.style import label_of

    keep_inputs(output, (*runs, *costs))
    evaluated = read_evaluated(runs)
    models, figures = contenders(evaluated, costs), compared_figures(evaluated)
    label, same = label_of(evaluated[0].scores().jets["run"]), same_jets(evaluated)
    make_folder(output.parent)
    plot_pareto(
        models, front(models, LATENCY, figures[0]), LATENCY, figures[0], output.with_suffix(""), label,
        same_objects=same,
    )  # fmt: skip
    finish(output, pareto_records(models, figures, same_objects=same))
