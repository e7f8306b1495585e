"""Jets of large radius made of jets, and plain anti-kT jets."""

import awkward as ak
import numpy as np
import pytest

from e2egraph.errors import UsageError
from e2egraph.simulation.antikt import cluster_plain, fat_jets
from e2egraph.simulation.generation.candidates import Candidates
from e2egraph.simulation.jets import Jets
from e2egraph.simulation.response.jetsconfig import FatJetsConfig
from e2egraph.simulation.simulate import simulate
from tests.simulation.particle_gun import detector, read


def jets(event, pt, eta, phi, mass):
    columns = [np.asarray(column, dtype=float) for column in (pt, eta, phi, mass)]
    return Jets(np.asarray(event), *columns, softdrop_mass=columns[3], tau=np.zeros((3, len(pt))))


def test_jets_within_the_radius_become_one_with_the_sum_of_their_momenta():
    made = fat_jets(
        jets([0, 0, 0, 2], [200, 100, 20, 50], [0.1, 0.5, 0.3, 1.0], [0, 0.6, 0.3, 1.0], [10, 5, 2, 6]), 3,
        FatJetsConfig(),
    )  # fmt: skip
    np.testing.assert_array_equal(made.event, [0, 2])
    # The third is too soft to take part.
    vectors = [(200, 0.1, 0.0, 10), (100, 0.5, 0.6, 5)]
    px, py, pz = (
        sum(component)
        for component in zip(*[(p * np.cos(f), p * np.sin(f), p * np.sinh(e)) for p, e, f, _ in vectors], strict=True)
    )
    energy = sum(np.sqrt((p * np.cosh(e)) ** 2 + m**2) for p, e, _, m in vectors)
    assert made.pt[0] == np.float64(made.pt[0])
    np.testing.assert_allclose(made.pt[0], np.hypot(px, py))
    np.testing.assert_allclose(made.mass[0], np.sqrt(energy**2 - px**2 - py**2 - pz**2))
    np.testing.assert_allclose([made.pt[1], made.mass[1]], [50, 6])


def test_plain_jets_fall_in_pt_within_their_events():
    rng = np.random.default_rng(1)
    event, pt, eta, phi = np.sort(rng.integers(0, 5, 200)), rng.uniform(5, 50, 200), *rng.uniform(-2, 2, (2, 200))
    momenta = Candidates(event, pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta))
    made = cluster_plain(momenta, 6, 0.4, 20.0, 1.5)
    assert (np.diff(made.event) >= 0).all()
    assert (made.pt >= 20).all() and (np.abs(made.eta) < 1.5).all()
    assert all((np.diff(made.pt[made.event == number]) <= 0).all() for number in range(5))


def test_jets_of_jets_need_jets_as_soft_as_they_are_made_of():
    with pytest.raises(UsageError, match=r"constituent_min_pt = 30 GeV, but jets\.min_pt = 170 GeV keeps harder ones"):
        detector("fat_jets.radius=1.2")


def test_a_second_collection_is_stored_beside_the_main_one_which_stays_as_it_is(tmp_path):
    settings = ["process.pile_up.mean=0", "detector.jets.radius=0.4", "detector.jets.min_pt=20"]
    plain = read(simulate("ttbar", 5, 1, tmp_path / "plain.root", images=False, settings=settings).path)
    fat = "detector.fat_jets.radius=1.2"
    both = read(simulate("ttbar", 5, 1, tmp_path / "both.root", images=False, settings=[*settings, fat]).path)
    new = set(both.fields) - set(plain.fields)
    assert {"fatjetPt", "fatjetEta", "fatjetPhi", "fatjetM"} <= new
    assert all(ak.array_equal(plain[name], both[name]) for name in plain.fields)
    assert ak.all(ak.max(both.fatjetPt, axis=1) > ak.max(both.jetPt, axis=1) * 0.9)
    # Both tops in one jet each, or nearly.
    assert ak.mean(ak.max(both.fatjetM, axis=1)) > 120
