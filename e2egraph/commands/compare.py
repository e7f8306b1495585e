"""``e2egraph compare``: runs side by side."""

from __future__ import annotations

from pathlib import Path

import click

from e2egraph.commands.console import FolderOrFile, OutputFile, done, example

# Jets of each class that a bundle is timed on.
JETS_TIMED = 64


@example("e2egraph compare runs/gravnet runs/resnet15 --reference resnet15 --bundles exports")
@click.command()
@click.argument("runs", nargs=-1, required=True, type=FolderOrFile)
@click.option("--data", type=FolderOrFile, help="Data set folder; the runs' own by default.")
@click.option("--bundles", type=FolderOrFile, help="Folder with a bundle NAME for each run NAME, to be timed.")
@click.option("--reference", metavar="RUN|MODEL", help="What differences are taken to; the first run by default.")
@click.option("--group", is_flag=True, help="One row a model: mean and spread over its runs of different seeds.")
@click.option("--bins", "binnings", multiple=True, metavar="QUANTITY=LOW,…,HIGH",
              help="Classes in bins of a quantity as well, such as jet_pt=20,35,60; may repeat.")  # fmt: skip
@click.option(
    "--resamples", type=click.IntRange(min=100), default=1000, show_default=True, help="Paired bootstrap resamples."
)
@click.option("--output", type=OutputFile(), help="Write the tables to this Markdown file as well.")
@click.option("--json", "json_file", type=OutputFile(), help="Write all figures, errors and p-values to this file.")
def compare(
    runs: tuple[Path, ...],
    data: Path | None,
    bundles: Path | None,
    reference: str | None,
    group: bool,
    binnings: tuple[str, ...],
    resamples: int,
    output: Path | None,
    json_file: Path | None,
) -> None:
    """Tables of evaluated runs on the same objects: figures, with a baseline of jet quantities where the objective has
    one; then paired differences to one of them, with errors and p-values, in bins too where asked for.
    """
    from e2egraph.evaluation.compare.binned_paired import binned_table
    from e2egraph.evaluation.compare.binned_runs import bins_as_json, compare_binned, parse_binning
    from e2egraph.evaluation.compare.comparison import compare as rows_of
    from e2egraph.evaluation.compare.comparison import markdown_table, row_as_json
    from e2egraph.evaluation.compare.evaluated_run import read_evaluated
    from e2egraph.evaluation.compare.paired_runs import as_json, compare_paired, paired_note, paired_table
    from e2egraph.files import write_json, write_text
    from e2egraph.folders import make_folder
    from e2egraph.graphs.storage.shards import first_jets
    from e2egraph.inference.latency import latency
    from e2egraph.training.runs.run_folder import read_run

    if output is not None and json_file is not None and output.resolve() == json_file.resolve():
        raise click.UsageError("--output and --json are one and the same file; give two.")
    wanted = [parse_binning(text) for text in binnings]
    times = {}
    if bundles is not None:
        jets = first_jets(data or Path(read_run(runs[0]).data.folder), JETS_TIMED)
        times = {
            run.resolve().name: latency(bundles / run.name, jets, batch_sizes=(1,), repeats=2 * JETS_TIMED)[1]
            for run in runs
        }
    comparison = rows_of(runs, data, times, group=group)
    text = markdown_table(comparison)
    click.echo(text)
    click.echo("ONNX Runtime: median over jets one at a time, one thread.")
    if group:
        click.echo("± of a model: spread over its seeds; of the baseline: bootstrap.")
    evaluated = read_evaluated(runs)
    without = [str(run.folder) for run in evaluated if not run.has_scores]
    content = {
        "runs": [{"folder": str(run.folder), "model": run.model, "seed": run.report.get("seed")} for run in evaluated],
        "grouped": group,
        "rows": [row_as_json(row) for row in comparison.rows],
    }
    contenders = len({run.model for run in evaluated}) if group else len(evaluated)
    if contenders > 1 or reference is not None:
        if without and reference is None and json_file is None:
            click.echo(f"No paired differences: no scores.parquet in {', '.join(without)}; evaluate again.")
        else:
            result, figures = compare_paired(runs, reference, group=group, resamples=resamples)
            differences = f"{paired_table(result, figures)}\n\n{paired_note(result)}"
            click.echo(f"\n{differences}")
            text = f"{text}\n\n{differences}"
            content["paired"] = as_json(result)
    if wanted:
        bins = compare_binned(runs, wanted, data, reference, group=group, resamples=resamples)
        in_bins = binned_table(bins)
        click.echo(f"\n{in_bins}")
        text = f"{text}\n\n{in_bins}"
        content["bins"] = bins_as_json(bins)
    if output is not None:
        make_folder(output.parent)
        write_text(output, text + "\n")
    if json_file is not None:
        make_folder(json_file.parent)
        write_json(json_file, content)
    written = ", ".join(str(path) for path in (output, json_file) if path is not None)
    done(f"compared {len(runs)} runs" + (f", wrote {written}" if written else ""), "e2egraph", "train", "--help")
