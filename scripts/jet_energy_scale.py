"""Response of the simulation's jets: their pT over that of the jets of the stable visible particles they stand for.

    python scripts/jet_energy_scale.py --radius 0.4 --output jet_energy_scale.json
    python scripts/jet_energy_scale.py --radius 0.6 --uncorrected --output measured.json

With the scales of configs/detector.yaml the response should be 1 (closure). With --uncorrected, every bin gives one
point of a table of `energy_scales`: pT is its "pT of simulated jets", the scale the inverse of its mean response.

Particle jets are anti-kT jets of the hard collision's visible final-state particles, in |η| < 1.3 and with no other one
above 15 GeV within twice the radius; each is matched to the nearest simulated jet within half the radius. Jets of all
slices of p̂T are taken together. Results: OUTPUT (JSON) and the same as .md. Parametric simulation, not CMS simulation.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import awkward as ak
import numpy as np

from e2egraph.benchmark.report import Record, report_paths, write_report
from e2egraph.detector.geometry import Floats, Integers
from e2egraph.errors import InputError, UsageError
from e2egraph.files import check_file
from e2egraph.simulation.generation.candidates import Candidates
from e2egraph.simulation.generation.generated import Generated
from e2egraph.simulation.generation.pileup import final_state
from e2egraph.simulation.jets import cluster
from e2egraph.simulation.response.response import DetectorConfig
from e2egraph.simulation.simulate import EVENTS_PER_BATCH, Simulation, read_settings
from e2egraph.utf8 import use_utf8

SLICES = ("20-50", "50-90", "90-170", "170-350", "350-700")
EDGES = (20.0, 25.0, 30.0, 40.0, 50.0, 60.0, 80.0, 100.0, 130.0, 160.0, 200.0, 250.0, 300.0, 400.0, 500.0, 600.0)

MAX_ETA = 1.3
# Below the lowest bin by far, so that no bin loses its worst measured jets; and the softest jets that others must be
# isolated from [GeV].
SIMULATED_MIN_PT, PARTICLE_MIN_PT = 10.0, 15.0
# Bins with fewer jets are left out.
FEWEST_JETS = 50


@dataclass(frozen=True)
class Pairs:
    """pT [GeV] of isolated central particle jets, ``true`` [J], and of the ``simulated`` jet of each [J], else NaN."""

    true: Floats
    simulated: Floats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--radius", type=float, default=0.4)
    parser.add_argument("--process", default="dijet", help="name in configs/processes, or a YAML file")
    parser.add_argument("--slices", nargs="+", default=SLICES, metavar="LOW-HIGH", help="ranges of p̂T [GeV]")
    parser.add_argument("--events", type=int, default=600, help="events of each slice")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--uncorrected", action="store_true", help="leave out the energy scale, to measure one")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    try:
        for path in report_paths(options.output):
            check_file(path)
        if options.events < 1:
            raise UsageError(f"--events {options.events}: give one at least.")
        pairs = simulated(options)
    except (InputError, UsageError) as error:
        parser.exit(1, f"jet_energy_scale.py: {error}\n")
    command = " ".join(["python", "scripts/jet_energy_scale.py", *sys.argv[1:]])
    for path in write_report(options.output, command, records(pairs)):
        print(f"wrote {path}")


def simulated(options: argparse.Namespace) -> list[Pairs]:
    """Pairs of all slices. UsageError: limits of a slice that are no two numbers."""
    settings = [f"detector.jets.radius={options.radius}", f"detector.jets.min_pt={SIMULATED_MIN_PT}"]
    if options.uncorrected:
        settings.append("detector.jets.energy_scale=1.0")
    pairs = []
    for number, limits in enumerate(options.slices):
        low, dash, high = limits.partition("-")
        if not (dash and low.isdecimal() and high.isdecimal()):
            raise UsageError(f"--slices {limits}: give the limits of p̂T in whole GeV, such as 20-40.")
        limited = [f"process.generator.pt_hat_minimum={low}", f"process.generator.pt_hat_maximum={high}"]
        pairs += simulated_pairs(options.process, [*settings, *limited], options.events, options.seed + number)
        print(f"p̂T {limits} GeV: {options.events} events", flush=True)
    return pairs


def simulated_pairs(process: str, settings: Sequence[str], events: int, seed: int) -> list[Pairs]:
    """Pairs of each batch of ``events`` events."""
    config = read_settings(process, settings)
    simulation = Simulation(config, seed, process)
    pairs = []
    for number, start in enumerate(range(0, events, EVENTS_PER_BATCH)):
        generated, columns = simulation.batch(number, min(EVENTS_PER_BATCH, events - start))
        jets = columns["jet"]
        simulated = jagged(generated.n_events, jets["event"], pt=jets["Pt"], eta=jets["Eta"], phi=jets["Phi"])
        pairs.append(match(particle_jets(generated, config.detector), simulated, config.detector.jets.radius))
    return pairs


def particle_jets(generated: Generated, detector: DetectorConfig) -> ak.Array:
    """Jets of the visible final-state particles in the detector's acceptance, [events, jets] of pt, eta, phi."""
    particles = final_state(generated, None, detector.acceptance)
    energy = np.sqrt(particles.px**2 + particles.py**2 + particles.pz**2 + particles.mass**2)
    momenta = Candidates(particles.event, particles.px, particles.py, particles.pz, energy)
    config = replace(detector.jets, energy_scale=1.0, min_pt=PARTICLE_MIN_PT, max_eta=detector.acceptance.max_eta)
    jets = cluster(momenta, generated.n_events, config)
    return jagged(generated.n_events, jets.event, pt=jets.pt, eta=jets.eta, phi=jets.phi)


