"""What no other beats in quality and in cost at once (V. Pareto's optimum)."""

from __future__ import annotations

from collections.abc import Sequence


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Places of the (cost, figure) ``points`` whose figure no other reaches at the same cost or less, by rising cost.

    Of equal points the first.
    """
    best: list[int] = []
    for place in sorted(range(len(points)), key=lambda place: (points[place][0], -points[place][1])):
        if not best or points[place][1] > points[best[-1]][1]:
            best.append(place)
    return best
