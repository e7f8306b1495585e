"""The commands: parse, call, print. Each ends with a line saying what it wrote and the next command to try."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from e2egraph import __version__
from e2egraph.config import as_dict
from e2egraph.errors import InputError, UsageError

# Real jets of each class that the export's parity gate compares.
JETS_OF_THE_PARITY_GATE = 32
# Jets of each class that a bundle is timed on.
JETS_TIMED = 64

FolderOrFile = click.Path(path_type=Path)
_settings = click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override one setting.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="e2egraph")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
def cli() -> None:
    """End-to-end jet tagging on point clouds of detector deposits.

    \b
    simulate → build-graphs → train → evaluate → export → predict
    """


def _example(text: str) -> Callable[[click.Command], click.Command]:
    def add(command: click.Command) -> click.Command:
        command.epilog = f"\b\nExample:\n  {text}"
        return command

    return add


@_example("e2egraph simulate --process ttbar --events 2000 --seed 1 --output ttbar.root")
@cli.command()
@click.option("--process", required=True, help="Name in configs/processes, or a YAML file.")
@click.option("--events", required=True, type=click.IntRange(min=1), help="Number of events.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(1, 900_000_000), help="Random seed.")
@click.option("--output", required=True, type=FolderOrFile, help="ROOT file to write.")
@click.option("--images/--no-images", default=True, show_default=True, help="Write the dense images as well.")
@_settings
def simulate(process: str, events: int, seed: int, output: Path, images: bool, settings: tuple[str, ...]) -> None:
    """Simulate events into an RHTree ROOT file (Pythia 8 and a parametric, CMS-like detector)."""
    from e2egraph.events.simulation.simulate import simulate as run

    with _progress(f"simulate {process}", events) as advance_to:
        summary = run(
            process,
            events,
            seed,
            output,
            images=images,
            settings=settings,
            progress=lambda done: advance_to(done, events),
        )
    _done(
        f"wrote {summary.events} events with {summary.jets} jets to {output} "
        f"({summary.events_per_second:.1f} events/s; parametric simulation, not CMS simulation)",
        f"e2egraph build-graphs --task top --sample top={output} --sample qcd=… --output data/top",
    )


@_example("e2egraph build-graphs --task top --sample top='ttbar*.root' --sample qcd='qcd*.root' --output data/top")
@cli.command("build-graphs")
@click.option("--task", "task_name", required=True, help="Name in configs/tasks, or a YAML file.")
@click.option("--sample", "samples", multiple=True, required=True, metavar="NAME=GLOB", help="Files of one class.")
@click.option("--output", required=True, type=FolderOrFile, help="Data set folder to make.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(min=1), help="Processes.")
@click.option("--trust-sample-names", is_flag=True, help="Label every jet by its sample, without truth matching.")
@_settings
def build_graphs(
    task_name: str,
    samples: tuple[str, ...],
    output: Path,
    workers: int,
    trust_sample_names: bool,
    settings: tuple[str, ...],
) -> None:
    """Turn ntuples into a data set of point clouds, one a jet."""
    from e2egraph.events.samples import parse_samples
    from e2egraph.graphs.build import build
    from e2egraph.graphs.task import load_task

    if trust_sample_names:
        settings = (*settings, "truth.source=sample_name")
    task = load_task(task_name, settings)
    with _progress("build-graphs", None) as advance_to:
        summary = build(task, parse_samples(samples, task.classes), output, workers=workers, progress=advance_to)
    manifest = summary.manifest
    for name, flow in manifest.cutflow.items():
        click.echo(f"{name}: " + " → ".join(f"{step} {number}" for step, number in flow.items()))
    jets = sum(shard.jets for shard in manifest.shards)
    size = sum(shard.size for shard in manifest.shards)
    nodes = sum(shard.nodes for shard in manifest.shards)
    _done(
        f"{'found complete' if summary.already_complete else 'wrote'}: {jets} jets in {len(manifest.shards)} shards, "
        f"{nodes / jets:.0f} nodes and {size / jets / 1000:.1f} kB a jet, to {output}",
        f"e2egraph train --model gravnet --data {output} --output runs/gravnet",
    )


@_example("e2egraph inspect data/top --plot jet.png --masses masses.png")
@cli.command()
@click.argument("data", type=FolderOrFile)
@click.option("--plot", type=FolderOrFile, help="Draw a jet as graph and as image into this PNG (a PDF beside it).")
@click.option("--jet", type=click.IntRange(min=0), help="Number of the jet to draw; a typical signal jet by default.")
@click.option("--masses", type=FolderOrFile, help="Draw the soft-drop mass of each class into this PNG.")
def inspect(data: Path, plot: Path | None, jet: int | None, masses: Path | None) -> None:
    """Check a data set and tell what it holds."""
    from e2egraph.graphs.inspection import describe, inspect_data_set

    click.echo(describe(inspect_data_set(data)))
    drawn = []
    if plot is not None:
        from e2egraph.evaluation.jet_display import draw_jet

        drawn += draw_jet(data, plot.with_suffix(""), number=jet)
    if masses is not None:
        from e2egraph.evaluation.plots import plot_masses

        drawn += plot_masses(data, masses.with_suffix(""))
    what = f"wrote {', '.join(map(str, drawn))}" if drawn else "nothing written"
    _done(what, f"e2egraph train --model gravnet --data {data} --output runs/gravnet")


@_example("e2egraph train --model gravnet --data data/top --output runs/gravnet --set training.epochs=5")
@cli.command()
@click.option("--model", required=True, help="Name in configs/models, or a YAML file.")
@click.option("--data", required=True, type=FolderOrFile, help="Data set folder.")
@click.option("--output", required=True, type=FolderOrFile, help="Run folder to make.")
@click.option("--recipe", default="published", show_default=True, help="Name in configs/recipes, or a YAML file.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Random seed.")
@_settings
def train(model: str, data: Path, output: Path, recipe: str, seed: int, settings: tuple[str, ...]) -> None:
    """Train a network on a data set."""
    from e2egraph.training.train import train as run

    summary = run(model, data, output, settings=settings, seed=seed, recipe=recipe)
    _done(
        f"wrote {output}: {summary.model} with {summary.parameters} parameters, validation AUC "
        f"{summary.validation_auc:.4f} at epoch {summary.best_epoch} of {summary.epochs}, "
        f"{summary.jets_per_second:.0f} training jets/s",
        f"e2egraph evaluate {output}",
    )


@_example("e2egraph evaluate runs/gravnet --data data/top")
@cli.command()
@click.argument("run", type=FolderOrFile)
@click.option("--data", type=FolderOrFile, help="Data set folder; the run's own by default.")
@click.option("--output", type=FolderOrFile, help="Folder for the results; the run's own by default.")
@click.option("--split", default="test", show_default=True, help="train, validation or test.")
def evaluate(run: Path, data: Path | None, output: Path | None, split: str) -> None:
    """Score a run's jets: metrics.json, scores.parquet, ROC and score plots."""
    from e2egraph.evaluation.evaluate import evaluate as score

    summary = score(run, data, output, split=split)
    metrics = summary.metrics
    click.echo(
        f"{summary.model}: AUC {metrics.auc:.4f} ± {metrics.auc_error:.4f}, signal efficiency at 1% mistag "
        f"{metrics.signal_efficiency_at_1pct_mistag:.3f} ± {metrics.signal_efficiency_at_1pct_mistag_error:.3f}"
    )
    _done(
        f"wrote metrics.json, scores.parquet and plots of {metrics.jets} {split} jets to {summary.output}",
        f"e2egraph export {run} --output exports/{run.name}",
    )


