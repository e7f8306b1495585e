"""``e2egraph compare``: runs side by side."""

from __future__ import annotations

from pathlib import Path

import click

from e2egraph.commands.console import FolderOrFile, OutputFile, done, example, keep_inputs


@example("e2egraph compare runs/gravnet runs/resnet15 --reference resnet15 --bundles exports")
@click.command()
@click.argument("runs", nargs=-1, required=True, type=FolderOrFile)
@click.option("--data", type=FolderOrFile, help="Data set folder; the runs' own by default.")
@click.option("--bundles", type=FolderOrFile, help="Folder with a bundle NAME for each run NAME, to be timed.")
@click.option("--reference", metavar="RUN|MODEL", help="What differences are taken to; the first run by default.")
@click.option("--group", is_flag=True, help="One row per model: the mean over its runs of different seeds.")
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
    from e2egraph.api.compare import compare as run
    from e2egraph.files import write_json, write_text
    from e2egraph.folders import make_folder

    if output is not None and json_file is not None and output.resolve() == json_file.resolve():
        raise click.UsageError("--output and --json are one and the same file; give two.")
    own = [] if bundles is None else [bundles / run.resolve().name for run in runs]
    for file in (output, json_file):
        keep_inputs(file, (*runs, data, *own))
    found = run(
        runs,
        data,
        bundles=bundles,
        reference=reference,
        group=group,
        bins=binnings,
        resamples=resamples,
        paired=reference is not None or json_file is not None,
    )
    first, *others = found.tables()
    click.echo(first)
    if bundles is None:
        click.echo("ONNX Runtime is timed where exported bundles are given (--bundles).")
    if found.without_scores:
        click.echo(f"No paired differences: no scores.parquet in {', '.join(found.without_scores)}; evaluate again.")
    for table in others:
        click.echo(f"\n{table}")
    if output is not None:
        make_folder(output.parent)
        write_text(output, "\n\n".join((first, *others)) + "\n")
    if json_file is not None:
        make_folder(json_file.parent)
        write_json(json_file, found.as_json())
    written = ", ".join(str(path) for path in (output, json_file) if path is not None)
    what = f"compared {len(runs)} runs" + (f", wrote {written}" if written else "")
    if bundles is None:
        done(what, "e2egraph", "export", runs[0], "--output", f"exports/{runs[0].resolve().name}")
    else:
        done(what, "e2egraph", "ablate", "--help")
