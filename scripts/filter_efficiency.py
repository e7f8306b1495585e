"""Shares of generated events that pass filters, and the cross-sections left, without a detector.

    python scripts/filter_efficiency.py multijets_400_600=6000 multijets_600_800=1500 --output efficiencies.json \
        --filter 'published={jets: {number: 4, min_pt: 30, max_eta: 2.4, ht: 1500}, fat_jets: {sum_mass: 500}}'

PROCESS=EVENTS: a process with a cross-section, by name or YAML, and how many events are generated. Its own filter is
called `own`. Errors are binomial, weights of the generator are not used.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from e2egraph import yamlfile
from e2egraph.benchmark.report import Record, write_report
from e2egraph.config import validate
from e2egraph.errors import InputError, UsageError
from e2egraph.files import check_file
from e2egraph.simulation.generation.eventfilter import FilterConfig, passes
from e2egraph.simulation.generation.generator import Generator
from e2egraph.simulation.simulate import read_settings
from e2egraph.utf8 import use_utf8

EVENTS_AT_ONCE, SEED = 100, 5
OWN = "own"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("processes", nargs="+", metavar="PROCESS=EVENTS")
    parser.add_argument("--filter", action="append", default=[], metavar="NAME=YAML", help="as generator.filter")
    parser.add_argument("--output", type=Path, required=True, help="JSON file; a table goes next to it")
    options = parser.parse_args()
    try:
        check_file(options.output)
        filters = dict(named_filter(text) for text in options.filter)
        records: list[Record] = []
        for text in options.processes:
            name, _, events = text.rpartition("=")
            if not events.isdigit() or int(events) < 1:
                raise UsageError(f"{text}: give PROCESS=EVENTS, such as multijets_400_600=6000.")
            records += efficiencies(name, int(events), filters)
    except (InputError, UsageError) as error:
        parser.exit(1, f"filter_efficiency.py: {error}\n")
    command = shlex.join(["python", "scripts/filter_efficiency.py", *sys.argv[1:]])
    for path in write_report(options.output, command, records):
        print(f"wrote {path}")


def named_filter(text: str) -> tuple[str, FilterConfig]:
    """Name and filter of ``NAME=YAML``; UsageError for anything else."""
    name, _, content = text.partition("=")
    parsed = yamlfile.parse(content, f"--filter {text}")
    if not name or not isinstance(parsed, dict):
        raise UsageError(f"--filter {text}: give NAME=YAML, such as hard={{jets: {{ht: 1500}}}}.")
    return name, validate(FilterConfig, parsed, f"--filter {name}")


def efficiencies(name: str, events: int, filters: Mapping[str, FilterConfig]) -> Sequence[Record]:
    """What of ``events`` generated events of process ``name`` passes its own filter and each of ``filters``."""
    process = read_settings(name).process
    own = process.generator.filter
    asked = {**({} if own is None else {OWN: own}), **filters}
    generator = Generator(replace(process.generator, filter=None), SEED, name)
    passed = dict.fromkeys(asked, 0)
    for start in range(0, events, EVENTS_AT_ONCE):
        generated = generator.generate(min(EVENTS_AT_ONCE, events - start))
        for each, wanted in asked.items():
            passed[each] += int(passes(generated, wanted).sum())
    stated = process.cross_section
    total = stated.pb if stated is not None and stated.pb is not None else generator.cross_section
    records = []
    for each, number in passed.items():
        share = number / events
        error = float(np.sqrt(share * (1 - share) / events))
        case = f"{Path(name).stem}, {each}"
        records.append(Record(case, events, "efficiency", share, "", f"± {error:.4f}"))
        records.append(Record(case, events, "cross section", share * total, "pb", f"± {error * total:.3g}"))
    return records


if __name__ == "__main__":
    use_utf8()
    main()
