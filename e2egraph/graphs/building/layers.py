"""Layers of hits that a file does not have: ntuples list hits of all layers together, so that none of it may be there.

A detector without the layer (three pixel layers, where a task reads four) would leave a channel empty in silence.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.channels import LARGEST_NUMBER
from e2egraph.errors import InputError
from e2egraph.events.schema import EventSource
from e2egraph.tasks.task import TaskConfig

# Events that are looked through, and the hits that these must have in all layers for an empty one to mean anything: a
# few pp collisions' worth.
EVENTS, ENOUGH_HITS = 64, 10_000

_counted: WeakKeyDictionary[EventSource, NDArray[np.int64]] = WeakKeyDictionary()


def check_layers(source: EventSource, task: TaskConfig) -> None:
    """InputError, naming file and layer, when one that ``task`` reads has no hit in the first events, where others have
    many."""
    layers = [channel for channel in task.network_inputs.channels if channel.collection == "hits"]
    if not layers or "hits" in source.missing:
        return
    counts = _hits(source)
    empty = [channel.name for channel in layers if counts[channel.number] == 0]
    if empty and counts.sum() >= ENOUGH_HITS:
        left = ",".join(name for name in task.inputs.channels if name not in empty)
        them = "it" if len(empty) == 1 else "them"
        raise InputError(
            f"{source.path}: no hit of {', '.join(empty)} in its first {min(EVENTS, source.n_events)} events, which "
            f"have {counts.sum()} in other layers, and task '{task.name}' reads {them}; give a file of a detector that "
            f"has {them}, or --set inputs.channels=[{left}]."
        )


def _hits(source: EventSource) -> NDArray[np.int64]:
    """Hits of each channel, by its number, in the first events; read once of each source."""
    if source not in _counted:
        counts, last = np.zeros(LARGEST_NUMBER + 1, np.int64), min(EVENTS, source.n_events)
        for start in range(0, last, source.events_at_once):
            events = source.read(start, min(start + source.events_at_once, last), ["hits"])
            channel = ak.to_numpy(ak.flatten(events.hits.channel)).astype(np.int64)
            counts += np.bincount(channel, minlength=len(counts))
        _counted[source] = counts
    return _counted[source]
