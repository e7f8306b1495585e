"""``e2egraph.simulate``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from e2egraph.api.settings import Settings, as_texts
from e2egraph.files import check_format
from e2egraph.folders import user_path
from e2egraph.simulation.simulate import SimulationSummary
from e2egraph.simulation.simulate import simulate as run


def simulate(
    process: str | Path,
    events: int,
    output: str | Path,
    *,
    seed: int = 1,
    images: bool = True,
    particle_flow: bool = False,
    detector: str | Path = "detector",
    settings: Settings | None = None,
    progress: Callable[[int], None] | None = None,
) -> SimulationSummary:
    """Simulate pp collisions in a parametric, CMS-like detector into a ROOT file (an ``RHTree`` ntuple).

    It is a parametric simulation, not CMS simulation. The same arguments give the same events.

    Args:
        process: Name in ``configs/processes``, such as ``ttbar`` or ``qcd``, or a YAML file.
        events: Number of events.
        output: ROOT file to write.
        seed: Random seed, from 0 to 899,999,999; files of other processes or seeds have nothing in common.
        images: Write the dense images as well; without them files are smaller and sooner made.
        particle_flow: Write what particle flow is learnt from: particles of all collisions, their shares of cells and
            their tracks.
        detector: ``detector``, ``detector-phase1``, or a YAML file.
        settings: Other settings, such as ``{"process.pile_up.mean": 40, "detector.solenoid.field": 2.0}``.
        progress: Called with the number of events done.

    Returns:
        What was written, as ``path``, ``events``, ``jets``, ``seconds``, ``events_per_second`` and, with a filter,
        ``tried`` and ``kept``.

    Raises:
        UsageError: Unknown process or setting, a value out of range, or an output of another format's name.
        InputError: Pythia or FastJet is missing (``pip install 'e2egraph[sim]'``), or the file cannot be written.

    Example:
        >>> e2e.simulate("ttbar", 200, "ttbar.root", images=False).events
        200
    """
    path = user_path(output)
    check_format(path, ".root", "output")
    return run(
        str(process),
        events,
        seed,
        path,
        images=images,
        particle_flow=particle_flow,
        settings=as_texts(settings),
        detector=str(detector),
        progress=progress,
    )