@_example("e2egraph compare runs/gravnet runs/resnet15 --bundles exports")
@cli.command()
@click.argument("runs", nargs=-1, required=True, type=FolderOrFile)
@click.option("--data", type=FolderOrFile, help="Data set folder; the runs' own by default.")
@click.option("--bundles", type=FolderOrFile, help="Folder with a bundle NAME for each run NAME, to be timed.")
@click.option("--output", type=FolderOrFile, help="Write the table to this Markdown file as well.")
def compare(runs: tuple[Path, ...], data: Path | None, bundles: Path | None, output: Path | None) -> None:
    """Table of evaluated runs on the same jets, with jet mass and τ32 alone as the baseline."""
    from e2egraph.evaluation.comparison import compare as rows_of
    from e2egraph.evaluation.comparison import markdown_table
    from e2egraph.graphs.shards import first_jets
    from e2egraph.inference.latency import latency
    from e2egraph.training.run_folder import read_run

    times = {}
    if bundles is not None:
        jets = first_jets(data or Path(read_run(runs[0]).data.folder), JETS_TIMED)
        times = {
            run.name: latency(bundles / run.name, jets, batch_sizes=(1,), repeats=2 * JETS_TIMED)[1] for run in runs
        }
    table = markdown_table(rows_of(runs, data, times))
    click.echo(table)
    click.echo("ONNX Runtime: median over jets one at a time, one thread.")
    if output is not None:
        output.write_text(table + "\n")
    _done(f"compared {len(runs)} runs" + (f", wrote {output}" if output else ""), "e2egraph train --help")


