import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from scipy.stats import gamma, nbinom, norm, poisson

from e2egraph.evaluation.significance.discovery import discovery_scale
from e2egraph.evaluation.significance.formulas import asimov_limit, asimov_z, exact_z, log_p_value

CASES = [(3.0, 1.0), (10.0, 100.0), (0.4, 0.2), (250.0, 40.0), (1e4, 1e6)]


@pytest.mark.parametrize(("s", "b"), CASES)
def test_asimov_z_is_the_likelihood_ratio_of_the_expected_count(s, b):
    n = s + b
    assert asimov_z(s, b) == pytest.approx(math.sqrt(2 * (n * math.log(n / b) - s)), rel=1e-6)


@pytest.mark.parametrize("r", [0.003, 0.1, 0.7])
@pytest.mark.parametrize(("s", "b"), CASES[:4])
def test_asimov_z_with_uncertainty_is_the_profile_likelihood_ratio_of_an_on_off_experiment(s, b, r):
    tau = 1 / (r**2 * b)
    n, m = s + b, tau * b

    def minus_log(signal, background):
        on, off = signal + background, tau * background
        return on - n * math.log(on) + off - m * math.log(off)

    top = n + b
    fit = minimize_scalar(
        lambda x: minus_log(0.0, x), bounds=(1e-6, top), method="bounded", options={"xatol": 1e-12 * top}
    )
    # Differences of large logarithms leave a few digits.
    assert asimov_z(s, b, r) == pytest.approx(math.sqrt(2 * (fit.fun - minus_log(s, b))), rel=1e-3)


def test_asimov_z_tends_to_s_over_root_b_for_small_signals_without_loss_of_digits():
    for share in (1e-3, 1e-6, 1e-10, 1e-14):
        assert asimov_z(share * 1e6, 1e6) == pytest.approx(share * 1e3, rel=2e-3 * share / 1e-3 + 1e-12)
    below, above = asimov_z(1e-3 * (1 - 1e-9), 1.0), asimov_z(1e-3 * (1 + 1e-9), 1.0)
    assert 0 < above - below < 1e-8


def test_without_signal_there_is_no_significance_and_an_uncertainty_only_lowers_it():
    assert asimov_z(0.0, 5.0) == asimov_z(0.0, 5.0, 0.1) == exact_z(0.0, 5.0) == exact_z(0.0, 5.0, 0.1) == 0.0
    z = [asimov_z(30.0, 50.0, r) for r in (0.0, 1e-4, 0.05, 0.2, 1.0)]
    assert z[0] == pytest.approx(z[1], rel=1e-5)
    assert z == sorted(z, reverse=True)


@pytest.mark.parametrize(("n", "b"), [(1, 0.3), (4, 1.0), (30, 12.5), (150, 100.0), (3, 8.0)])
def test_the_p_value_of_whole_counts_is_the_sum_of_poisson_chances(n, b):
    chance = math.fsum(math.exp(k * math.log(b) - b - math.lgamma(k + 1)) for k in range(n, n + 200))
    assert math.exp(log_p_value(n, b)) == pytest.approx(chance, rel=1e-9)


def test_p_values_below_the_smallest_double_are_the_sum_of_poisson_chances_too():
    for n, b in ((900, 100.0), (20_000, 12_000.0), (400, 1e-3)):
        terms = [k * math.log(b) - b - math.lgamma(k + 1) for k in range(n, n + 2_000)]
        expected = terms[0] + math.log(math.fsum(math.exp(t - terms[0]) for t in terms))
        assert expected < -600
        assert log_p_value(n, b) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("n", "b", "r"), [(4, 1.0, 0.4472), (20, 8.0, 0.3), (130, 100.0, 0.1)])
def test_the_uncertain_background_is_a_poisson_mean_with_a_gamma_distribution(n, b, r):
    prior = gamma(1 / r**2 + 1, scale=r**2 * b)
    integral, _ = quad(lambda mean: poisson.sf(n - 1, mean) * prior.pdf(mean), 0, 12 * b, limit=200)
    assert math.exp(log_p_value(n, b, r)) == pytest.approx(integral, rel=1e-5)


@pytest.mark.parametrize("n", [900, 2_000, 5_000])
def test_with_an_uncertain_background_too_p_values_below_the_smallest_double_are_sums(n):
    expected = logsumexp(nbinom.logpmf(n + np.arange(1_000), 101, 0.5))
    assert log_p_value(n, 100.0, 0.1) == pytest.approx(expected, rel=1e-9)


def test_the_published_example_of_z_bi_is_met():
    # Cousins, Linnemann, Tucker, table 1: 4 counts on, 5 off, τ = 5: Z_Bi = 1.66.
    assert -norm.ppf(math.exp(log_p_value(4, 1.0, 1 / math.sqrt(5)))) == pytest.approx(1.66, abs=0.005)


# The second count of an on/off experiment is 1/r², few for a large uncertainty.
@pytest.mark.parametrize(("r", "tolerance"), [(0.0, 0.01), (0.005, 0.01), (0.05, 0.06)])
def test_exact_and_asimov_agree_for_many_events_and_part_for_few(r, tolerance):
    s, b = np.array([300.0, 1e5]), np.array([1e4, 1e6])
    np.testing.assert_allclose(exact_z(s, b, r), asimov_z(s, b, r), rtol=tolerance)
    assert abs(exact_z(2.0, 0.5, r) - asimov_z(2.0, 0.5, r)) > 0.05


def test_exact_z_rises_with_the_signal_through_the_end_of_double_precision():
    s = np.linspace(0.0, 2_000.0, 4_001)
    for r in (0.0, 0.02):
        z = exact_z(s, 500.0, r)
        assert np.isfinite(z).all()
        assert (np.diff(z[z > 0]) > 0).all()
        # No step where the series takes over.
        assert np.diff(z[z > 0]).max() < 0.05


def test_what_has_no_significance_is_refused():
    for arguments in ((1.0, 0.0), (1.0, -1.0), (-1.0, 1.0), (1.0, 1.0, -0.1), (float("nan"), 1.0)):
        for function in (asimov_z, exact_z):
            with pytest.raises(ValueError, match="background > 0"):
                function(*arguments)


def test_with_a_relative_uncertainty_significance_saturates_at_its_limit():
    for ratio in (1e-4, 0.05, 2.0):
        assert asimov_z(ratio * 1e13, 1e13, 0.02) == pytest.approx(float(asimov_limit(ratio, 0.02)), rel=1e-4)
    assert asimov_limit(0.1, 0.0) == np.inf
    assert asimov_limit(0.0, 0.0) == asimov_limit(0.0, 0.1) == 0.0


def test_the_luminosity_of_a_discovery_is_where_the_best_selection_has_five_sigma():
    s, b = np.array([1.0, 20.0, 90.0]), np.array([0.5, 300.0, 20_000.0])
    for r in (0.0, 0.01, 0.1):
        scale, best = discovery_scale(s, b, r)
        z = asimov_z(scale * s, scale * b, r)
        assert z.max() == pytest.approx(5.0, abs=1e-6)
        assert best == z.argmax()
    scale, _ = discovery_scale(s[1:2], b[1:2], 0.0)
    assert scale == pytest.approx(25 / asimov_z(20.0, 300.0) ** 2)
    assert discovery_scale(s[2:], b[2:], 0.01) is None
    assert discovery_scale(np.zeros(1), np.ones(1), 0.0) is None
