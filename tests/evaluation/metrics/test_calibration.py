import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score

from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.calibration import BINS, accuracy, calibration


def calibrated(jets, seed=0):
    rng = np.random.default_rng(seed)
    probability = rng.beta(0.5, 0.8, jets)
    return rng.random(jets) < probability, probability


def test_the_reliability_curve_is_scikit_learns():
    is_signal, probability = calibrated(2000)
    fraction, mean = calibration_curve(is_signal, probability, n_bins=BINS, strategy="uniform")
    bins = calibration(is_signal, probability).reliability
    np.testing.assert_allclose([b.signal_fraction for b in bins], fraction)
    np.testing.assert_allclose([b.mean_score for b in bins], mean)
    assert sum(b.jets for b in bins) == 2000


def test_the_error_sums_the_bins_by_their_weight():
    is_signal, probability = calibrated(900)
    weight = np.random.default_rng(1).integers(0, 4, 900)
    result = calibration(is_signal, probability, weight.astype(float))
    again = np.repeat(np.arange(900), weight)
    expected = calibration(is_signal[again], probability[again])
    assert result.expected_calibration_error == pytest.approx(expected.expected_calibration_error)
    bins = [b for b in expected.reliability if b.jets]
    by_hand = sum(b.jets * abs(b.signal_fraction - b.mean_score) for b in bins) / weight.sum()
    assert result.expected_calibration_error == pytest.approx(by_hand)
    for one, other in zip(result.reliability, expected.reliability, strict=True):
        assert one.signal_fraction == pytest.approx(other.signal_fraction)


def test_calibrated_probabilities_give_the_error_that_is_said_to_be_expected_of_them():
    results = [calibration(*calibrated(1500, seed), resamples=2) for seed in range(40)]
    found = np.array([result.expected_calibration_error for result in results])
    expected = np.mean([result.expected_calibration_error_if_calibrated for result in results])
    assert found.mean() == pytest.approx(expected, rel=0.1)
    is_signal, probability = calibrated(1500)
    overconfident = np.clip(2 * probability - 0.5, 0, 1)
    worse = calibration(is_signal, overconfident)
    assert worse.expected_calibration_error > 5 * worse.expected_calibration_error_if_calibrated


def test_the_bootstrap_error_of_a_bad_calibration_is_its_spread():
    def overconfident(seed, resamples):
        is_signal, probability = calibrated(1500, seed)
        return calibration(is_signal, np.clip(2 * probability - 0.5, 0, 1), resamples=resamples)

    spread = np.std([overconfident(seed, 2).expected_calibration_error for seed in range(100)])
    error = np.mean([overconfident(seed, 100).expected_calibration_error_error for seed in range(10)])
    # Resamples keep the number of signal jets, which these samples do not.
    assert 0.5 * spread < error < 1.3 * spread


def test_empty_bins_have_no_fraction_and_a_probability_of_one_is_in_the_last():
    result = calibration(np.array([True, False]), np.array([1.0, 0.0]))
    assert result.expected_calibration_error == 0.0
    assert [b.jets for b in result.reliability] == [1] + [0] * (BINS - 2) + [1]
    assert result.reliability[1].signal_fraction is None


def test_scores_that_are_no_probabilities_are_refused():
    with pytest.raises(InputError, match="1 of 2 scores are no probabilities"):
        calibration(np.array([True, False]), np.array([1.2, 0.1]))
    with pytest.raises(InputError, match="no background objects"):
        calibration(np.array([True, True]), np.array([0.2, 0.1]))


def test_the_accuracy_is_scikit_learns_with_a_binomial_error():
    rng = np.random.default_rng(0)
    label, probabilities, weight = rng.integers(0, 3, 500), rng.dirichlet(np.ones(3), 500), rng.exponential(1, 500)
    predicted = probabilities.argmax(1)
    value, error = accuracy(label, probabilities)
    assert value == pytest.approx(accuracy_score(label, predicted))
    assert error == pytest.approx(np.sqrt(value * (1 - value) / 500))
    weighted, error_weighted = accuracy(label, probabilities, weight)
    assert weighted == pytest.approx(accuracy_score(label, predicted, sample_weight=weight))
    assert error_weighted > error
