"""``e2egraph build-graphs``: files → data set."""

from __future__ import annotations

from pathlib import Path

import click

from e2egraph.commands.console import (
    FolderOrFile,
    OutputFolder,
    done,
    example,
    first_training,
    progress,
    settings_option,
)
from e2egraph.errors import UsageError


@example("e2egraph build-graphs --task top --sample top='ttbar*.root' --sample qcd='qcd*.root' --output data/top")
@click.command("build-graphs")
@click.option("--task", "task_name", required=True, help="Name in configs/tasks, or a YAML file.")
@click.option(
    "--sample",
    "sample_options",
    multiple=True,
    metavar="NAME=GLOB",
    help="Files (or @LIST) of one class or sample.",
)
@click.option("--samples", "sample_file", type=FolderOrFile, help="YAML of samples with cross-sections, instead.")
@click.option("--output", required=True, type=OutputFolder(), help="Data set folder to make.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(min=1), help="Processes.")
@click.option("--dask", metavar="ADDRESS", help="Work on this Dask scheduler (or that of a scheduler file).")
@click.option("--skip-bad-files", is_flag=True, help="Leave damaged or unsuitable files out, and list them.")
@click.option("--allow-duplicate-events", is_flag=True, help="Take events that occur more than once in a sample.")
@click.option("--trust-sample-names", is_flag=True, help="Label every object by its sample, without truth matching.")
@click.option("--image-channels", metavar="NAME,…", help="Planes of image files, in the files' order.")
@click.option("--image-preset", metavar="NAME", help="Planes of image files: a name in configs/images, or a YAML file.")
@settings_option
def build_graphs(
    task_name: str,
    sample_options: tuple[str, ...],
    sample_file: Path | None,
    output: Path,
    workers: int,
    dask: str | None,
    skip_bad_files: bool,
    allow_duplicate_events: bool,
    trust_sample_names: bool,
    image_channels: str | None,
    image_preset: str | None,
    settings: tuple[str, ...],
) -> None:
    """Turn ntuples into a data set of point clouds, one per object."""
    from e2egraph.api.build import build
    from e2egraph.graphs.building.cutflow import in_words, particles_in_words

    if (sample_file is None) == (not sample_options):
        raise UsageError("give the files either by --sample NAME=GLOB (which may repeat) or by --samples FILE.yaml.")
    with progress("build-graphs", None) as advance_to:
        summary = build(
            task_name,
            sample_options if sample_file is None else sample_file,
            output,
            workers=workers,
            dask=dask,
            skip_bad_files=skip_bad_files,
            allow_duplicate_events=allow_duplicate_events,
            trust_sample_names=trust_sample_names,
            image_channels=image_channels,
            image_preset=image_preset,
            settings=settings,
            progress=advance_to,
            say=lambda line: click.echo(line, err=True),
        )
    manifest = summary.manifest
    for sample, flow in manifest.cutflow.items():
        click.echo(f"{sample}: {in_words(flow, manifest.object_name)}")
        outcomes = manifest.nodes[sample]
        if outcomes["over_cap"]:
            nodes = outcomes["over_cap"] + outcomes["kept"]
            click.echo(f"{sample}: {outcomes['over_cap']} of {nodes} nodes are over the caps of inputs and left out")
        if sample in manifest.particles:
            click.echo(f"{sample}: {particles_in_words(manifest.particles[sample])}")
    jets, name = sum(shard.jets for shard in manifest.shards), manifest.object_name
    size = sum(shard.size for shard in manifest.shards)
    nodes = sum(shard.nodes for shard in manifest.shards)
    skipped = "; skipped " + ", ".join(entry.path for entry in manifest.skipped) if manifest.skipped else ""
    for entry in manifest.skipped:
        click.echo(f"skipped {entry.reason}", err=True)
    done(
        f"{'found complete' if summary.already_complete else 'wrote'}: {name.count(jets)} in "
        f"{len(manifest.shards)} shards, {nodes / jets:.0f} nodes and {size / jets / 1000:.1f} kB per {name.one}, to "
        f"{output}{skipped}",
        *first_training(manifest.configuration["objective"]["kind"], output),
    )
