"""True particles of all collisions, their links to cells and tracks, and the muon system's bit."""

from dataclasses import replace

import awkward as ak
import numpy as np
import pytest

from e2egraph.detector.geometry import ECAL_COLUMNS, ECAL_ROWS, HCAL_COLUMNS, HCAL_ROWS
from e2egraph.errors import InputError, UsageError
from e2egraph.events.sources.rhtree import RHTreeFile
from e2egraph.simulation.generation.particles import helices
from e2egraph.simulation.particleflow.links import link_cells
from e2egraph.simulation.particleflow.muons import tag_muons
from e2egraph.simulation.particleflow.roots import find_roots
from e2egraph.simulation.response.calorimeter import read_out
from e2egraph.simulation.response.material import interact
from e2egraph.simulation.response.showers import Deposits, enter, shower
from e2egraph.simulation.response.tracking import reconstruct
from e2egraph.simulation.simulate import simulate
from tests.simulation.particle_gun import detector, gun, read
from tests.simulation.top_events import EVENTS, FEW, SEED, flat

SIZE, NUMBER = 600, 20
CRYSTALS, TOWERS = ECAL_ROWS * ECAL_COLUMNS, HCAL_ROWS * HCAL_COLUMNS
COLLECTIONS = ["pv", "tracks", "ecal", "hcal", "gen", "track_details", "sim", "track_links", "ecal_links", "hcal_links"]


@pytest.fixture(scope="module")
def flow(folder):
    """Of the same events as ``events``, with the option."""
    return simulate("ttbar", EVENTS, SEED, folder / "flow.root", particle_flow=True, settings=FEW).path


@pytest.fixture(scope="module")
def record(flow):
    return RHTreeFile(flow).read(0, EVENTS, COLLECTIONS)


@pytest.fixture(scope="module")
def response():
    """Photons and pions, several in an event: passage, and of each calorimeter deposits, cells, noise and size."""
    config, rng = detector(), np.random.default_rng(4)
    columns = {"pt": rng.uniform(1, 20, SIZE), "eta": rng.normal(0, 0.5, SIZE), "phi": rng.normal(0, 0.3, SIZE)}
    particles = gun(**columns, event=np.sort(rng.integers(NUMBER, size=SIZE)))
    photon = rng.uniform(size=SIZE) < 0.5
    particles = replace(
        particles,
        pdg=np.where(photon, 22, 211),
        charge=np.where(photon, 0.0, 1.0),
        mass=np.where(photon, 0.0, 0.13957),
    )
    passage = interact(particles, config.solenoid.field, config.material, rng)
    particles = passage.particles
    entry = enter(particles, helices(particles, config.solenoid.field), config.ecal.end_plane, 1.0)
    deposits = shower(particles, entry, config.ecal, config.hcal, rng)
    untracked = np.zeros(len(particles), dtype=bool)
    read_outs = []
    for given, size, calorimeter in zip(deposits, (CRYSTALS, TOWERS), (config.ecal, config.hcal), strict=True):
        noise, threshold = calorimeter.noise, calorimeter.threshold
        cells = read_out(given, particles, untracked, size, NUMBER, noise, threshold, rng)
        read_outs.append((given, cells, noise, size))
    return passage, read_outs


def true_energies(deposits, cells, size):
    """What all particles deposited in each stored cell, before noise and suppression, summed another way."""
    image = np.bincount(deposits.event * size + deposits.cell, deposits.energy, minlength=NUMBER * size)
    return image[cells.event * size + cells.cell]


@pytest.mark.parametrize("which", [0, 1])
def test_links_of_a_cell_add_up_to_all_that_was_deposited_in_it(response, which):
    passage, read_outs = response
    deposits, cells, noise, size = read_outs[which]
    links = link_cells(deposits, find_roots(passage.origin), cells, size)
    true = true_energies(deposits, cells, size)
    linked = np.bincount(links.cell, links.energy, minlength=len(cells.cell))
    np.testing.assert_allclose(linked, true, rtol=1e-12, atol=1e-12)
    # Cells of noise alone have no link, all others have.
    np.testing.assert_array_equal(np.isin(np.arange(len(true)), links.cell), true > 0)
    # What is measured besides is noise: a Gaussian, wherever suppression does not choose.
    safe = true > 15 * noise
    over = (cells.energy - linked)[safe] / noise
    assert abs(np.mean(over)) < 4 / np.sqrt(len(over))
    assert np.std(over) == pytest.approx(1.0, abs=4 / np.sqrt(2 * len(over)))
    # Each pair once, in order.
    assert (np.diff(links.cell * len(passage.origin) + links.particle) > 0).all()


