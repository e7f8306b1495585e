"""``e2egraph predict``: bundle or run → scores."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

import click

from e2egraph.commands.console import FolderOrFile, OutputFile, done, example, progress, settings_option


@example("e2egraph predict exports/gravnet --data data/top --split test --output scores.parquet")
@click.command()
@click.argument("model", metavar="BUNDLE|RUN", type=FolderOrFile)
@click.option("--data", required=True, type=FolderOrFile, help="Data set folder.")
@click.option("--output", required=True, type=OutputFile(), help="Parquet file of scores to write.")
@click.option("--split", help="train, validation or test; all jets by default.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Jets a batch.  [default: 64; the recipe's, of a run]")
@click.option(
    "--threads",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="Threads; 0: one a core, shared by the processes of torchrun.",
)
@click.option("--variant", type=click.Choice(["fp16", "int8"]), help="Of the bundle, instead of model.onnx.")
@settings_option
def predict(
    model: Path,
    data: Path,
    output: Path,
    split: str | None,
    batch_size: int | None,
    threads: int,
    variant: str | None,
    settings: tuple[str, ...],
) -> None:
    """Score the jets of a data set with a bundle (by ONNX Runtime alone) or with a run (by torch).

    --set is for runs, as with 'e2egraph evaluate': data.pool_jets=512 reads fewer jets at a time, for less memory.

    Several processes (torchrun, or RANK and WORLD_SIZE set for each) share the jets: each writes its part next to the
    output, and the one that finishes last joins them. Where one was killed, the same command ends the work.
    """
    from e2egraph.api.load import is_run
    from e2egraph.data.share import environment_share

    share = environment_share()
    show = f"import pyarrow.parquet as p; print(p.read_table({str(output)!r}).slice(0, 5))"
    next_command = ("python", "-c", show)
    if is_run(model):
        if variant is not None:
            raise click.UsageError("--variant: a run has none; export it with --fp16 or --int8 and give the bundle.")
        from e2egraph.evaluation.predictions import predict_run

        if batch_size is not None:
            settings = (*settings, f"data.evaluation_batch_size={batch_size}")
        scores = predict_run(model, data, output, split, share, settings=settings)
        if scores is not None:
            unseen = _unseen(int((~scores.scored).sum()))
            done(f"wrote scores of {len(scores)} jets{unseen} to {output}", *next_command)
        return
    if settings:
        raise click.UsageError("--set: a bundle has no settings; give --batch-size for less memory, or the run.")
    from e2egraph.inference.predict import predict_dataset

    with progress("predict", None) if share.rank == 0 else nullcontext() as advance_to:
        summary = predict_dataset(
            model,
            data,
            output,
            share=share,
            split=split,
            batch_size=batch_size or 64,
            threads=threads or _fair_threads(),
            variant=variant,
            progress=advance_to,
        )
    if summary is None:
        return
    cut = f", {summary.jets_cut} of them cut to the model's nodes" if summary.jets_cut else ""
    cut += _unseen(summary.jets_without_nodes)
    done(f"wrote scores of {summary.jets} jets{cut} to {output} ({summary.jets_per_second:.0f} jets/s)", *next_command)


def _unseen(jets: int) -> str:
    """What is said of jets without nodes."""
    return f", {jets} of them without nodes (score −1, prediction NaN)" if jets else ""


def _fair_threads() -> int:
    """ONNX Runtime's threads: one a core (0), or this process's part of the cores that torchrun's processes share."""
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return 0 if processes == 1 else max(1, len(os.sched_getaffinity(0)) // processes)
