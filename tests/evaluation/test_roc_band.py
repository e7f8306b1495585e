import numpy as np
import pytest
from sklearn.metrics import roc_curve as sklearn_curve

from e2egraph.errors import InputError
from e2egraph.evaluation.bootstrap import bootstrap
from e2egraph.evaluation.roc_band import efficiency_samples, interval, mistag_samples, roc_band

GRID = np.array([0.01, 0.1, 0.3, 1.0])


def sample(jets=2_000, seed=0):
    rng = np.random.default_rng(seed)
    is_signal = rng.random(jets) < 0.4
    return is_signal, rng.normal(0, 1, jets) + 1.2 * is_signal, rng.uniform(0.2, 2.0, jets)


@pytest.fixture(scope="module")
def jets():
    return sample()


def test_the_band_lies_around_the_weighted_curve_and_ends_in_its_corner(jets):
    is_signal, score, weight = jets
    band = roc_band(is_signal, score, weight, GRID, 200, 3)
    mistag, efficiency, _ = sklearn_curve(is_signal, score, sample_weight=weight)
    np.testing.assert_allclose(band.efficiency, np.interp(GRID, mistag, efficiency), atol=1e-12)
    assert ((band.low <= band.efficiency) & (band.efficiency <= band.high)).all()
    assert band.low[-1] == band.high[-1] == 1
    assert (band.high > band.low)[:-1].all()


def test_the_width_of_the_band_is_the_scatter_of_new_samples(jets):
    efficiencies = []
    for seed in range(100):
        is_signal, score, _ = sample(seed=seed + 1)
        efficiencies.append(roc_band(is_signal, score, None, GRID[:2], 2).efficiency)
    band = roc_band(jets[0], jets[1], None, GRID[:2], 200)
    np.testing.assert_allclose((band.high - band.low) / 2, np.std(efficiencies, axis=0), rtol=0.35)


def test_resamples_are_those_of_the_bootstrap_and_the_same_for_every_score(jets):
    is_signal, score, weight = jets
    samples = efficiency_samples(is_signal, np.stack([score, 2 * score, -score]), weight, GRID[:2], 50, 7)
    assert samples.shape == (3, 50, 2)
    np.testing.assert_array_equal(samples[0], samples[1])
    assert (samples[2] < samples[0]).all()
    expected = bootstrap(is_signal, score, weight, resamples=50, seed=7).signal_efficiency
    np.testing.assert_allclose(samples[0, :, 0], expected, atol=1e-12)


def test_mistag_rates_at_an_efficiency_are_the_inverse_of_efficiencies_at_a_mistag_rate(jets):
    is_signal, score, _ = jets
    rates = mistag_samples(is_signal, score[None], None, np.array([0.5, 0.9]), 40)
    # Equal but for the vertical steps that jets drawn several times make.
    for row in range(3):
        back = efficiency_samples(is_signal, score[None], None, rates[0, row] + 1e-12, 40)
        np.testing.assert_allclose(back[0, row], [0.5, 0.9], atol=0.01)
    low, high = interval(rates[0])
    assert (low < high).all()


def test_a_band_needs_both_classes_and_finite_scores(jets):
    is_signal, score, _ = jets
    with pytest.raises(InputError, match="no background jets"):
        roc_band(np.ones(len(score)), score, None, GRID)
    with pytest.raises(InputError, match="not finite"):
        roc_band(is_signal, np.full(len(score), np.nan), None, GRID)
