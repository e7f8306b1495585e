"""Paired differences in bins: those of the bin's jets alone, as ``paired`` gives them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from e2egraph.data.scores import read_scores, write_scores
from e2egraph.data.table import read_table
from e2egraph.errors import InputError
from e2egraph.evaluation.compare.binned_paired import binned_paired, binned_table, quantity_of
from e2egraph.evaluation.compare.joined import JoinedScores
from e2egraph.evaluation.compare.paired import paired
from e2egraph.evaluation.compare.paired_result import Contender
from e2egraph.evaluation.metrics.figures import AUC, EFFICIENCY
from e2egraph.plots.classification import binned_paired as binned_paired_plot
from e2egraph.plots.classification.binned_paired import plot_differences
from tests.toy_dataset import write_toy_dataset

JETS = 4000
TAGGERS = [Contender("image", (0,)), Contender("graph", (1,))]


@pytest.fixture(scope="module")
def sample():
    """Two taggers of which the second is better at high pT alone; pT [J]."""
    rng = np.random.default_rng(3)
    is_signal, pt = rng.random(JETS) < 0.4, rng.uniform(400.0, 800.0, JETS)
    common = rng.normal(0.0, 1.0, JETS)
    image = common + 1.2 * is_signal + rng.normal(0.0, 0.3, JETS)
    graph = image + np.where(pt > 600.0, 1.5, 0.0) * is_signal
    return JoinedScores(("image", "graph"), is_signal, None, np.stack([image, graph])), pt


def test_a_bins_differences_are_those_of_its_jets(sample):
    jets, pt = sample
    low, high = binned_paired(jets, TAGGERS, pt, edges=np.array([400.0, 600.0, 800.0]), resamples=50)
    inside = pt >= 600.0
    areas = [roc_auc_score(jets.is_signal[inside], score[inside]) for score in jets.scores]
    assert high.difference("graph", AUC).difference == pytest.approx(areas[1] - areas[0])
    assert high.difference("graph", AUC).p_value.log10 < -10
    assert low.difference("graph", AUC).difference == 0.0
    alone = JoinedScores(jets.names, jets.is_signal[inside], None, jets.scores[:, inside])
    assert high.result == paired(alone, TAGGERS, resamples=50)
    assert (low.jets + high.jets, high.signal_jets) == (JETS, int((jets.is_signal & inside).sum()))
    assert high.median == np.median(pt[inside])


def test_quartiles_hold_every_jet_once(sample):
    jets, pt = sample
    bins = binned_paired(jets, TAGGERS, pt, resamples=5)
    assert len(bins) == 4
    assert sum(part.jets for part in bins) == JETS
    assert bins[0].low == pt.min()
    assert bins[-1].high == pt.max()


def test_the_reference_may_be_any_contender(sample):
    jets, pt = sample
    edges = np.array([400.0, 800.0])
    (first,), (second,) = (binned_paired(jets, TAGGERS, pt, number, edges=edges, resamples=5) for number in (0, 1))
    one, other = first.difference("graph", AUC), second.difference("image", AUC)
    assert one.difference == pytest.approx(-other.difference)


def test_weights_are_those_of_the_bins_jets(sample):
    jets, pt = sample
    weight = np.random.default_rng(0).uniform(0.5, 2.0, JETS)
    weighted = JoinedScores(jets.names, jets.is_signal, weight, jets.scores)
    _, high = binned_paired(weighted, TAGGERS, pt, edges=np.array([400.0, 600.0, 800.0]), resamples=50)
    inside = pt >= 600.0
    areas = [
        roc_auc_score(jets.is_signal[inside], score[inside], sample_weight=weight[inside]) for score in jets.scores
    ]
    assert high.difference("graph", AUC).difference == pytest.approx(areas[1] - areas[0])


def test_bins_with_too_little_say_so(sample):
    jets, _ = sample
    values = np.where(jets.is_signal, 1.0, 2.0)
    values[:20] = 0.0
    few, signal, background = binned_paired(jets, TAGGERS, values, edges=np.array([0.0, 1.0, 2.0, 3.0]), resamples=5)
    assert few.limit == "fewer than 100 objects"
    assert signal.limit == background.limit == "fewer than two signal or background objects"
    assert few.difference("graph", AUC) is None
    table = binned_table({"x": [few, signal]})
    assert "fewer than 100 objects" in table


def test_weightless_jets_do_not_count(sample):
    jets, pt = sample
    weight = np.where(jets.is_signal, 0.0, 1.0)
    weight[np.flatnonzero(jets.is_signal)[0]] = 1.0
    weighted = JoinedScores(jets.names, jets.is_signal, weight, jets.scores)
    (only,) = binned_paired(weighted, TAGGERS, pt, edges=np.array([400.0, 800.0]), resamples=5)
    assert only.limit == "fewer than two signal or background objects"


@pytest.mark.parametrize(
    ("values", "words"), [(np.zeros(3), "3 values for 4000 objects"), (np.full(JETS, np.nan), "no finite value")]
)
def test_values_that_are_not_the_jets_are_refused(sample, values, words):
    with pytest.raises(InputError, match=words):
        binned_paired(sample[0], TAGGERS, values)


def test_the_table_gives_each_bin_its_difference_and_p_value(sample):
    jets, pt = sample
    bins = binned_paired(jets, TAGGERS, pt, edges=np.array([400.0, 600.0, 800.0]), resamples=50)
    lines = binned_table({"pT": bins}).splitlines()
    assert len(lines) == 2 + 2 * 2  # two taggers in each bin
    high, standing = bins[1].difference("graph", EFFICIENCY), bins[1].standing("graph", EFFICIENCY)
    for words in (
        f"{high.difference:+.3f} ± {high.error:.3f}",
        str(high.p_value),
        f"{standing.mean:.3f} ± {standing.error:.3f}",
        f"{bins[1].background_jets:,}",
    ):
        assert words in lines[5]
    assert "image" in lines[4] and "–" in lines[4]
    assert binned_table({"pT": bins}, ["graph"]).splitlines()[2:] == lines[3::2]


def test_the_plot_shows_each_bins_difference_at_the_bins_median(sample, tmp_path, monkeypatch):
    jets, pt = sample
    drawn = []
    monkeypatch.setattr(binned_paired_plot, "save", lambda figure, stem: drawn.append(figure) or [])
    parts = binned_paired(jets, TAGGERS, pt, edges=np.array([400.0, 600.0, 900.0, 901.0]), resamples=20)
    plot_differences({"pT": parts}, ["graph"], {AUC: "AUC", EFFICIENCY: "efficiency"}, tmp_path / "bins", "e2egraph")
    upper, lower = drawn[0].axes
    for axes, name in ((upper, AUC), (lower, EFFICIENCY)):
        points = axes.containers[0].lines[0].get_xydata()
        expected = [(part.median, part.difference("graph", name).difference) for part in parts[:2]]
        np.testing.assert_allclose(points, expected)


def test_quantities_are_those_of_the_scored_jets_and_of_no_others(tmp_path):
    table = read_table(write_toy_dataset(tmp_path / "data", 60), extra=("jet_pt",))
    numbers = table.jets_of("test")
    identity = {name: values[numbers] for name, values in table.columns.items() if name not in ("jet_pt", "n_nodes")}
    write_scores(tmp_path / "s.parquet", identity, np.full((len(numbers), 2), 0.5), ("score_qcd", "score_top"))
    scores = read_scores(tmp_path / "s.parquet")
    np.testing.assert_array_equal(quantity_of(scores, table, "jet_pt", "test"), table.columns["jet_pt"][numbers])
    for split in ("train", None):
        with pytest.raises(InputError, match="the scores are of other objects"):
            quantity_of(scores, table, "jet_pt", split)