def jagged(events: int, event: Integers, **columns: Floats) -> ak.Array:
    """Flat columns, in order of their ``event``, as one list an event."""
    return ak.unflatten(ak.zip(columns), np.bincount(event, minlength=events))


def match(particle: ak.Array, simulated: ak.Array, radius: float) -> Pairs:
    """The isolated, central ``particle`` jets and what is measured of each."""
    alone = ak.sum(distance(particle, particle) < 2 * radius, axis=2) == 1  # itself
    apart = distance(particle, simulated)
    nearest = ak.argmin(apart, axis=2)
    found = ak.fill_none(ak.min(apart, axis=2) < radius / 2, False)
    pt = ak.where(found, ak.fill_none(simulated.pt[nearest], np.nan), np.nan)
    chosen = alone & (np.abs(particle.eta) < MAX_ETA)
    return Pairs(*(ak.to_numpy(ak.flatten(column[chosen])).astype(np.float64) for column in (particle.pt, pt)))


def distance(one: ak.Array, two: ak.Array) -> ak.Array:
    """ΔR of every jet of ``one`` to every jet of ``two`` of the same event, [events, jets of one, jets of two]."""
    turn = one.phi[:, :, np.newaxis] - two.phi[:, np.newaxis, :]
    return np.hypot(one.eta[:, :, np.newaxis] - two.eta[:, np.newaxis, :], (turn + np.pi) % (2 * np.pi) - np.pi)


def records(pairs: Sequence[Pairs]) -> list[Record]:
    """Figures of each bin of the particle jets' pT."""
    true, simulated = (np.concatenate([getattr(pair, name) for pair in pairs]) for name in ("true", "simulated"))
    result = []
    for low, high in pairwise(EDGES):
        inside = (true >= low) & (true < high)
        measured = inside & np.isfinite(simulated)
        jets = int(measured.sum())
        if jets < FEWEST_JETS:
            continue
        response = simulated[measured] / true[measured]
        below, median, above = np.percentile(response, [16, 50, 84])
        case = f"particle jets of {low:g}-{high:g} GeV"
        error = response.std(ddof=1) / np.sqrt(jets)
        result += [
            Record(case, jets, "mean response", float(response.mean()), "", f"error {error:.4f}"),
            Record(case, jets, "median response", float(median), ""),
            Record(case, jets, "resolution", float((above - below) / 2 / median), "", "half of the central 68%"),
            Record(case, jets, "pT of simulated jets", float(simulated[measured].mean()), "GeV", "mean"),
            Record(case, int(inside.sum()), "matched", jets / int(inside.sum()), "", "share"),
        ]
    return result


if __name__ == "__main__":
    use_utf8()
    main()
