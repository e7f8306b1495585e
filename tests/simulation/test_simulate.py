"""Whole simulated files: content, images, truth, reproducibility, and what a user can get wrong."""

import json
import sys
from dataclasses import replace

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml

from e2egraph.errors import InputError, UsageError
from e2egraph.events.sources.rhtree import RHTreeFile
from e2egraph.simulation.simulate import read_settings, simulate
from tests.simulation.particle_gun import HARD_PROCESS_ALONE, read

EVENTS, SEED = 30, 11
# A small pool: starting Pythia twice is what takes the time.
FEW = ["process.pile_up.pool_events=40"]
ALONE = ["process.pile_up.mean=0"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("simulated")


@pytest.fixture(scope="module")
def summary(folder):
    return simulate("ttbar", EVENTS, SEED, folder / "ttbar.root", settings=FEW)


@pytest.fixture(scope="module")
def events(summary):
    return read(summary.path)


@pytest.fixture(scope="module")
def alone(folder):
    """Without images and pile-up."""
    return read(simulate("ttbar", EVENTS, SEED, folder / "alone.root", images=False, settings=ALONE).path)


def flat(array):
    return ak.to_numpy(ak.flatten(array)).astype(np.float64)


def event_of(array):
    return np.repeat(np.arange(len(array)), ak.to_numpy(ak.num(array)))


def test_the_summary_says_what_was_written(summary, events):
    assert summary.events == len(events) == EVENTS
    assert summary.jets == ak.sum(ak.num(events.jetPt)) > EVENTS
    assert summary.events_per_second > 0
    assert [path.name for path in summary.path.parent.glob("*partial*")] == []


def test_the_tree_has_the_ntuples_names_and_types(summary):
    with uproot.open(summary.path) as file:
        tree = file["fevt/RHTree"]
        names = {"jetSeed_ieta", "jetPt", "track_d0Err", "hit_sub_det", "ecal_time", "gen_pdgId", "Vtx_z"}
        assert names <= set(tree.keys())
        assert (tree["eventId"].typename, tree["runId"].typename) == ("uint64_t", "uint32_t")
        assert tree["track_pt"].array().type.content.content.primitive == "float32"


def test_the_file_says_how_it_was_made(summary):
    with uproot.open(summary.path) as file:
        made_by = json.loads(file["fevt/configuration"])
    assert (made_by["name"], made_by["events"], made_by["seed"]) == ("ttbar", EVENTS, SEED)
    assert made_by["process"]["pile_up"]["pool_events"] == 40
    assert made_by["detector"]["solenoid"]["field"] == 3.8


def test_events_of_a_biased_process_carry_pythias_weights(folder, events):
    np.testing.assert_array_equal(events.genWeight, np.ones(EVENTS))
    bias = ["PhaseSpace:bias2Selection = on", "PhaseSpace:bias2SelectionPow = 4", "PhaseSpace:bias2SelectionRef = 50"]
    lines = ["HardQCD:gg2gg = on", *HARD_PROCESS_ALONE, "PhaseSpace:pTHatMin = 50", *bias]
    process = folder / "biased.yaml"
    process.write_text(yaml.safe_dump({"title": "biased", "generator": {"settings": lines}}))
    # Two batches, and parts of batches with images.
    path = simulate(str(process), 105, SEED, folder / "biased.root", settings=ALONE).path
    biased = read(path)
    outgoing = biased.gen_pt[biased.gen_status == 23]
    np.testing.assert_allclose(biased.genWeight, (50 / ak.to_numpy(outgoing[:, 0])) ** 4, rtol=1e-5)
    record = RHTreeFile(path).read(0, 105, ["id"])
    np.testing.assert_allclose(record.gen_weight, biased.genWeight)


def test_batches_without_any_jet_give_a_readable_file(folder):
    process = folder / "zee.yaml"
    lines = ["WeakSingleBoson:ffbar2gmZ = on", "PhaseSpace:mHatMin = 80", "23:onMode = off", "23:onIfAny = 11"]
    process.write_text(yaml.safe_dump({"title": "Z to electrons", "generator": {"settings": lines}}))
    summary = simulate(str(process), 5, SEED, folder / "zee.root", images=False, settings=ALONE)
    assert summary.jets == 0
    record = RHTreeFile(summary.path).read(0, 5, ["id", "jets", "tracks", "gen"])
    np.testing.assert_array_equal(ak.num(record.jets), np.zeros(5))
    electrons = record.gen[np.abs(record.gen.pdg_id) == 11]
    assert ak.all(ak.num(electrons) >= 2)
    assert ak.all(ak.num(record.tracks) > 0)


def test_events_are_numbered_from_one_and_carry_the_seed(events):
    np.testing.assert_array_equal(events.eventId, np.arange(1, EVENTS + 1))
    assert set(events.runId.tolist()) == {1}
    assert set(events.lumiId.tolist()) == {SEED}


def test_the_first_vertex_is_the_primary_one(events):
    np.testing.assert_array_equal(events.nVtx, ak.num(events.Vtx_z))
    assert ak.min(events.nVtx) >= 1
    # Most stiff tracks come from the hard collision, whose vertex d0 and dz refer to.
    stiff = events.track_pt > 5
    assert np.mean(np.abs(flat(events.track_dz[stiff])) < 0.2) > 0.8
    assert abs(np.median(flat(events.track_d0[stiff]))) < 0.002


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


def same(one, two):
    return all(ak.array_equal(one[name], two[name]) for name in one.fields)


def test_the_same_seed_gives_the_same_content(folder, events):
    again = read(simulate("ttbar", EVENTS, SEED, folder / "again.root", settings=FEW).path)
    assert again.fields == events.fields
    assert same(again, events)


def test_images_change_nothing_else_and_another_seed_changes_everything(folder, alone):
    pictured = read(simulate("ttbar", EVENTS, SEED, folder / "pictured.root", settings=ALONE).path)
    assert same(alone, pictured[alone.fields])
    other = read(simulate("ttbar", EVENTS, SEED + 1, folder / "other.root", images=False, settings=ALONE).path)
    assert not ak.array_equal(other.track_pt, alone.track_pt)
    assert not ak.array_equal(other.gen_pt, alone.gen_pt)


def test_pile_up_and_field_follow_their_settings(folder, events, alone):
    assert np.mean(events.nVtx) > 4
    assert np.mean(alone.nVtx) == 1
    straight = simulate("ttbar", EVENTS, SEED, folder / "field.root", images=False,
                        settings=[*ALONE, "detector.solenoid.field=0"])  # fmt: skip
    straight = read(straight.path)

    def bend(array):
        """Median angle [rad] by which a linked track of 5-10 GeV turns on its way to the ECAL."""
        chosen = (array.track_genIndex >= 0) & (array.track_pt > 5) & (array.track_pt < 10)
        turn = array.track_phi[chosen] - array.gen_phi[array.track_genIndex[chosen]]
        return float(np.median(np.abs(np.mod(flat(turn) + np.pi, 2 * np.pi) - np.pi)))

    # sin(Δφ) = 0.003·B·r/(2·pT): 0.1 rad at 7 GeV.
    assert bend(alone) == pytest.approx(0.1, abs=0.02)
    assert bend(straight) < 0.01


def test_the_phase_1_detector_has_four_pixel_layers_at_its_own_radii(folder):
    path = folder / "phase1.root"
    newer = read(simulate("ttbar", 2, SEED, path, settings=ALONE, detector="detector-phase1").path)
    pixels = newer.hit_sub_det == 1
    # Positions are relative to the vertex, some mm off the axis.
    radius = np.hypot(newer.hit_global_x, newer.hit_global_y)
    for layer, expected in enumerate((2.9, 6.8, 10.9, 16.0), start=1):
        found = flat(radius[pixels & (newer.hit_layer == layer)])
        assert len(found) > 50
        assert np.mean(found) == pytest.approx(expected, abs=0.3)
        assert np.std(found) < 0.5
    assert newer["BPIX_layer4_ECAL_atPV"].to_numpy().sum() == ak.sum(pixels & (newer.hit_layer == 4))
    record = RHTreeFile(path).read(0, 2, ["hits"])
    assert 4 in {int(channel) for channel in np.unique(ak.to_numpy(ak.flatten(record.hits.channel)))}


def test_a_detector_can_be_written_as_changes_to_another(tmp_path):
    path = tmp_path / "strong.yaml"
    path.write_text("extends: detector-phase1\nsolenoid: {field: 4.0}\n")
    strong, newer = (read_settings("ttbar", detector=name).detector for name in (str(path), "detector-phase1"))
    assert strong.solenoid.field == 4.0
    assert replace(strong, solenoid=newer.solenoid) == newer


def test_progress_ends_at_the_number_of_events(folder):
    seen = []
    simulate("ttbar", 3, 1, folder / "progress.root", images=False, settings=ALONE, progress=seen.append)
    assert seen[-1] == 3


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"events": 0}, UsageError, "--events 0"),
        ({"seed": -1}, UsageError, "--seed -1"),
        ({"seed": 2**32}, UsageError, "--seed"),
        ({"process": "higgs"}, UsageError, "'higgs'"),
        ({"settings": ["process.generator.settings=['HardQCD:al = on']"]}, UsageError, "HardQCD:al = on"),
        ({"settings": ["process.pile_up.process=none"]}, UsageError, "'none'"),
    ],
)
def test_wrong_use_is_named_and_leaves_no_file(tmp_path, change, error, message):
    arguments = {"process": "ttbar", "events": 2, "seed": 1, "output": tmp_path / "x.root", **change}
    with pytest.raises(error, match=message) as caught:
        simulate(**arguments)
    assert str(caught.value).count("\n") == 0
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        simulate("ttbar", 2, 1, tmp_path / "none" / "x.root")


def test_an_interrupted_run_leaves_an_earlier_file_alone(tmp_path):
    output = tmp_path / "x.root"
    output.write_text("earlier")

    def stop(_done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate("ttbar", 2, 1, output, images=False, settings=ALONE, progress=stop)
    assert output.read_text() == "earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["x.root"]


@pytest.mark.parametrize("package", ["pythia8mc", "fastjet"])
def test_a_missing_extra_says_how_to_install_it(tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=r"pip install 'e2egraph\[sim\]'"):
        simulate("ttbar", 2, 1, tmp_path / "x.root", settings=ALONE)
