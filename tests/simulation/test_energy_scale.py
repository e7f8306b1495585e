"""The energy scale of jets: by radius, interpolated in pT, from the shipped detector."""

import numpy as np
import pytest

from e2egraph.errors import UsageError
from tests.simulation.particle_gun import detector

TABLE = "jets.energy_scales=[{radius: 0.4, pt: [20, 80, 320], scale: [1.3, 1.1, 1.0]}]"


def test_jets_of_the_shipped_radius_have_one_scale_at_all_pt():
    jets = detector().jets
    np.testing.assert_array_equal(jets.scale(np.array([20.0, 500.0, 3000.0])), 1.02)
    assert (jets.radius, jets.largest_scale) == (0.8, 1.02)


def test_between_its_points_the_scale_is_linear_in_log_pt_and_beyond_them_constant():
    jets = detector("jets.radius=0.4", TABLE).jets
    # 40 and 160 GeV lie half way between the points, as 20:40 is 40:80.
    found = jets.scale(np.array([5.0, 20.0, 40.0, 80.0, 160.0, 320.0, 2000.0]))
    np.testing.assert_allclose(found, [1.3, 1.3, 1.2, 1.1, 1.05, 1.0, 1.0])
    assert jets.largest_scale == 1.3


def test_smaller_jets_lose_more_and_soft_ones_most():
    jets = detector("jets.radius=0.4").jets
    scale = jets.scale(np.geomspace(15, 1000, 40))
    assert (np.diff(scale) <= 0).all()
    assert 1.1 < scale[0] < 1.2
    assert 1.0 < scale[-1] < 1.03
    # Corrected, a harder jet stays the harder one.
    assert (np.diff(scale * np.geomspace(15, 1000, 40)) > 0).all()


def test_a_radius_without_a_measured_scale_is_refused_unless_one_is_set():
    with pytest.raises(UsageError, match=r"no energy scale was measured for radius 0\.5 \(known: 0\.8, 0\.4\)"):
        detector("jets.radius=0.5")
    assert detector("jets.radius=0.5", "jets.energy_scale=1.1").jets.scale(np.array([50.0])) == 1.1


@pytest.mark.parametrize(
    "table", ["pt: [20, 10], scale: [1.1, 1.0]", "pt: [20], scale: [1.1, 1.0]", "pt: [], scale: []"]
)
def test_a_table_needs_rising_pt_and_a_scale_for_each(table):
    with pytest.raises(UsageError, match="pt must rise"):
        detector(f"jets.energy_scales=[{{radius: 0.8, {table}}}]")
