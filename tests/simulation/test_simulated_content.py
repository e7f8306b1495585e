"""What simulated files hold: images are those of the objects, truth is linked, jets are what lies around them."""

import awkward as ak
import numpy as np
import pytest

from tests.simulation.top_events import EVENTS, event_of, flat


# The images once more, independently: plain arithmetic and np.add.at on the vectors.
def row_of(eta):
    return np.floor(eta / 0.0174).astype(int) + 140


def column_of(phi):
    return np.floor(np.degrees(phi) + 10.0).astype(int) % 360


def picture(event, row, column, weight, shape=(280, 360)):
    image = np.zeros((EVENTS, *shape))
    inside = (row >= 0) & (row < shape[0])
    np.add.at(image, (event[inside], row[inside], column[inside]), (np.zeros(len(row)) + weight)[inside])
    return image.reshape(EVENTS, -1)


def track_picture(events, weight):
    place = row_of(flat(events.track_eta)), column_of(flat(events.track_phi))
    return picture(event_of(events.track_pt), *place, weight)


@pytest.mark.parametrize("kind", ["D0", "Dz", "D0Sig", "DzSig"])
def test_impact_parameter_images_are_means_of_the_tracks(events, kind):
    name = kind[:2].lower()
    value = flat(events[f"track_{name}"])
    if kind.endswith("Sig"):
        value = value / flat(events[f"track_{name}Err"])
    expected = track_picture(events, value) / np.maximum(track_picture(events, 1.0), 1.0)
    image = ak.to_numpy(events[f"ECAL_tracks{kind}_atECALfixIP"])
    np.testing.assert_allclose(image, expected, rtol=1e-6, atol=1e-7)
    assert (image < 0).any()
    assert (image > 0).any()


@pytest.mark.parametrize("kind", ["", "Pt", "QPt"])
def test_track_images_are_sums_of_the_tracks(events, kind):
    pt, charge = flat(events.track_pt), flat(events.track_charge)
    weight = {"": np.ones_like(pt), "Pt": pt, "QPt": pt * charge}[kind]
    image = ak.to_numpy(events[f"ECAL_tracks{kind}_atECALfixIP"])
    np.testing.assert_allclose(image, track_picture(events, weight), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("branch", "detector", "layer"),
    [(f"BPIX_layer{i}", 1, i) for i in (1, 2, 3)]
    + [(f"TIB_layer{i}", 3, i) for i in (1, 2)]
    + [(f"TOB_layer{i}", 5, i) for i in (1, 2)],
)
def test_hit_images_count_the_hits_of_their_layer_seen_from_the_vertex(events, branch, detector, layer):
    x, y, z = (flat(events[f"hit_global_{axis}"]) for axis in "xyz")
    here = (flat(events.hit_sub_det) == detector) & (flat(events.hit_layer) == layer)
    row, column = row_of(np.arcsinh(z / np.hypot(x, y))), column_of(np.arctan2(y, x))
    expected = picture(event_of(events.hit_layer)[here], row[here], column[here], 1.0)
    image = ak.to_numpy(events[f"{branch}_ECAL_atPV"])
    np.testing.assert_array_equal(image, expected)
    assert image.sum() > 100


def test_calorimeter_images_hold_the_cells(events):
    place = event_of(events.ecal_energy), flat(events.ecal_ieta).astype(int), flat(events.ecal_iphi).astype(int)
    crystals = picture(*place, flat(events.ecal_energy))
    np.testing.assert_array_equal(ak.to_numpy(events.ECAL_energy), crystals)
    barrel = crystals.reshape(EVENTS, 280, 360)[:, 55:225].reshape(EVENTS, -1)
    np.testing.assert_array_equal(ak.to_numpy(events.EB_energy), barrel)
    times = picture(*place, flat(events.ecal_time)).reshape(EVENTS, 280, 360)[:, 55:225].reshape(EVENTS, -1)
    np.testing.assert_array_equal(ak.to_numpy(events.EB_time), times)
    place = event_of(events.hcal_energy), flat(events.hcal_ieta).astype(int), flat(events.hcal_iphi).astype(int)
    towers = picture(*place, flat(events.hcal_energy), (56, 72))
    np.testing.assert_array_equal(ak.to_numpy(events.HBHE_energy), towers)
    central = towers.reshape(EVENTS, 56, 72)[:, 11:45].reshape(EVENTS, -1)
    np.testing.assert_array_equal(ak.to_numpy(events.HBHE_energy_EB), central)


def test_without_images_the_vectors_alone_are_written(alone):
    assert "ECAL_energy" not in alone.fields
    assert "ecal_energy" in alone.fields


