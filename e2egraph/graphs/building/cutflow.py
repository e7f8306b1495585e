"""The cutflow: jets left after each cut and, counted apart, jets each cut removed, so that the sum can be checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.tasks.objects.naming import ObjectName


class Cutflow:
    """Counts events and jets as they pass the cuts of a chunk.

    ``left``: ``events``, ``jets``, then cut → jets left after it, in the order of the cuts. ``removed``: cut → jets
    that it removed.
    """

    def __init__(self) -> None:
        self.left: dict[str, int] = {"events": 0, "jets": 0}
        self.removed: dict[str, int] = {}

    def enter(self, events: int, jets: int) -> None:
        """Count what was read."""
        self.left["events"] += events
        self.left["jets"] += jets

    def cut(self, name: str, before: NDArray[np.bool_], passed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Jets [J] left of those in ``before`` [J] after a cut that ``passed`` [J] survive."""
        after = before & passed
        self.left[name] = self.left.get(name, 0) + int(after.sum())
        self.removed[name] = self.removed.get(name, 0) + int((before & ~passed).sum())
        return after


Number = TypeVar("Number", int, float)


def total(flows: Iterable[Mapping[str, Number]]) -> dict[str, Number]:
    """The sum of flows, step by step, in the order the steps first appear."""
    result: dict[str, Number] = {}
    for flow in flows:
        for step, number in flow.items():
            result[step] = result.get(step, 0) + number
    return result


def in_words(flow: Mapping[str, int], objects: ObjectName) -> str:
    """The steps of a flow on one line, with the objects (step ``jets``) called what they are.

    Where each event is an object, that step says the same as ``events`` and is left out.
    """
    steps = {objects.many if step == "jets" else step: number for step, number in flow.items()}
    return " → ".join(f"{step} {number}" for step, number in steps.items())


def particles_in_words(books: Mapping[str, float]) -> str:
    """What became of the true particles of events with elements, on one line, with shares of their energy.

    ``books``: numbers and energies (``particleflow.targets.Targets.books``).
    """
    parts = []
    for name, words in (
        ("visible", "have an element"),
        ("merged", "of these merged into that of another particle"),
        ("split", "split over several tracks"),
        ("invisible", "have none"),
    ):
        share = books[f"{name}_gev"] / books["particles_gev"] if books["particles_gev"] > 0 else 0.0
        parts.append(f"{books[name]:.0f} {words} ({100 * share:.1f}% of the energy)")
    return f"true particles {books['particles']:.0f}: {', '.join(parts)}"


def check(where: str, left: Mapping[str, int], removed: Mapping[str, int], jets: int) -> None:
    """InputError unless jets in = jets out + the jets of every cut, and ``jets`` is what is left."""
    if left["jets"] != jets + sum(removed.values()) or list(left.values())[-1] != jets:
        raise InputError(
            f"{where}: the cutflow does not add up ({left['jets']} objects in, {jets} out, {sum(removed.values())} "
            "cut); remove that folder and build again."
        )
