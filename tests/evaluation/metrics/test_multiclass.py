import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.multiclass import one_vs_rest, pairwise

CLASSES = ("qcd", "top", "w")


@pytest.fixture
def jets():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, 1200)
    logits = rng.normal(0, 1, (1200, 3)) + 1.5 * np.eye(3)[label]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return label, probabilities, rng.exponential(1.0, 1200)


def test_one_class_against_the_rest_is_scikit_learns(jets):
    label, probabilities, weight = jets
    result = one_vs_rest(label, probabilities, CLASSES, weight)
    expected = roc_auc_score(label, probabilities, multi_class="ovr", average=None, sample_weight=weight)
    np.testing.assert_allclose([result[name].figures["auc"] for name in CLASSES], expected)
    assert result["top"].signal_jets == (label == 1).sum()


def test_a_pair_is_told_apart_by_the_ratio_of_its_probabilities_on_its_own_jets(jets):
    label, probabilities, weight = jets
    result = pairwise(label, probabilities, CLASSES, weight)
    assert list(result) == ["qcd vs top", "qcd vs w", "top vs w"]
    members = label != 0
    ratio = probabilities[members, 1] / probabilities[members, 2]
    expected = roc_auc_score(label[members] == 1, ratio, sample_weight=weight[members])
    assert result["top vs w"].figures["auc"] == pytest.approx(expected)
    assert result["top vs w"].jets == members.sum()
    both_zero = probabilities * (label == 0)[:, None]
    assert pairwise(label, both_zero, CLASSES)["top vs w"].figures["auc"] == 0.5


def test_an_absent_class_is_named(jets):
    label, probabilities, _ = jets
    with pytest.raises(InputError, match="w: there are no signal objects"):
        one_vs_rest(np.minimum(label, 1), probabilities, CLASSES)
    with pytest.raises(InputError, match="qcd vs w: there are no background objects"):
        pairwise(np.minimum(label, 1), probabilities, CLASSES)
