"""Scan one constant of rule-based particle flow: jets, recoil, and the extra energy given to isolated pions.

    e2egraph simulate --process ttbar_inclusive --events 200 --seed 31 --set process.pile_up.mean=0 --no-images \
        --particle-flow --output tune0.root
    python scripts/particle_flow_scan.py --events tune0.root --pions pion2.root --constant excess_sigmas \
        --values 0.25 0.5 1 1.5 2 --output exports/results/particle_flow_scan.json

Parametric simulation, not CMS simulation.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from e2egraph.benchmark.report import Record, write_report
from e2egraph.errors import InputError, UsageError
from e2egraph.evaluation.particleflow.columns import Particles, certain
from e2egraph.evaluation.particleflow.jets import LEAST_GEN, LEAST_MEASURED, cluster_jets, match
from e2egraph.evaluation.particleflow.resampling import error, event_draws, quantiles, relative_width
from e2egraph.evaluation.particleflow.singleparticles import GunEvents, charged_gate, gun_candidates, read_gun
from e2egraph.files import check_file
from e2egraph.graphs.particleflow.record import is_visible
from e2egraph.reconstruction.rulesconfig import RulesConfig, read_rules
from e2egraph.utf8 import use_utf8

BINS = ((20.0, 30.0), (30.0, 50.0), (50.0, 100.0), (100.0, 400.0))
PION_BINS = (5.0, 10.0, 20.0, 50.0, 100.0)
RESAMPLES = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=Path, required=True, help="ROOT file without pile-up")
    parser.add_argument("--pions", type=Path, required=True, help="ROOT file of process pion_grid")
    parser.add_argument("--constant", required=True, help="key of the rules")
    parser.add_argument("--values", nargs="+", type=float, required=True)
    parser.add_argument("--output", type=Path, required=True, help="JSON file; a table goes next to it")
    options = parser.parse_args()
    try:
        check_file(options.output)
        rules = read_rules("detector")
        if not isinstance(getattr(rules, options.constant, None), float):
            raise UsageError(f"--constant {options.constant}: no number of the rules has that name.")
        events, pions = read_gun(options.events), read_gun(options.pions)
        records = []
        for value in options.values:
            changed = replace(rules, **{options.constant: value})
            records += figures(f"{options.constant} {value:g}", events, pions, changed)
    except (InputError, UsageError) as error_found:
        parser.exit(1, f"particle_flow_scan.py: {error_found}\n")
    words = [Path(word).name if word.endswith(".root") else word for word in sys.argv[1:]]
    command = shlex.join(["python", "scripts/particle_flow_scan.py", *words])
    for path in write_report(options.output, command, records):
        print(f"wrote {path}")


def figures(case: str, events: GunEvents, pions: GunEvents, rules: RulesConfig) -> list[Record]:
    """Jets by pT and pions by energy, with these rules."""
    size = events.record.measured.events
    side = events.record.particles
    visible = is_visible(side["gen_pdg"].values)
    columns = {name: side[f"gen_{name}"].values for name in ("pt", "eta", "phi", "energy")}
    nothing = np.zeros(len(visible))
    event = side["gen_pt"].owner
    gen = Particles(
        event, nothing.astype(np.uint8), **columns, pile_up=nothing, kept=nothing + 1, node=event, **certain(len(event))
    ).take(visible)
    found = gun_candidates(events, rules)
    made = Particles(
        found.event, found.kind, found.pt, found.eta, found.phi, found.energy,
        pile_up=np.zeros(len(found)), kept=np.ones(len(found)), node=found.element, **certain(len(found)),
    )  # fmt: skip
    jets, measured = cluster_jets(gen, size, LEAST_GEN), cluster_jets(made, size, LEAST_MEASURED)
    to, draws = match(jets, measured), event_draws(size, RESAMPLES)
    records = []
    for low, high in BINS:
        inside = (np.abs(jets.eta) < 1.5) & (jets.pt >= low) & (jets.pt < high) & (to >= 0)
        around = quantiles(measured.pt[to[inside]] / jets.pt[inside], jets.event[inside], draws)
        width, number, where = relative_width(around), int(inside.sum()), f"jets of {low:g}-{high:g} GeV"
        records.append(Record(case, number, f"{where}, resolution", float(width[0]), "", f"± {error(width):.4f}"))
        middle, note = around[:, 1], f"± {error(around[:, 1]):.4f}"
        records.append(Record(case, number, f"{where}, median response", float(middle[0]), "", note))
    for row in charged_gate(pions, rules, PION_BINS):
        if row.kind.startswith("neutral"):
            what = f"neutral energy next to pions of {row.low:g}-{row.high:g} GeV, share of theirs"
            records.append(Record(case, row.number, what, row.mean, "", "mean"))
    return records


if __name__ == "__main__":
    use_utf8()
    main()
