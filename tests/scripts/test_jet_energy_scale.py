"""Matching of simulated to particle jets, against a loop over pairs; and the figures of the bins."""

import awkward as ak
import numpy as np
import pytest

from tests.scripts import loading

RADIUS = 0.4


@pytest.fixture(scope="module")
def script():
    with loading.script("jet_energy_scale") as module:
        yield module


def random_jets(rng, counts, near=None):
    """Jets all over, or close to some of the jets ``near``."""
    size = int(np.sum(counts))
    eta, phi, pt = rng.uniform(-2, 2, size), rng.uniform(-np.pi, np.pi, size), rng.uniform(15, 100, size)
    if near is not None:
        chosen = [rng.integers(max(n, 1), size=k) for n, k in zip(ak.num(near), counts, strict=True)]
        for i, (event, jet) in enumerate((e, j) for e, jets in enumerate(chosen) for j in jets):
            if len(near[event]):
                eta[i] = near[event].eta[jet] + rng.normal(0, 0.15)
                phi[i] = np.mod(near[event].phi[jet] + rng.normal(0, 0.15) + np.pi, 2 * np.pi) - np.pi
    return ak.unflatten(ak.zip({"pt": pt, "eta": eta, "phi": phi}), counts)


def apart(one, two):
    turn = abs(one.phi - two.phi)
    return np.hypot(one.eta - two.eta, min(turn, 2 * np.pi - turn))


def test_isolated_central_jets_get_the_nearest_simulated_one(script):
    rng = np.random.default_rng(8)
    particle = random_jets(rng, [0, 3, 5, 8, 1, 2] * 10)
    simulated = random_jets(rng, [2, 3, 0, 9, 2, 1] * 10, near=particle)
    true, measured = [], []
    for jets, others in zip(particle, simulated, strict=True):
        for jet in jets:
            if abs(jet.eta) >= 1.3 or sum(apart(jet, other) < 2 * RADIUS for other in jets) > 1:
                continue
            close = min(others, key=lambda other: apart(jet, other), default=None)
            true.append(jet.pt)
            measured.append(close.pt if close is not None and apart(jet, close) < RADIUS / 2 else np.nan)
    pairs = script.match(particle, simulated, RADIUS)
    np.testing.assert_allclose(pairs.true, true)
    np.testing.assert_allclose(pairs.simulated, measured)
    assert 10 < np.isfinite(measured).sum() < len(true)


def test_figures_are_those_of_each_bin_of_the_particle_jets(script):
    rng = np.random.default_rng(9)
    true = np.concatenate([np.full(400, 45.0), np.full(30, 70.0)])
    simulated = true * rng.normal(0.9, 0.1, 430)
    simulated[:100] = np.nan
    found = {record.metric: record for record in script.records([script.Pairs(true, simulated)])}
    assert {record.case for record in found.values()} == {"particle jets of 40-50 GeV"}
    assert found["mean response"].value == pytest.approx(0.9, abs=0.02)
    assert found["resolution"].value == pytest.approx(0.1 / 0.9, abs=0.02)
    assert found["pT of simulated jets"].value == pytest.approx(0.9 * 45, abs=1)
    assert (found["mean response"].n, found["matched"].n, found["matched"].value) == (300, 400, 0.75)
