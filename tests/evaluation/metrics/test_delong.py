import mpmath
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.bootstrap import bootstrap
from e2egraph.evaluation.metrics.p_values import SMALLEST, PValue, normal_p_value, student_p_value
from e2egraph.evaluation.metrics.roc.delong import delong


@pytest.fixture
def jets():
    """Three correlated scores with ties."""
    rng = np.random.default_rng(5)
    is_signal = rng.random(600) < 0.4
    common = rng.normal(is_signal * 1.2, 1.0)
    return is_signal, np.round([common + rng.normal(0, width, 600) for width in (0.3, 0.5, 1.0)], 1)


def by_definition(is_signal, scores):
    """The structural components of the paper, pair by pair."""
    v10, v01 = [], []
    for score in scores:
        signal, background = score[is_signal][:, None], score[~is_signal]
        wins = (signal > background) + 0.5 * (signal == background)
        v10.append(wins.mean(axis=1))
        v01.append(wins.mean(axis=0))
    return np.cov(v10) / is_signal.sum() + np.cov(v01) / (~is_signal).sum()


def test_areas_are_scikit_learns_and_the_covariance_is_that_of_the_papers_definition(jets):
    is_signal, scores = jets
    result = delong(is_signal, scores)
    np.testing.assert_allclose(result.auc, [roc_auc_score(is_signal, score) for score in scores])
    np.testing.assert_allclose(result.covariance, by_definition(is_signal, scores), rtol=1e-10)


def test_errors_of_an_area_and_of_a_difference_agree_with_the_bootstraps(jets):
    is_signal, scores = jets
    samples = [bootstrap(is_signal, score, resamples=2000).auc for score in scores]
    result = delong(is_signal, scores)
    np.testing.assert_allclose(result.error, [sample.std(ddof=1) for sample in samples], rtol=0.08)
    value, error, p_value = result.difference(0, 2)
    assert value == pytest.approx(result.auc[0] - result.auc[2])
    assert error == pytest.approx((samples[0] - samples[2]).std(ddof=1), rel=0.08)
    assert p_value == normal_p_value(value / error)


def test_without_a_true_difference_p_values_are_uniform():
    rng = np.random.default_rng(7)
    is_signal = np.arange(400) < 150
    p_values = []
    for _ in range(400):
        common = rng.normal(is_signal * 1.0, 1.0)
        scores = common + rng.normal(0, 0.7, (2, 400))
        p_values.append(delong(is_signal, scores).difference(0, 1)[2].value)
    shares = [np.mean(np.array(p_values) < level) for level in (0.1, 0.5, 0.9)]
    np.testing.assert_allclose(shares, [0.1, 0.5, 0.9], atol=0.06)


def test_equal_scores_differ_by_nothing_with_certainty_and_a_difference_without_error_has_no_p_value(jets):
    is_signal, scores = jets
    value, error, p_value = delong(is_signal, np.stack([scores[0], scores[0]])).difference(0, 1)
    assert (value, p_value.value) == (0.0, 1.0)
    assert error == pytest.approx(0.0, abs=1e-9)
    perfect_and_constant = np.stack([is_signal.astype(float), np.zeros(len(is_signal))])
    assert delong(is_signal, perfect_and_constant).difference(0, 1) == (0.5, 0.0, None)


@pytest.mark.parametrize(
    ("is_signal", "scores", "message"),
    [
        ([True] * 4, [[0.1, 0.2, 0.3, 0.4]], "no background objects"),
        ([True, False, False, False], [[0.1, 0.2, 0.3, 0.4]], "at least two signal"),
        ([True, True, False, False], [[0.1, 0.2, 0.3, 0.4], [0.1, np.nan, 0.3, 0.4]], "1 of 4 scores are not finite"),
    ],
)
def test_what_has_no_error_is_refused(is_signal, scores, message):
    with pytest.raises(InputError, match=message):
        delong(np.array(is_signal), np.array(scores))


@pytest.mark.parametrize("z", [0.0, 0.7, -3.0, 12.0, 45.0, -200.0])
def test_normal_p_values_are_erfc_to_any_depth(z):
    exact = mpmath.erfc(abs(z) / mpmath.sqrt(2))
    p_value = normal_p_value(z)
    assert p_value.log10 == pytest.approx(float(mpmath.log10(exact)), rel=1e-12, abs=1e-15)
    assert p_value.value == pytest.approx(max(float(exact), SMALLEST), rel=1e-9)


@pytest.mark.parametrize(("t", "degrees"), [(1.0, 3.0), (-50.0, 4.5), (60.0, 1000.0), (45.0, 1e5), (1e90, 8.0)])
def test_student_p_values_are_the_incomplete_beta_function_to_any_depth(t, degrees):
    with mpmath.workdps(40):
        x = degrees / (degrees + mpmath.mpf(t) ** 2)
        exact = mpmath.betainc(mpmath.mpf(degrees) / 2, 0.5, 0, x, regularized=True)
        assert student_p_value(t, degrees).log10 == pytest.approx(float(mpmath.log10(exact)), rel=1e-8)
    assert student_p_value(0.0, degrees).value == 1.0
    assert student_p_value(2.0, float("inf")) == normal_p_value(2.0)


def test_p_values_read_well():
    assert [str(normal_p_value(z)) for z in (0, 2, 6, 100)] == ["1", "0.046", "2e-09", "2.7e-2174"]
    # Rounded up to the next power of ten.
    assert [str(PValue(SMALLEST, log10)) for log10 in (-400.0, -400.001, -400.03)] == ["1.0e-400"] * 2 + ["9.3e-401"]
