"""One calibration of jets in bins of pT: the median response of one split's jets, undone on those of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector.geometry import Floats, Integers
from e2egraph.errors import InputError
from e2egraph.evaluation.particleflow.columns import FlowEvents
from e2egraph.evaluation.particleflow.jets import (
    LEAST_GEN,
    LEAST_MEASURED,
    FlowJets,
    cluster_jets,
    match,
)
from e2egraph.evaluation.particleflow.resampling import SEED, Add, error, event_draws, finite, quantiles, relative_width

PART = "calibration of jets"
BEFORE, AFTER = "before", "after"

# A bin of fewer jets has no median of its own: its neighbours' count there.
LEAST_JETS = 5


@dataclass(frozen=True)
class Calibration:
    """Of one column, in K bins of the generated pT (``edges`` [K, 2], GeV): the median ``response``, the ``measured``
    pT [GeV] at which it is undone (both [1 + R, K], the sample itself and its resamples), and the number of ``jets``.

    Numerical inversion (A. Cukierman and B. Nachman, arXiv:1609.05195, §2), with medians: pT is divided by the
    response, which is linear in ln pT between the bins and constant beyond them.
    """

    edges: Floats
    measured: Floats
    response: Floats
    jets: Integers

    def undone(self, pt: Floats, resample: int = 0) -> Floats:
        """Calibrated ``pt`` [GeV], by the sample (0) or one of its resamples."""
        known = np.isfinite(self.measured[resample]) & np.isfinite(self.response[resample])
        at, response = self.measured[resample][known], self.response[resample][known]
        if not len(at):
            return np.full(len(pt), np.nan)
        order = np.argsort(at)
        return pt / np.interp(np.log(pt), np.log(at[order]), response[order])

    def as_json(self) -> list[dict[str, Any]]:
        """A record for each bin."""
        return [
            {
                "generated_pt": self.edges[place].tolist(),
                "measured_pt": finite(float(self.measured[0, place])),
                "median_response": finite(float(self.response[0, place])),
                "median_response_error": finite(error(self.response[:, place])),
                "jets": int(self.jets[place]),
            }
            for place in range(len(self.jets))
        ]


def calibrate(events: FlowEvents, resamples: int, pt_bins: Sequence[float]) -> dict[str, Calibration]:
    """The calibration of each column's jets by those of ``events``; InputError where there are too few."""
    # Other draws than those of the events that are calibrated: these are independent of them.
    draws = event_draws(events.size, resamples, SEED + 1)
    gen = cluster_jets(events.gen, events.size, LEAST_GEN)
    calibrations = {}
    for name, column in events.columns.items():
        measured = cluster_jets(column.hard, events.size, LEAST_MEASURED)
        found = match(gen, measured)
        held = []
        for low, high in pairwise(pt_bins):
            matched = gen.central(low, high) & (found >= 0)
            if (number := int(matched.sum())) < LEAST_JETS:
                continue
            true, event = gen.pt[matched], gen.event[matched]
            response = quantiles(measured.pt[found[matched]] / true, event, draws)[:, 1]
            held.append(((low, high), quantiles(true, event, draws)[:, 1] * response, response, number))
        if not held:
            raise InputError(
                f"no bin of pT has {LEAST_JETS} jets of {name} to calibrate with; choose a split of more events, or "
                "build the data set with more."
            )
        edges, at, responses, numbers = zip(*held, strict=True)
        calibrations[name] = Calibration(
            np.asarray(edges), np.stack(at, axis=1), np.stack(responses, axis=1), np.asarray(numbers)
        )
    return calibrations


def calibrated_figures(
    calibration: Calibration,
    jets: tuple[FlowJets, FlowJets, Integers],
    draws: NDArray[np.int32],
    pt_bins: Sequence[float],
    add: Add,
) -> None:
    """Median response and resolution before and after calibration, whose own error is in that of what comes after.

    ``jets``: generated, measured, and the measured one of each generated.
    """
    gen, measured, found = jets
    for low, high in pairwise(pt_bins):
        matched = gen.central(low, high) & (found >= 0)
        pt, true, event = measured.pt[found[matched]], gen.pt[matched], gen.event[matched]
        after = [
            quantiles(calibration.undone(pt, row) / true, event, draws[row : row + 1]) for row in range(len(draws))
        ]
        where, number = f"{low:g}-{high:g} GeV", int(matched.sum())
        for when, around in ((BEFORE, quantiles(pt / true, event, draws)), (AFTER, np.concatenate(after))):
            add(PART, f"median response {when}", where, around[:, 1], number)
            add(PART, f"resolution {when}", where, relative_width(around), number)
