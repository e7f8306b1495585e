"""A page for each data set with some of its objects to click through: points by channel, and the image drawn from them.

    python scripts/jet_display.py data/top data/tau --output docs/_static/jets [--objects 2] [--most-nodes 4000]

Objects whose numbers of nodes are nearest to the median of their class, the same number of each class; no network is
used. Writes OUTPUT/TASK.html, named after the data set's task. The documentation shows them, with the commands that
made the data sets (docs/explanation/jets.md).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from e2egraph.data.simulated import SIMULATION_NOTE, all_simulated
from e2egraph.data.table import JetTable, read_table
from e2egraph.errors import InputError, UsageError
from e2egraph.evaluation.pages.elements import Section
from e2egraph.evaluation.pages.jet_data import plain_jet_data
from e2egraph.evaluation.pages.page import Page, write_page
from e2egraph.folders import check_folder, make_folder
from e2egraph.graphs.storage.columns import TARGET_PREFIX
from e2egraph.utf8 import use_utf8

WORDS = ("The image is drawn from the same nodes, with the planes of published images.",)


def chosen(table: JetTable, objects: int, most_nodes: int) -> NDArray[np.int64]:
    """Places in the data set, class after class."""
    nodes, labels = table.columns["n_nodes"].astype(np.int64), table.columns["label"]
    found: list[int] = []
    for label in range(len(table.manifest.classes)):
        members = np.flatnonzero((labels == label) & (nodes <= most_nodes))
        if len(members) < objects:
            raise InputError(
                f"{table.folder}: {table.manifest.object_name.count(len(members))} of class "
                f"{table.manifest.classes[label]} with {most_nodes} "
                "nodes at most; ask for fewer --objects, or more --most-nodes."
            )
        distance = np.abs(nodes[members] - np.median(nodes[members]))
        found += np.sort(members[np.argsort(distance, kind="stable")[:objects]]).tolist()
    return np.array(found, np.int64)


def headline(table: JetTable, number: np.int64) -> str:
    """What tells an object from the others of its class: its number of nodes and, where it has one, its pT."""
    nodes, pt = f"{table.columns['n_nodes'][number]} nodes", table.columns.get("jet_pt")
    return nodes if pt is None else f"{nodes}, {pt[number]:.0f} GeV"


def page_of(table: JetTable, numbers: NDArray[np.int64], targets: list[str]) -> Page:
    """The page of the chosen objects."""
    manifest = table.manifest
    groups = [manifest.classes[int(table.columns["label"][number])] for number in numbers]
    facts: list[dict[str, str]] = []
    for place, number in enumerate(numbers):
        values = {name: float(table.columns[TARGET_PREFIX + name][number]) for name in targets}
        facts.append({"class": groups[place]} | {name: f"{value:.3g}" for name, value in values.items()})
    headlines = [headline(table, number) for number in numbers]
    many = manifest.object_name.many
    notes = [f"Typical {many}: their numbers of nodes are near the median of their class. No network is involved."]
    if all_simulated(table.columns["run"][numbers]):
        notes.append(SIMULATION_NOTE)
    data: dict[str, Any] = {"jets": plain_jet_data(table, numbers, groups, headlines, facts)}
    sections = {
        "jets": Section("Points and image", "jets.html.j2", {"words": WORDS, "object": manifest.object_name.one})
    }
    return Page(f"{many.capitalize()} of task {manifest.task}", tuple(notes), sections, ("window.js", "jets.js"), data)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="data set folders")
    parser.add_argument("--output", type=Path, required=True, help="folder for the pages")
    parser.add_argument("--objects", type=int, default=2, help="of each class")
    parser.add_argument("--most-nodes", type=int, default=4000, help="that an object may have")
    options = parser.parse_args()
    check_folder(options.output, "--output")
    if options.objects < 1:
        raise UsageError(f"--objects {options.objects}: give one at least.")
    make_folder(options.output)
    for folder in options.data:
        plain = read_table(folder)
        columns = plain.manifest.object_columns
        targets = [name.removeprefix(TARGET_PREFIX) for name in columns if name.startswith(TARGET_PREFIX)]
        of_object = [name for name in ("jet_pt",) if name in columns]
        table = read_table(folder, ("label", *of_object, *(TARGET_PREFIX + name for name in targets)))
        numbers = chosen(table, options.objects, options.most_nodes)
        print(write_page(page_of(table, numbers, targets), options.output / f"{table.manifest.task}.html"))


if __name__ == "__main__":
    use_utf8()
    try:
        main()
    except (InputError, UsageError) as error:
        sys.exit(f"jet_display.py: {error}")
