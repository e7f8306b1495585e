import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_curve as sklearn_curve

from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.bootstrap import draws
from e2egraph.evaluation.metrics.roc.band import interval, mistag_samples, roc_band
from e2egraph.evaluation.metrics.roc.curve import roc_curve

EFFICIENCIES = np.array([0.1, 0.5, 0.9, 1.0])


def sample(jets=2_000, seed=0):
    rng = np.random.default_rng(seed)
    is_signal = rng.random(jets) < 0.4
    return is_signal, rng.normal(0, 1, jets) + 1.2 * is_signal, rng.uniform(0.2, 2.0, jets)


def mistags(is_signal, score, weight):
    """Where scikit-learn's curve first reaches each efficiency, on the straight line from the point before."""
    x, y, _ = sklearn_curve(is_signal, score, sample_weight=weight, drop_intermediate=False)
    found = []
    for efficiency in EFFICIENCIES:
        after = next(place for place, reached in enumerate(y) if reached >= efficiency - 1e-12)
        share = (efficiency - y[after - 1]) / (y[after] - y[after - 1])
        found.append(x[after - 1] + share * (x[after] - x[after - 1]))
    return found


@pytest.fixture(scope="module")
def jets():
    return sample()


@pytest.mark.parametrize("weighted", [False, True])
def test_samples_are_mistag_rates_of_the_curves_of_resampled_jets(jets, weighted):
    is_signal, score, weight = jets
    # Rounded, so that jets share scores and curves have slanted parts.
    score = np.round(score, 1)
    samples = mistag_samples(is_signal, score[None], weight if weighted else None, EFFICIENCIES, 20, 7)
    assert samples.shape == (1, 20, len(EFFICIENCIES))
    times = np.concatenate(list(draws(is_signal, 20, 7)))
    expected = [mistags(is_signal, score, drawn * (weight if weighted else 1.0)) for drawn in times]
    np.testing.assert_allclose(samples[0], expected, atol=1e-9)
    assert len(np.unique(samples[0, :, 1])) > 10


def test_every_score_sees_the_same_resamples(jets):
    is_signal, score, weight = jets
    samples = mistag_samples(is_signal, np.stack([score, 2 * score, -score]), weight, EFFICIENCIES[:3], 50, 7)
    np.testing.assert_array_equal(samples[0], samples[1])
    assert (samples[2] > samples[0]).all()


def test_the_interval_of_normal_numbers_is_one_standard_deviation_to_either_side():
    numbers = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    samples = np.random.default_rng(0).permutation(numbers)[:, None] * [1.0, 3.0] + [0.0, 5.0]
    low, high = interval(samples)
    np.testing.assert_allclose(low, [-1.0, 2.0], atol=1e-3)
    np.testing.assert_allclose(high, [1.0, 8.0], atol=1e-3)


def test_the_width_of_the_interval_is_the_scatter_of_new_samples(jets):
    new = [mistags(*sample(seed=seed + 1)[:2], None) for seed in range(100)]
    low, high = interval(mistag_samples(jets[0], jets[1][None], None, EFFICIENCIES, 200)[0])
    np.testing.assert_allclose((high - low)[:3] / 2, np.std(new, axis=0)[:3], rtol=0.35)


def test_resamples_need_both_classes_and_finite_scores(jets):
    is_signal, score, _ = jets
    with pytest.raises(InputError, match="no background objects"):
        mistag_samples(np.ones(len(score)), score[None], None, EFFICIENCIES)
    with pytest.raises(InputError, match="not finite"):
        mistag_samples(is_signal, np.full((1, len(score)), np.nan), None, EFFICIENCIES)


def test_the_band_of_a_curve_surrounds_it_and_is_quoted_where_ten_background_jets_pass():
    is_signal = np.arange(1000) < 400
    score = np.random.default_rng(3).normal(is_signal * 1.5, 1.0)
    band = roc_band(is_signal, score)
    curve = roc_curve(is_signal, score)
    assert band.auc == curve.auc
    np.testing.assert_array_equal(band.mistag, [curve.mistag_at(x) for x in band.efficiency])
    np.testing.assert_array_equal(band.quoted, np.round(600 * band.mistag) >= 10)
    inside = (band.low <= band.mistag) & (band.mistag <= band.high)
    assert inside[band.quoted].mean() > 0.9