def test_energy_of_what_the_material_made_belongs_to_the_particle_of_the_collision(response):
    passage, read_outs = response
    root = find_roots(passage.origin)
    assert (root < SIZE).all()
    np.testing.assert_array_equal(root[:SIZE], np.arange(SIZE))
    assert np.array_equal(passage.particles.gen, root)
    deposits, cells, _, size = read_outs[0]
    links = link_cells(deposits, root, cells, size)
    converted = np.isfinite(passage.particles.stop_radius[:SIZE]) & (passage.particles.pdg[:SIZE] == 22)
    given = np.bincount(links.particle, links.energy, minlength=SIZE)
    assert converted.sum() > 50
    # The particle itself ended in the tracker; its pairs arrive.
    assert np.mean(given[converted] > 0) > 0.8


def test_particles_without_cells_give_no_links():
    nothing = Deposits(*(np.zeros(0, dtype=np.int64),) * 3, np.zeros(0), np.zeros(0))
    particles = gun(size=1)
    cells = read_out(nothing, particles, np.zeros(1, dtype=bool), TOWERS, 2, 0.2, 0.4, np.random.default_rng(1))
    assert len(cells.cell) > 0
    links = link_cells(nothing, np.zeros(1, dtype=np.int64), cells, TOWERS)
    assert len(links.cell) == len(links.particle) == len(links.energy) == 0
    one = replace(nothing, **{name: np.zeros(1, dtype=np.int64) for name in ("event", "cell", "particle")})
    none = replace(cells, **{name: getattr(cells, name)[:0] for name in ("event", "cell", "energy")})
    one = replace(one, energy=np.ones(1), time=np.zeros(1))
    assert len(link_cells(one, np.zeros(1, dtype=np.int64), none, TOWERS).cell) == 0


def test_the_option_changes_nothing_else_and_its_branches_are_there_with_it_alone(events, flow):
    more = read(flow)
    assert all(ak.array_equal(more[name], events[name]) for name in events.fields)
    further = set(more.fields) - set(events.fields)
    assert {"sim_pt", "ecalLink_energy", "hcalLink_sim", "track_simIndex", "track_muon", "track_eta0"} <= further
    assert all(name.startswith(("sim_", "ecalLink_", "hcalLink_", "track_", "count_")) for name in further)


@pytest.mark.parametrize("cells", ["ecal", "hcal"])
def test_links_point_to_cells_and_particles_of_their_own_event(record, cells):
    links, energies = record[f"{cells}_links"], record[cells].energy
    linked = [
        np.bincount(of.cell, of.energy, minlength=len(energy)) for of, energy in zip(links, energies, strict=True)
    ]
    linked, measured = np.concatenate(linked), flat(energies)
    noise, threshold = {"ecal": (0.04, 0.1), "hcal": (0.2, 0.4)}[cells]
    signal = linked > threshold + 5 * noise
    assert np.std((measured - linked)[signal]) == pytest.approx(noise, rel=0.1)


@pytest.mark.parametrize("cells", ["ecal", "hcal"])
def test_the_particle_that_gave_most_is_the_cells_own_link(flow, record, cells):
    own = read(flow)[f"{cells}_genIndex"]
    for event, stored in zip(record, own, strict=True):
        links = event[f"{cells}_links"]
        gen = ak.to_numpy(event.sim.gen_index)[links.particle]
        pairs, where = np.unique(np.stack([ak.to_numpy(links.cell), gen]), axis=1, return_inverse=True)
        given = np.bincount(where.ravel(), links.energy, minlength=pairs.shape[1])
        order = np.lexsort((given, pairs[0]))
        last = np.flatnonzero(np.diff(pairs[0][order], append=-1))
        most = np.full(len(stored), -1)
        most[pairs[0][order][last]] = pairs[1][order][last]
        np.testing.assert_array_equal(most, stored)


def test_tracks_know_their_particle_and_where_it_began(record):
    for event in record:
        particle = ak.to_numpy(event.track_links.particle)
        secondary = ak.to_numpy(event.track_links.secondary) == 1
        own = (particle >= 0) & ~secondary
        true = event.sim[particle[own]]
        assert set(np.abs(true.charge)) == {1}
        np.testing.assert_array_equal(np.sign(true.charge), ak.to_numpy(event.tracks.charge)[own])
        near = np.abs(event.track_details.eta0[own] - true.eta) < 0.01
        assert np.mean(near) > 0.98
        pull = (event.tracks.pt[own] - true.pt) / event.track_details.pt_err[own]
        assert np.median(np.abs(pull)) < 1.5


