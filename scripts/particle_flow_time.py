"""CPU time of clustering and of rule-based particle flow against the number of elements of an event.

    e2egraph simulate --process ttbar_inclusive --events 300 --seed 22 --set process.pile_up.mean=40 --no-images \
        --particle-flow --output tt40.root
    python scripts/particle_flow_time.py --events tt40.root --output exports/results/particle_flow_time.json

Larger events are several of the file's laid over one another. One process, one thread, the fastest of five turns over
all events. Parametric simulation, not CMS simulation.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from e2egraph.benchmark.report import Record, write_report
from e2egraph.detector.channels import Channel
from e2egraph.errors import InputError, UsageError
from e2egraph.evaluation.particleflow.singleparticles import read_gun
from e2egraph.files import check_file
from e2egraph.reconstruction.elements import ElementsConfig, Measured, make_elements
from e2egraph.reconstruction.rules import rule_based
from e2egraph.reconstruction.rulesconfig import read_rules
from e2egraph.utf8 import use_utf8

FIELD, TURNS = 3.8, 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=Path, required=True, help="ROOT file")
    parser.add_argument("--laid-over", nargs="+", type=int, default=[1, 2, 4, 8, 16], metavar="NUMBER")
    parser.add_argument("--output", type=Path, required=True, help="JSON file; a table goes next to it")
    options = parser.parse_args()
    try:
        check_file(options.output)
        few = [number for number in options.laid_over if number < 1]
        if few:
            raise UsageError(f"--laid-over {few[0]}: give one at least.")
        measured = read_gun(options.events).record.measured
        if max(options.laid_over) > measured.events:
            raise InputError(
                f"{options.events}: {measured.events} events, fewer than --laid-over {max(options.laid_over)}; give a "
                "file of more."
            )
        records = [record for number in options.laid_over for record in times(laid_over(measured, number))]
    except (InputError, UsageError) as error:
        parser.exit(1, f"particle_flow_time.py: {error}\n")
    sizes, totals = (np.array([record.value for record in records if record.metric == name]) for name in SHOWN)
    if len(sizes) > 1:
        slope = float(np.polyfit(np.log(sizes), np.log(totals), 1)[0])
        records.append(Record("all sizes", len(sizes), "exponent of the time", slope, "", "least squares, logarithms"))
    words = [Path(word).name if word.endswith(".root") else word for word in sys.argv[1:]]
    command = shlex.join(["python", "scripts/particle_flow_time.py", *words])
    for path in write_report(options.output, command, records):
        print(f"wrote {path}")


SHOWN = ("elements", "clusters and rules")


def laid_over(measured: Measured, number: int) -> Measured:
    """Every ``number`` events as one: tracks of all, and cells whose energies are added."""
    events = measured.events // number
    vertex = measured.vertex[: events * number : number]
    tracks = _of(measured.tracks, events, number)
    cells = [_summed(_of(part, events, number)) for part in (measured.ecal, measured.hcal)]
    return replace(measured, events=events, vertex=vertex, tracks=tracks, ecal=cells[0], hcal=cells[1])


def times(measured: Measured) -> list[Record]:
    """CPU milliseconds per event."""
    config, rules = ElementsConfig(), read_rules("detector")
    elements = make_elements(measured, config, FIELD)
    none = np.zeros(len(elements.of(Channel.TRACK)), bool)
    clustering = _fastest(lambda: make_elements(measured, config, FIELD)) / measured.events
    candidates = _fastest(lambda: rule_based(elements, none, rules)) / measured.events
    size = len(elements) / measured.events
    case = f"{size:.0f} elements an event"
    return [
        Record(case, measured.events, "elements", size, "", "mean"),
        Record(case, measured.events, "clusters", clustering, "ms", "CPU per event, all elements made"),
        Record(case, measured.events, "rules", candidates, "ms", "CPU per event"),
        Record(case, measured.events, "clusters and rules", clustering + candidates, "ms", "CPU per event"),
    ]


def _fastest(work: Callable[[], object]) -> float:
    found = []
    for _ in range(TURNS):
        start = time.process_time()
        work()
        found.append(1e3 * (time.process_time() - start))
    return min(found)


def _of(part: Mapping[str, NDArray], events: int, number: int) -> dict[str, NDArray]:
    inside = part["event"] < events * number
    columns = {name: np.asarray(values)[inside] for name, values in part.items()}
    return {**columns, "event": columns["event"] // number}


def _summed(cells: dict[str, NDArray]) -> dict[str, NDArray]:
    places, where = np.unique(np.stack([cells["event"], cells["row"], cells["column"]]), axis=1, return_inverse=True)
    energy = np.bincount(where.ravel(), cells["energy"])
    return {"event": places[0], "row": places[1], "column": places[2], "energy": energy}


if __name__ == "__main__":
    use_utf8()
    main()
