"""Simulated samples of whole events in figures: σ·ε, shares that pass the selections of the RPV search, sizes.

    python scripts/event_samples.py rpv_gluinos.root multijets_*.root --output samples.json [--generated]

Files are those of `e2egraph simulate --detector detector-events` of processes with a cross-section. Selections, of AK4
jets with pT > 30 GeV and |η| < 2.4: loose, four jets and H_T > 1.5 TeV; baseline, loose with a b-tag and ΣM > 500 GeV
of the fat jets (arXiv:2207.11710); physics, loose with eight jets, three b-tags and ΣM > 800 GeV. `--generated`: jets
of the generated particles too (pT > 20 GeV, |η| < 2.5), for what a filter on them would lose. Parametric simulation,
not CMS simulation.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from e2egraph.benchmark.report import Record, write_report
from e2egraph.errors import InputError, UsageError
from e2egraph.events.sources.registry import opened
from e2egraph.events.sources.rhtree import RHTreeFile
from e2egraph.files import check_file
from e2egraph.simulation.antikt import cluster_plain
from e2egraph.simulation.generation.candidates import Candidates
from e2egraph.utf8 import use_utf8

COLLECTIONS = ("id", "jets", "fatjets", "tracks", "ecal", "hcal", "hits", "gen")
# GeV: of jets, and of the crystals that tasks on whole events take.
JET_PT, CRYSTAL = 30.0, 0.3
NEUTRINOS = (12, 14, 16)

Booleans = NDArray[np.bool_]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--generated", action="store_true", help="jets of the generated particles too")
    parser.add_argument("--output", type=Path, required=True, help="JSON file; a table goes next to it")
    options = parser.parse_args()
    try:
        check_file(options.output)
        records = [record for path in options.files for record in figures(path, options.generated)]
    except (InputError, UsageError) as error:
        parser.exit(1, f"event_samples.py: {error}\n")
    command = shlex.join(["python", "scripts/event_samples.py", *sys.argv[1:]])
    for path in write_report(options.output, command, records):
        print(f"wrote {path}")


def figures(path: Path, generated: bool) -> list[Record]:
    """All figures of a file; InputError when it is not of such a simulation."""
    with opened(path) as source:
        if not isinstance(source, RHTreeFile) or source.production is None:
            raise InputError(f"{path}: no weights in pb; give a file of simulate, of a process with a cross_section.")
        events = source.read(0, source.n_events, COLLECTIONS)
    size, weight = len(events), np.asarray(events.gen_weight)
    chosen = selections(events)
    records = [Record(path.stem, size, "cross section after the filter", float(weight.sum()), "pb", "")]
    for name, passed in chosen.items():
        note = f"± {np.sqrt(passed.mean() * (1 - passed.mean()) / size):.3f}; {weight[passed].sum():.3g} pb"
        records.append(Record(path.stem, size, name, float(passed.mean()), "", note))
    for name, numbers in sizes(events).items():
        note = f"95% below {np.quantile(numbers, 0.95):.0f}, largest {numbers.max()}"
        records.append(Record(path.stem, size, name, float(numbers.mean()), "", note))
    records.append(Record(path.stem, size, "file", path.stat().st_size / size / 1000, "kB", "an event"))
    return records + (generator_level(path.stem, events, chosen["loose"]) if generated else [])


def selections(events: ak.Array) -> dict[str, Booleans]:
    """Selection → which events pass it [E]."""
    jets = events.jets[(events.jets.pt > JET_PT) & (np.abs(events.jets.eta) < 2.4)]
    number, tags = ak.to_numpy(ak.num(jets)), ak.to_numpy(ak.sum(jets.b_tag, axis=1))
    masses = ak.to_numpy(ak.sum(events.fatjets.mass[events.fatjets.pt > JET_PT], axis=1))
    loose = (number >= 4) & (ak.to_numpy(ak.sum(jets.pt, axis=1)) > 1500)
    return {
        "loose": loose,
        "baseline": loose & (tags >= 1) & (masses > 500),
        "physics": loose & (number >= 8) & (tags >= 3) & (masses > 800),
    }


def sizes(events: ak.Array) -> dict[str, NDArray[np.int64]]:
    """Kind of node → its number in each event [E]."""
    found = {
        "tracks": ak.num(events.tracks),
        "crystals": ak.num(events.ecal),
        "crystals above 0.3 GeV": ak.sum(events.ecal.energy > CRYSTAL, axis=1),
        "towers": ak.num(events.hcal),
        "hits": ak.num(events.hits),
    }
    numbers = {name: ak.to_numpy(counts).astype(np.int64) for name, counts in found.items()}
    few = numbers["tracks"] + numbers["crystals above 0.3 GeV"] + numbers["towers"]
    every = numbers["tracks"] + numbers["crystals"] + numbers["towers"] + numbers["hits"]
    return {**numbers, "nodes without hits, crystals above 0.3 GeV": few, "all nodes": every}


def generator_level(name: str, events: ak.Array, selected: Booleans) -> list[Record]:
    """H_T after the detector over that of generated jets (of events that have some), and how few and soft the latter
    are where events are ``selected``."""
    gen, kind = events.gen, np.abs(events.gen.pdg_id)
    # Leptons of the hard process keep its status.
    final = (gen.status == 1) | ((gen.status == 23) & ((kind == 11) | (kind == 13)))
    for code in NEUTRINOS:
        final = final & (kind != code)
    gen = gen[final]
    event = np.repeat(np.arange(len(events)), ak.to_numpy(ak.num(gen)))
    pt, eta, phi, mass = (ak.to_numpy(ak.flatten(gen[c])).astype(np.float64) for c in ("pt", "eta", "phi", "mass"))
    pz = pt * np.sinh(eta)
    momenta = Candidates(event, pt * np.cos(phi), pt * np.sin(phi), pz, np.sqrt(pt**2 + pz**2 + mass**2))
    jets = cluster_plain(momenta, len(events), 0.4, 20.0, 2.5)
    ht, number = np.bincount(jets.event, jets.pt, len(events)), np.bincount(jets.event, minlength=len(events))
    measured = events.jets[(events.jets.pt > JET_PT) & (np.abs(events.jets.eta) < 2.4)]
    some = ht > 0
    ratio = ak.to_numpy(ak.sum(measured.pt, axis=1))[some] / ht[some]
    records = []
    if some.any():
        note = f"spread {ratio.std():.3f}"
        records.append(Record(name, len(ratio), "H_T over generated", float(ratio.mean()), "", note))
    if selected.any():
        least = float(ht[selected].min()), float(number[selected].min())
        for what, value, unit in zip(("generated H_T", "generated jets"), least, ("GeV", ""), strict=True):
            records.append(Record(name, int(selected.sum()), f"least {what} where loose passes", value, unit, ""))
    return records


if __name__ == "__main__":
    use_utf8()
    main()
