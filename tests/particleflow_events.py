"""Simulated events with the truth of particle flow, and data sets of them."""

from e2egraph.events.samples import Sample
from e2egraph.graphs.building.build import build
from e2egraph.simulation.simulate import simulate
from e2egraph.tasks.task import load_task

EVENTS = 16
FEW = ["process.pile_up.mean=4", "process.pile_up.pool_events=30"]


def simulate_flow(folder, events=EVENTS, process="ttbar_inclusive", settings=FEW):
    """A file of ``simulate --particle-flow``."""
    path = folder / "flow.root"
    simulate(process, events, 5, path, images=False, particle_flow=True, settings=settings)
    return path


def build_flow(path, output, task="particle-flow", settings=(), workers=1):
    """The data set of a file; its folder."""
    build(load_task(task, settings), [Sample("event", "event", (path,))], output, workers=workers)
    return output
