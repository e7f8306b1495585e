"""``e2egraph benchmark …``: speed and size → JSON and Markdown."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import click

from e2egraph.benchmark.report import Record, write_report
from e2egraph.commands.console import FolderOrFile, OutputFile, done, example, progress, settings_option


@click.group()
def benchmark() -> None:
    """Measure speed and size, both sides of each ratio in one run."""


@example("e2egraph benchmark build --task top --sample top='ttbar*.root' --sample qcd='qcd*.root' --output build.json")
@benchmark.command()
@click.option("--task", "task_name", default="top", show_default=True, help="Name in configs/tasks, or a YAML file.")
@click.option("--sample", "samples", multiple=True, required=True, metavar="NAME=GLOB", help="Files of one class.")
@click.option(
    "--output", required=True, type=OutputFile(".md"), help="JSON file to write (a Markdown table next to it)."
)
@click.option("--against", type=FolderOrFile, help="Folder of another version: CPU per event of both, alternately.")
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(min=1), help="Turns of --against.")
@settings_option
def build(
    task_name: str,
    samples: tuple[str, ...],
    output: Path,
    against: Path | None,
    repeats: int,
    settings: tuple[str, ...],
) -> None:
    """Rate of build-graphs with one worker and with two, and peak memory at two file sizes.

    With --against, also CPU time per event next to that of another checkout of e2egraph.
    """
    from e2egraph.benchmark.build import benchmark_against, benchmark_build
    from e2egraph.events.samples import parse_samples
    from e2egraph.tasks.task import load_task

    task = load_task(task_name, settings)
    with progress("benchmark build", None) as advance_to:
        records = benchmark_build(task, parse_samples(samples, task.classes), progress=advance_to)
    if against is not None:
        with progress("benchmark build", None) as advance_to:
            records += benchmark_against(task_name, settings, samples, against, repeats=repeats, progress=advance_to)
    _finish(output, records)


@example("e2egraph benchmark simulate --process ttbar --output simulate.json")
@benchmark.command()
@click.option("--process", default="ttbar", show_default=True, help="Name in configs/processes, or a YAML file.")
@click.option(
    "--output", required=True, type=OutputFile(".md"), help="JSON file to write (a Markdown table next to it)."
)
@click.option("--events", default=100, show_default=True, type=click.IntRange(min=1), help="Events timed in a turn.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Of the first turn.")
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(min=1), help="Turns; the median counts.")
@click.option("--against", type=FolderOrFile, help="Folder of another version, which takes turns with this one.")
def simulate(process: str, output: Path, events: int, seed: int, repeats: int, against: Path | None) -> None:
    """Time until simulate begins, with an empty cache and in a second run, and CPU time per event."""
    from e2egraph.benchmark.simulate import benchmark_simulate

    with progress("benchmark simulate", None) as advance_to:
        records = benchmark_simulate(
            process, events=events, seed=seed, repeats=repeats, against=against, progress=advance_to
        )
    _finish(output, records)


def _numbers(context: click.Context, option: click.Parameter, value: str | None) -> tuple[int, ...]:
    """``1,2,4`` as numbers, each once."""
    try:
        numbers = [int(word) for word in value.split(",")] if value is not None else []
    except ValueError:
        numbers = [0]
    if min(numbers, default=1) < 1:
        raise click.BadParameter("give whole numbers from 1 with commas between, such as 1,2,4.", context, option)
    return tuple(dict.fromkeys(numbers))


@example("e2egraph benchmark infer --data data/top --model tracks-and-cells --model resnet15 --output infer.json")
@benchmark.command()
@click.option(
    "--output", required=True, type=OutputFile(".md"), help="JSON file to write (a Markdown table next to it)."
)
@click.option("--data", type=FolderOrFile, help="Data set whose jets are scored; made jets by default.")
@click.option("--model", "models", multiple=True, help="Untrained, by name or YAML file.  [default: all shipped]")
@click.option("--bundle", "bundles", multiple=True, type=FolderOrFile, help="Exported model, also or instead.")
@click.option("--jets", default=64, show_default=True, type=click.IntRange(min=1), help="Jets scored in each round.")
@click.option("--batch-sizes", callback=_numbers, metavar="N,…", help="Jets a call.  [default: 1,16,64]")
@click.option("--nodes", callback=_numbers, metavar="N,…", help="Nodes of jets alone.  [default: 128,256,…,4096]")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1), help="Turns of all models.")
@click.option("--runner", type=FolderOrFile, help="C++ runner e2e_infer, to be timed on the bundles with --events.")
@click.option("--events", type=FolderOrFile, help="Event file of e2egraph dump-events, for --runner.")
@settings_option
def infer(
    output: Path,
    data: Path | None,
    models: tuple[str, ...],
    bundles: tuple[Path, ...],
    jets: int,
    batch_sizes: tuple[int, ...],
    nodes: tuple[int, ...],
    rounds: int,
    runner: Path | None,
    events: Path | None,
    settings: tuple[str, ...],
) -> None:
    """Milliseconds per jet in ONNX Runtime with one thread, percentiles, against batch size and number of nodes.

    Also the time to load and the size of each model, and with --runner the C++ runner, making of nodes included.
    """
    if (runner is None) != (events is None) or (runner is not None and not bundles):
        raise click.UsageError("--runner, --events: both are needed, and a --bundle; give all three or neither.")
    if settings and not models:
        raise click.UsageError("--set: which model it is for is not said; give --model.")
    from e2egraph.benchmark.inference.infer import BATCH_SIZES, NODES, benchmark_infer
    from e2egraph.benchmark.inference.infer_jets import inference_jets
    from e2egraph.benchmark.inference.infer_runner import benchmark_runner

    with progress("benchmark infer", None) as advance_to:
        records = benchmark_infer(
            models, bundles=bundles, settings=settings, jets=inference_jets(data, jets),
            batch_sizes=batch_sizes or BATCH_SIZES, nodes=nodes or NODES, rounds=rounds, progress=advance_to,
        )  # fmt: skip
    if runner is not None and events is not None:
        records += benchmark_runner(runner, bundles, events, batch_sizes=batch_sizes or BATCH_SIZES, rounds=rounds)
    _finish(output, records)


@example("e2egraph benchmark io --data data/top --output io.json")
@benchmark.command()
@click.option("--data", required=True, type=FolderOrFile, help="Data set folder.")
@click.option(
    "--output", required=True, type=OutputFile(".md"), help="JSON file to write (a Markdown table next to it)."
)
@click.option("--jets", default=512, show_default=True, type=click.IntRange(min=64), help="Jets of the image file.")
@click.option("--steps", default=12, show_default=True, type=click.IntRange(min=1), help="Training steps timed.")
@click.option(
    "--repeats", default=3, show_default=True, type=click.IntRange(min=1), help="Readings; the median counts."
)
@click.option(
    "--model",
    "models",
    multiple=True,
    default=("resnet15", "gravnet", "tracks-and-cells-small"),
    show_default=True,
    help="To train.",
)
@click.option("--against", type=FolderOrFile, help="Folder of another version: batches of both, alternately, alone.")
@click.option("--against-data", type=FolderOrFile, help="Data set that version built from the same files.")
def io(
    data: Path,
    output: Path,
    jets: int,
    steps: int,
    repeats: int,
    models: tuple[str, ...],
    against: Path | None,
    against_data: Path | None,
) -> None:
    """Bytes per jet, reading rate and waiting for data, against dense image files, HDF5, Parquet with lists and (where
    it is installed) weaver-core; or with --against, next to another version of e2egraph alone."""
    from e2egraph.benchmark.storage.against import io_against
    from e2egraph.benchmark.storage.io import benchmark_io

    if (against is None) != (against_data is None):
        raise click.UsageError("Give --against and --against-data (a data set that the other version built) together.")
    if against is not None and against_data is not None:
        with progress("benchmark io --against", None) as advance_to:
            records = io_against(data, against, against_data, repeats=repeats, progress=advance_to)
        _finish(output, records)
        return
    with progress("benchmark io", None) as advance_to:
        records = benchmark_io(
            data, jets=jets, steps=steps, networks=models, repeats=repeats, progress=advance_to,
            say=lambda line: click.echo(line, err=True),
        )  # fmt: skip
    _finish(output, records)


@example("e2egraph benchmark kernels --model gravnet --model window --output kernels.json")
@benchmark.command()
@click.option(
    "--output", required=True, type=OutputFile(".md"), help="JSON file to write (a Markdown table next to it)."
)
@click.option("--model", "models", multiple=True, help="Graph network, by name or YAML file.  [default: all shipped]")
@click.option("--nodes", multiple=True, type=click.IntRange(min=1), help="Nodes per jet.  [default: 256 … 16384]")
@click.option("--total-nodes", type=click.IntRange(min=1), help="Nodes in a batch, at every size.  [default: 16384]")
@click.option("--width", default=64, show_default=True, type=click.IntRange(min=1), help="Of every network.")
@click.option("--depth", default=3, show_default=True, type=click.IntRange(min=1), help="Blocks of every network.")
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(min=1), help="Turns; the median counts.")
@click.option("--threads", default=1, show_default=True, type=click.IntRange(min=1), help="CPU threads of torch.")
@click.option("--peers", is_flag=True, help="Single layers too, next to those of other libraries (extra 'peers').")
@click.option("--against", type=FolderOrFile, help="Folder of another version: CPU per step of both, alternately.")
@click.option("--task", help="Task whose inputs and region networks see, such as rpv.  [default: jets]")
@click.option("--attention/--no-attention", default=True, show_default=True, help="Measure full attention too.")
@click.option("--onnx", is_flag=True, help="Time ONNX Runtime on one thread too.")
def kernels(
    output: Path,
    models: tuple[str, ...],
    nodes: tuple[int, ...],
    total_nodes: int | None,
    width: int,
    depth: int,
    repeats: int,
    threads: int,
    peers: bool,
    against: Path | None,
    task: str | None,
    attention: bool,
    onnx: bool,
) -> None:
    """Time and memory of graph networks against the number of nodes, next to full attention."""
    from e2egraph.benchmark.kernels.against import kernels_against
    from e2egraph.benchmark.kernels.kernels import NODES, TOTAL_NODES, benchmark_kernels
    from e2egraph.benchmark.kernels.peers import NODES as PEER_NODES
    from e2egraph.benchmark.kernels.peers import benchmark_peers

    with progress("benchmark kernels", None) as advance_to:
        records = benchmark_kernels(
            models, nodes=nodes or NODES, total_nodes=total_nodes or TOTAL_NODES, width=width, depth=depth,
            repeats=repeats, threads=threads, task=task, attention=attention, onnx=onnx, progress=advance_to,
        )  # fmt: skip
    if peers:
        with progress("benchmark kernels --peers", None) as advance_to:
            records += benchmark_peers(nodes=nodes or PEER_NODES, width=width, repeats=repeats, progress=advance_to)
    if against is not None:
        with progress("benchmark kernels --against", None) as advance_to:
            records += kernels_against(
                models, against, nodes=nodes or NODES, total_nodes=total_nodes or TOTAL_NODES, width=width, depth=depth,
                repeats=repeats, progress=advance_to,
            )  # fmt: skip
    _finish(output, records)


@example("e2egraph benchmark scaling --data data/top --model resnet15 --ranks 1,2,4 --output scaling.json")
@benchmark.command()
@click.option("--data", required=True, type=FolderOrFile, help="Data set folder.")
@click.option("--model", required=True, help="Name in configs/models, or a YAML file.")
@click.option(
    "--output", required=True, type=OutputFile(".md"), help="JSON file to write (a Markdown table next to it)."
)
@click.option(
    "--ranks", callback=_numbers, metavar="N,…", help="Numbers of processes; 1 is always there.  [default: 1,2]"
)
@click.option("--batch-sizes", callback=_numbers, metavar="N,…", help="Train with each instead; AUC against size.")
@click.option("--jets", type=click.IntRange(min=1), help="Jets timed per turn; weak: per rank.  [default: 24 batches]")
@click.option("--learning-rate-rule", "rule", default="none", show_default=True,
              type=click.Choice(["none", "linear", "sqrt"]), help="How the rate follows --batch-sizes.")  # fmt: skip
@click.option("--recipe", default="published", show_default=True, help="Name in configs/recipes, or a YAML file.")
@click.option("--repeats", type=click.IntRange(min=1), help="Turns [default: 3], or seeds of --batch-sizes [1].")
@settings_option
def scaling(
    data: Path,
    model: str,
    output: Path,
    ranks: tuple[int, ...],
    batch_sizes: tuple[int, ...],
    jets: int | None,
    rule: Literal["none", "linear", "sqrt"],
    recipe: str,
    repeats: int | None,
    settings: tuple[str, ...],
) -> None:
    """Strong and weak scaling of training over processes of this machine, and AUC against batch size.

    With --batch-sizes, processes are measured only where --ranks is given too.
    """
    if rule != "none" and not batch_sizes:
        raise click.UsageError("--learning-rate-rule: only with --batch-sizes; give both or neither.")
    if jets is not None and batch_sizes and not ranks:
        raise click.UsageError("--jets: --batch-sizes trains whole epochs; leave it out, or give --ranks too.")
    from e2egraph.benchmark.scaling.batch_sizes import benchmark_batch_sizes
    from e2egraph.benchmark.scaling.scaling import RANKS, REPEATS, benchmark_scaling
    from e2egraph.benchmark.storage.pivot import pivot

    tables = []
    if ranks or not batch_sizes:
        with progress("benchmark scaling", None) as advance_to:
            tables.append(benchmark_scaling(
                model, data, ranks or RANKS, jets=jets, recipe=recipe, settings=settings, repeats=repeats or REPEATS,
                progress=advance_to,
            ))  # fmt: skip
    if batch_sizes:
        with progress("benchmark scaling", None) as advance_to:
            tables.append(benchmark_batch_sizes(
                model, data, batch_sizes, rule=rule, recipe=recipe, settings=settings, repeats=repeats or 1,
                progress=advance_to,
            ))  # fmt: skip
    for table in tables:
        click.echo(pivot(table))
    _finish(output, [record for table in tables for record in table])


@example("e2egraph benchmark train --data data/top --output train.json")
@benchmark.command()
@click.option("--data", required=True, type=FolderOrFile, help="Data set folder.")
@click.option(
    "--output", required=True, type=OutputFile(".md"), help="JSON file to write (a Markdown table next to it)."
)
@click.option("--model", "models", multiple=True, help="By name or YAML file.  [default: all shipped]")
@click.option("--steps", default=8, show_default=True, type=click.IntRange(min=1), help="Steps timed in each turn.")
@click.option("--repeats", default=3, show_default=True, type=click.IntRange(min=1), help="Turns; the median counts.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads of torch.  [default: torch's own choice]")
def train(data: Path, output: Path, models: tuple[str, ...], steps: int, repeats: int, threads: int | None) -> None:
    """Jets per second in real training steps, parameters and FLOPs per jet."""
    from e2egraph.benchmark.train import benchmark_train

    with progress("benchmark train", None) as advance_to:
        records = benchmark_train(data, models, steps=steps, repeats=repeats, threads=threads, progress=advance_to)
    _finish(output, records)


@example("e2egraph benchmark pareto runs/* --costs train.json --costs infer.json --output pareto.json")
@benchmark.command()
@click.argument("runs", nargs=-1, required=True, type=FolderOrFile)
@click.option("--costs", multiple=True, required=True, type=FolderOrFile, help="JSON of benchmark train or infer.")
@click.option(
    "--output", required=True, type=OutputFile(".md", ".png", ".pdf"), help="JSON file to write (table, plots)."
)
def pareto(runs: tuple[Path, ...], costs: tuple[Path, ...], output: Path) -> None:
    """Quality of evaluated runs against their cost: table, picture, and the models that no other beats in both."""
    from e2egraph.benchmark.pareto import LATENCY, contenders, front, pareto_records
    from e2egraph.evaluation.compare.evaluated_run import read_evaluated
    from e2egraph.folders import make_folder
    from e2egraph.plots.pareto import plot_pareto
    from e2egraph.plots.style import label_of

    models = contenders(runs, costs)
    make_folder(output.parent)
    label = label_of(read_evaluated(runs)[0].scores().jets["run"])
    plot_pareto(models, front(models, LATENCY), LATENCY, output.with_suffix(""), label)
    _finish(output, pareto_records(models))


def _finish(output: Path, records: list[Record]) -> None:
    command = " ".join(["e2egraph", *sys.argv[1:]])
    written = write_report(output, command, records)
    click.echo(written[1].read_text(encoding="utf-8"))
    done(f"wrote {', '.join(map(str, written))}", "e2egraph", "benchmark", "--help")
