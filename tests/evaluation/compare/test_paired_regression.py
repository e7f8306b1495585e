"""Paired differences of regressions against direct formulas, and their errors against new samples."""

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from e2egraph.errors import InputError
from e2egraph.evaluation.compare.paired_regression import PairedTarget, paired_regression
from e2egraph.evaluation.compare.paired_result import Contender

TWO = [Contender("a", (0,)), Contender("b", (1,))]


def sample(seed=0, jets=2000, rows=(0.10, 0.10)):
    """``rows``: the relative spread of each prediction; half of every error is common to all."""
    rng = np.random.default_rng(seed)
    true = rng.uniform(100, 400, jets)
    common = rng.normal(0, 1, jets)
    errors = [spread * (0.9 * common + np.sqrt(1 - 0.81) * rng.normal(0, 1, jets)) for spread in rows]
    return true, true * (1 + np.stack(errors))


def difference(result, figure, name="b"):
    return next(one for one in result.differences if (one.name, one.figure) == (name, figure))


def test_every_figure_has_a_difference_that_is_that_of_the_formulas():
    true, predicted = sample(rows=(0.1, 0.12))
    weight = np.random.default_rng(1).exponential(1, len(true))
    result = paired_regression([PairedTarget(true, predicted)], weight, TWO, resamples=200)
    assert result.weighted
    assert [one.figure for one in result.differences] == [
        "response",
        "resolution",
        "bias",
        "mae",
        "mean_relative_error",
    ]
    error = np.abs(predicted - true)
    expected = np.average(error[1], weights=weight) - np.average(error[0], weights=weight)
    mae = difference(result, "mae")
    assert mae.difference == pytest.approx(expected)
    assert mae.ratio == pytest.approx(np.average(error[1], weights=weight) / np.average(error[0], weights=weight))
    # The error of a weighted mean of the differences jet by jet: Σw²(d − d̄)² / (Σw)².
    change = error[1] - error[0]
    direct = np.sqrt(np.sum((weight * (change - expected)) ** 2)) / weight.sum()
    assert mae.error == pytest.approx(direct, rel=0.15)
    assert mae.p_value.value == pytest.approx(2 * norm.sf(abs(expected) / mae.error))
    assert difference(result, "bias").ratio is None


def test_the_error_of_a_difference_is_its_spread_between_new_samples_and_smaller_than_unpaired():
    found = [paired_regression([PairedTarget(*sample(seed, 600))], None, TWO, resamples=2) for seed in range(150)]
    result = paired_regression([PairedTarget(*sample(999, 600))], None, TWO, resamples=300)
    for name in ("mae", "resolution", "bias"):
        spread = np.std([difference(one, name).difference for one in found])
        assert difference(result, name).error == pytest.approx(spread, rel=0.3), name
    of_one = next(one.error for one in result.standings if (one.name, one.figure) == ("a", "mae"))
    assert difference(result, "mae").error < 0.7 * np.sqrt(2) * of_one


def test_p_values_of_equal_networks_are_uniform():
    values = [
        difference(paired_regression([PairedTarget(*sample(seed, 300))], None, TWO, resamples=100), "mae").p_value.value
        for seed in range(120)
    ]
    assert 0.35 < np.mean(values) < 0.65
    assert np.mean(np.array(values) < 0.1) < 0.2


def test_seeds_add_their_spread_with_welchs_degrees_of_freedom():
    true, predicted = sample(rows=(0.10, 0.11, 0.12, 0.13))
    contenders = [Contender("a", (0, 1)), Contender("b", (2, 3))]
    mae = difference(paired_regression([PairedTarget(true, predicted)], None, contenders, resamples=200), "mae")
    values = np.abs(predicted - true).mean(axis=1)
    assert mae.difference == pytest.approx(values[2:].mean() - values[:2].mean())
    seeds = np.sqrt(values[:2].var(ddof=1) / 2 + values[2:].var(ddof=1) / 2)
    assert mae.error_seeds == pytest.approx(seeds)
    assert mae.error == pytest.approx(np.hypot(mae.error_jets, seeds))
    assert mae.p_value.value == pytest.approx(2 * student.sf(abs(mae.difference) / mae.error, mae.degrees_of_freedom))


def test_targets_are_told_apart_and_negative_ones_have_no_relative_figures():
    true, predicted = sample()
    result = paired_regression(
        [PairedTarget(true, predicted), PairedTarget(-true, -predicted, "_charge", "charge")], None, TWO, resamples=20
    )
    names = [one.figure for one in result.differences]
    assert names[-2:] == ["bias_charge", "mae_charge"]
    assert "resolution_charge" not in names
    assert difference(result, "mae_charge").difference == pytest.approx(difference(result, "mae").difference)
    assert difference(result, "mae_charge").error == pytest.approx(difference(result, "mae").error)
    assert "no relative resolution of charge: some prediction has none" in result.limits
    assert any("relative figures of charge leave out 2000 of 2000" in limit for limit in result.limits)


def test_a_difference_whose_error_some_resamples_do_not_have_says_so():
    # Medians about zero, so that some resamples have no relative resolution.
    true = np.full(200, 1.0)
    predicted = np.stack([np.linspace(-1.0, 1.01, 200), np.linspace(0.5, 1.5, 200)])
    result = paired_regression([PairedTarget(true, predicted)], None, TWO, resamples=200)
    found = difference(result, "resolution")
    assert found.error is None and found.p_value is None
    assert "b against a: no error of resolution, which some resamples of the objects do not have" in result.limits
    assert difference(result, "mae").error > 0


def test_targets_of_other_jets_are_refused():
    true, predicted = sample()
    with pytest.raises(InputError, match="targets of 1999 and 2000 objects"):
        paired_regression([PairedTarget(true, predicted), PairedTarget(true[1:], predicted[:, 1:])], None, TWO)
