"""Inputs, outputs and regions as values: what they hold, and that they are read back as they were stored."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2egraph.detector.channels import Channel, channels, hit_channels
from e2egraph.detector.geometry import ETA_PITCH, PHI_PITCH
from e2egraph.errors import UsageError
from e2egraph.tasks.inputs import numbered, read_inputs, resolve, stored
from e2egraph.tasks.objects.jet import KIND
from e2egraph.tasks.outputs import Head, Outputs, class_outputs
from e2egraph.tasks.region import JET_REGION, RegionConfig
from e2egraph.tasks.variables import values_of, variables
from tests.all_inputs import INPUTS


def test_features_are_variables_then_a_flag_for_each_channel():
    inputs = resolve(["time", "value"], ["HCAL", "TRACK"], ["tau21"], JET_REGION, KIND.quantities)
    assert inputs.feature_names == ("time", "value", "is_HCAL", "is_TRACK")
    assert [inputs.index(name) for name in inputs.feature_names] == [0, 1, 2, 3]
    assert inputs.n_features == 4 and inputs.has("is_HCAL") and not inputs.has("is_ECAL") and not inputs.has("d0")
    assert inputs.numbers == {"HCAL": 10, "TRACK": 0}
    assert inputs.object_index("tau21") == 0
    with pytest.raises(ValueError, match="'d0' is not among the inputs time, value"):
        inputs.index("d0")
    with pytest.raises(ValueError, match="'jet_pt' is not among the object quantities tau21"):
        inputs.object_index("jet_pt")


@given(
    st.lists(st.sampled_from(list(variables())), unique=True),
    st.lists(st.sampled_from(list(channels())), unique=True, min_size=1),
    st.lists(st.sampled_from(list(KIND.quantities)), unique=True),
    st.integers(0, 139),
)
def test_inputs_are_read_back_as_they_were_stored(of_nodes, of_channels, of_objects, half_window):
    region = RegionConfig(half_window=half_window).region
    inputs = resolve(of_nodes, of_channels, of_objects, region, KIND.quantities)
    again = read_inputs(json.loads(json.dumps(stored(inputs))), "metadata.json")
    assert again == inputs
    assert again.variable_names == tuple(of_nodes) and again.channel_names == tuple(of_channels)


def test_damaged_inputs_are_refused_naming_where_they_stand():
    content = stored(INPUTS)
    for damaged in ({}, content | {"channels": []}, content | {"variables": content["variables"] * 2}):
        with pytest.raises(UsageError, match=r"metadata\.json"):
            read_inputs(damaged, "metadata.json")


def test_a_channel_is_a_number_with_a_name_and_survives_being_sent_to_another_process():
    for name, channel in channels().items():
        again = pickle.loads(pickle.dumps(channel))
        assert (again, again.name, again.cms, again.radius) == (channel, name, channel.cms, channel.radius)
    assert [channel.name for channel in hit_channels()][:3] == ["BPIX1", "BPIX2", "BPIX3"]
    assert list(channels().values()) == list(range(11)) and Channel.HCAL == 10


def test_values_come_from_a_field_a_constant_or_a_function_and_are_0_elsewhere():
    hits = {"x": np.array([3.0, 0.0]), "y": np.array([4.0, 0.0]), "z": np.zeros(2)}
    rows = variables()
    assert values_of(rows["rho"], "hits", hits, 2).tolist() == [5.0, 0.0]
    assert values_of(rows["rho"], "ecal", {}, 2).tolist() == [129.0, 129.0]
    assert values_of(rows["value"], "hits", hits, 2).tolist() == [1.0, 1.0]
    assert values_of(rows["d0"], "hits", hits, 2).tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match=r"variable d0 needs the field tracks\.d0"):
        values_of(rows["d0"], "tracks", hits, 2)


@pytest.mark.parametrize(
    ("half_window", "towers"), [(62, True), (12, True), (2, True), (7, True), (10, False), (8, False)]
)
def test_a_region_knows_its_extent_and_whether_towers_fit(half_window, towers):
    region = RegionConfig(half_window=half_window).region
    assert region.rows == region.columns == 2 * half_window + 1
    assert region.half_rows == region.half_columns == half_window
    assert region.half_eta == pytest.approx((half_window + 0.5) * ETA_PITCH)
    assert region.half_phi == pytest.approx((half_window + 0.5) * PHI_PITCH)
    assert region.whole_towers == towers


def test_the_whole_detector_closes_in_phi():
    region = RegionConfig(centre="none", abs_eta_max=2.436).region
    assert (region.rows, region.columns, region.periodic, region.lattice) == (280, 360, True, False)
    assert region.describe() == "280×360 pixels of the detector"


def test_heads_stand_side_by_side():
    mass = Head(name="mass", columns=("gen_mass", "gen_pt"), units=("GeV", "GeV"), offset=(200.0, 0.0))
    outputs = Outputs(heads=(class_outputs(("a", "b", "c")).heads[0], mass))
    assert outputs.size == 5 and outputs.slices == {"class": slice(0, 3), "mass": slice(3, 5)}
    assert outputs.tensors == {"scores": 3, "logits": 3, "prediction": 2}
    assert outputs.offset == (0, 0, 0, 200, 0) and outputs.scale == (1, 1, 1, 1, 1)
    assert mass.scaled and not outputs.heads[0].scaled
    with pytest.raises(ValueError, match="two heads would give tensors of one name"):
        Outputs(heads=(mass, replace(mass, name="other")))
    with pytest.raises(ValueError, match="heads must all be of objects or all of nodes"):
        Outputs(heads=(mass, replace(outputs.heads[0], level="node")))
    with pytest.raises(ValueError, match="scale has 1 entries for 2 columns"):
        replace(mass, scale=(1.0,))


def test_channels_take_the_numbers_of_a_data_set_and_keep_their_own_where_it_has_none():
    found = numbered(INPUTS, {"ECAL": 77, "of another task": 3})
    assert found.numbers == INPUTS.numbers | {"ECAL": 77}
    assert replace(found, channels=INPUTS.channels) == INPUTS


def test_energies_across_and_along_the_beams_are_the_sides_of_the_energy():
    rng = np.random.default_rng(1)
    crystals = {"energy": rng.exponential(1.0, 500).astype(np.float32), "ieta": rng.integers(0, 280, 500)}
    across, along = (values_of(variables()[name], "ecal", crystals, 500) for name in ("energy_t", "energy_z"))
    np.testing.assert_allclose(np.hypot(across.astype(float), along), crystals["energy"], rtol=1e-6)
    # Angle to the beams of the crystal's centre: θ = 2 arctan exp(−η), rows of 0.0174 about the middle.
    theta = 2.0 * np.arctan(np.exp(-(crystals["ieta"] - 139.5) * 0.0174))
    np.testing.assert_allclose(across, crystals["energy"] * np.sin(theta), rtol=1e-6)
    assert not values_of(variables()["energy_t"], "hcal", {"energy": np.ones(3)}, 3).any()
