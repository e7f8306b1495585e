"""All figures of a comparison: jets, recoil and missing momentum, particles, pile-up; paired errors over events."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from e2egraph.errors import UsageError
from e2egraph.evaluation.particleflow.calibration import calibrate, calibrated_figures
from e2egraph.evaluation.particleflow.columns import RULES, FlowEvents, Particles
from e2egraph.evaluation.particleflow.figures import Collected, Comparison
from e2egraph.evaluation.particleflow.jets import (
    LEAST_GEN,
    LEAST_MEASURED,
    FlowJets,
    cluster_jets,
    match,
)
from e2egraph.evaluation.particleflow.particles import particle_figures, pile_up_figures
from e2egraph.evaluation.particleflow.resampling import (
    event_draws,
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
    names = events.names
    if reference not in names:
        raise UsageError(f"--reference {reference}: there is no such column; choose one of {', '.join(names)}.")
    draws = event_draws(events.size, resamples)
    found = Comparison(events.size, names, reference)
    if calibrate_on is not None:
        found.calibrations = calibrate(calibrate_on, resamples, pt_bins)
    samples = Collected(found, events.seeds)
    _jets(events, draws, pt_bins, samples)
    _recoil(events, draws, samples)
    for name, column in events.columns.items():
        particle_figures(events, column, draws, lambda *key, name=name: samples.add(*key, column=name))
        pile_up_figures(events, name, column, draws, lambda *key, name=name: samples.add(*key, column=name))
    samples.finish()
    return found


def _jets(events: FlowEvents, draws: np.ndarray, pt_bins: Sequence[float], samples: Collected) -> None:
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
        if calibration := samples.comparison.calibrations.get(name):
            jets = (gen, measured, found)
            calibrated_figures(
                calibration, jets, draws, pt_bins, lambda *key, name=name: samples.add(*key, column=name)
            )
        _fakes(measured, events, draws, pt_bins, name, samples)


def _fakes(
    measured: FlowJets, events: FlowEvents, draws: np.ndarray, pt_bins: Sequence[float], name: str, samples: Collected
) -> None:
    """Measured jets without a generated one of half their pT, or more, near."""
    every = cluster_jets(events.gen, events.size, LEAST_MEASURED)
    found = match(measured, every)
    real = (found >= 0) & (np.append(every.pt, 0.0)[found] > 0.5 * measured.pt)
    for low, high in pairwise(pt_bins):
        inside = measured.central(low, high)
        values = shares(~real[inside], measured.event[inside], draws)
        samples.add("jets", "fake rate", f"{low:g}-{high:g} GeV", values, int(inside.sum()), column=name)


def _recoil(events: FlowEvents, draws: np.ndarray, samples: Collected) -> None:
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
