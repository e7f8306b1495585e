"""Rule-based particle flow on elements made by hand, one rule at a time."""

from dataclasses import replace

import numpy as np
import pytest

from e2egraph.config import find_config, read_yaml, validate
from e2egraph.detector.channels import Channel
from e2egraph.reconstruction.clusters import Shares
from e2egraph.reconstruction.elements import COLUMNS, Elements
from e2egraph.reconstruction.rules import from_other_vertex, rule_based
from e2egraph.reconstruction.rulesconfig import Calibration, RulesConfig

ONE = [[1.0, 1.0]]
_CALIBRATION = dict.fromkeys(("photon", "ecal", "hcal", "ecal_alone", "hcal_alone"), ONE)
CONFIG = RulesConfig(calibration=Calibration(abs_eta=[3.0], energy=[1.0, 100.0], **_CALIBRATION))
CHARGED, NEUTRAL, PHOTON, ELECTRON, MUON = range(1, 6)


def elements(*rows):
    """Elements of one event: (channel, energy, η, φ) with further columns."""
    rows = sorted(rows, key=lambda row: int(row[0]))
    columns = {name: np.zeros(len(rows)) for name in ("deta", "dphi", *COLUMNS)}
    for number, (_, energy, eta, phi, *more) in enumerate(rows):
        values = {
            "energy": energy,
            "deta": eta,
            "dphi": phi,
            "value": energy / np.cosh(eta),
            **(more[0] if more else {}),
        }
        for name, value in values.items():
            columns[name][number] = value
    channel = np.array([int(row[0]) for row in rows])
    nothing = Shares(*[np.zeros(0, int)] * 2, np.zeros(0))
    return Elements(
        event=np.zeros(len(rows), int), channel=channel, source=np.arange(len(rows)), columns=columns,
        hcal_eta=columns["deta"].copy(), hcal_phi=columns["dphi"].copy(),
        shares={Channel.ECAL: nothing, Channel.HCAL: nothing},
    )  # fmt: skip


def found(*rows, config=CONFIG, other=None):
    made = elements(*rows)
    tracks = len(made.of(Channel.TRACK))
    return rule_based(made, np.zeros(tracks, bool) if other is None else np.array(other), config)


T, E, H = Channel.TRACK, Channel.ECAL, Channel.HCAL


def test_a_track_that_explains_the_energy_behind_it_is_one_charged_hadron():
    made = found((T, 20.0, 0.3, 1.0), (E, 6.0, 0.31, 1.01), (H, 14.5, 0.33, 1.03))
    assert made.kind.tolist() == [CHARGED]
    assert made.energy[0] == pytest.approx(np.hypot(20.0, 0.13957))
    assert made.pt[0] == pytest.approx(20.0 / np.cosh(0.3))


def test_energy_that_tracks_do_not_explain_is_a_photon_up_to_what_the_ecal_saw_then_a_neutral_hadron():
    made = found((T, 10.0, 0.0, 0.0), (E, 12.0, 0.01, 0.0), (H, 20.0, 0.02, 0.0))
    energies = dict(zip(made.kind.tolist(), made.energy, strict=True))
    assert energies[PHOTON] == pytest.approx(12.0) and energies[NEUTRAL] == pytest.approx(10.0)
    only_photon = found((T, 10.0, 0.0, 0.0), (E, 12.0, 0.01, 0.0), (H, 8.0, 0.02, 0.0))
    assert only_photon.kind.tolist() == [CHARGED, PHOTON] and only_photon.energy[1] == pytest.approx(10.0)


@pytest.mark.parametrize("sigmas", [0.5, 1.0, 2.0])
def test_an_excess_counts_from_so_many_sigmas_on(sigmas):
    sigma = np.sqrt(10.0 + 0.7**2)
    for factor, kinds in ((0.95, [CHARGED]), (1.05, [CHARGED, NEUTRAL])):
        rows = (T, 10.0, 0.0, 0.0), (H, 10.0 + factor * sigmas * sigma, 0.02, 0.0)
        assert found(*rows, config=replace(CONFIG, excess_sigmas=sigmas)).kind.tolist() == kinds


def test_clusters_without_a_track_are_photons_and_neutral_hadrons_at_their_calibrated_energies():
    calibration = replace(CONFIG.calibration, photon=[[1.1, 1.1]], hcal_alone=[[1.3, 1.3]])
    made = found((E, 5.0, 0.5, 2.0), (H, 7.0, -0.5, -2.0), config=replace(CONFIG, calibration=calibration))
    assert made.kind.tolist() == [NEUTRAL, PHOTON]
    np.testing.assert_allclose(made.energy, [9.1, 5.5])


def test_without_the_hcal_an_excess_is_photons_however_hadrons_are_calibrated():
    """Soft hadrons that stay in the ECAL need large factors; a hard photon next to a soft track is none of them."""
    calibration = replace(CONFIG.calibration, ecal_alone=[[1.6, 1.6]])
    made = found((T, 1.0, 0.0, 0.0), (E, 100.0, 0.0, 0.0), config=replace(CONFIG, calibration=calibration))
    assert made.kind.tolist() == [CHARGED, PHOTON]
    assert made.energy[1] == pytest.approx(100.0)


def test_links_close_in_phi():
    edge = np.pi - 0.005
    made = found((T, 20.0, 0.0, edge), (E, 5.0, 0.0, -edge), (H, 16.0, 0.0, -edge))
    assert made.kind.tolist() == [CHARGED]
    apart = found((T, 20.0, 0.0, edge), (H, 16.0, 0.0, 0.2 - np.pi))
    assert apart.kind.tolist() == [CHARGED, NEUTRAL]


