import json

import numpy as np
import pytest

from e2egraph.data.scores import Scores, output_columns
from e2egraph.evaluation.metrics_report import MASSES
from e2egraph.evaluation.metrics_report import metrics_report as report_in_bins
from e2egraph.tasks.objects import event, jet
from e2egraph.tasks.outputs import class_outputs


def metrics_report(scores, quantities, signal, bins=jet.KIND.bins):
    return report_in_bins(scores, quantities, signal, bins)


def sample(jets=1200, classes=("qcd", "top"), weight=None):
    rng = np.random.default_rng(0)
    label = rng.integers(0, len(classes), jets).astype(np.uint8)
    logits = rng.normal(0, 1, (jets, len(classes))) + 2 * np.eye(len(classes))[label]
    probabilities = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
    columns = {"label": label, "weight": np.ones(jets, np.float32) if weight is None else weight(rng, jets)}
    quantities = {
        "jet_pt": rng.uniform(400, 900, jets),
        "jet_eta": rng.uniform(-1.3, 1.3, jets),
        "n_pv": rng.poisson(20, jets),
        "softdrop_mass": rng.exponential(60, jets),
        "jet_mass": rng.exponential(90, jets),
    }
    return Scores(columns, probabilities, output_columns(class_outputs(classes)), {}), quantities


def test_a_report_holds_every_figure_and_is_json_without_nan():
    report = metrics_report(*sample(), "top")
    content = json.loads(json.dumps(report.content, allow_nan=False))
    assert set(content["bins"]) == {"jet_pt", "jet_abs_eta", "n_pv"}
    assert [sum(one["jets"] for one in bins) for bins in content["bins"].values()] == [1200] * 3
    assert content["bins"]["jet_abs_eta"][0]["low"] >= 0
    assert set(content["mass_sculpting"]) == set(report.sculpting) == {"softdrop_mass", "jet_mass"}
    assert content["accuracy"] > 0.8
    assert len(content["calibration"]["reliability"]) == 15
    assert content["auc_error_delong"] == pytest.approx(content["auc_error"], rel=0.2)
    assert not content["weighted"]
    assert "one_vs_rest" not in content
    # 0.6 jets pass at 0.1% mistag, and hardly more at 30% efficiency.
    assert content["signal_efficiency_at_0p1pct_mistag"] is None
    assert any("0.1% mistag" in limit for limit in content["limits"])


def test_more_than_two_classes_get_figures_of_each_and_of_pairs():
    content = metrics_report(*sample(classes=("qcd", "top", "w")), "top").content
    assert set(content["one_vs_rest"]) == {"qcd", "top", "w"}
    assert content["one_vs_rest"]["top"]["auc"] == content["auc"]
    assert len(content["pairwise"]) == 3
    scores, quantities = sample(classes=("qcd", "top", "w"))
    scores.jets["label"] = np.minimum(scores.jets["label"], 1)
    content = metrics_report(scores, quantities, "top").content
    assert "pairwise" not in content
    assert any(limit.startswith("no pairwise figures: qcd vs w") for limit in content["limits"])


def test_weights_leave_delong_out():
    content = metrics_report(*sample(weight=lambda rng, n: rng.exponential(1, n).astype(np.float32)), "top").content
    assert content["weighted"]
    assert content["auc_error_delong"] is None
    # Of exponential weights half as many count: <w>²/<w²>.
    assert content["effective_background_jets"] == pytest.approx(0.5 * content["background_jets"], rel=0.15)


def test_what_the_data_set_does_not_hold_is_said():
    scores, quantities = sample()
    unknown = quantities | {"n_pv": np.zeros(1200), "softdrop_mass": np.zeros(1200), "jet_mass": np.full(1200, np.nan)}
    report = metrics_report(scores, unknown, "top")
    assert set(report.content["bins"]) == {"jet_pt", "jet_abs_eta"}
    assert report.sculpting == {}
    assert any(limit.startswith("no bins of n_pv") for limit in report.content["limits"])
    assert "no sculpting of softdrop_mass: the data set holds none" in report.content["limits"]
    assert any("a jet_mass that is not finite" in limit for limit in report.content["limits"])


def test_fewer_than_a_hundred_jets_are_said():
    content = metrics_report(*sample(80), "top").content
    assert "only 80 objects: with fewer than 100, errors are rough" in content["limits"]
    assert all(one["auc"] is None for one in content["bins"]["jet_pt"])


def test_whole_events_are_binned_in_their_own_quantities():
    scores, quantities = sample()
    rng = np.random.default_rng(3)
    of_events = {"ht": rng.uniform(1500, 3000, 1200), "n_jets": rng.integers(4, 14, 1200), "n_pv": quantities["n_pv"]}
    of_events |= {"sum_fatjet_mass": rng.uniform(0, 1500, 1200)}
    content = metrics_report(scores, of_events, "top", event.KIND.bins).content
    bins = content["bins"]
    assert set(bins) == {"ht", "n_jets", "sum_fatjet_mass", "n_pv"}
    assert sum(one["jets"] for one in bins["n_jets"]) == 1200 and bins["ht"][0]["auc"] > 0.8


def test_objects_without_a_mass_have_nothing_said_of_one():
    scores, quantities = sample()
    of_clusters = {name: values for name, values in quantities.items() if name not in MASSES}
    content = metrics_report(scores, of_clusters, "top").content
    assert content["mass_sculpting"] == {}
    assert not any("mass" in limit for limit in content["limits"])
