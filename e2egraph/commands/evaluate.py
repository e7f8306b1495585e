"""``e2egraph evaluate``: run → metrics, scores, plots."""

from __future__ import annotations

from pathlib import Path

import click

from e2egraph.commands.console import FolderOrFile, OutputFolder, done, example, settings_option


@example("e2egraph evaluate runs/gravnet --data data/top")
@click.command()
@click.argument("run", type=FolderOrFile)
@click.option("--data", type=FolderOrFile, help="Data set folder; the run's own by default.")
@click.option("--output", type=OutputFolder(), help="Folder for the results; the run's own by default.")
@click.option("--split", default="test", show_default=True, help="train, validation or test.")
@click.option("--analysis", help="Expected significance: a name in configs/analyses (such as top) or a YAML file.")
@click.option("--report/--no-report", default=True, show_default=True, help="Write report.html, a page of all of it.")
@settings_option
def evaluate(
    run: Path,
    data: Path | None,
    output: Path | None,
    split: str,
    analysis: str | None,
    report: bool,
    settings: tuple[str, ...],
) -> None:
    """Score the objects of a split: metrics.json, scores.parquet, plots (ROC curve, background mass after a cut).

    report.html shows all of it in one page for a browser, with single objects: the best, the worst and random ones.

    With --analysis also significance.json, .md and plots: the scores as a counting experiment, next to cuts.

    --set data.evaluation_batch_size=16 (or data.pool_jets) needs less memory; what the run records stays.

    Several processes (torchrun, or RANK and WORLD_SIZE set for each) share the objects; the one that finishes last
    writes the results. Where one was killed, the same command ends the work.
    """
    from e2egraph.data.share import environment_share
    from e2egraph.evaluation.evaluate import evaluate as run_evaluation
    from e2egraph.evaluation.significance.write import summary as significance_line

    summary = run_evaluation(
        run,
        data,
        output,
        split=split,
        analysis=analysis,
        report=report,
        settings=settings,
        share=environment_share(),
    )
    if summary is None:
        return
    click.echo(f"{summary.model}: {summary.line}")
    for limit in summary.limits:
        click.echo(f"Limit: {limit}.")
    if summary.significance is not None:
        click.echo(f"{significance_line(summary.significance)}.")
        for limit in summary.significance.limits:
            click.echo(f"Limit of the significance: {limit}.")
    done(
        f"wrote metrics.json, scores.parquet{', report.html' if report else ''} and plots of {summary.jets} {split} "
        f"{summary.objects.many} to {summary.output}",
        *("e2egraph", "export", run, "--output", f"exports/{run.resolve().name}"),
    )
