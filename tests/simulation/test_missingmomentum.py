"""Missing transverse momentum: of candidates, and of what neutrinos carry away."""

import awkward as ak
import numpy as np

from e2egraph.simulation.generation.candidates import Candidates
from e2egraph.simulation.missingmomentum import missing_pt
from e2egraph.simulation.simulate import simulate
from tests.simulation.particle_gun import read


def test_it_is_the_length_of_the_sum_of_each_event():
    px, py = np.array([30.0, -30.0, 5.0, 8.0]), np.array([40.0, -40.0, 12.0, -6.0])
    candidates = Candidates(np.array([0, 0, 2, 3]), px, py, np.zeros(4), np.hypot(px, py))
    np.testing.assert_allclose(missing_pt(candidates, 5), [0, 0, 13, 10, 0])


def test_neutrinos_are_missing(tmp_path):
    process = tmp_path / "z.yaml"
    lines = ["WeakBosonAndParton:qqbar2gmZg = on", "PhaseSpace:pTHatMin = 150", "PhaseSpace:mHatMin = 80"]
    lines += ["23:onMode = off", "23:onIfAny = 12 14 16", "PartonLevel:MPI = off"]
    process.write_text(f"title: Z to neutrinos\ngenerator: {{settings: {lines}}}\npile_up: {{mean: 0}}\n")
    events = read(simulate(str(process), 30, 1, tmp_path / "z.root", images=False, settings=["detector.met=true"]).path)
    kind = np.abs(events.gen_pdgId)
    neutrinos = ((kind == 12) | (kind == 14) | (kind == 16)) & (events.gen_status == 23)
    px, py = (ak.sum((events.gen_pt * turn(events.gen_phi))[neutrinos], axis=1) for turn in (np.cos, np.sin))
    assert 0.8 < float(np.median(events.met / np.hypot(px, py))) < 1.1
