"""What `simulate --particle-flow` costs: CPU time and size of the file an event, with the option and without.

    python scripts/particle_flow_cost.py --output exports/results/particle_flow_cost.json

Both simulate the same events alternately, batch after batch, in one process; the median ratio of turns is what counts.
Parametric simulation, not CMS simulation.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from e2egraph.benchmark.report import Record, write_report
from e2egraph.errors import InputError, UsageError
from e2egraph.files import check_file
from e2egraph.simulation.simulate import Simulation, read_settings, simulate
from e2egraph.utf8 import use_utf8

SEED, TURNS, EVENTS_A_TURN, EVENTS_IN_FILE = 5, 8, 25, 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--process", default="ttbar")
    parser.add_argument("--pile-up", nargs="+", type=float, default=[0.0, 10.0, 40.0], metavar="MEAN")
    parser.add_argument("--output", type=Path, required=True, help="JSON file; a table goes next to it")
    options = parser.parse_args()
    try:
        check_file(options.output)
        records = [record for mean in options.pile_up for record in costs(options.process, mean)]
    except (InputError, UsageError) as error:
        parser.exit(1, f"particle_flow_cost.py: {error}\n")
    command = shlex.join(["python", "scripts/particle_flow_cost.py", *sys.argv[1:]])
    for path in write_report(options.output, command, records):
        print(f"wrote {path}")


def costs(process: str, pile_up: float) -> list[Record]:
    """CPU time an event of the whole chain but writing, and bytes per event, at one mean of pile-up."""
    settings = [f"process.pile_up.mean={pile_up:g}", "process.pile_up.pool_events=200"]
    config = read_settings(process, settings)
    both = [Simulation(config, SEED, process, particle_flow) for particle_flow in (False, True)]
    milliseconds = np.zeros((TURNS + 1, 2))
    for turn in range(TURNS + 1):
        # Alternately first and second, so that neither profits from the other's warm caches.
        for side in (turn % 2, 1 - turn % 2):
            start = time.process_time()
            both[side].batch(turn, EVENTS_A_TURN)
            milliseconds[turn, side] = 1e3 * (time.process_time() - start) / EVENTS_A_TURN
    # The first turn fills tables.
    milliseconds = milliseconds[1:]
    ratios = milliseconds[:, 1] / milliseconds[:, 0]
    sizes = []
    with tempfile.TemporaryDirectory() as folder:
        for particle_flow in (False, True):
            path = Path(folder) / f"{particle_flow}.root"
            simulate(process, EVENTS_IN_FILE, SEED, path, images=False, particle_flow=particle_flow, settings=settings)
            sizes.append(path.stat().st_size / EVENTS_IN_FILE / 1e3)
    case, events = f"{process}, pile-up {pile_up:g}", TURNS * EVENTS_A_TURN
    off, on = milliseconds.mean(axis=0)
    spread = f"of {TURNS} turns {ratios.min():.3f} to {ratios.max():.3f}"
    return [
        Record(case, events, "without", float(off), "ms", "CPU per event, generation and detector"),
        Record(case, events, "with", float(on), "ms", "CPU per event, generation and detector"),
        Record(case, events, "ratio", float(np.median(ratios)), "", spread),
        Record(case, EVENTS_IN_FILE, "size without", sizes[0], "kB", "an event, no images"),
        Record(case, EVENTS_IN_FILE, "size with", sizes[1], "kB", "an event, no images"),
    ]


if __name__ == "__main__":
    use_utf8()
    main()
