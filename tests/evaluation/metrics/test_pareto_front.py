import numpy as np

from e2egraph.evaluation.metrics.pareto_front import pareto_front


def test_the_front_holds_the_points_that_no_other_beats_by_rising_cost():
    points = [tuple(point) for point in np.random.default_rng(1).integers(0, 9, (40, 2)).tolist()]
    expected = {(x, y) for x, y in points if not any((u <= x and v > y) or (u < x and v >= y) for u, v in points)}
    assert [points[place] for place in pareto_front(points)] == sorted(expected)


def test_of_equal_points_the_first_is_named_and_of_none_none():
    assert pareto_front([(2.0, 1.0), (1.0, 1.0), (1.0, 1.0)]) == [1]
    assert pareto_front([]) == []
