"""``e2egraph dump-events``: files → an event file for the C++ runner."""

from __future__ import annotations

from pathlib import Path

import click

from e2egraph.commands.console import OutputFile, done, example, settings_option


@example("e2egraph dump-events --task top --sample top=ttbar.root --sample qcd=qcd.root --output events.e2e")
@click.command("dump-events")
@click.option("--task", "task_name", required=True, help="Name in configs/tasks, or a YAML file.")
@click.option("--sample", "sample_options", multiple=True, metavar="NAME=GLOB", help="Files (or @LIST) of one class.")
@click.option("--output", required=True, type=OutputFile(), help="Event file to write.")
@click.option("--max-jets", type=click.IntRange(min=1), help="Objects of each class at most; all by default.")
@click.option("--find-seeds", is_flag=True, help="Leave the objects' seeds out, for the reader to find.")
@click.option("--trust-sample-names", is_flag=True, help="Label every object by its sample, without truth matching.")
@click.option("--fill-missing", is_flag=True, help="Write 0 for what a file lacks of the task's variables.")
@settings_option
def dump_events(
    task_name: str,
    sample_options: tuple[str, ...],
    output: Path,
    max_jets: int | None,
    find_seeds: bool,
    trust_sample_names: bool,
    fill_missing: bool,
    settings: tuple[str, ...],
) -> None:
    """Write the raw deposits around a task's jets in a plain form that C++ reads (exports/cpp/EVENTS.md).

    All deposits of every event that has a jet which passes the task's cuts and truth matching, and those jets. A file
    that lacks what the task's variables are made of is refused: nothing in an event file says that it is 0. With
    --fill-missing it is written, for a network that was trained on such files.
    """
    from e2egraph.events.samples import parse_samples
    from e2egraph.graphs.making.dump import dump_events as dump
    from e2egraph.tasks.task import load_task

    if trust_sample_names:
        settings = (*settings, "truth.source=sample_name")
    task = load_task(task_name, settings)
    samples = parse_samples(sample_options, task.classes, by_particle=task.truth.class_by == "particle")
    summary = dump(task, samples, output, max_jets=max_jets, seeds=not find_seeds, fill_missing=fill_missing)
    jets = ", ".join(f"{number} {name}" for name, number in summary.jets.items())
    done(
        f"wrote {summary.events} events with objects ({jets}) to {summary.output}"
        "; exports/cpp/README.md says how to build e2e_infer",
        *("e2e_infer", "exports/gravnet", summary.output),
    )
