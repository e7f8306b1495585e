"""``e2egraph benchmark infer``: inference."""

from __future__ import annotations

from pathlib import Path

import click

from e2egraph.commands.benchmark.shared import finish, numbers
from e2egraph.commands.console import FolderOrFile, OutputFile, example, keep_inputs, progress, settings_option


@example("e2egraph benchmark infer --data data/top --model tracks-and-cells --model resnet15 --output infer.json")
@click.command()
@click.option(
    "--output", required=True, type=OutputFile(".md"), help="JSON file to write (a Markdown table next to it)."
)
@click.option("--data", type=FolderOrFile, help="Data set whose jets are scored; made jets by default.")
@click.option("--model", "models", multiple=True, help="Untrained, by name or YAML file.  [default: all shipped]")
@click.option("--bundle", "bundles", multiple=True, type=FolderOrFile, help="Exported model, also or instead.")
@click.option("--jets", default=64, show_default=True, type=click.IntRange(min=1), help="Jets scored in each round.")
@click.option("--batch-sizes", callback=numbers, metavar="N,…", help="Jets a call.  [default: 1,16,64]")
@click.option("--nodes", callback=numbers, metavar="N,…", help="Nodes of jets alone.  [default: 128,256,…,4096]")
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

    keep_inputs(output, (data, *models, *bundles, runner, events))
    with progress("benchmark infer", None) as advance_to:
        records = benchmark_infer(
            models, bundles=bundles, settings=settings, jets=inference_jets(data, jets),
            batch_sizes=batch_sizes or BATCH_SIZES, nodes=nodes or NODES, rounds=rounds, progress=advance_to,
        )  # fmt: skip
    if runner is not None and events is not None:
        records += benchmark_runner(runner, bundles, events, batch_sizes=batch_sizes or BATCH_SIZES, rounds=rounds)
    finish(output, records)
