"""``e2egraph compare-particles``: particle flow by rules, by truth and by networks on the same events."""

from __future__ import annotations

from pathlib import Path

import click

from e2egraph.commands.console import FolderOrFile, OutputFolder, command, done, example


@example("e2egraph compare-particles data/flow --candidates gravnet=candidates.parquet --output results/flow")
@click.command("compare-particles")
@click.argument("data", type=FolderOrFile)
@click.option(
    "--output",
    required=True,
    type=OutputFolder(),
    help="Folder for report.html, particle_flow.json, table and figures.",
)
@click.option("--candidates", "files", multiple=True, metavar="NAME=FILE",
              help="Particles that a network found (e2egraph predict); may repeat, seeds with one NAME.")  # fmt: skip
@click.option("--split", default="test", show_default=True, type=click.Choice(["train", "validation", "test", "all"]),
              help="Events that are compared.")  # fmt: skip
@click.option("--resamples", type=click.IntRange(min=0), default=400, show_default=True,
              help="Paired bootstrap resamples of the events.")  # fmt: skip
@click.option("--calibrate", metavar="SPLIT", type=click.Choice(["train", "validation", "test"]),
              help="Split by whose jets those of each column are calibrated as well, in bins of pT.")  # fmt: skip
@click.option("--reference", default="rules", show_default=True, metavar="NAME",
              help="Column that the others are compared with.")  # fmt: skip
@click.option("--display", type=click.IntRange(min=0), default=2, show_default=True,
              help="Events to draw, from the median to the worst by how their leading jet is measured.")  # fmt: skip
def compare_particles(
    data: Path,
    output: Path,
    files: tuple[str, ...],
    split: str,
    resamples: int,
    calibrate: str | None,
    reference: str,
    display: int,
) -> None:
    """Jets, recoil, missing momentum and particles of the events of DATA, by rule-based particle flow, by the targets
    that networks learn, by perfect association of deposits, and by networks; where there is pile-up, by the rules with
    PUPPI weights as well.

    No network is needed: without --candidates the others are compared. Files of one NAME are of one network trained
    with several seeds: its figures are their means, with their spread in the errors.
    """
    from e2egraph.evaluation.particleflow.columns import read_events
    from e2egraph.evaluation.particleflow.compare import compare
    from e2egraph.evaluation.particleflow.figuretext import value_text
    from e2egraph.evaluation.particleflow.report import JSON_NAME, TABLE_NAME, write_comparison
    from e2egraph.graphs.storage.manifest import read_manifest

    named: dict[str, list[Path]] = {}
    for text in files:
        name, found, path = text.partition("=")
        if not (name and found and path):
            raise click.UsageError(f"--candidates {text}: give NAME=FILE.")
        named.setdefault(name, []).append(Path(path))
    if calibrate is not None and split in (calibrate, "all"):
        raise click.UsageError(
            f"--calibrate {calibrate}: these events are among those compared; give --split another split."
        )
    events = read_events(data, None if split == "all" else split, named)
    calibrate_on = None if calibrate is None else read_events(data, calibrate, named)
    comparison = compare(events, resamples, calibrate_on=calibrate_on, reference=reference)
    given = [word for text in files for word in ("--candidates", text)]
    given += [] if calibrate is None else ["--calibrate", calibrate]
    words = ("e2egraph", "compare-particles", data, "--output", output, "--split", split, *given)
    about = {
        "data_set": read_manifest(data).digest,
        "split": split,
        "resamples": resamples,
        "calibrated_on": calibrate,
    }
    line = command(*words, "--resamples", resamples, "--reference", reference, "--display", display)
    page = write_comparison(output, comparison, events, line, about, display)
    for figure in comparison.figures:
        if (figure.part, figure.quantity) == ("jets", "resolution") and figure.number:
            less = "" if figure.difference is None else f", {100 * figure.difference:+.1f}% of that of {reference}"
            click.echo(f"jets of {figure.bin}, {figure.column}: resolution {value_text(figure)}{less}")
    done(f"wrote {page.name}, {JSON_NAME}, {TABLE_NAME} and figures of {comparison.events} events to {output}", "cat",
         output / TABLE_NAME)  # fmt: skip
