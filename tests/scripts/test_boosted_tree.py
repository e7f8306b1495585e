"""The boosted tree's variables against a loop over jets; and that `compare` takes it as one more run."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from e2egraph.data.table import read_table
from e2egraph.errors import InputError
from e2egraph.evaluation.compare.evaluated_run import read_evaluated
from e2egraph.graphs.storage.lists import list_table
from e2egraph.graphs.storage.shards import open_shard
from tests.scripts import loading
from tests.toy_dataset import write_toy_dataset

RADIUS = 0.4


@pytest.fixture(scope="module")
def script():
    with loading.script("boosted_tree") as module:
        yield module


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_toy_dataset(tmp_path_factory.mktemp("tree") / "data", 300, nodes=(0, 40))


def mass_of(value, deta, dphi) -> float:
    """m² = Σ over pairs of 2 pT pT′ (cosh Δη − cos Δφ)."""
    pairs = np.cosh(deta[:, None] - deta) - np.cos(dphi[:, None] - dphi)
    return np.sqrt(max((value[:, None] * value * pairs).sum(), 0.0))


def test_variables_are_those_of_the_nodes_near_the_axis(script, data):
    made = script.VARIABLES["jet"]
    table = read_table(data, extra=made.COLUMNS)
    numbers = np.flatnonzero(table.columns["split"] == "train")
    channels = ("TRACK", "ECAL", "HCAL")
    names = (*made.COLUMNS, *made.names(channels))
    found = dict(zip(names, script.object_variables(table, numbers, made, names, channels, RADIUS).T, strict=True))
    shards = [open_shard(data / shard.name).read() for shard in table.manifest.shards]
    jets = [row for clouds in shards for row in list_table(clouds).to_pylist()]
    of_number = {name: table.manifest.numbers[name] for name in ("TRACK", "ECAL", "HCAL")}
    for place, number in enumerate(numbers[:60]):
        jet = jets[number]
        assert found["jet_mass"][place] == pytest.approx(jet["jet_mass"])
        for channel, code in of_number.items():
            chosen = [
                (value, deta, dphi, d0_sig, charge)
                for value, deta, dphi, dz, d0_sig, charge, one in zip(
                    *(jet[name] for name in ("value", "deta", "dphi", "dz", "d0_sig", "charge", "channel")), strict=True
                )
                if one == code
                and np.hypot(deta, dphi) < RADIUS
                and (value > 1.0 and abs(dz) < 0.5 if channel == "TRACK" else value > 0.5)
            ]
            assert found[f"{channel}_number"][place] == len(chosen)
            if not chosen:
                assert found[f"{channel}_width"][place] == found[f"{channel}_hardest"][place] == 0
                continue
            value, deta, dphi, d0_sig, charge = np.array(chosen).T
            total = value.sum()
            expected = {
                "pt_d": np.sqrt((value**2).sum()) / total,
                "width": (value * np.hypot(deta, dphi)).sum() / total,
                "width_eta": np.sqrt(np.average((deta - np.average(deta, weights=value)) ** 2, weights=value)),
                "width_phi": np.sqrt(np.average((dphi - np.average(dphi, weights=value)) ** 2, weights=value)),
                "hardest": value.max() / total,
                "first_three": np.sort(value)[::-1][:3].sum() / total,
                "core": value[np.hypot(deta, dphi) < 0.1].sum() / total,
                "total": total,
                "mass": mass_of(value, deta, dphi),
                "share_of_pt": total / jet["jet_pt"],
            }
            for name, one in expected.items():
                assert found[f"{channel}_{name}"][place] == pytest.approx(one, abs=1e-6), name
            if channel == "TRACK":
                assert found["tracks_displaced"][place] == (np.abs(d0_sig) > 3).sum()
                assert found["tracks_largest_d0_sig"][place] == pytest.approx(np.abs(d0_sig).max())
                assert found["tracks_charge"][place] == pytest.approx((charge * value).sum() / total, abs=1e-6)


def test_the_tree_is_one_more_run_to_compare(script, data, tmp_path, monkeypatch):
    for name, values in (("LEARNING_RATES", (0.1, 0.3)), ("LEAVES", (7,)), ("MOST_TREES", 20)):
        monkeypatch.setattr(script, name, values)
    chosen, value = script.fit(data, tmp_path / "tree", RADIUS, 150, seed=1)
    report = json.loads((tmp_path / "tree" / "metrics.json").read_text())
    assert value == max(one["validation_auc"] for one in report["scan"]) > 0.9
    assert len(report["scan"]) == 2
    assert 1 <= chosen.trees <= 20
    (run,) = read_evaluated([tmp_path / "tree"])
    scores = run.scores()
    assert report["training_jets"] == 150
    assert roc_auc_score(scores.jets["label"], scores.probabilities[:, 1]) == pytest.approx(report["auc"])


def test_variables_can_be_left_out_by_name_or_pattern(script, data, tmp_path, monkeypatch):
    for name, values in (("LEARNING_RATES", (0.3,)), ("LEAVES", (7,)), ("MOST_TREES", 5)):
        monkeypatch.setattr(script, name, values)
    script.fit(data, tmp_path / "tree", RADIUS, 150, seed=1, without=("jet_mass", "tau21", "*_share_of_pt"))
    used = json.loads((tmp_path / "tree" / "metrics.json").read_text())["variables"]
    assert {"jet_pt", "tau32", "TRACK_width"} <= set(used)
    assert not {"jet_mass", "tau21", "TRACK_share_of_pt", "ECAL_share_of_pt"} & set(used)
    with pytest.raises(InputError, match="--without MUON_\\* is no variable; choose out of jet_pt, jet_eta"):
        script.fit(data, tmp_path / "other", RADIUS, 150, seed=1, without=("MUON_*",))


def table_of(folder):
    numbers = {"TRACK": 0, "BPIX1": 1, "ECAL": 9, "HCAL": 10}
    return SimpleNamespace(folder=folder, manifest=SimpleNamespace(configuration={"object": {}}, numbers=numbers))


@pytest.mark.parametrize(
    ("kind", "channels", "radius", "said"),
    [
        ("event", ("TRACK",), None, "--channels TRACK: no variable of events is made of nodes of these; leave them"),
        ("event", None, 0.4, "--radius 0.4: no variable of these events is made of nodes within a radius; leave it"),
        ("jet", ("TRACK", "BPIX1"), 0.4, "--channels BPIX1: no variable of jets"),
        ("cluster", ("HCAL",), None, "--channels HCAL: no variable of clusters"),
        ("cluster", ("ECAL", "BPIX1"), 0.2, "--radius 0.2: no variable of these clusters"),
    ],
)
def test_options_that_would_change_nothing_are_refused(script, tmp_path, kind, channels, radius, said):
    table = table_of(tmp_path)
    table.manifest.configuration["object"]["kind"] = kind
    with pytest.raises(InputError, match=f"{tmp_path}: {said}"):
        script._variables(table, channels, radius)
    assert script._variables(table, None, None)[0] is script.VARIABLES[kind]


@pytest.mark.parametrize("classes", [2, 3])
def test_parameters_are_the_leaves_that_there_are(script, classes):
    rng = np.random.default_rng(1)
    values = rng.normal(size=(300, 2))
    label = (values[:, 0] > 0).astype(int) + (classes == 3) * (values[:, 1] > 1)
    tree = HistGradientBoostingClassifier(max_iter=6, max_leaf_nodes=15, early_stopping=False).fit(values, label)
    leaves = [[int(one.nodes["is_leaf"].sum()) for one in step] for step in tree._predictors]
    assert [len(step) for step in leaves] == [1 if classes == 2 else 3] * 6
    assert script.leaves_of(tree, 4) == sum(map(sum, leaves[:4])) != 4 * 15


TARGET = {"name": "gen_mass", "unit": "GeV", "offset": 120.0, "scale": 60.0}


@pytest.mark.parametrize(("weight", "said"), [(-1.0, "negative or not finite"), (0.0, "all background jets in split")])
def test_weights_that_nothing_can_be_learnt_from_are_refused_before_any_work(
    script, data, tmp_path, monkeypatch, weight, said
):
    read = script.read_table

    def weighted(folder, extra=()):
        table = read(folder, extra)
        table.columns["weight"] = np.where(table.columns["label"] == 0, weight, 1.0)
        return table

    monkeypatch.setattr(script, "read_table", weighted)
    with pytest.raises(InputError, match=said):
        script.fit(data, tmp_path / "tree", 0.4, None, 1)
    assert not (tmp_path / "tree").exists()


def test_a_mass_is_learnt_and_judged_as_a_networks_is(script, tmp_path, monkeypatch):
    for name, values in (("LEARNING_RATES", (0.1, 0.3)), ("LEAVES", (7,)), ("MOST_TREES", 20)):
        monkeypatch.setattr(script, name, values)
    objective = {"kind": "regression", "classes": ["qcd", "top"], "targets": [TARGET], "loss": "mae"}
    data = write_toy_dataset(tmp_path / "data", 300, nodes=(0, 40), objective=objective)
    _, value = script.fit(data, tmp_path / "tree", RADIUS, None, seed=1)
    report = json.loads((tmp_path / "tree" / "metrics.json").read_text())
    assert value == min(one["validation_mae"] for one in report["scan"])
    (run,) = read_evaluated([tmp_path / "tree"])
    scores = run.scores()
    true, predicted = scores.jets["target_gen_mass"], scores.predictions[:, 0]
    found = np.average(np.abs(predicted - true), weights=scores.jets["weight"])
    assert found == pytest.approx(report["mae"])
    assert found < np.average(np.abs(np.median(true) - true), weights=scores.jets["weight"])


def test_several_targets_at_once_are_refused(script, tmp_path):
    targets = [TARGET, TARGET | {"name": "gen_pt"}]
    objective = {"kind": "regression", "classes": ["qcd", "top"], "targets": targets, "loss": "mae"}
    data = write_toy_dataset(tmp_path / "data", 20, nodes=(0, 5), objective=objective)
    with pytest.raises(InputError, match="learns a classification or one target, not a regression of gen_mass, gen_pt"):
        script.fit(data, tmp_path / "tree", RADIUS, None, seed=1)
