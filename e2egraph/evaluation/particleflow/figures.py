"""The figures of a comparison of particle flow, and how they come from resamples: errors, seeds, differences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from e2egraph.detector.geometry import Floats
from e2egraph.evaluation.metrics.enough import ENOUGH_JETS, ENOUGH_PASSING
from e2egraph.evaluation.metrics.p_values import student_p_value
from e2egraph.evaluation.metrics.seeds import SeedsPart, seeds_part, whole_error
from e2egraph.evaluation.particleflow.calibration import Calibration
from e2egraph.evaluation.particleflow.columns import RULES
from e2egraph.evaluation.particleflow.resampling import error, finite


@dataclass(frozen=True)
class Figure:
    """One number of a comparison: ``part`` (jets, recoil, …), ``quantity``, ``bin`` in words, ``column``; ``value`` and
    its ``error``; ``number`` of members. Of a network with several ``seeds``, the mean of their values, whose error
    holds their spread.

    With fewer than ``ENOUGH_PASSING`` members there is neither error nor difference: their resamples are few alike.

    Of other columns than the reference: the ``difference`` to it as a share of its value, the error of that, and the
    two-sided p-value of the plain difference, which is the same whichever of the two is the reference (Student's with
    seeds, else normal) and its decimal logarithm; none for fewer than ``ENOUGH_JETS`` members.
    """

    part: str
    quantity: str
    bin: str
    column: str
    value: float
    error: float
    number: int
    seeds: tuple[float, ...] | None = None
    difference: float | None = None
    difference_error: float | None = None
    p_value: float | None = None
    log10_p_value: float | None = None


@dataclass
class Comparison:
    """The figures of ``events`` events, by part, quantity and bin, for each of the ``columns``, and the calibration of
    each column's jets (of each seed's) where there is one. Differences are to the column ``reference``."""

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


class Collected:
    """Figures with their resamples; the ``comparison`` has them, with their differences, after ``finish``."""

    def __init__(self, comparison: Comparison, seeds: Mapping[str, Sequence[str]]) -> None:
        """``seeds``: name of a network → the columns that are its seeds."""
        self.comparison = comparison
        self._seeds = seeds
        self._found: dict[tuple[str, str, str], dict[str, tuple[Floats, int]]] = {}

    def add(self, part: str, quantity: str, where: str, values: Floats, number: int, *, column: str) -> None:
        """The ``values`` [1 + R] of one figure, the sample's first."""
        self._found.setdefault((part, quantity, where), {})[column] = (values, number)

    def finish(self) -> None:
        """Write the figures to the comparison, means over seeds in place of these."""
        first = self.comparison.reference
        for key, columns in self._found.items():
            measured = self._means(columns)
            reference = measured.get(first)
            for name, each in measured.items():
                value = float(each.values[0])
                figure = Figure(*key, name, value, each.error(), each.number, seeds=each.seeds)
                if reference is not None and name != first:
                    figure = _with_difference(figure, each, reference)
                self.comparison.figures.append(figure)

    def _means(self, columns: Mapping[str, tuple[Floats, int]]) -> dict[str, _Measured]:
        group_of = {column: group for group, members in self._seeds.items() for column in members}
        found = {}
        for column, (values, number) in columns.items():
            if (group := group_of.get(column)) is None:
                found[column] = _Measured(values, number)
            elif group not in found and all(name in columns for name in self._seeds[group]):
                members = [columns[name] for name in self._seeds[group]]
                seeds = tuple(float(each[0]) for each, _ in members)
                mean = np.mean([each for each, _ in members], axis=0)
                found[group] = _Measured(mean, max(size for _, size in members), seeds, seeds_part(seeds))
        return found


@dataclass(frozen=True)
class _Measured:
    """A figure of one column: ``values`` [1 + R], the mean over ``seeds`` where there are several."""

    values: Floats
    number: int
    seeds: tuple[float, ...] | None = None
    part: SeedsPart | None = None

    def error(self) -> float:
        if self.number < ENOUGH_PASSING:
            return math.nan
        return whole_error(error(self.values), _known(self.part))[0]


def _known(*parts: SeedsPart | None) -> list[SeedsPart]:
    return [part for part in parts if part is not None]


def _with_difference(figure: Figure, one: _Measured, reference: _Measured) -> Figure:
    """``figure``, of ``one``, with its difference; as it is where that is not defined or has no error."""
    with np.errstate(divide="ignore", invalid="ignore"):
        share = one.values / reference.values - 1.0
    number = min(one.number, reference.number)
    if number < ENOUGH_PASSING or not np.isfinite(share[0]) or not error(share) > 0:
        return figure
    base = float(reference.values[0])
    parts = [each.times(1.0 / base) for each in _known(one.part)]
    parts += [each.times(float(one.values[0]) / base**2) for each in _known(reference.part)]
    figure = replace(figure, difference=float(share[0]), difference_error=whole_error(error(share), parts)[0])
    plain = one.values - reference.values
    if number < ENOUGH_JETS or not error(plain) > 0:
        return figure
    whole, degrees = whole_error(error(plain), _known(one.part, reference.part))
    chance = student_p_value(float(plain[0]) / whole, degrees)
    return replace(figure, p_value=chance.value, log10_p_value=chance.log10)
