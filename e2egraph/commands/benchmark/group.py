"""``e2egraph benchmark …``: speed and size → JSON and Markdown."""

from __future__ import annotations

import click

from e2egraph.commands.benchmark.build import build
from e2egraph.commands.benchmark.infer import infer
from e2egraph.commands.benchmark.io import io
from e2egraph.commands.benchmark.kernels import kernels
from e2egraph.commands.benchmark.pareto import pareto
from e2egraph.commands.benchmark.scaling import scaling
from e2egraph.commands.benchmark.simulate import simulate
from e2egraph.commands.benchmark.train import train


@click.group()
def benchmark() -> None:
    """Measure speed and size, both sides of each ratio in one run."""


for command in (build, simulate, infer, io, kernels, scaling, train, pareto):
    benchmark.add_command(command)
