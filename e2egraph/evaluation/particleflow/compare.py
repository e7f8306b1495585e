"""All figures of a comparison: jets, recoil and missing momentum, particles, pile-up; paired errors over events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from e2egraph.errors import UsageError
from e2egraph.evaluation.metrics.p_values import normal_p_value
from e2egraph.evaluation.particleflow.calibration import Calibration, calibrate, calibrated_figures
from e2egraph.evaluation.particleflow.columns import RULES, FlowEvents, Particles
from e2egraph.evaluation.particleflow.jets import (
    LEAST_GEN,
    LEAST_MEASURED,
    FlowJets,
    cluster_jets,
    match,
)
from e2egraph.evaluation.particleflow.particles import particle_figures, pile_up_figures
from e2egraph.evaluation.particleflow.resampling import (
    error,
    event_draws,
    finite,
    half_width,
    quantiles,
    relative_width,
    shares,
)
from e2egraph.reconstruction.sums import sums

PT_BINS = (20.0, 30.0, 50.0, 100.0, 200.0, 1000.0)
SUM_ABS_ETA = 2.4
RESAMPLES = 400
# Missing momentum [GeV] from which on its response is told.
LEAST_MISSING = 40.0


@dataclass(frozen=True)
class Figure:
    """One number of a comparison: ``part`` (jets, recoil, …), ``quantity``, ``bin`` in words, ``column``; ``value`` and
    its ``error`` over resamples; ``number`` of members; of other columns than the reference, the ``difference`` to
    it as a share of its value, the error of that and the two-sided p-value."""

    part: str
    quantity: str
    bin: str
    column: str
    value: float
    error: float
    number: int
    difference: float | None = None
    difference_error: float | None = None
    p_value: float | None = None


@dataclass
class Comparison:
    """The figures of ``events`` events, by part, quantity and bin, for each of the ``columns``, and the calibration of
    each column's jets where there is one. Differences are to the column ``reference``."""

    events: int
    columns: tuple[str, ...]
    reference: str = RULES
    figures: list[Figure] = field(default_factory=list)
    calibrations: dict[str, Calibration] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """JSON-ready values; what is not defined, such as an error without resamples, is null."""
        figures = [{name: finite(value) for name, value in vars(each).items()} for each in self.figures]
        content = {
            "events": self.events,
            "columns": list(self.columns),
            "reference": self.reference,
            "figures": figures,
        }
        if self.calibrations:
            content["calibration"] = {name: one.as_json() for name, one in self.calibrations.items()}
        return content

    def value(self, part: str, quantity: str, where: str, column: str) -> Figure | None:
        """The figure of these names; None where there is none."""
        for each in self.figures:
            if (each.part, each.quantity, each.bin, each.column) == (part, quantity, where, column):
                return each
        return None


def compare(
    events: FlowEvents,
    resamples: int = RESAMPLES,
    pt_bins: Sequence[float] = PT_BINS,
    calibrate_on: FlowEvents | None = None,
    reference: str = RULES,
) -> Comparison:
    """All figures of all columns of ``events``, with their differences to the column ``reference``.

    ``calibrate_on``: other events with the same columns, by whose jets those of ``events`` are calibrated as well.
    InputError where these are too few; UsageError where there is no such column.
    """
    if reference not in events.columns:
        raise UsageError(
            f"--reference {reference}: there is no such column; choose one of {', '.join(events.columns)}."
        )
    draws = event_draws(events.size, resamples)
    found = Comparison(events.size, tuple(events.columns), reference)
    if calibrate_on is not None:
        found.calibrations = calibrate(calibrate_on, resamples, pt_bins)
    samples = _Samples(found)
    _jets(events, draws, pt_bins, samples)
    _recoil(events, draws, samples)
    for name, column in events.columns.items():
        particle_figures(events, column, draws, lambda *key, name=name: samples.add(*key, column=name))
        pile_up_figures(events, name, column, draws, lambda *key, name=name: samples.add(*key, column=name))
    samples.finish()
    return found