def test_both_tops_decay_to_quarks_that_balance_them(events):
    imbalance = []
    for event in events:
        pdg, mother, pt, phi = (ak.to_numpy(event[f"gen_{name}"]) for name in ("pdgId", "mother", "pt", "phi"))
        tops = np.flatnonzero(np.abs(pdg) == 6)
        assert len(tops) == 2
        for top in tops:
            (w,) = np.flatnonzero((mother == top) & (np.abs(pdg) == 24))
            (down,) = np.flatnonzero((mother == top) & np.isin(np.abs(pdg), [1, 3, 5]))
            quarks = np.flatnonzero((mother == w) & (np.abs(pdg) <= 5))
            assert len(quarks) == 2
            total = sum(pt[i] * np.exp(1j * phi[i]) for i in (down, *quarks))
            imbalance.append(abs(total - pt[top] * np.exp(1j * phi[top])) / pt[top])
    # Exact but for the W's recoil against gluons that the b radiates.
    assert np.median(imbalance) < 0.05


def test_mothers_come_before_their_daughters(events):
    mother = flat(events.gen_mother)
    index = flat(ak.local_index(events.gen_mother))
    assert (mother < index).all()
    assert (mother >= -1).all()


@pytest.mark.parametrize("kind", ["track", "hit", "ecal", "hcal"])
def test_links_point_into_the_generator_record_or_to_nothing(events, alone, kind):
    links = events[f"{kind}_genIndex"]
    assert ak.all((links >= -1) & (links < ak.num(events.gen_pt)))
    # Pile-up brings unlinked tracks, hits and cells; without it only noise, fakes and the softest are.
    assert ak.mean(links < 0) > ak.mean(alone[f"{kind}_genIndex"] < 0)


def test_a_tracks_link_is_the_particle_it_measures(alone):
    linked = alone.track_genIndex >= 0
    index = alone.track_genIndex[linked]
    pt, true = alone.track_pt[linked], alone.gen_pt[index]
    stable = (alone.gen_status[index] == 1) & (np.abs(alone.track_d0[linked]) < 0.05)
    ratio = flat(pt[stable]) / flat(true[stable])
    assert np.mean(np.abs(ratio - 1) < 0.05) > 0.9


def test_calorimeters_hold_what_particles_carry(alone):
    """Energy balance: deposits in |η| < 2 against stable particles but neutrinos and muons, event by event."""
    visible = (alone.gen_status == 1) & (np.abs(alone.gen_eta) < 2.0)
    for pdg in (12, 13, 14, 16):
        visible = visible & (np.abs(alone.gen_pdgId) != pdg)
    carried = ak.sum((alone.gen_pt * np.cosh(alone.gen_eta))[visible], axis=1)
    rows = np.abs((alone.ecal_ieta - 139.5) * 0.0174) < 2.0, np.abs((alone.hcal_ieta - 27.5) * 0.087) < 2.0
    measured = ak.sum(alone.ecal_energy[rows[0]], axis=1) + ak.sum(alone.hcal_energy[rows[1]], axis=1)
    assert 0.9 < float(np.median(measured / carried)) < 1.1


def test_jets_measure_the_particles_around_them(alone):
    ratios = []
    for event in alone:
        stable = (event.gen_status == 1) & ~np.isin(np.abs(ak.to_numpy(event.gen_pdgId)), [12, 14, 16])
        pt, eta, phi = (ak.to_numpy(event[f"gen_{name}"][stable]) for name in ("pt", "eta", "phi"))
        for jet in range(len(event.jetPt)):
            turn = np.mod(phi - event.jetPhi[jet] + np.pi, 2 * np.pi) - np.pi
            near = np.hypot(eta - event.jetEta[jet], turn) < 0.8
            ratios.append(event.jetPt[jet] / abs(np.sum(pt[near] * np.exp(1j * phi[near]))))
    assert 0.95 < np.median(ratios) < 1.05


def test_jets_fall_in_pt_and_their_seed_holds_energy_near_their_axis(events):
    assert ak.all(events.jetPt[:, :-1] >= events.jetPt[:, 1:])
    assert ak.all(events.jetSoftDropM <= events.jetM * 1.0001)
    towers = ak.to_numpy(events.HBHE_energy).reshape(EVENTS, 56, 72)
    for number, event in enumerate(events):
        for jet in range(len(event.jetPt)):
            row, column = int(event.jetSeed_ieta[jet]), int(event.jetSeed_iphi[jet])
            assert towers[number, row, column] > 0
            assert abs(row_of(event.jetEta[jet]) // 5 - row) <= 3
            assert (column_of(event.jetPhi[jet]) // 5 - column + 3) % 72 <= 6
