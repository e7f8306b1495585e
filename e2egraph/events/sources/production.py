"""The production that a simulated file belongs to, and its events' weights in pb, stored next to the tree.

The weights of one file add up to the cross-section after the generator's filter. Files of one production, made with the
same generator settings and other seeds, each stand for all of that cross-section: put together, they share it.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import uproot

from e2egraph.errors import InputError
from e2egraph.events.locations import damage_named
from e2egraph.events.sources import roottree

# Next to the tree: how the events were generated (JSON), and the tree of their weights with its one branch [pb].
GENERATION, WEIGHTS, WEIGHT = "fevt/generation", "fevt/weights", "genWeight_pb"


@dataclass(frozen=True)
class Production:
    """A simulated file with weights in pb. ``identity``: hash of all that decides what is generated and with which
    cross-section, but the seed; ``events``: in this file."""

    identity: str
    events: int


def find_production(location: str, tree: uproot.TTree) -> tuple[Production, uproot.TBranch] | None:
    """The production of the file that ``tree`` is in, and the branch of weights [pb]; None where it has no weights.

    InputError when weights and tree do not belong together, as after ``hadd``, which adds the cross-section up once for
    each file.
    """
    with damage_named(location, f"{GENERATION} or {WEIGHTS} cannot be read"):
        file = tree.file.root_directory
        there = set(file.keys(cycle=False))
        made = json.loads(str(file[GENERATION])) if GENERATION in there else {}
        if "production" not in made and WEIGHTS not in there:
            return None
        branch = file[WEIGHTS][WEIGHT]
        identity, events = str(made["production"]), int(made["events"])
    roottree.check_entries(location, file[WEIGHTS], [branch])
    if not branch.num_entries == tree.num_entries == events:
        raise InputError(
            f"{location}: its tree holds {tree.num_entries} events and {WEIGHTS} {branch.num_entries}, but {events} "
            "were simulated; give the files as simulate wrote them, not merged or skimmed."
        )
    return Production(identity, events), branch


def shares(files: Sequence[tuple[Hashable, Production | None]]) -> list[float]:
    """What the weights of each file are to be multiplied by, so that files of one production share its cross-section by
    their numbers of events; 1 for a file without weights in pb.

    ``files``: the group within which productions are put together (such as a class), and the production, of each.
    """
    total: dict[tuple[Hashable, str], int] = {}
    for group, production in files:
        if production is not None:
            key = (group, production.identity)
            total[key] = total.get(key, 0) + production.events
    return [
        1.0 if production is None else production.events / total[group, production.identity]
        for group, production in files
    ]
