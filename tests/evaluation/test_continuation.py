"""Figures of a regression with drawn targets: of real objects alone, and where the others are predicted."""

from dataclasses import replace

import numpy as np
import pytest

from e2egraph.data.scores import Scores
from e2egraph.evaluation.objectives.evaluation import evaluation_of
from e2egraph.tasks.objectives.objective import make_objective

TARGET = {"name": "gen_mass", "unit": "GeV"}


def objective(**more):
    content = {"kind": "regression", "classes": ["a", "photon"], "targets": [TARGET | more]}
    return make_objective(content, "test")


def scores(n_real: int = 200, n_drawn: int = 100) -> tuple[Scores, dict]:
    rng = np.random.default_rng(1)
    n = n_real + n_drawn
    label = np.repeat([0, 1], [n_real, n_drawn]).astype(np.uint8)
    true = np.where(label == 0, rng.uniform(0, 1.6, n), rng.uniform(-0.3, 0, n))
    predicted = true + rng.normal(0, 0.1, n)
    order = rng.permutation(n)
    columns = {
        "run": np.ones(n), "lumi": np.ones(n), "event": np.arange(n), "jet": np.zeros(n), "label": label,
        "weight": rng.uniform(0.5, 1.5, n), "split": np.array(["test"] * n), "target_gen_mass": true,
    }  # fmt: skip
    made = Scores(columns, predicted.astype(np.float32)[:, None], ("predicted_gen_mass",), {})
    quantities = {"jet_pt": rng.uniform(20, 100, n), "jet_eta": rng.uniform(-1, 1, n)}
    return made.take(order), {name: values[order] for name, values in quantities.items()}


def test_figures_are_those_of_the_real_objects_alone():
    made, quantities = scores()
    real = made.jets["label"] == 0
    ours = evaluation_of(objective(drawn={"photon": [-0.3, 0.0]})).measure(made, quantities).content
    expected = evaluation_of(objective()).measure(made.take(real), {k: v[real] for k, v in quantities.items()}).content
    for name in ("mae", "bias", "resolution", "jets"):
        assert ours[name] == pytest.approx(expected[name])
    assert ours["jets"] == 200


def test_the_shares_beyond_the_edge_and_the_figures_without_them_are_told():
    made, quantities = scores()
    measured = evaluation_of(objective(drawn={"photon": [-0.3, 0.0]})).measure(made, quantities)
    found = measured.content["targets"]["gen_mass"]["continuation"]
    predicted, weight, real = made.predictions[:, 0], made.jets["weight"], made.jets["label"] == 0
    assert found["edge"] == 0.0
    photons = found["classes"]["photon"]
    assert photons["objects"] == 100
    # Each object in the middle of its share of the weight, linear between them.
    order = np.argsort(predicted[~real])
    values, shares = predicted[~real][order], weight[~real][order] / weight[~real].sum()
    assert photons["median"] == pytest.approx(np.interp(0.5, np.cumsum(shares) - shares / 2, values))
    assert photons["beyond"] == pytest.approx(np.average(predicted[~real] < 0, weights=weight[~real]))
    kept = real & (predicted >= 0)
    error = np.abs(predicted - made.jets["target_gen_mass"])
    assert found["kept"]["mae"] == pytest.approx(np.average(error[kept], weights=weight[kept]), rel=1e-5)
    assert found["kept"]["share"] == pytest.approx(weight[kept].sum() / weight[real].sum())
    assert f"beyond 0 GeV: {100 * photons['beyond']:.0f}% of photon" in measured.line


def test_the_median_of_a_drawn_class_is_that_of_its_weight():
    made, quantities = scores()
    photons = np.flatnonzero(made.jets["label"] == 1)
    values, weight = made.values.copy(), made.jets["weight"].copy()
    values[photons, 0] = np.repeat([-0.2, 0.2, 9.0], [40, 40, 20])
    judge = evaluation_of(objective(drawn={"photon": [-0.3, 0.0]}))

    def median(*weights):
        weight[photons] = np.repeat([*weights], [40, 40, 20])
        changed = replace(made, values=values, jets=made.jets | {"weight": weight})
        found = judge.measure(changed, quantities).content["targets"]["gen_mass"]["continuation"]
        return found["classes"]["photon"]["median"]

    assert (median(9.0, 1.0, 0.0), median(1.0, 9.0, 0.0)) == pytest.approx((-0.2, 0.2))
    assert median(0.0, 0.0, 0.0) is None
    assert median(0.0, 0.0, 1.0) == pytest.approx(9.0)
    # Without weights it is the usual one: between the two middle objects.
    values[photons, 0] = np.linspace(-1.0, 1.0, 100) ** 3
    assert median(1.0, 1.0, 1.0) == pytest.approx(np.median(values[photons, 0]))


def test_without_objects_of_a_drawn_class_nothing_is_said_of_it():
    made, quantities = scores()
    real = made.jets["label"] == 0
    given = made.take(real), {name: values[real] for name, values in quantities.items()}
    measured = evaluation_of(objective(drawn={"photon": [-0.3, 0.0]})).measure(*given)
    photons = measured.content["targets"]["gen_mass"]["continuation"]["classes"]["photon"]
    assert photons == {"objects": 0, "median": None, "beyond": None}
    assert "beyond" not in measured.line


def test_one_object_that_is_not_beyond_has_no_figures_of_its_own():
    made, quantities = scores()
    values = np.full_like(made.values, -0.1)
    values[np.flatnonzero(made.jets["label"] == 0)[0]] = 0.4
    measured = evaluation_of(objective(drawn={"photon": [-0.3, 0.0]})).measure(replace(made, values=values), quantities)
    assert set(measured.content["targets"]["gen_mass"]["continuation"]["kept"]) == {"share"}


def test_continuation_above_the_spectrum_begins_at_the_lower_limit():
    made, quantities = scores()
    measured = evaluation_of(objective(drawn={"photon": [1.6, 2.0]})).measure(made, quantities)
    assert measured.content["targets"]["gen_mass"]["continuation"]["edge"] == 1.6


def test_shown_jets_are_real_objects():
    made, _ = scores()
    evaluation = evaluation_of(objective(drawn={"photon": [-0.3, 0.0]}))
    places = [jet.place for jet in evaluation.shown_jets(made).chosen]
    assert (made.jets["label"][places] == 0).all()
