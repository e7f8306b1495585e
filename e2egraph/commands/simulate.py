"""``e2egraph simulate``: events → ROOT."""

from __future__ import annotations

from pathlib import Path

import click

from e2egraph.commands.console import OutputFile, done, example, keep_inputs, progress, settings_option


@example("e2egraph simulate --process ttbar --events 2000 --seed 1 --output ttbar.root")
@click.command()
@click.option("--process", required=True, help="Name in configs/processes, or a YAML file.")
@click.option("--events", required=True, type=click.IntRange(min=1), help="Number of events.")
@click.option(
    "--seed",
    default=1,
    show_default=True,
    type=click.IntRange(0, 899_999_999),
    help="Random seed; files of other processes or seeds have nothing in common.",
)
@click.option("--output", required=True, type=OutputFile(kind=".root"), help="ROOT file to write.")
@click.option("--images/--no-images", default=True, show_default=True, help="Write the dense images as well.")
@click.option(
    "--particle-flow/--no-particle-flow",
    default=False,
    show_default=True,
    help="Write what particle flow is learnt from: particles of all collisions, their shares of cells, their tracks.",
)
@click.option("--detector", default="detector", show_default=True, help="A shipped detector, or a YAML file.")
@settings_option
def simulate(
    process: str,
    events: int,
    seed: int,
    output: Path,
    images: bool,
    particle_flow: bool,
    detector: str,
    settings: tuple[str, ...],
) -> None:
    """Simulate events into an RHTree ROOT file (Pythia 8 and a parametric, CMS-like detector)."""
    from e2egraph.api.simulate import simulate as run

    keep_inputs(output, (process, detector))
    replaced = ", in place of the file that was there" if output.is_file() else ""
    with progress(f"simulate {process}", events) as advance_to:
        summary = run(
            process,
            events,
            output,
            seed=seed,
            images=images,
            particle_flow=particle_flow,
            settings=settings,
            detector=detector,
            progress=lambda finished: advance_to(finished, events),
        )
    jets = f" with {summary.jets} jets" if summary.jets else ""
    filtered = "" if summary.tried is None else f" (the filter kept {summary.kept} of {summary.tried} generated)"
    of_all = "" if summary.cross_section is None else f"{summary.cross_section:.3g} pb in all, "
    done(
        f"wrote {summary.events} events{filtered}{jets} to {output}{replaced} "
        f"({of_all}{summary.events_per_second:.1f} events/s; parametric simulation, not CMS simulation)",
        *("e2egraph", "inspect", output),
    )
