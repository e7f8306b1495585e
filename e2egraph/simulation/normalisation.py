"""σ·ε of a production, and what each of its events stands for in pb."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from e2egraph.config import changed, digest
from e2egraph.detector.geometry import Floats
from e2egraph.errors import InputError
from e2egraph.simulation.generation.eventfilter import EventFilter
from e2egraph.simulation.generation.process import ProcessConfig


@dataclass(frozen=True)
class Efficiency:
    """Share of the generated events, by their weights, that pass the filter, and its uncertainty."""

    value: float
    error: float


@dataclass(frozen=True)
class Normalisation:
    """``cross_section`` of the process before the filter [pb], the filter's ``efficiency``, and ``weights`` [E] of the
    events written [pb]: they add up to σ·ε, so that times a luminosity [1/pb] they are expected events."""

    cross_section: float
    efficiency: Efficiency
    weights: Floats

    @property
    def after_filter(self) -> float:
        """σ·ε [pb]."""
        return self.cross_section * self.efficiency.value


def filter_efficiency(counts: EventFilter | None) -> Efficiency:
    """The efficiency ε of a filter from its counts; 1 without one.

    Its variance is that of a ratio of sums of weights, ((1 − ε)² Σ w² of events that pass + ε² Σ w² of all others) over
    (Σ w)²; ε(1 − ε)/n without weights. InputError when the weights add up to nothing.
    """
    if counts is None:
        return Efficiency(1.0, 0.0)
    if not counts.tried_weight > 0:
        raise InputError(
            f"generator.filter: the weights of {counts.tried} generated events add up to {counts.tried_weight:g}, of "
            "which no share passes; leave out cross_section."
        )
    value = counts.kept_weight / counts.tried_weight
    failing = counts.tried_square - counts.kept_square
    variance = (1.0 - value) ** 2 * counts.kept_square + value**2 * failing
    return Efficiency(value, float(np.sqrt(variance)) / counts.tried_weight)


def normalise(
    process: ProcessConfig, generated: Floats, counts: EventFilter | None, pythia_pb: float, origin: str
) -> Normalisation | None:
    """The normalisation of events with the generator's weights ``generated`` [E]; None for a process that states no
    cross-section.

    ``pythia_pb``: Pythia's estimate of its cross-section [pb]. InputError, naming ``origin``, when there is none, or
    the weights add up to nothing.
    """
    given = process.cross_section
    if given is None:
        return None
    cross_section = given.pb if given.pb is not None else given.k_factor * pythia_pb
    if not (np.isfinite(cross_section) and cross_section > 0):
        raise InputError(f"{origin}: Pythia gives no cross-section ({cross_section:g} pb); state cross_section.pb.")
    total = float(generated.sum())
    if not total > 0:
        raise InputError(
            f"{origin}: the generator's weights add up to {total:g}, by which the cross-section cannot be shared out; "
            "leave out cross_section."
        )
    efficiency = filter_efficiency(counts)
    return Normalisation(cross_section, efficiency, generated * (cross_section * efficiency.value / total))


def generation_record(
    process: ProcessConfig, counts: EventFilter | None, pythia_pb: float, found: Normalisation | None
) -> dict[str, float | str]:
    """What is stored of how the events were generated, for σ·ε and for putting files together; arguments as of
    ``normalise``, whose result is ``found``."""
    content: dict[str, float | str] = {}
    if counts is not None:
        content |= {"tried": counts.tried, "kept": counts.kept}
    if process.generator.gun is None:
        content["cross_section_pb"] = pythia_pb
    if found is not None:
        content |= {
            "used_cross_section_pb": found.cross_section,
            "filter_efficiency": found.efficiency.value,
            "filter_efficiency_error": found.efficiency.error,
            "after_filter_pb": found.after_filter,
            "events": len(found.weights),
            "production": identity(process),
        }
    return content


def identity(process: ProcessConfig) -> str:
    """Hash of what decides which events are generated and with which cross-section; files that share it and differ in
    their seeds are of one production.

    Keys at their defaults do not count, so that those that a later version adds change no hash. The settings do not
    count where the cross-section names its production.
    """
    cross_section = None if process.cross_section is None else changed(process.cross_section)
    if cross_section and "production" in cross_section:
        return digest({"cross_section": cross_section})
    return digest({"generator": changed(process.generator), "cross_section": cross_section})
