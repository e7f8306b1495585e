"""The artificial jets that exported models are checked with."""

from dataclasses import replace

import numpy as np
import pytest

from e2egraph.export.made_jets import KINDS, made_jets
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.region import Region
from e2egraph.tasks.variables import Scale, Variable
from tests.all_inputs import INPUTS
from tests.export.bundles import REDUCED


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("inputs", [INPUTS, REDUCED])
def test_artificial_jets_follow_the_inputs(kind: str, inputs: Inputs) -> None:
    jets = made_jets(kind, 3, 500, np.random.default_rng(0), inputs)
    assert jets.features.shape == (3, 500, inputs.n_features)
    assert jets.jet.shape == (3, len(inputs.object))
    flags = jets.features[..., len(inputs.variables) :]
    assert (flags.sum(-1) == jets.mask).all()
    assert (flags.sum((0, 1)) > 0).all()
    assert np.abs(jets.points).max() <= 62 * 0.0175
    is_track, value = flags[..., inputs.channel_names.index("TRACK")], jets.features[..., inputs.index("value")]
    assert (jets.features[..., inputs.index("d0")] != 0).sum() == ((is_track > 0) & jets.mask).sum()
    hits = flags[..., inputs.channel_names.index("BPIX1")] > 0
    assert (value[hits] == 1.0).all()
    if kind != "random":
        positions = np.unique(jets.points[jets.mask], axis=0)
        assert len(positions) < (400 if kind == "lattice" else 60)


def test_artificial_jets_of_a_small_region_and_of_an_unknown_variable() -> None:
    quality = Variable(name="muon_quality", unit="", description="of one's own", scale=Scale(unit=7.0, linear=True))
    region = Region(centre="crystal", rows=33, columns=9)
    inputs = replace(REDUCED, variables=(*REDUCED.variables, quality), region=region)
    for kind in KINDS:
        jets = made_jets(kind, 2, 2000, np.random.default_rng(0), inputs)
        reached = np.abs(jets.points).max((0, 1)) / (region.eta_pitch, region.phi_pitch)
        assert (reached <= (16.01, 4.01)).all()
        assert (reached > (9, 2)).all()
    random = made_jets("random", 2, 2000, np.random.default_rng(0), inputs)
    assert random.features[0, :, inputs.index("muon_quality")].std() == pytest.approx(7.0, rel=0.1)
