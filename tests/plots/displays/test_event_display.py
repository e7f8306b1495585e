"""One event, unrolled in η and φ."""

import awkward as ak
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from e2egraph.plots.displays.event_display import CONE, _draw_unrolled


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
