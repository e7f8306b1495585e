"""``e2egraph benchmark kernels``: kernels of graph networks."""

from __future__ import annotations

from pathlib import Path

import click

from e2egraph.commands.benchmark.shared import finish
from e2egraph.commands.console import FolderOrFile, OutputFile, example, keep_inputs, progress


@example("e2egraph benchmark kernels --model gravnet --model window --output kernels.json")
@click.command()
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

    if against is not None and (task is not None or onnx or threads > 1):
        raise click.UsageError(
            "--against: compares steps of torch on jets with one thread; leave out --task, --onnx and --threads, or "
            "measure them in a run of their own."
        )
    keep_inputs(output, (*models, task))
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
    finish(output, records)
