"""``e2egraph inspect``: what a data set or an input file holds."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from e2egraph.commands.console import OutputPlot, done, example, first_training
from e2egraph.folders import make_folder, user_path


@example("e2egraph inspect data/top --plot jet.png --masses masses.png")
@click.command()
@click.argument("data", metavar="DATA|FILE")
@click.option("--plot", type=OutputPlot(), help="Draw into this PNG (a PDF next to it).")
@click.option(
    "--view",
    type=click.Choice(["jet", "average", "spectra"]),
    default="jet",
    show_default=True,
    help="Of a data set: a jet as graph and as image (of particle flow an event: elements, targets, rule-based "
    "candidates), class-averaged images, or spectra.",
)
@click.option(
    "--jet",
    type=click.IntRange(min=0),
    help="Number of the jet or event to draw; a typical one (of signal) by default.",
)
@click.option("--entry", default=0, show_default=True, type=click.IntRange(min=0), help="Event of a file to draw.")
@click.option("--masses", type=OutputPlot(), help="Draw the soft-drop mass of each class into this PNG.")
@click.option("--verify", is_flag=True, help="Hash every shard of a data set again, whether or not it has changed.")
@click.option("--image-channels", metavar="NAME,…", help="Planes of an image file, in its order.")
@click.option(
    "--image-preset", metavar="NAME", help="Planes of an image file: a name in configs/images, or a YAML file."
)
def inspect(
    data: str,
    plot: Path | None,
    view: str,
    jet: int | None,
    entry: int,
    masses: Path | None,
    verify: bool,
    image_channels: str | None,
    image_preset: str | None,
) -> None:
    """Check a data set and tell what it holds; or tell what is recognised in an input file."""
    from e2egraph.api.inspect import is_event_file

    of_file = is_event_file(data)
    _check_options(of_file, plot, view)
    if plot is not None and masses is not None and plot.resolve() == masses.resolve():
        raise click.UsageError("--plot and --masses are one and the same file; give two.")
    if of_file:
        _inspect_file(data, plot, entry, image_channels, image_preset)
        return
    from e2egraph.graphs.inspecting.inspection import describe, inspect_data_set

    folder = user_path(data)
    for stem in filter(None, (plot, masses)):
        make_folder(stem.parent)
    found = inspect_data_set(folder, verify=verify)
    click.echo(describe(found))
    drawn = []
    if plot is not None:
        if view == "jet":
            drawn += _draw_one(folder, plot, jet)
        else:
            from e2egraph.plots.displays.data_set import draw_average_images, draw_spectra

            drawn += (draw_average_images if view == "average" else draw_spectra)(folder, plot)
    if masses is not None:
        from e2egraph.plots.displays.data_set import plot_masses

        drawn += plot_masses(folder, masses)
    what = f"wrote {', '.join(map(str, drawn))}" if drawn else "nothing written"
    done(what, *first_training(found.manifest.configuration["objective"]["kind"], data))


# Options that say something of one kind of input alone, and those that change a plot.
OF_DATA_SET = ("view", "jet", "masses", "verify")
OF_FILE = ("entry", "image_channels", "image_preset")
OF_PLOT = ("view", "jet", "entry")


def _check_options(of_file: bool, plot: Path | None, view: str) -> None:
    """UsageError for an option that would be ignored."""
    source = click.get_current_context().get_parameter_source
    given = [name for name in (*OF_DATA_SET, *OF_FILE) if source(name) is ParameterSource.COMMANDLINE]
    for name in given:
        option = f"--{name.replace('_', '-')}"
        if name in (OF_DATA_SET if of_file else OF_FILE):
            kinds = ("a data set", "an input file") if of_file else ("an input file", "a data set")
            raise click.UsageError(f"{option}: is for {kinds[0]}, and this is {kinds[1]}; leave it out.")
        if name in OF_PLOT and plot is None:
            raise click.UsageError(f"{option}: says what to draw; add --plot FILE.png.")
    if "jet" in given and view != "jet":
        raise click.UsageError(f"--jet: says which one to draw, and --view {view} draws them all; leave one out.")


def _draw_one(folder: Path, plot: Path, number: int | None) -> list[Path]:
    from e2egraph.graphs.storage.manifest import read_manifest

    if read_manifest(folder).configuration.get("elements"):
        from e2egraph.plots.displays.flow_event import draw_flow_event

        return draw_flow_event(folder, plot, number=number)
    from e2egraph.plots.displays.jet_display import draw_jet

    return draw_jet(folder, plot, number=number)


def _inspect_file(
    path: str, plot: Path | None, entry: int, image_channels: str | None, image_preset: str | None
) -> None:
    from e2egraph.events.sources.registry import image_options
    from e2egraph.graphs.inspecting.file_inspection import describe_file, inspect_file
    from e2egraph.graphs.inspecting.likely_build import likely_build

    options = image_options(image_channels, image_preset)
    click.echo(describe_file(inspect_file(path, options)))
    what = "nothing written"
    if plot is not None:
        from e2egraph.plots.displays.event_display import draw_event

        make_folder(plot.parent)

        what = f"wrote {', '.join(map(str, draw_event(path, plot, entry=entry, options=options)))}"
    words = likely_build(path, options)
    given = {"--image-channels": image_channels, "--image-preset": image_preset}
    layout = [word for option, value in given.items() if value is not None for word in (option, value)]
    if words is not None:
        done(what, "e2egraph", "build-graphs", *words, *layout, "--output", f"data/{words[1]}")
    else:
        done(what, "e2egraph", "build-graphs", "--help")
