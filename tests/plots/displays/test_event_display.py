"""One event, unrolled in η and φ."""

import awkward as ak
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from e2egraph.plots.displays.event_display import CONE, _draw_transverse, _draw_unrolled


def test_deposits_and_tracks_of_the_endcaps_stand_at_their_distance_from_the_beam():
    """Of a line at η, which meets the plane |z| = 317 cm at ρ = 317/sinh|η| before the barrel's face at 129 cm."""
    rows = np.array([140, 5, 274])  # η = 0.0087 and ±2.3403
    eta = (rows - 139.5) * 0.0174
    expected = np.minimum(129.0, 317.0 / np.sinh(np.abs(eta)))
    assert expected[0] == 129.0 and expected[1] == pytest.approx(61.7, abs=0.5)
    cells = [{"ieta": row, "iphi": 100, "energy": 4.0} for row in rows.tolist()]
    tracks = [{"pt": 2.0, "eta": value, "phi": 0.3} for value in eta.tolist()]
    axes = Figure().subplots()
    _draw_transverse(axes, ak.Array([{"ecal": cells, "tracks": tracks}])[0])
    lines, bars = (np.array(drawn.get_segments()) for drawn in axes.collections)
    np.testing.assert_allclose(np.hypot(*lines[:, 1].T), expected)
    np.testing.assert_allclose(np.hypot(*bars[:, 0].T), expected)
    np.testing.assert_allclose(np.hypot(*bars[:, 1].T), expected + 12.0)


@pytest.mark.parametrize(
    ("phi", "centres"), [(0.3, [0.3]), (-3.0, [-3.0, 2 * np.pi - 3.0]), (3.0, [3.0 - 2 * np.pi, 3.0])]
)
def test_the_circle_of_a_jet_at_the_end_of_phi_goes_on_at_the_other(phi, centres):
    axes = Figure().subplots()
    _draw_unrolled(axes, ak.Array([{"jets": [{"pt": 500.0, "eta": 0.5, "phi": phi}]}])[0])
    circles = [patch for patch in axes.patches if isinstance(patch, Ellipse)]
    assert [circle.center for circle in circles] == [pytest.approx((0.5, centre)) for centre in centres]
    (label,) = [text for text in axes.texts if "500 GeV" in text.get_text()]
    assert label.xy == pytest.approx((0.5, centres[0] + CONE))
    assert -np.pi < label.xy[1] < np.pi + CONE
