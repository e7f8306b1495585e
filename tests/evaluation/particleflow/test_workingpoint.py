"""The efficiency at another column's fake rate, by a cut on the probability."""

import numpy as np
import pytest

from e2egraph.evaluation.particleflow.workingpoint import efficiency_at

DRAWS = np.ones((1, 3), np.int32)


def efficiency(allowed, candidates, sought, draws=DRAWS):
    """``candidates``: (probability, fake, event); ``sought``: (probability, event)."""
    columns = zip(*candidates, strict=True) if candidates else ((), (), ())
    probability, fake, event = (np.array(part, kind) for part, kind in zip(columns, (float, bool, int), strict=True))
    at, at_event = (np.array(part, kind) for part, kind in zip(zip(*sought, strict=True), (float, int), strict=True))
    return efficiency_at(np.full(len(draws), allowed), (probability, fake, event), (at, at_event), draws)


def test_the_lowest_cut_that_the_fake_rate_allows_decides():
    candidates = [(0.9, False, 0), (0.8, False, 0), (0.7, True, 0), (0.6, True, 0)]
    sought = [(0.9, 0), (0.75, 0), (0.65, 0), (-1.0, 0)]
    assert efficiency(0.0, candidates, sought)[0] == 0.25
    assert efficiency(0.34, candidates, sought)[0] == 0.5
    # All are allowed: no cut, though what is sought has candidates of less probability than any that may be a fake.
    assert efficiency(0.5, candidates, [*sought, (0.1, 0)])[0] == 0.8
    assert efficiency(0.0, [(0.9, True, 0)], sought)[0] == 0.0


def test_without_candidates_that_may_be_fakes_there_is_no_cut():
    assert efficiency(0.2, [], [(0.6, 0), (-1.0, 0)])[0] == 0.5
    draws = np.array([[1, 1, 1], [1, 0, 1]], np.int32)
    found = efficiency(0.0, [(0.9, True, 1)], [(0.6, 0), (0.4, 0)], draws)
    assert found.tolist() == [0.0, 1.0]


def test_without_a_fake_rate_to_aim_at_there_is_no_figure():
    assert np.isnan(efficiency(np.nan, [(0.9, False, 0)], [(0.9, 0)])[0])
    assert np.isnan(efficiency(0.5, [(0.9, False, 0)], [(0.9, 0)], np.array([[0, 1, 1]], np.int32))[0])


@pytest.mark.parametrize("allowed", [0.0, 0.3, 0.6])
def test_resamples_find_their_cut_again(allowed):
    rng = np.random.default_rng(5)
    events, draws = 40, np.ones((4, 40), np.int32)
    draws[1:] = rng.multinomial(events, np.full(events, 1 / events), 3)
    probability, fake = rng.uniform(0.2, 1.0, 300), rng.random(300) < 0.4
    event, at, at_event = rng.integers(0, events, 300), rng.uniform(0.0, 1.0, 200), rng.integers(0, events, 200)
    found = efficiency_at(np.full(4, allowed), (probability, fake, event), (at, at_event), draws)
    for row, drawn in enumerate(draws):
        often, wanted = drawn[event], np.repeat(at, drawn[at_event])
        shares = {cut: np.average(fake[probability >= cut], weights=often[probability >= cut])
                  for cut in probability if often[probability >= cut].any()}  # fmt: skip
        cut = min((cut for cut, share in shares.items() if share <= allowed), default=np.inf)
        if shares[min(shares)] <= allowed:
            cut = 0.0
        assert found[row] == pytest.approx((wanted >= cut).mean())