def test_pile_up_and_noise_are_told_apart(record):
    sim = record.sim
    hard = sim.collision == 0
    assert ak.all(sim.gen_index[~hard] == -1)
    # Hard ones are stored as generator particles too, but for the softest.
    assert ak.all(sim.gen_index[hard & (sim.pt > 0.201) & (np.abs(sim.eta) < 2.99)] >= 0)
    assert ak.sum(~hard) > ak.sum(hard)
    # Born where the primary vertex is, in the same frame, unless a parent flew.
    away = np.abs(sim.vz[hard] - record.pv.z)
    assert np.mean(flat(away) < 0.05) > 0.75
    assert np.mean(np.abs(flat(sim.vz[~hard] - record.pv.z)) < 0.05) < 0.1


def test_every_particle_has_a_track_or_a_cell_and_its_fate_is_its_kinds(record):
    for event in record:
        seen = np.zeros(len(event.sim), dtype=bool)
        for name in ("track_links", "ecal_links", "hcal_links"):
            particle = ak.to_numpy(event[name].particle)
            seen[particle[particle >= 0]] = True
        assert seen.all()
    code, fate = np.abs(flat(record.sim.pdg_id)), flat(record.sim.fate)
    assert set(code[fate == 1]) == {22}
    assert set(code[fate == 3]) == {11}
    assert not set(code[fate == 2]) & {11, 13, 22}
    assert not set(code) & {12, 14, 16}


def test_muons_are_found_with_the_configured_efficiency_and_hadrons_as_rarely_as_said():
    config, rng = detector("muons.punch_through=0.02"), np.random.default_rng(3)
    for pdg, mass, expected in ((13, 0.10566, 0.97), (211, 0.13957, 0.02), (11, 0.000511, 0.0)):
        particles = gun(pdg=pdg, mass=mass, pt=20.0, event=np.arange(8000))
        tracks = reconstruct(particles, helices(particles, 3.8), 317.0, (0, 0, 0), config.tracks, rng)
        tagged = tag_muons(tracks, particles, config.muons, rng)
        real = tracks.particle >= 0
        assert not tagged[~real].any()
        assert np.mean(tagged[real]) == pytest.approx(expected, abs=0.008)
        soft = replace(tracks, pt=np.full(len(tracks), 3.0))
        assert not tag_muons(soft, particles, config.muons, rng).any()


def test_a_detector_without_muons_and_a_file_without_links_are_named(tmp_path, summary):
    own = tmp_path / "none.yaml"
    own.write_text("extends: detector\nmuons: null\n")
    with pytest.raises(UsageError, match=r"--particle-flow: the detector's YAML has no group muons"):
        simulate("ttbar", 1, 1, tmp_path / "x.root", particle_flow=True, detector=str(own))
    assert not (tmp_path / "x.root").exists()
    old = RHTreeFile(summary.path)
    for name, branch in (("ecal_links", "ecalLink_cell"), ("sim", "sim_pdgId"), ("track_details", "track_eta0")):
        with pytest.raises(InputError, match=rf"no branch for {name} \(looked for {branch}"):
            old.read(0, 1, [name])


def test_jets_of_rule_based_particle_flow_change_jets_alone(events, folder):
    rules = ["detector.candidates.kind=rules", *FEW]
    other = read(simulate("ttbar", EVENTS, SEED, folder / "rules.root", images=False, settings=rules).path)
    jets = [name for name in other.fields if name.startswith(("jet", "count_jet"))]
    kept = [name for name in other.fields if name not in jets]
    assert all(ak.array_equal(other[name], events[name]) for name in kept) and len(kept) > 30
    assert not {name for name in other.fields if name.startswith(("sim_", "track_muon"))}
    # The same jets, less well measured: confusion moves their masses.
    ratio = flat(ak.firsts(other.jetPt)[:, None]) / flat(ak.firsts(events.jetPt)[:, None])
    assert 0.85 < np.median(ratio) < 1.15 and 0.001 < np.std(ratio) < 0.3
    assert not np.array_equal(flat(other.jetSoftDropM), flat(events.jetSoftDropM))


def test_rules_for_jets_need_constants_and_a_muon_system(tmp_path):
    with pytest.raises(UsageError, match="nothing"):
        settings = ["detector.candidates.kind=rules", "detector.candidates.rules=nothing"]
        simulate("ttbar", 1, 1, tmp_path / "x.root", settings=settings)
    with pytest.raises(UsageError, match=r"candidates\.kind: rules: the detector's YAML has no group muons"):
        simulate("ttbar", 1, 1, tmp_path / "x.root", settings=["detector.candidates.kind=rules", "detector.muons=null"])
