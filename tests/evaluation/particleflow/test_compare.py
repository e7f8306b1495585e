"""Particle flow compared: figures of columns that are known, paired errors, files of candidates, the command."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from e2egraph.cli import main
from e2egraph.errors import InputError
from e2egraph.evaluation.particleflow.calibration import AFTER, BEFORE, PART, Calibration, calibrate
from e2egraph.evaluation.particleflow.columns import (
    PERFECT,
    PUPPI,
    RULES,
    TARGET,
    Particles,
    from_primary_vertex,
    read_events,
)
from e2egraph.evaluation.particleflow.compare import compare
from e2egraph.evaluation.particleflow.jets import cluster_jets, match
from e2egraph.evaluation.particleflow.resampling import event_draws, quantiles, relative_width, shares
from e2egraph.graphs.particleflow.classes import NEUTRAL_HADRON, PHOTON
from e2egraph.graphs.storage.manifest import read_manifest
from tests.evaluation.particleflow.candidates import write_targets
from tests.particleflow_events import EVENTS, build_flow, simulate_flow
from tests.toy_dataset import write_toy_dataset


@pytest.fixture(scope="module")
def events(flow_data):
    return read_events(flow_data)


@pytest.fixture(scope="module")
def more_events(tmp_path_factory):
    """Four times as many, where a figure of a few would be known too badly."""
    folder = tmp_path_factory.mktemp("more")
    return read_events(build_flow(simulate_flow(folder, events=4 * EVENTS), folder / "data"))


def test_a_column_of_the_generators_own_particles_is_perfect(events):
    exact = replace(events, columns={**events.columns, "exact": events.gen})
    found = compare(exact, resamples=20)
    where = "30-50 GeV"
    assert found.value("jets", "median response", where, "exact").value == 1.0
    assert found.value("jets", "resolution", where, "exact").value == 0.0
    assert found.value("jets", "efficiency", where, "exact").value == 1.0
    assert found.value("jets", "fake rate", where, "exact").value == 0.0
    assert found.value("recoil", "component, half width [GeV]", "|η| < 2.4", "exact").value == pytest.approx(
        0, abs=1e-6
    )
    # Each step from the truth to the rules costs resolution.
    widths = [found.value("recoil", "component, half width [GeV]", "|η| < 2.4", name).value for name in (TARGET, RULES)]
    assert 0 < widths[0] < widths[1]


def test_energies_scaled_by_a_factor_scale_responses_and_leave_resolutions(more_events):
    rules = more_events.columns[RULES]
    scaled = replace(rules, pt=1.1 * rules.pt, energy=1.1 * rules.energy)
    found = compare(
        replace(more_events, columns={RULES: rules, "more": scaled, TARGET: more_events.columns[TARGET]}), resamples=30
    )
    more = found.value("jets", "median response", "50-100 GeV", "more")
    assert more.difference == pytest.approx(0.1, abs=0.02)
    mass = [
        found.value("jets", "mass difference, half width [GeV]", "50-100 GeV", name).value for name in ("more", RULES)
    ]
    assert 1.0 < mass[0] / mass[1] < 1.6
    energy = [found.value("particles", "median energy response", "photon", name).value for name in ("more", RULES)]
    assert energy[0] == pytest.approx(1.1 * energy[1], rel=0.03)
    # Paired: the difference is known far better than either.
    assert more.difference_error < 0.3 * more.error / more.value
    assert found.value("jets", "median response", "50-100 GeV", RULES).difference is None


def by_hand(pt, eta, phi, event, **changes):
    """Photons of the hard collision."""
    pt, size = np.asarray(pt, float), len(pt)
    one = Particles(
        event=np.asarray(event), kind=np.full(size, PHOTON, np.uint8), pt=pt, eta=np.asarray(eta, float),
        phi=np.asarray(phi, float), energy=pt * np.cosh(eta), pile_up=np.zeros(size), kept=np.ones(size),
        node=np.full(size, -1), probability=np.full(size, np.nan), share=np.ones(size),
    )  # fmt: skip
    return replace(one, **changes)


def test_missing_momentum_and_fakes_have_the_values_of_events_made_by_hand(events):
    """In each event a jet of 100 GeV against a neutrino of as much."""
    size = 25
    event, zero, phi = np.arange(size), np.zeros(size), np.linspace(-3, 3, size)
    gen = by_hand(np.full(size, 100.0), zero, phi, event)
    neutrinos = by_hand(np.full(size, 100.0), zero, np.mod(phi, 2 * np.pi) - np.pi, event)
    # Of five events the jet is measured with three times its pT, which is a fake and no measurement of it.
    factor = np.where(event < 5, 3.0, 0.9)
    target = replace(gen, node=np.zeros(size, np.int64))
    columns = {TARGET: target, "exact": gen, "less": replace(gen, pt=gen.pt * factor, energy=gen.energy * factor)}
    made = replace(
        events, columns=columns, gen=gen, neutrinos=neutrinos, clouds=events.clouds.take(np.arange(size) % 16)
    )
    found = compare(made, resamples=5, reference="exact")
    missing = "true above 40 GeV"
    assert found.value("missing momentum", "median response", missing, "exact").value == pytest.approx(1.0)
    assert found.value("missing momentum", "median response", missing, "less").value == pytest.approx(0.9)
    assert found.value("jets", "fake rate", "200-1000 GeV", "less").value == 1.0
    assert found.value("jets", "fake rate", "50-100 GeV", "less").value == 0.0


def test_what_a_network_found_is_a_column_like_any_other(events, flow_data, tmp_path):
    path = write_targets(tmp_path / "found.parquet", events, read_manifest(flow_data).digest)
    with_network = read_events(flow_data, None, {"network": [path]})
    found = compare(with_network, resamples=5)
    for quantity in ("median response", "resolution", "efficiency", "fake rate"):
        same = [found.value("jets", quantity, "30-50 GeV", name).value for name in ("network", TARGET)]
        assert same[0] == same[1]
    assert found.value("particles", "efficiency", "photon", "network").value > 0.99
    assert found.value("particles", "fake rate", "charged_hadron", "network").value < 0.01
    assert found.value("particles", "efficiency by element", "neutral_hadron", "network").value == 1.0
    assert found.value("particles", "fake rate by element", "photon", "network").value == 0.0
    # What has no fakes keeps its whole efficiency at the rules' fake rate; the rules are what they are.
    same = "efficiency by element at the rules' fake rate"
    assert found.value("particles", same, "photon", "network").value == 1.0
    of_rules = [found.value("particles", name, "photon", RULES).value for name in (same, "efficiency by element")]
    assert of_rules[0] == of_rules[1] < 1.0
    assert found.value("particles", same, "photon", PERFECT) is None
    assert 0.5 < found.value("particles", "efficiency by element", "charged_hadron", RULES).value < 1.0
    assert found.value("particles", "efficiency by element", "photon", PERFECT) is None
    assert found.value("pile-up", "AUC of the flag", "tracks", "network").value == 1.0
    assert found.value("particles", "efficiency", "photon", TARGET) is None
    assert found.value("particles", "efficiency", "photon", PERFECT).value > 0.3


def test_particles_of_other_vertices_are_found_where_they_are_seen_from_the_primary_one(more_events):
    events = more_events
    target = events.columns[TARGET]
    seen = from_primary_vertex(target, events.clouds)
    added = replace(events, columns={**events.columns, "seen": replace(seen, node=np.full(len(seen), -1))})
    photon = (target.kind == 3) & (target.pile_up > 0.5) & (target.pt > 1) & (np.abs(target.eta) < 1.5)
    assert (np.abs(seen.eta - target.eta)[photon] > 0.03).mean() > 0.3
    found = compare(added, resamples=5)
    assert found.value("particles", "efficiency", "photon", "seen").value > 0.955  # 0.966 ± 0.004 of 160 events
    assert found.value("particles", "fake rate", "photon", "seen").value < 0.05


def test_soft_candidates_count_by_what_is_not_pile_up_and_hard_ones_whole_or_not_at_all(events, flow_data, tmp_path):
    digest, target = read_manifest(flow_data).digest, events.columns[TARGET]
    pile_up = np.random.default_rng(1).uniform(0, 1, len(target))
    files = {
        how: [write_targets(tmp_path / f"{how}.parquet", events, digest, decoding=how, pileup=pile_up)]
        for how in ("hard", "soft")
    }
    found = read_events(flow_data, None, files).columns
    stored = found["soft"].pile_up
    np.testing.assert_allclose(found["soft"].hard.pt, (1 - stored) * target.pt, rtol=1e-6)
    np.testing.assert_allclose(found["soft"].hard.energy, (1 - stored) * target.energy, rtol=1e-6)
    np.testing.assert_allclose(found["hard"].hard.pt, target.pt[stored < 0.5], rtol=1e-6)


def test_where_there_is_pile_up_the_rules_are_weighted_by_puppi_too(flow_data, events, monkeypatch):
    rules, weighted = events.columns[RULES], events.columns[PUPPI]
    charged = np.isin(rules.kind, (1, 4, 5))
    np.testing.assert_array_equal(weighted.kept[charged], rules.kept[charged])
    neutral = weighted.kept[~charged]
    assert 0 < neutral.mean() < 1 and ((neutral >= 0) & (neutral <= 1)).all()
    np.testing.assert_allclose(weighted.hard.pt.sum(), (weighted.kept * rules.pt).sum())
    monkeypatch.setattr("e2egraph.evaluation.particleflow.columns.PILE_UP", 2.0)  # nothing is taken for pile-up
    assert PUPPI not in read_events(flow_data).columns


def test_differences_are_to_the_reference_that_was_chosen(events, flow_data, tmp_path, capsys):
    found = compare(events, resamples=10, reference=TARGET)
    value = {name: found.value("jets", "resolution", "30-50 GeV", name) for name in (RULES, TARGET)}
    assert value[TARGET].difference is None
    assert value[RULES].difference == pytest.approx(value[RULES].value / value[TARGET].value - 1)
    assert found.as_json()["reference"] == TARGET
    words = ["compare-particles", str(flow_data), "--output", str(tmp_path / "out"), "--split", "all"]
    assert main([*words, "--reference", "none"]) == 2
    assert (
        "--reference none: there is no such column; choose one of rules, rules with PUPPI, target"
        in capsys.readouterr().err
    )


def test_fakes_of_low_probability_are_cut_down_to_the_rate_of_the_rules(events, flow_data, tmp_path):
    # Each photon of the truth twice: where it is, and as a fake at an element that stands for something else.
    target, nodes = events.columns[TARGET], events.clouds.nodes
    photon = target.take(target.kind == PHOTON)
    other = np.flatnonzero((nodes["node_class"] == NEUTRAL_HADRON) | (nodes["node_class"] == 0))
    event = events.clouds.jet_of_node[other]
    node = other - events.clouds.offsets[:-1][event]
    fakes = replace(photon.take(np.zeros(len(other), int)), event=event, node=node, pt=np.full(len(other), 30.0))
    joined = {name: np.concatenate([getattr(photon, name), getattr(fakes, name)])
              for name in ("event", "node", "kind", "pt", "eta", "phi", "energy", "pile_up")}  # fmt: skip
    rng = np.random.default_rng(0)
    real = np.arange(len(joined["pt"])) < len(photon)
    probability = np.where(real, rng.uniform(0.5, 1.0, len(real)), rng.uniform(0.2, 0.8, len(real)))
    columns = {"row": joined["event"], "class": joined["kind"], "pileup": joined["pile_up"], **joined}
    columns = {name: columns[name] for name in ("row", "node", "class", "pt", "eta", "phi", "energy", "pileup")}
    digest, none = read_manifest(flow_data).digest, np.zeros(len(real))
    hard = write_targets(tmp_path / "h.parquet", events, digest, probability=probability, charge=none, **columns)
    scaled = {name: columns[name] * probability for name in ("pt", "energy")}
    soft = write_targets(tmp_path / "s.parquet", events, digest, decoding="soft", probability=probability, charge=none,
                         **{**columns, **scaled})  # fmt: skip
    found = compare(read_events(flow_data, None, {"hard": [hard], "soft": [soft]}), resamples=10)
    same = "efficiency by element at the rules' fake rate"
    value, other = (found.value("particles", same, "photon", name) for name in ("hard", "soft"))
    assert found.value("particles", "fake rate by element", "photon", "hard").value > 0.6
    assert found.value("particles", "efficiency by element", "photon", "hard").value == 1.0
    assert 0.3 < value.value < 1.0
    # Soft decoding scales momenta, and the cut on the probability undoes that.
    assert value.value == pytest.approx(other.value, abs=1e-9)
    # By hand: the lowest cut at which the rules have no smaller share of fakes.
    allowed = found.value("particles", "fake rate by element", "photon", RULES).value
    made = read_events(flow_data, None, {"hard": [hard]}).columns["hard"]
    central = np.abs(nodes["deta"][events.clouds.offsets[:-1][made.event] + made.node]) < 1.5
    kept = made.take(central & (made.pt > 1.0))
    wrong = nodes["node_class"][events.clouds.offsets[:-1][kept.event] + kept.node] != PHOTON
    cut = min(at for at in kept.probability if wrong[kept.probability >= at].mean() <= allowed)
    true = photon.take(
        (photon.pt > 1.0) & (np.abs(nodes["deta"][events.clouds.offsets[:-1][photon.event] + photon.node]) < 1.5)
    )
    above = set(zip(made.event[made.probability >= cut], made.node[made.probability >= cut], strict=True))
    by_hand = np.mean([pair in above for pair in zip(true.event, true.node, strict=True)])
    assert value.value == pytest.approx(by_hand)


def test_candidates_of_before_there_were_probabilities_are_read_without(events, flow_data, tmp_path):
    path = write_targets(tmp_path / "new.parquet", events, read_manifest(flow_data).digest)
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["probability"]), tmp_path / "old.parquet")
    old = read_events(flow_data, None, {"old": [tmp_path / "old.parquet"]})
    assert np.isnan(old.columns["old"].probability).all()
    found = compare(old, resamples=0)
    assert found.value("particles", "efficiency by element", "photon", "old").value == 1.0
    assert found.value("particles", "efficiency by element at the rules' fake rate", "photon", "old") is None


def test_one_calibration_brings_the_medians_of_all_columns_to_one(more_events):
    events = more_events
    rules = events.columns[RULES]
    # A response that changes with pT, as of a network that was not told the scale.
    bent = 0.8 + 0.05 * np.log1p(rules.pt)
    less = replace(rules, pt=bent * rules.pt, energy=bent * rules.energy)
    columns = {RULES: rules, "less": less, TARGET: events.columns[TARGET]}
    known = replace(events, columns=columns)
    found = compare(known, resamples=20, calibrate_on=known)
    for name in columns:
        for where in ("20-30 GeV", "30-50 GeV", "50-100 GeV"):
            before, after = (found.value(PART, f"median response {when}", where, name) for when in (BEFORE, AFTER))
            assert before.value == found.value("jets", "median response", where, name).value
            assert abs(after.value - 1) < 0.02
            assert after.error > 0
    assert found.value(PART, "median response before", "30-50 GeV", "less").value < 0.95
    before, after = (found.value(PART, f"resolution {when}", "30-50 GeV", "less").value for when in (BEFORE, AFTER))
    assert after == pytest.approx(before, rel=0.25)
    stored = found.as_json()["calibration"]["less"]
    assert stored[0]["generated_pt"] == [20.0, 30.0] and stored[0]["jets"] >= 5
    assert stored[0]["median_response"] < 0.95 and stored[0]["median_response_error"] > 0
    assert "calibration" not in compare(known, resamples=0).as_json()


def test_a_calibration_undoes_the_response_that_it_found():
    one = np.ones((3, 1))
    calibration = Calibration(
        np.array([[20.0, 30.0], [50.0, 100.0]]),
        np.array([20.0, 63.0]) * one,
        np.array([0.8, 0.9]) * one,
        np.array([9, 9]),
    )
    np.testing.assert_allclose(calibration.undone(np.array([20.0, 63.0, 5.0, 500.0])), [25.0, 70.0, 6.25, 500 / 0.9])
    between = calibration.undone(np.array([np.sqrt(20.0 * 63.0)]), 2)
    np.testing.assert_allclose(between, np.sqrt(20.0 * 63.0) / 0.85)


def test_calibration_needs_other_events_and_enough_of_them(flow_data, events, tmp_path, capsys):
    words = ["compare-particles", str(flow_data), "--output", str(tmp_path / "out"), "--calibrate", "validation"]
    for split in ("all", "validation"):
        assert main([*words, "--split", split]) == 2
        assert "these events are among those compared" in capsys.readouterr().err
    none = events.columns[RULES].take(np.zeros(0, int))
    with pytest.raises(InputError, match="no bin of pT has 5 jets of rules to calibrate with; choose a split of more"):
        calibrate(replace(events, columns={RULES: none}), 0, (20.0, 30.0))


def test_without_resamples_no_errors_are_told(flow_data, tmp_path, capsys):
    words = ["compare-particles", flow_data, "--output", tmp_path, "--split", "all", "--resamples", "0"]
    assert main([str(word) for word in [*words, "--display", "0"]]) == 0
    said = capsys.readouterr().out
    assert "jets of 30-50 GeV, rules: resolution 0." in said
    assert "nan" not in said + (tmp_path / "particle_flow.md").read_text()
    json.loads((tmp_path / "particle_flow.json").read_text(), parse_constant=pytest.fail)


def test_jets_of_momenta_that_are_not_finite_are_refused(events):
    gen = events.gen
    pt = np.where(np.arange(len(gen)) == len(gen) - 1, np.nan, gen.pt)
    with pytest.raises(InputError, match=f"1 particles are not finite, first in row {gen.event[-1]} of {events.size}"):
        cluster_jets(replace(gen, pt=pt), events.size, 20.0)


def test_quantiles_over_resamples_are_those_of_the_drawn_values():
    rng = np.random.default_rng(2)
    values, event = rng.normal(size=900), rng.integers(0, 300, 900)
    draws = event_draws(300, 40)
    assert (draws.sum(axis=1) == 300).all() and (draws[0] == 1).all()
    found = quantiles(values, event, draws)
    for row in (0, 7):
        drawn = np.repeat(values, draws[row][event])
        np.testing.assert_allclose(found[row], np.quantile(drawn, [0.16, 0.5, 0.84]), atol=0.02)
    assert np.isnan(quantiles(values[:0], event[:0], draws)).all()
    flat = quantiles(np.full(5, 2.0), np.zeros(5, int), event_draws(3, 5))
    assert np.isnan(relative_width(flat)[~np.isfinite(flat[:, 0])]).all() and relative_width(flat)[0] == 0
    passed = rng.uniform(size=900) < 0.3
    one = shares(passed, event, draws)
    assert one[0] == passed.mean()
    assert one[3] == pytest.approx(np.repeat(passed, draws[3][event]).mean())


def test_jets_are_matched_when_each_is_nearest_to_the_other(events):
    jets = cluster_jets(events.gen, events.size, 20.0)
    np.testing.assert_array_equal(match(jets, jets), np.arange(len(jets)))
    turned = replace(jets, phi=jets.phi + 0.3)
    assert (match(jets, turned) == np.arange(len(jets))).mean() < 0.1


def test_the_command_writes_figures_tables_and_how_it_was_called(flow_data, tmp_path, capsys):
    output = tmp_path / "out"
    arguments = ["compare-particles", str(flow_data), "--output", str(output), "--split", "all", "--resamples", "20"]
    assert main([*arguments, "--display", "1"]) == 0
    content = json.loads((output / "particle_flow.json").read_text())
    assert content["columns"] == [RULES, PUPPI, TARGET, PERFECT] and content["events"] == 16
    assert content["command"].startswith("e2egraph compare-particles")
    assert "Parametric simulation, not CMS simulation" in (output / "particle_flow.md").read_text()
    assert {path.name for path in output.glob("*.png")} == {
        "jet_resolution.png", "jet_response.png", "jet_efficiency.png", "jet_fakes.png", "event_display_1.png",
    }  # fmt: skip
    out = capsys.readouterr().out
    assert "jets of 30-50 GeV, rules: resolution" in out and "wrote report.html, particle_flow.json" in out
    assert content["data_set"] == read_manifest(flow_data).digest
    assert "Parametric simulation, not CMS simulation" in (output / "report.html").read_text()
    assert main([*arguments[:4], "--candidates", "x"]) == 2


def test_a_data_set_without_elements_is_refused(tmp_path):
    folder = write_toy_dataset(tmp_path / "toy")
    with pytest.raises(InputError, match="has no elements; give a data set of a particle-flow task"):
        read_events(folder)


@pytest.mark.parametrize("size", [1, 2, 6, 7, 40])
def test_quantiles_are_those_of_every_resample_written_out(size):
    rng = np.random.default_rng(size)
    values, event = rng.normal(size=size), rng.integers(0, 5, size)
    draws = event_draws(5, 30)
    found = quantiles(values, event, draws)
    for row, counts in zip(found, draws, strict=True):
        drawn = np.repeat(values, counts[event])
        expected = np.quantile(drawn, [0.16, 0.5, 0.84], method="hazen") if len(drawn) else [np.nan] * 3
        np.testing.assert_allclose(row, expected, atol=1e-12)
