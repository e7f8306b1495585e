"""``e2egraph ablate``: models × inputs × seeds → runs, tables and plots."""

from __future__ import annotations

from pathlib import Path

import click

from e2egraph.commands.console import FolderOrFile, OutputFolder, done, example, progress, settings_option
from e2egraph.errors import InputError, UsageError


@example(
    "e2egraph ablate --data data/top --models resnet15,gravnet --output ablation --rows pt,pixels,all --seeds 1,2,3"
)
@click.command()
@click.option("--data", required=True, type=FolderOrFile, help="Data set folder to learn from.")
@click.option("--test-data", type=FolderOrFile, help="Data set whose test split is scored; --data by default.")
@click.option("--models", required=True, metavar="NAME,…", help="Names in configs/models, or YAML files.")
@click.option("--output", required=True, type=OutputFolder(), help="Folder to make; the same one goes on.")
@click.option(
    "--rows",
    default="published",
    show_default=True,
    metavar="PRESET|ROW,…",
    help="Inputs: a name in configs/ablations, a YAML file, some rows of the published ones, or PRESET:ROW,….",
)
@click.option("--reference", metavar="MODEL", help="What differences are taken to; the first model by default.")
@click.option("--recipe", default="published", show_default=True, help="Name in configs/recipes, or a YAML file.")
@click.option(
    "--training-jets", default="all", show_default=True, metavar="N|all", help="Objects that each row trains on."
)
@click.option("--seeds", default="1", show_default=True, metavar="N,…", help="Random seeds of every row.")
@click.option("--full-seeds", default="1,2,3", show_default=True, metavar="N,…", help="Seeds of the row of all inputs.")
@click.option(
    "--learning-curve",
    multiple=True,
    metavar="N|all,…[:SEED,…]",
    help="Train the row of all inputs with this many objects as well; may repeat.",
)
@click.option(
    "--report-only", is_flag=True, help="Train and evaluate nothing; write tables and plots of what is there."
)
@click.option("--time-again", is_flag=True, help="Measure the cost of inference again, of all networks.")
@click.option(
    "--resamples", type=click.IntRange(min=100), default=1000, show_default=True, help="Paired bootstrap resamples."
)
@settings_option
def ablate(
    data: Path,
    test_data: Path | None,
    models: str,
    output: Path,
    rows: str,
    reference: str | None,
    recipe: str,
    training_jets: str,
    seeds: str,
    full_seeds: str,
    learning_curve: tuple[str, ...],
    report_only: bool,
    time_again: bool,
    resamples: int,
    settings: tuple[str, ...],
) -> None:
    """Train models on combinations of inputs and compare them all on the same jets.

    Runs that are there are kept, one that was stopped goes on when the same command is given again. Writes
    ablation.json, tables (Markdown, LaTeX) and plots next to the runs. --set MODEL:KEY=VALUE sets a key for one model
    alone, such as the learning rate that it likes best.
    """
    from e2egraph.api.ablate import ablate as run
    from e2egraph.evaluation.ablation.ablate import failure_name
    from e2egraph.evaluation.ablation.plan import parse_curve, parse_jets, parse_seeds
    from e2egraph.evaluation.ablation.tables import tables

    named = [name.strip() for name in models.split(",")]
    if not all(named):
        raise UsageError(f"--models {models!r}: a name is missing; give names with commas between.")
    summary = run(
        named,
        data,
        output,
        test_data=test_data,
        rows=rows,
        reference=reference,
        recipe=recipe,
        training_jets=parse_jets(training_jets, "--training-jets"),
        seeds=parse_seeds(seeds, "--seeds"),
        full_seeds=parse_seeds(full_seeds, "--full-seeds"),
        learning_curve=[(point.training_jets, point.seeds) for point in parse_curve(learning_curve)],
        report_only=report_only,
        time_again=time_again,
        resamples=resamples,
        settings=settings,
        say=lambda line: click.echo(line, err=True),
        progress=lambda title: progress(title, None),
    )
    found = summary.ablation
    for table in tables(found):
        click.echo(table.markdown() + "\n")
    for limit in found.limits:
        click.echo(f"Limit: {limit}.")
    if found.failures and not report_only:
        names = "; ".join(f"{failure_name(failure)} ({failure.reason})" for failure in found.failures)
        raise InputError(
            f"{len(found.failures)} of {len(found.failures) + len(found.runs)} runs failed: {names}; {output} holds "
            "the others with their tables and plots; correct the cause and give the same command again."
        )
    missing = f" ({len(found.failures)} more are missing)" if found.failures else ""
    done(
        f"wrote {output}: {len(found.runs)} runs of {len(found.models)} models{missing}, "
        f"{', '.join(path.name for path in summary.written)}",
        *("e2egraph", "export", output / found.runs[0].folder, "--output", f"exports/{found.runs[0].model}"),
    )
