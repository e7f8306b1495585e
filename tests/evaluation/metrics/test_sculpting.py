import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.sculpting import divergence, mass_sculpting
from e2egraph.plots.classification.sculpting import plot_sculpting


def background(jets=4000, seed=0, pull=1.0):
    """Masses and a score that prefers those near 170 GeV by ``pull``."""
    rng = np.random.default_rng(seed)
    mass = rng.exponential(70.0, jets)
    return mass, rng.normal(0, 1, jets) - pull * np.abs(mass - 170) / 50


def test_the_divergence_is_scipys_in_bits():
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(8), 2)
    q[3] = 0
    q /= q.sum()
    assert divergence(p, q) == pytest.approx(jensenshannon(p, q, base=2) ** 2)
    assert divergence(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1.0
    assert divergence(p, p) == 0.0


def test_spectra_are_those_of_all_jets_and_of_the_highest_tenth():
    mass, score = background()
    result = mass_sculpting(mass, score)
    edges = [np.inf if edge is None else edge for edge in result.edges]
    highest = np.argsort(-score)[:400]
    before, after = (np.histogram(values, edges)[0] / len(values) for values in (mass, mass[highest]))
    np.testing.assert_allclose(result.before, before)
    np.testing.assert_allclose(result.after, after)
    np.testing.assert_allclose(result.after_error, np.sqrt(after / 400))
    assert result.jensen_shannon_bits == pytest.approx(jensenshannon(before, after, base=2) ** 2)
    assert (result.background_jets, result.passing_jets, result.background_efficiency) == (4000, 400, 0.1)
    assert result.limit is None


def test_the_error_is_the_spread_between_independent_samples():
    spread = np.std([mass_sculpting(*background(1500, seed), resamples=2).jensen_shannon_bits for seed in range(100)])
    errors = [mass_sculpting(*background(1500, seed), resamples=100).jensen_shannon_bits_error for seed in range(8)]
    assert np.mean(errors) == pytest.approx(spread, rel=0.25)


def test_a_score_that_does_not_know_the_mass_has_the_divergence_of_a_blind_cut():
    blind = [mass_sculpting(*background(2000, seed, pull=0.0), resamples=20) for seed in range(40)]
    found = [result.jensen_shannon_bits for result in blind]
    expected = np.mean([result.jensen_shannon_bits_unsculpted for result in blind])
    spread = np.mean([result.jensen_shannon_bits_unsculpted_spread for result in blind])
    assert np.mean(found) == pytest.approx(expected, rel=0.1)
    assert np.std(found) == pytest.approx(spread, rel=0.4)
    assert mass_sculpting(*background(2000), resamples=20).jensen_shannon_bits > expected + 10 * spread


def test_weights_count_as_jets():
    mass, score = background(1500)
    weight = np.random.default_rng(2).integers(1, 4, 1500)
    one = mass_sculpting(mass, score, weight.astype(float), resamples=5)
    other = mass_sculpting(np.repeat(mass, weight), np.repeat(score, weight), resamples=5)
    np.testing.assert_allclose(one.after, other.after)
    assert one.jensen_shannon_bits == pytest.approx(other.jensen_shannon_bits)


def test_few_jets_are_said_and_what_makes_no_sense_is_refused():
    mass, score = background(300)
    assert mass_sculpting(mass, score).limit == "only 30 background objects pass the cut of the softdrop_mass spectrum"
    for arguments, message in [
        ((mass[:0], score[:0]), "no background objects"),
        ((mass, np.ones(300)), "no cut on the score leaves at most 10%"),
        ((mass, np.where(score > 0, np.nan, score)), "a score that is not finite"),
        ((np.where(mass > 200, np.nan, mass), score), "a softdrop_mass that is not finite"),
        ((mass, score, -np.ones(300)), "negative"),
        ((mass, score, np.zeros(300)), "all are zero"),
    ]:
        with pytest.raises(InputError, match=message):
            mass_sculpting(*arguments)
    # Of ten jets one passes; a resample that draws it twice has no such cut.
    assert mass_sculpting(mass[:10], score[:10]).jensen_shannon_bits_error is None


def test_the_plot_is_drawn_again_with_the_same_bytes(tmp_path):
    sculpting = mass_sculpting(*background(500), resamples=10)
    paths, again = (plot_sculpting(sculpting, tmp_path / stem, "label") for stem in ("one", "two"))
    assert [path.name for path in paths] == ["one.png", "one.pdf"]
    for path, other in zip(paths, again, strict=True):
        assert path.read_bytes() == other.read_bytes()
        assert path.stat().st_size > 5000


def test_too_few_jets_for_the_cut_are_told_apart_from_scores_that_are_shared():
    with pytest.raises(InputError, match=r"9 .* of background are too few to let 10% of them pass: the one of highest"):
        mass_sculpting(np.linspace(10, 100, 9), np.linspace(0, 1, 9))
    with pytest.raises(InputError, match="its highest score is shared by more"):
        mass_sculpting(np.linspace(10, 100, 9), np.ones(9))