class _Samples:
    """Collects figures with their resamples, and differences to the reference once all are there."""

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison
        self._found: dict[tuple[str, str, str], dict[str, tuple[np.ndarray, int]]] = {}

    @property
    def calibrations(self) -> dict[str, Calibration]:
        return self._comparison.calibrations

    def add(self, part: str, quantity: str, where: str, values: np.ndarray, number: int, *, column: str) -> None:
        self._found.setdefault((part, quantity, where), {})[column] = (values, number)

    def finish(self) -> None:
        first = self._comparison.reference
        for (part, quantity, where), columns in self._found.items():
            reference = columns.get(first)
            for name, (values, number) in columns.items():
                against = {}
                if reference is not None and name != first and number and reference[1]:
                    with np.errstate(divide="ignore", invalid="ignore"):
                        difference = values / reference[0] - 1.0
                    width = error(difference)
                    if np.isfinite(difference[0]) and width > 0:
                        p_value = normal_p_value(float(difference[0]) / width).value
                        against = {"difference": float(difference[0]), "difference_error": width, "p_value": p_value}
                self._comparison.figures.append(
                    Figure(part, quantity, where, name, float(values[0]), error(values), number, **against)
                )


def _jets(events: FlowEvents, draws: np.ndarray, pt_bins: Sequence[float], samples: _Samples) -> None:
    gen = cluster_jets(events.gen, events.size, LEAST_GEN)
    for name, column in events.columns.items():
        measured = cluster_jets(column.hard, events.size, LEAST_MEASURED)
        found = match(gen, measured)
        for low, high in pairwise(pt_bins):
            where = f"{low:g}-{high:g} GeV"
            inside = gen.central(low, high)
            matched = inside & (found >= 0)
            ratio = measured.pt[found[matched]] / gen.pt[matched]
            event, number = gen.event[matched], int(matched.sum())
            around = quantiles(ratio, event, draws)
            samples.add("jets", "median response", where, around[:, 1], number, column=name)
            samples.add("jets", "resolution", where, relative_width(around), number, column=name)
            mass = measured.mass[found[matched]] - gen.mass[matched]
            samples.add("jets", "mass difference, half width [GeV]", where,
                        half_width(quantiles(mass, event, draws)), number, column=name)  # fmt: skip
            efficiency = shares(found[inside] >= 0, gen.event[inside], draws)
            samples.add("jets", "efficiency", where, efficiency, int(inside.sum()), column=name)
        if calibration := samples.calibrations.get(name):
            jets = (gen, measured, found)
            calibrated_figures(
                calibration, jets, draws, pt_bins, lambda *key, name=name: samples.add(*key, column=name)
            )
        _fakes(measured, events, draws, pt_bins, name, samples)


def _fakes(
    measured: FlowJets, events: FlowEvents, draws: np.ndarray, pt_bins: Sequence[float], name: str, samples: _Samples
) -> None:
    """Measured jets without a generated one of half their pT, or more, near."""
    every = cluster_jets(events.gen, events.size, LEAST_MEASURED)
    found = match(measured, every)
    real = (found >= 0) & (np.append(every.pt, 0.0)[found] > 0.5 * measured.pt)
    for low, high in pairwise(pt_bins):
        inside = measured.central(low, high)
        values = shares(~real[inside], measured.event[inside], draws)
        samples.add("jets", "fake rate", f"{low:g}-{high:g} GeV", values, int(inside.sum()), column=name)


def _recoil(events: FlowEvents, draws: np.ndarray, samples: _Samples) -> None:
    true = _momenta(events.gen, events.size)
    missing = _momenta(events.neutrinos, events.size, limit=np.inf)
    size = np.hypot(*missing)
    some = np.flatnonzero(size > LEAST_MISSING)
    every = np.concatenate([np.arange(events.size)] * 2)
    for name, column in events.columns.items():
        measured = _momenta(column.hard, events.size)
        offsets = np.concatenate(measured - true)
        width = half_width(quantiles(offsets, every, draws))
        samples.add(
            "recoil", "component, half width [GeV]", f"|η| < {SUM_ABS_ETA:g}", width, 2 * events.size, column=name
        )
        if len(some) >= 20:
            along = -(measured * missing).sum(axis=0)[some] / np.square(size[some])
            around = quantiles(along, some, draws)
            where = f"true above {LEAST_MISSING:g} GeV"
            samples.add("missing momentum", "median response", where, around[:, 1], len(some), column=name)
            samples.add(
                "missing momentum", "resolution along it", where, relative_width(around), len(some), column=name
            )


def _momenta(particles: Particles, events: int, limit: float = SUM_ABS_ETA) -> np.ndarray:
    """Σpx and Σpy [2, E] of the particles within the acceptance."""
    inside = np.abs(particles.eta) < limit
    event, pt, phi = particles.event[inside], particles.pt[inside], particles.phi[inside]
    return np.stack([sums(event, pt * turned, events) for turned in (np.cos(phi), np.sin(phi))])
