"""The pixel of a node survives rounding to float32."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from e2egraph.detector.geometry import ETA_PITCH, PHI_PITCH
from e2egraph.graphs.making.pixels import inside_pixel, pixel_offset


@given(
    st.integers(-62, 62),
    st.one_of(st.floats(-0.5, 0.5), st.sampled_from([-0.5, 0.5, -0.5 + 1e-9, 0.5 - 1e-9])),
    st.sampled_from([ETA_PITCH, PHI_PITCH]),
)
def test_a_coordinate_gives_back_the_pixel_it_was_made_for(offset, fraction, pitch):
    delta = np.array([(offset + fraction) * pitch])
    rounded = inside_pixel(delta, np.array([offset]), pitch)
    assert rounded.dtype == np.float32
    assert pixel_offset(rounded, pitch) == offset
    # also when multiplication and addition are fused, as a GPU may do
    assert np.floor(np.float64(rounded) * np.float64(np.float32(1 / pitch)) + 0.5) == offset
    np.testing.assert_allclose(rounded, delta, atol=3e-5 * pitch)


def test_the_centre_pixel_is_half_a_pitch_wide_on_either_side():
    edges = np.array([-0.51, -0.49, 0.49, 0.51], np.float32) * np.float32(ETA_PITCH)
    assert pixel_offset(edges, ETA_PITCH).tolist() == [-1, 0, 0, 1]
