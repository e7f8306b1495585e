"""What no other beats in quality and in cost at once (V. Pareto's optimum)."""

from __future__ import annotations

from collections.abc import Sequence


def pareto_front(points: Sequence[tuple[float, float]], *, highest: bool = True) -> list[int]:
    """Places of the (cost, figure) ``points`` whose figure no other reaches at the same cost or less, by rising cost.

    ``highest``: whether the highest figure is the best. Of equal points the first.
    """
    good = [figure if highest else -figure for _, figure in points]
    best: list[int] = []
    for place in sorted(range(len(points)), key=lambda place: (points[place][0], -good[place])):
        if not best or good[place] > good[best[-1]]:
            best.append(place)
    return best