@_example("e2egraph export runs/gravnet --output exports/gravnet")
@cli.command()
@click.argument("run", type=FolderOrFile)
@click.option("--output", required=True, type=FolderOrFile, help="Bundle folder to make.")
@click.option("--data", type=FolderOrFile, help="Data set whose jets the parity gate uses; the run's own by default.")
def export(run: Path, output: Path, data: Path | None) -> None:
    """Export a trained run to an ONNX bundle, if ONNX Runtime agrees with torch."""
    from e2egraph.data.padding import pad
    from e2egraph.export.bundle import BundleInfo
    from e2egraph.export.export import export_model
    from e2egraph.graphs.shards import first_jets
    from e2egraph.training.load import load_run

    model, about = load_run(run)
    metrics = ("best_epoch", "validation_auc", "validation_loss", "training_jets", "jets_per_second")
    info = BundleInfo(
        model=about.model.name,
        model_config=as_dict(about.model),
        classes=tuple(about.data.classes),
        signal=about.data.signal,
        task=about.data.task,
        configuration=about.data.configuration,
        node_cap=about.node_cap,
        dataset_sha256=about.data.digest,
        metrics={name: about.summary[name] for name in metrics if name in about.summary},
        training={"recipe": as_dict(about.recipe), "seed": about.seed},
    )
    sample = pad(first_jets(data or Path(about.data.folder), JETS_OF_THE_PARITY_GATE))
    report = export_model(model, info=info, sample=sample, output=output)
    _done(
        f"wrote {output}: logits of torch and ONNX Runtime differ by {report.largest_difference:.1e} at most over "
        f"{report.cases} cases",
        f"e2egraph predict {output} --data {data or 'data/top'} --output scores.parquet",
    )


@_example("e2egraph predict exports/gravnet --data data/top --split test --output scores.parquet")
@cli.command()
@click.argument("model", metavar="BUNDLE", type=FolderOrFile)
@click.option("--data", required=True, type=FolderOrFile, help="Data set folder.")
@click.option("--output", required=True, type=FolderOrFile, help="Parquet file of scores to write.")
@click.option("--split", help="train, validation or test; all jets by default.")
@click.option("--batch-size", default=64, show_default=True, type=click.IntRange(min=1), help="Jets a batch.")
@click.option("--threads", default=0, show_default=True, type=click.IntRange(min=0), help="Threads; 0: one a core.")
def predict(model: Path, data: Path, output: Path, split: str | None, batch_size: int, threads: int) -> None:
    """Score the jets of a data set with a bundle, by ONNX Runtime alone."""
    from e2egraph.inference.predict import predict_dataset

    with _progress("predict", None) as advance_to:
        summary = predict_dataset(
            model, data, output, split=split, batch_size=batch_size, threads=threads, progress=advance_to
        )
    cut = f", {summary.jets_cut} of them cut to the model's nodes" if summary.jets_cut else ""
    _done(
        f"wrote scores of {summary.jets} jets{cut} to {output} ({summary.jets_per_second:.0f} jets/s)",
        f"python -c 'import pyarrow.parquet as p; print(p.read_table(\"{output}\").slice(0, 5))'",
    )


@contextmanager
def _progress(title: str, total: int | None) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on standard error; yields a function taking (done, total)."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def _done(what: str, then: str) -> None:
    click.echo(f"{what}; next: {then}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns its exit code: 0 done, 1 bad input or failed work, 2 wrong usage."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        cli.main([word for word in given if word != "--debug"], prog_name="e2egraph", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted; the same command goes on from here or begins again.", 130, debug)
    except (click.ClickException, UsageError) as error:
        message = error.format_message() if isinstance(error, click.ClickException) else str(error)
        return _fail(message, 2, debug)
    except InputError as error:
        return _fail(str(error), 1, debug)
    except OSError as error:
        return _fail(f"{error.filename or 'file system'}: {error.strerror or error}.", 1, debug)
    except Exception as error:
        return _fail(f"a fault in e2egraph ({type(error).__name__}: {error}); run again with --debug.", 1, debug)
    return 0


def _fail(message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    click.echo(f"e2egraph: {message}", err=True)
    return code
