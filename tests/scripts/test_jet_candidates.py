"""``scripts/jet_candidates.py``: its AUC is that of the scores, whatever order their rows stand in."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.scripts import loading


@pytest.mark.parametrize("decimals", [0, 6])
@pytest.mark.parametrize("order", ["tops first", "qcd first", "mixed"])
def test_the_area_is_scikit_learns_where_scores_tie(decimals, order):
    rng = np.random.default_rng(1)
    top = np.repeat([True, False], 400)
    score = np.round(rng.normal(size=800) + top, decimals)
    if order != "tops first":
        rows = np.arange(800)[::-1] if order == "qcd first" else rng.permutation(800)
        top, score = top[rows], score[rows]
    draws = rng.integers(0, 4, (3, 800))
    with loading.script("jet_candidates") as script:
        found = script.areas_of(score, top, draws)
    assert found == pytest.approx([roc_auc_score(top, score, sample_weight=row) for row in draws])
