"""``e2egraph predict``: bundle or run → scores."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import click

from e2egraph.commands.console import FolderOrFile, OutputFile, done, example, progress, settings_option


@example("e2egraph predict exports/gravnet --data data/top --split test --output scores.parquet")
@click.command()
@click.argument("model", metavar="BUNDLE|RUN", type=FolderOrFile)
@click.option("--data", required=True, type=FolderOrFile, help="Data set folder.")
@click.option("--output", required=True, type=OutputFile(kind=".parquet"), help="Parquet file of scores to write.")
@click.option("--split", help="train, validation or test; all objects by default.")
@click.option(
    "--batch-size", type=click.IntRange(min=1), help="Objects per batch.  [default: 64; the recipe's, of a run]"
)
@click.option(
    "--threads",
    default=0,
    show_default=True,
    type=click.IntRange(min=0),
    help="Threads of ONNX Runtime or torch; 0: one a core, shared by the processes of torchrun.",
)
@click.option("--variant", type=click.Choice(["fp16", "int8"]), help="Of the bundle, instead of model.onnx.")
@click.option("--decoding", type=click.Choice(["hard", "soft"]), help="Of particle flow.  [default: hard]")
@settings_option
def predict(
    model: Path,
    data: Path,
    output: Path,
    split: str | None,
    batch_size: int | None,
    threads: int,
    variant: str | None,
    decoding: Literal["hard", "soft"] | None,
    settings: tuple[str, ...],
) -> None:
    """Score the objects of a data set with a bundle (by ONNX Runtime alone) or with a run (by torch).

    --set is for runs, as with 'e2egraph evaluate': data.pool_jets=512 reads fewer objects at a time, for less memory.

    Particle flow (objective nodes) gives candidates, a row each: the event's row in the data set, class, pT, η, φ,
    energy, pile-up share and the probability of a particle. --decoding hard takes elements that are more probably a
    particle than none, soft all of them with momenta times that probability.

    Several processes (torchrun, or RANK and WORLD_SIZE set for each) share the objects: each writes its part next to
    the output, and the one that finishes last joins them. Where one was killed, the same command ends the work.
    """
    from e2egraph.api.load import check_network, is_run, level_of
    from e2egraph.data.share import environment_share
    from e2egraph.graphs.storage.manifest import read_manifest

    check_network(model)
    share = environment_share()
    if level_of(model) == "node":
        if share.world > 1:
            raise click.UsageError("particle flow is predicted by one process; start one.")
        if variant is not None:
            raise click.UsageError("--variant: bundles of particle flow have none; leave it out.")
        _particles(model, data, output, split, batch_size, threads, decoding or "hard", settings)
        return
    if decoding is not None:
        raise click.UsageError(f"--decoding: {model} gives scores of objects, and no particles; leave it out.")
    show = f"import pyarrow.parquet as p; print(p.read_table({str(output)!r}).slice(0, 5))"
    next_command = ("python", "-c", show)
    if is_run(model):
        if variant is not None:
            raise click.UsageError("--variant: a run has none; export it with --fp16 or --int8 and give the bundle.")
        from e2egraph.evaluation.predictions import predict_run

        _set_torch_threads(threads)
        if batch_size is not None:
            settings = (*settings, f"data.evaluation_batch_size={batch_size}")
        scores = predict_run(model, data, output, split, share, settings=settings)
        if scores is not None:
            others = _cut(scores.about["jets_cut"]) + _unseen(int((~scores.scored).sum()))
            scored = f"{read_manifest(data).object_name.count(len(scores))}{others}"
            done(f"wrote scores of {scored} to {output}", *next_command)
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
    objects = read_manifest(data).object_name
    scored = f"{objects.count(summary.jets)}{_cut(summary.jets_cut)}{_unseen(summary.jets_without_nodes)}"
    rate = f"{summary.jets_per_second:.0f} {objects.many}/s"
    done(f"wrote scores of {scored} to {output} ({rate})", *next_command)


def _particles(
    model: Path,
    data: Path,
    output: Path,
    split: str | None,
    batch_size: int | None,
    threads: int,
    method: Literal["hard", "soft"],
    settings: tuple[str, ...],
) -> None:
    """Write candidates of a run or a bundle."""
    from e2egraph.api.load import is_run
    from e2egraph.data.candidates import Decoding

    how = Decoding(method=method)
    if is_run(model):
        from e2egraph.evaluation.particles import find_particles

        _set_torch_threads(threads)
        if batch_size is not None:
            settings = (*settings, f"data.evaluation_batch_size={batch_size}")
        found = find_particles(model, data, output, split, decoding=how, settings=settings)
    else:
        from e2egraph.inference.particles import bundle_particles

        if settings:
            raise click.UsageError("--set: a bundle has no settings; give --batch-size for less memory, or the run.")
        with progress("predict", None) as advance_to:
            found = bundle_particles(
                model,
                data,
                output,
                split=split,
                batch_size=batch_size or 16,
                threads=threads or _fair_threads(),
                decoding=how,
                progress=advance_to,
            )
    words = f"wrote {len(found)} candidates of {found.about['events']} events"
    if found.about["events_without_elements"]:
        words += f", {found.about['events_without_elements']} of them without elements"
    if found.about.get("events_cut"):
        words += f", {found.about['events_cut']} of them cut to the model's elements"
    named, where = f"{model.resolve().name}={output}", ("--split", split or "all", "--output", "compared")
    done(f"{words} to {output}", "e2egraph", "compare-particles", data, "--candidates", named, *where)


def _cut(jets: int) -> str:
    """What is said of objects of more nodes than the model reads."""
    return f", {jets} of them cut to the model's nodes" if jets else ""


def _unseen(jets: int) -> str:
    """What is said of objects without nodes."""
    return f", {jets} of them without nodes (score −1, prediction NaN)" if jets else ""


def _set_torch_threads(threads: int) -> None:
    """Torch's threads, which scores a run; 0: as many as it takes by itself."""
    if threads:
        import torch

        torch.set_num_threads(threads)


def _fair_threads() -> int:
    """ONNX Runtime's threads: one a core (0), or this process's part of the cores that torchrun's processes share."""
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return 0 if processes == 1 else max(1, len(os.sched_getaffinity(0)) // processes)
