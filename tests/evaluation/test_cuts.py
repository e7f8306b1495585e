import numpy as np
import pytest

from e2egraph.errors import InputError, UsageError
from e2egraph.evaluation.cuts import LONGEST, parse_cuts
from e2egraph.graphs.storage.columns import object_types
from e2egraph.tasks.objects.jet import KIND

COLUMNS = tuple(object_types(KIND, ("m",)))


@pytest.fixture(scope="module")
def jets():
    rng = np.random.default_rng(3)
    columns = {
        "softdrop_mass": rng.uniform(1, 300, 500),
        "jet_mass": rng.uniform(50, 350, 500),
        "tau32": rng.uniform(0, 1, 500),
        "jet_eta": rng.uniform(-1.4, 1.4, 500),
        "n_pv": rng.integers(1, 40, 500),
        "target_m": rng.normal(0, 1, 500),
    }
    return {name: values.astype(np.float32) for name, values in columns.items()}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("105 < softdrop_mass < 210 and tau32 < 0.65", lambda m, j, t, e, n, y: 105 < m < 210 and t < 0.65),
        ("softdrop_mass/jet_mass > .5 or not tau32 >= 0.5", lambda m, j, t, e, n, y: m / j > 0.5 or not t >= 0.5),
        ("abs(jet_eta) <= 1.0", lambda m, j, t, e, n, y: abs(e) <= 1.0),
        ("(tau32 < 0.3 or jet_eta > 0) and n_pv != 20", lambda m, j, t, e, n, y: (t < 0.3 or e > 0) and n != 20),
        ("tau32 < 0.3 or jet_eta > 0 and n_pv == 20", lambda m, j, t, e, n, y: t < 0.3 or (e > 0 and n == 20)),
        ("-jet_eta - +1 * 2 < 3 - 4.5e0 * tau32", lambda m, j, t, e, n, y: -e - 2 < 3 - 4.5 * t),
        ("300 > softdrop_mass > jet_mass", lambda m, j, t, e, n, y: 300 > m > j),
        ("\n  target_m > 0\n", lambda m, j, t, e, n, y: y > 0),
        ("1 / (n_pv - n_pv + 0) > 5 or n_pv > 20", lambda m, j, t, e, n, y: True),
        ("1 < 2 and n_pv > 20", lambda m, j, t, e, n, y: n > 20),
    ],
)
def test_a_selection_keeps_the_jets_that_it_keeps_one_by_one(jets, expression, expected):
    cuts = parse_cuts(expression, COLUMNS)
    names = ("softdrop_mass", "jet_mass", "tau32", "jet_eta", "n_pv", "target_m")
    rows = zip(*(jets[name].astype(float) for name in names), strict=True)
    passes = cuts.passes(jets)
    assert passes.dtype == bool
    np.testing.assert_array_equal(passes, [expected(*row) for row in rows])
    assert set(cuts.columns) == {name for name in names if name in expression}


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("softdrop_mas > 105", "no object quantity 'softdrop_mas'; there are jet_pt"),
        ("label == 1", "no object quantity 'label'"),
        ("weight > 0", "no object quantity 'weight'"),
        ("__import__('os').system('true')", "is not understood; allowed are numbers"),
        ("().__class__ == 1", "is not understood"),
        ("jet_pt.__class__ == 1", "is not understood"),
        ("jet_pt[0] > 1", "is not understood"),
        ("(lambda: 1)() < jet_pt", "is not understood"),
        ("jet_pt ** 2 > 1", r"'jet_pt \*\* 2' is not understood"),
        ("max(jet_pt, 1) > 1", r"'max\(jet_pt, 1\)' is not understood"),
        ("abs(jet_pt, 1) > 1", "is not understood"),
        ("abs(*jet_pt) > 1", "is not understood"),
        ("(jet_pt > 1) & (jet_pt < 2)", "is not understood"),
        ("jet_pt in (1, 2)", "is not understood"),
        ("jet_pt > 'x'", "is not understood"),
        ("jet_pt > True", "is not understood"),
        ("jet_pt > 1e999", "is not understood"),
        ("jet_pt > 1j", "is not understood"),
        ("(x := 1) < jet_pt", "is not understood"),
        ("1 if jet_pt > 1 else 0", "is not understood"),
        ("jet_pt", "a number, not a condition"),
        ("jet_pt and tau32 < 1", "'jet_pt' is a number where a condition belongs"),
        ("not jet_pt", "'jet_pt' is a number where a condition belongs"),
        ("(jet_pt > 1) + 1 > 1", "'jet_pt > 1' is a condition where a number belongs"),
        ("1 < 2", "cuts on no object quantity"),
        ("", "cannot be read"),
        ("jet_pt >", "cannot be read"),
        ("jet_pt > 1; tau32 < 1", "cannot be read"),
        ("jet_pt = 1", "cannot be read"),
        ("jet_pt > 1\0", "cannot be read"),
        ("(" * 900 + "jet_pt > 1" + ")" * 900, "cannot be read"),
        ("-" * 1500 + "jet_pt > 1", "cannot be read|nested too deeply"),
        ("jet_pt > 1" + " " * LONGEST, "longer than"),
    ],
)
def test_what_is_no_selection_is_refused_naming_it_and_what_is_allowed(expression, message):
    with pytest.raises(UsageError, match=message):
        parse_cuts(expression, COLUMNS)


@pytest.mark.parametrize("name", ["run", "lumi", "event", "jet", "label", "weight", "split", "nodes_cut"])
def test_identity_and_truth_are_nothing_to_cut_on(name):
    assert name in COLUMNS
    with pytest.raises(UsageError, match=f"no object quantity '{name}'"):
        parse_cuts(f"{name} > 0", COLUMNS)


def test_quantities_that_the_data_set_does_not_hold_or_that_are_no_numbers_are_refused():
    tau32 = np.array([0.1, 0.2, 0.3])
    with pytest.raises(InputError, match=r"'tau32 < 0\.5': the data set holds no tau32"):
        parse_cuts("tau32 < 0.5", COLUMNS).passes({"tau32": np.zeros(3)})
    with pytest.raises(InputError, match="tau32 of 2 objects is not finite"):
        parse_cuts("tau32 < 0.5", COLUMNS).passes({"tau32": np.array([np.nan, np.inf, 0.1])})
    with pytest.raises(InputError, match=r"'\(tau32 - 0\.2\) / \(tau32 - 0\.2\)' is no number for 1 objects"):
        parse_cuts("(tau32 - 0.2) / (tau32 - 0.2) < 2", COLUMNS).passes({"tau32": tau32})
