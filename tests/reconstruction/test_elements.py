"""Elements: where tracks go behind the ECAL, and directions of clusters from the vertex."""

import numpy as np

from e2egraph.detector.channels import Channel
from e2egraph.detector.geometry import delta_phi
from e2egraph.reconstruction.elements import ElementsConfig, Measured, at_hcal, make_elements, towards
from e2egraph.simulation.generation.particles import helices
from e2egraph.simulation.response.showers import enter
from tests.simulation.particle_gun import gun

FIELD, END_PLANE = 3.8, 317.0


def test_tracks_enter_the_hcal_where_the_simulation_lets_their_particles_enter():
    rng = np.random.default_rng(1)
    size = 500
    charge = rng.choice([-1.0, 1.0], size)
    eta = rng.uniform(-1.5, 1.5, size)
    particles = gun(pt=rng.uniform(1.0, 30, size), eta=eta, phi=rng.uniform(-np.pi, np.pi, size), charge=charge)
    entry = enter(particles, helices(particles, FIELD), END_PLANE, 1.0)
    assert len(entry.particle) == size
    at_eta, at_phi = at_hcal(particles.pt, charge, entry.ecal_eta, entry.ecal_phi, np.sinh(eta), FIELD)
    hard = particles.pt > 3
    np.testing.assert_allclose(at_eta[hard], entry.hcal_eta[hard], atol=2e-3)
    np.testing.assert_allclose(delta_phi(at_phi, entry.hcal_phi)[hard], 0.0, atol=2e-3)
    # The simulation ends slanting paths of soft particles before the radius of the HCAL; links reach further.
    np.testing.assert_allclose(delta_phi(at_phi, entry.hcal_phi), 0.0, atol=0.03)


def test_a_photon_points_from_its_vertex_to_its_cluster():
    rng = np.random.default_rng(2)
    size = 300
    z = rng.normal(0, 5, size)
    eta, phi = rng.uniform(-1.5, 1.5, size), rng.uniform(-np.pi, np.pi, size)
    particles = gun(pdg=22, charge=0.0, mass=0.0, pt=5.0, eta=eta, phi=phi, z=z)
    entry = enter(particles, helices(particles, FIELD), END_PLANE, 1.0)
    vertex = np.stack([np.zeros(size), np.zeros(size), z], axis=1)
    for channel, place in (
        (Channel.ECAL, (entry.ecal_eta, entry.ecal_phi)),
        (Channel.HCAL, (entry.hcal_eta, entry.hcal_phi)),
    ):
        found_eta, found_phi = towards(channel, *place, vertex)
        np.testing.assert_allclose(found_eta, eta, atol=1e-6)
        np.testing.assert_allclose(delta_phi(found_phi, phi), 0.0, atol=1e-6)


def test_cells_as_elements_keep_their_places_and_energies_and_soft_tracks_are_left_out():
    tracks = dict.fromkeys(("eta", "phi", "d0", "dz", "eta0", "phi0", "pt_err", "muon"), np.zeros(2))
    tracks |= {"event": np.array([0, 1]), "pt": np.array([0.4, 3.0]), "charge": np.ones(2)}
    tracks |= {"d0_err": np.full(2, 0.01), "dz_err": np.full(2, 0.02)}
    ecal = {"event": np.array([0, 1]), "row": np.array([140, 139]), "column": np.array([10, 0]),
            "energy": np.array([0.5, 2.0]), "time": np.array([1.5, 0.0])}  # fmt: skip
    hcal = {"event": np.array([1]), "row": np.array([28]), "column": np.array([71]), "energy": np.array([4.0])}
    made = make_elements(Measured(2, np.zeros((2, 3)), tracks, ecal, hcal), ElementsConfig(kind="cells"), FIELD)
    assert made.channel.tolist() == [Channel.TRACK, Channel.ECAL, Channel.ECAL, Channel.HCAL]
    assert made.event.tolist() == [1, 0, 1, 1] and made.source.tolist() == [1, 0, 1, 0]
    np.testing.assert_allclose(made.columns["energy"], [3.0, 0.5, 2.0, 4.0])
    np.testing.assert_allclose(made.columns["time"], [0, 1.5, 0, 0])
    np.testing.assert_allclose(made.columns["deta"], [0, 0.0087, -0.0087, 0.0435])
    assert (made.columns["size"] == 0).all()
