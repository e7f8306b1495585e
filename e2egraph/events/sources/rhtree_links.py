"""Links of ``RHTree`` (simulate --particle-flow) count in other collections of their event: none may point outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.events.flat import Flat
from e2egraph.events.whole import entry_of

# Collection → field → what it counts in, and the least that it may be: −1 where it stands for none.
_INDICES: dict[str, dict[str, tuple[str, int]]] = {
    "sim": {"gen_index": ("gen", -1)},
    "track_links": {"particle": ("sim", -1)},
    "ecal_links": {"cell": ("ecal", 0), "particle": ("sim", 0)},
    "hcal_links": {"cell": ("hcal", 0), "particle": ("sim", 0)},
}


def check_indices(
    path: str,
    collection: str,
    branches: Mapping[str, Mapping[str, str]],
    links: Flat,
    counts_of: Callable[[str], NDArray[np.int64]],
    start: int,
) -> None:
    """InputError, naming branch and entry, where an index of ``links`` is outside of its event's list.

    ``branches``: collection → field → branch, of all that the file has. ``counts_of``: number of members an event, from
    a branch of a list. The events begin with entry ``start``.
    """
    for field, (other, least) in _INDICES.get(collection, {}).items():
        branch = branches[collection][field]
        if other not in branches:
            raise InputError(f"{path}: {branch} counts in {other}, of which the file has no branches; make it again.")
        index = links.columns[field]
        sizes = np.repeat(counts_of(next(iter(branches[other].values()))), links.counts)
        wrong = (index < least) | (index >= sizes)
        if wrong.any():
            place = int(np.argmax(wrong))
            raise InputError(
                f"{path}: {branch} of entry {start + entry_of(place, links.counts)} is {index[place]}, but its event "
                f"has {sizes[place]} members of {other}; make the file again."
            )