def test_a_muon_takes_what_a_muon_leaves_and_no_more():
    muon = (T, 30.0, 0.0, 0.0, {"muon": 1.0})
    assert found(muon, (H, 1.9, 0.0, 0.0), (E, 0.24, 0.0, 0.0)).kind.tolist() == [MUON]
    made = found(muon, (H, 9.0, 0.0, 0.0))
    assert made.kind.tolist() == [NEUTRAL, MUON] and made.energy[0] == pytest.approx(7.0)
    made = found(muon, (E, 3.25, 0.0, 0.0))
    assert made.kind.tolist() == [PHOTON, MUON] and made.energy[0] == pytest.approx(3.0)


def test_an_electron_has_its_energy_in_the_ecal_alone():
    assert found((T, 30.0, 0.0, 0.0), (E, 29.0, 0.0, 0.0)).kind.tolist() == [ELECTRON]
    # What leaks into the HCAL behind it is no particle of its own.
    assert found((T, 30.0, 0.0, 0.0), (E, 29.0, 0.0, 0.0), (H, 1.2, 0.0, 0.0)).kind.tolist() == [ELECTRON]
    assert ELECTRON not in found((T, 30.0, 0.0, 0.0), (E, 29.0, 0.0, 0.0), (H, 5.0, 0.0, 0.0)).kind
    assert ELECTRON not in found((T, 30.0, 0.0, 0.0), (E, 20.0, 0.0, 0.0)).kind
    for pt, electron in ((1.5, False), (2.5, True)):
        assert (ELECTRON in found((T, pt, 0.0, 0.0), (E, pt, 0.0, 0.0)).kind) == electron


def test_a_hard_track_from_elsewhere_that_no_calorimeter_saw_is_dropped():
    suspect = (T, 40.0, 0.0, 0.0, {"d0_sig": 8.0})
    made = found(suspect, (H, 3.0, 0.0, 0.0))
    assert made.kind.tolist() == [NEUTRAL] and made.energy[0] == pytest.approx(3.0)
    assert found((T, 40.0, 0.0, 0.0), (H, 3.0, 0.0, 0.0)).kind.tolist() == [CHARGED]
    assert found(suspect, (H, 38.0, 0.0, 0.0)).kind.tolist() == [CHARGED]
    # Too soft, next to a hard one whose energy is missing.
    soft, hard = (T, 2.5, 0.0, 0.0, {"d0_sig": 8.0}), (T, 40.0, 0.0, 0.0)
    assert found(soft, hard, (H, 3.0, 0.0, 0.0)).kind.tolist() == [CHARGED, CHARGED]


def test_tracks_of_other_vertices_are_marked_and_take_part():
    made = found((T, 20.0, 0.0, 0.0), (H, 19.0, 0.0, 0.0), other=[True])
    assert made.kind.tolist() == [CHARGED] and made.pile_up.tolist() == [True]


def test_events_do_not_see_one_another_and_no_elements_give_no_particles():
    one = elements((T, 20.0, 0.0, 0.0), (H, 40.0, 0.0, 0.0))
    two = replace(one, event=np.array([0, 1]))
    assert rule_based(two, np.zeros(1, bool), CONFIG).kind.tolist() == [CHARGED, NEUTRAL]
    assert rule_based(two, np.zeros(1, bool), CONFIG).energy[1] == pytest.approx(40.0)
    empty = replace(
        one, event=np.zeros(0, int), channel=np.zeros(0, int), source=np.zeros(0, int),
        columns={name: np.zeros(0) for name in one.columns}, hcal_eta=np.zeros(0), hcal_phi=np.zeros(0),
    )  # fmt: skip
    assert len(rule_based(empty, np.zeros(0, bool), CONFIG)) == 0


def test_tracks_of_other_vertices_are_found_as_by_looking_at_all_of_them():
    rng = np.random.default_rng(6)
    vertex_event = np.repeat(np.arange(20), rng.integers(1, 6, 20))
    z = rng.normal(0, 5, len(vertex_event))
    event, dz = rng.integers(0, 20, 500), rng.normal(0, 3, 500) * rng.choice([0.01, 1], 500)
    expected = []
    for number, height in zip(event, dz, strict=True):
        heights = z[vertex_event == number]
        others = heights[1:] - heights[0]
        expected.append(abs(height) > 0.1 and len(others) > 0 and np.abs(others - height).min() < abs(height))
    np.testing.assert_array_equal(from_other_vertex(event, dz, vertex_event, z, 0.1), expected)
    none = np.zeros(0, int)
    assert not from_other_vertex(event, dz, none, none.astype(float), 0.1).any()


def test_shipped_constants_can_be_read_and_factors_are_interpolated_in_the_logarithm():
    path = find_config("particleflow", "detector")
    config = validate(RulesConfig, read_yaml(path), str(path))
    energies = np.array(config.calibration.energy)
    inside = np.full(len(energies), 0.1)
    np.testing.assert_allclose(config.calibration.factor("photon", energies, inside), config.calibration.photon[0])
    two = Calibration(abs_eta=[1.0, 2.0], energy=[1.0, 100.0], photon=[[1.0, 2.0], [3.0, 3.0]], ecal=[[1, 1]] * 2,
                      hcal=[[1, 1]] * 2, ecal_alone=[[1, 1]] * 2, hcal_alone=[[1, 1]] * 2)  # fmt: skip
    at = two.factor("photon", np.array([0.1, 10.0, 1e4, 5.0]), np.array([0.5, -0.5, 0.5, -9.0]))
    np.testing.assert_allclose(at, [1.0, 1.5, 2.0, 3.0])
    with pytest.raises(ValueError, match="photon needs 2 rows of 2 factors"):
        replace(two, photon=[[1.0, 2.0]])
