"""The geometry of the ntuples: crystals, towers and angles."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2egraph.detector import geometry

angles = st.floats(-50.0, 50.0, allow_nan=False)


@given(angles)
def test_a_wrapped_angle_points_the_same_way_and_lies_in_the_half_open_range(phi):
    wrapped = float(geometry.wrap_phi(phi))
    assert -math.pi <= wrapped < math.pi
    assert math.cos(wrapped) == pytest.approx(math.cos(phi), abs=1e-9)
    assert math.sin(wrapped) == pytest.approx(math.sin(phi), abs=1e-9)


def test_a_tiny_negative_angle_below_minus_pi_wraps_inside_the_range():
    assert -math.pi <= float(geometry.wrap_phi(np.nextafter(-math.pi, -4.0))) < math.pi


@given(st.integers(0, 279), st.integers(0, 359))
def test_a_crystal_centre_lies_in_its_own_crystal(row, column):
    assert geometry.ecal_row(geometry.ecal_eta(row)) == row
    assert geometry.ecal_column(geometry.ecal_phi(column)) == column


def test_crystal_column_zero_covers_minus_ten_to_minus_nine_degrees():
    assert geometry.ecal_column(math.radians(-9.99)) == 0
    assert geometry.ecal_column(math.radians(-9.01)) == 0
    assert geometry.ecal_column(math.radians(-10.01)) == 359
    assert geometry.ecal_column(0.0) == 10


@given(st.floats(-2.43, 2.43), st.floats(-math.pi, math.pi, exclude_max=True))
def test_a_tower_covers_five_by_five_crystals(eta, phi):
    assert geometry.hcal_row(eta) == geometry.ecal_row(eta) // 5
    assert geometry.hcal_column(phi) == geometry.ecal_column(phi) // 5


def test_hcal_iphi_1_is_stored_two_towers_later():
    # ntuples.md §1: HBHE iphi 1 starts at 0°, and column s = (iphi − 1 + 2) mod 72.
    for iphi in range(1, 73):
        middle = math.radians((iphi - 0.5) * 5.0)
        assert geometry.hcal_column(geometry.wrap_phi(middle)) == (iphi - 1 + 2) % 72


def test_tower_rows_map_to_the_signed_index_without_a_zero():
    signed = geometry.signed_tower_ieta(np.arange(56))
    assert signed.tolist() == [*range(-28, 0), *range(1, 29)]


def test_the_window_of_an_accepted_seed_never_leaves_the_image():
    rows = np.arange(56)
    accepted = rows[28 - np.abs(geometry.signed_tower_ieta(rows)) >= 12]
    centres = geometry.centre_crystal(accepted)
    assert centres.min() - 62 == 0
    assert centres.max() + 62 == 279
