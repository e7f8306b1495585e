"""Links compared with tracks: those of a track are explained by it whatever the vertex, others are not."""

from pathlib import Path

import numpy as np
import pytest
import torch

from e2egraph.models.registry import build_model, load_model_config
from e2egraph.models.tokens.track_match import NO_TRACK, unexplained
from tests.all_inputs import INPUTS, TWO_CLASSES
from tests.models.jets import jets
from tests.models.zoo import build, parity

JETS, LINKS = 3, 30


def particles(seed=0):
    """η, φ at the crystals and −charge / pT of particles [JETS, LINKS, 3], of 1 GeV or more."""
    rng = np.random.default_rng(seed)
    eta, phi = rng.uniform(-0.5, 0.5, (2, JETS, LINKS))
    curvature = rng.choice([-1, 1], (JETS, LINKS)) / rng.uniform(1.0, 30.0, (JETS, LINKS))
    return torch.tensor(np.stack([eta, phi, curvature], -1))


def compared(links, tracks, periodic=False):
    every = [torch.ones(rows.shape[:2], dtype=torch.bool) for rows in (links, tracks)]
    return unexplained(links, tracks, *every, periodic=periodic)


@pytest.mark.parametrize("shift", [0.0, 0.05, -0.03])
def test_links_of_tracks_are_explained_and_others_are_not(shift):
    found = particles()
    tracks = found[:, : LINKS // 2] + torch.tensor([-shift, 0.0, 0.0])
    chi2 = compared(found, tracks)
    own, others = chi2[:, : LINKS // 2], chi2[:, LINKS // 2 :]
    # Chance matches pull the shift by a fraction of its resolution.
    assert own.max() < 2.0
    assert (others > 10.0).double().mean() > 0.9


def test_it_is_the_smallest_of_all_tracks_by_loops():
    links, tracks = particles(1), particles(2)[:, :7]
    chi2 = compared(links, torch.cat([tracks, links[:, :20]], 1))
    alone = torch.stack([compared(links, torch.cat([tracks[:, [t]], links[:, :20]], 1)) for t in range(7)])
    # The links' own tracks fix the shift, so that others can be added one by one.
    assert torch.allclose(chi2, alone.amin(0), rtol=0.05, atol=0.05)


def test_without_tracks_nothing_explains_a_link():
    links = particles()
    none = torch.zeros(JETS, 4, dtype=torch.bool)
    every = torch.ones(JETS, LINKS, dtype=torch.bool)
    assert torch.equal(
        unexplained(links, links[:, :4], every, none, periodic=False), torch.full((JETS, LINKS), NO_TRACK).double()
    )


def test_an_angle_of_a_whole_turn_is_none():
    links = particles()
    turned = links + torch.tensor([0.0, 2 * np.pi, 0.0])
    assert torch.allclose(compared(links, turned, periodic=True), compared(links, links, periodic=True), atol=1e-6)
    assert compared(links, turned).min() > 10.0


LINKS_OPTION = "options.links=[{layers: [BPIX1, BPIX2, BPIX3], hits: 20, keep: 8, most_chi2: 1.0e9, tracks: 6}]"


def test_a_network_that_compares_links_with_tracks_is_exported_and_is_blind_to_order():
    network = build("tracks-and-cells-links", n_outputs=2, settings=(LINKS_OPTION,))
    points, features, mask, jet = jets([60, 25, 1])
    scores = network(points, features, mask, jet)
    order = torch.randperm(points.shape[1])
    assert torch.allclose(network(points[:, order], features[:, order], mask[:, order], jet), scores, atol=1e-5)
    assert not torch.allclose(
        build("tracks-and-cells-links", n_outputs=2)(points, features, mask, jet), scores, atol=1e-3
    )
    assert parity(network, 80).largest_difference < 1e-5


def test_the_variant_for_taus_scores_jets_whatever_the_order_of_their_nodes():
    path = Path(__file__).parents[3] / "configs" / "variants" / "tau-links.yaml"
    torch.manual_seed(0)
    model = build_model(load_model_config(str(path)), INPUTS, TWO_CLASSES).eval()
    points, features, mask, jet = jets([60, 7, 0])
    order = torch.randperm(60, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        scores = model(points, features, mask, jet)
        turned = model(points[:, order], features[:, order], mask[:, order], jet)
    torch.testing.assert_close(turned, scores, atol=2e-5, rtol=0)
    assert scores.shape == (3, 2) and scores.isfinite().all()
