import json

import numpy as np
import pytest

from e2egraph.data.table import read_table
from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.baseline import KNOTS, baseline
from e2egraph.evaluation.metrics.roc.curve import roc_curve
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.graphs.storage.verification import sha256_of
from tests.changed_dataset import rewrite
from tests.toy_dataset import write_toy_dataset


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_toy_dataset(tmp_path_factory.mktemp("toy") / "data", 4000, nodes=(0, 1))


def test_the_baseline_finds_the_mass_window_and_does_almost_as_well_as_the_true_densities(data):
    table = read_table(data, extra=("softdrop_mass", "tau32"))
    result = baseline(data)
    mass, tau32 = (table.columns[name][result.numbers].astype(float) for name in ("softdrop_mass", "tau32"))
    is_signal = table.columns["label"][result.numbers] == 1
    # The toy data set's own densities, up to constants (tests/toy_dataset.py): the best possible score.
    log_signal = -0.5 * ((mass - 173) / 15) ** 2 - 0.5 * ((tau32 - 0.5) / 0.15) ** 2 - np.log(15 * np.sqrt(2 * np.pi))
    log_background = -mass / 60 - np.log(60) - 0.5 * ((tau32 - 0.7) / 0.15) ** 2
    best = roc_curve(is_signal, log_signal - log_background).auc
    heavier = roc_curve(is_signal, mass).auc
    assert heavier < result.metrics.figures["auc"]
    assert best - 0.005 < result.metrics.figures["auc"] < best + 0.005
    # Splines of degree 3 on K knots have K + 2 functions, of which the bias takes one.
    assert result.parameters == 2 * (KNOTS + 1) + 1


def test_it_is_evaluated_on_the_split_asked_for(data):
    table = read_table(data)
    np.testing.assert_array_equal(baseline(data, "validation").numbers, table.jets_of("validation"))


def test_a_data_set_without_the_mass_has_no_baseline(tmp_path):
    data = write_toy_dataset(tmp_path / "data", 40)

    def without_mass(clouds):
        jets = {**clouds.jets, "softdrop_mass": np.zeros(len(clouds), np.float32)}
        return PointClouds(jets, clouds.nodes, clouds.offsets)

    for shard in json.loads((data / "manifest.json").read_text())["shards"]:
        path = data / shard["name"]
        rewrite(path, path, without_mass)
    manifest = json.loads((data / "manifest.json").read_text())
    for shard in manifest["shards"]:
        path = data / shard["name"]
        shard |= {"size": path.stat().st_size, "sha256": sha256_of(path)}
    (data / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="no usable 'softdrop_mass'"):
        baseline(data)
