"""Fixed scaling: zero stays zero, and ordinary deposits come out of order one."""

import torch

from e2egraph.models.image.planes import planes_of
from e2egraph.models.image.scaling import ImageScaling
from e2egraph.models.layers.scaling import NodeScaling
from tests.all_inputs import INPUTS


def row(**values: float) -> torch.Tensor:
    return torch.tensor([[values.get(name, 0.0) for name in INPUTS.feature_names]])


def test_zero_stays_zero() -> None:
    assert not NodeScaling(INPUTS)(row()).any()
    names = planes_of(INPUTS)
    assert not ImageScaling(names)(torch.zeros(1, len(names), 4, 4)).any()


def test_channel_flags_pass_through() -> None:
    features = row(is_TRACK=1.0, is_HCAL=1.0)
    assert torch.equal(NodeScaling(INPUTS)(features), features)


def test_values_from_noise_to_the_hardest_track_come_out_of_order_one() -> None:
    extremes = [
        row(rho=4.4, value=0.05, d0=0.002, dz=0.003, d0_sig=0.3, dz_sig=0.3, charge=1.0, time=0.2),
        row(rho=177.7, value=1000.0, d0=-10.0, dz=-20.0, d0_sig=-500.0, dz_sig=500.0, charge=-1.0, time=-25.0),
    ]
    for features in extremes:
        scaled = NodeScaling(INPUTS)(features)[0, :8].abs()
        assert (scaled > 0.01).all()
        assert (scaled < 4.0).all()


def test_signs_survive() -> None:
    plus, minus = row(d0=0.03, dz=0.1, d0_sig=3.0, dz_sig=2.0), row(d0=-0.03, dz=-0.1, d0_sig=-3.0, dz_sig=-2.0)
    assert torch.equal(NodeScaling(INPUTS)(plus), -NodeScaling(INPUTS)(minus))


def test_finer_pixels_carry_the_same_scaled_calorimeter_energy_density() -> None:
    coarse = ImageScaling(("ECAL", "HCAL"), granularity=1)
    fine = ImageScaling(("ECAL", "HCAL"), granularity=3)
    image = torch.rand(1, 2, 5, 5)
    torch.testing.assert_close(fine(image / 9), coarse(image))


def test_gains_multiply_their_own_plane_alone() -> None:
    image = torch.rand(1, 3, 5, 5)
    planes = ("track_pt", "track_dz", "ECAL")
    plain, bright = (ImageScaling(planes, gains=gains)(image) for gains in ({}, {"track_dz": 0.5}))
    torch.testing.assert_close(bright[:, 1], 0.5 * plain[:, 1])
    assert torch.equal(bright[:, ::2], plain[:, ::2])
