"""Links of hits against plain loops, and against particles on helices: pT, charge and distance from the vertex."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from e2egraph.config import validate
from e2egraph.detector.geometry import ECAL_RADIUS
from e2egraph.detector.helix import GEV_PER_TESLA_CM, Helices, position, to_cylinder
from e2egraph.errors import UsageError
from e2egraph.models.tokens.link_tokens import LinkGroup, LinkTokens, straightest, turn_to_crystals
from e2egraph.models.tokens.links import (
    BEND_SHARE,
    NEAR_ETA,
    NEAR_PHI,
    SIGMA_BEND,
    SIGMA_ETA,
    LayerHits,
    Links,
    find_links,
    hits_of,
)
from e2egraph.models.tokens.tokens import NodeMaker
from tests.all_inputs import INPUTS
from tests.models.jets import jets
from tests.models.zoo import build, parity

RADII = [4.4, 7.3, 10.2, 25.5, 33.9]
FIELD = 3.8


def layers(n_layers: int, n_hits: int, n_jets: int = 2, seed: int = 0) -> list[LayerHits]:
    """Layers in which half of the hits lie near straight lines, so that there are links, pairs to choose from, and
    none."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.rand(n_jets, 2, n_hits, generator=generator) * 0.1
    bend = torch.randn(n_jets, 1, n_hits, generator=generator) * 1e-3
    found = torch.rand(n_jets, n_hits, generator=generator) < 0.9
    made = []
    for number, radius in enumerate(RADII[:n_layers]):
        shift = torch.cat([torch.zeros_like(bend), bend * radius], dim=1)
        noise = torch.randn(n_jets, 2, n_hits, generator=generator) * torch.tensor([[2e-3], [1e-3]])
        # Far out, half of the particles are lost.
        noise[..., n_hits // 2 :] += 0.5 * (number > 2)
        order = torch.randperm(n_hits, generator=generator)
        made.append(LayerHits(radius, (start + shift + noise)[..., order], found[:, order]))
    return made


def expected_link(given: list[LayerHits], b: int, i: int, candidates: int, most: float) -> dict[str, float] | None:
    """The link from hit ``i`` of the second layer of jet ``b``, by loops over single numbers."""
    eta, phi = given[1].points[b, :, i].double().tolist()
    near = []
    for layer in (given[0], given[2]):
        rows = []
        for j in range(layer.points.shape[2]):
            if layer.found[b, j]:
                e, p = layer.points[b, :, j].double().tolist()
                rows.append((math.hypot((e - eta) / NEAR_ETA, (p - phi) / NEAR_PHI), j, e, p))
        near.append(sorted(rows)[:candidates])
    best = None
    for _, j, e_in, p_in in near[0]:
        for _, k, e_out, p_out in near[1]:
            b_in, b_out = (phi - p_in) / (RADII[1] - RADII[0]), (p_out - phi) / (RADII[2] - RADII[1])
            kink = (b_in - b_out) / (SIGMA_BEND + BEND_SHARE * max(abs(b_in), abs(b_out)))
            chi2 = ((e_in - eta) / SIGMA_ETA) ** 2 + ((e_out - eta) / SIGMA_ETA) ** 2 + kink**2
            if best is None or chi2 < best["chi2"]:
                d0 = (b_in - b_out) * math.prod(RADII[:3]) / (RADII[2] - RADII[0])
                bend = (p_out - p_in) / (RADII[2] - RADII[0])
                best = {"chi2": chi2, "d0": d0, "bend": bend, "members": [j, i, k], "end": (e_out, p_out, p_in)}
    if not given[1].found[b, i] or best is None or best["chi2"] >= most:
        return None
    (e, p, p_in), last = best["end"], RADII[2]
    for layer in given[3:]:
        way, pulls = layer.radius - last, []
        for j in range(layer.points.shape[2]):
            if layer.found[b, j]:
                e_next, p_next = layer.points[b, :, j].double().tolist()
                along = (p_next - p - best["bend"] * way) / ((SIGMA_BEND + BEND_SHARE * abs(best["bend"])) * way)
                pulls.append((((e_next - e) / SIGMA_ETA) ** 2 + along**2, j, e_next, p_next))
        best["members"].append(-1)
        if pulls and min(pulls)[0] < most:
            (_, best["members"][-1], e, p), last = min(pulls), layer.radius
            best["bend"] = (p - p_in) / (layer.radius - RADII[0])
    return best


@pytest.mark.parametrize("n_layers", [3, 5])
def test_every_link_is_the_best_pair_among_the_nearest_hits_and_goes_on_where_it_points(n_layers: int) -> None:
    given, candidates, most = layers(n_layers, 30), 3, 40.0
    links = find_links(given, candidates=candidates, most_chi2=most, periodic=False)
    for b in range(2):
        wanted = [expected_link(given, b, i, candidates, most) for i in range(30)]
        assert links.found[b].tolist() == [link is not None for link in wanted]
        assert 5 < links.found[b].sum() < 30
        firsts = [link["members"][0] for link in wanted if link]
        for i, link in enumerate(wanted):
            if link:
                assert links.members[b, :, i].tolist() == link["members"]
                assert links.hits[b, i] == sum(member >= 0 for member in link["members"])
                assert links.sharing[b, i] == firsts.count(link["members"][0]) - 1
                for name, scale in (("bend", 1e-3), ("d0", 1e-2), ("chi2", 1.0)):
                    ours = float(getattr(links, name)[b, i])
                    assert ours == pytest.approx(link[name], rel=1e-3, abs=1e-3 * scale)
    assert (links.sharing[links.found] > 0).any()
    if n_layers > 3:
        assert len(set(links.hits[links.found].tolist())) == 3


def test_more_choices_are_the_next_best_pairs_of_each_hit() -> None:
    given = layers(3, 30)
    best, more = (find_links(given, candidates=3, most_chi2=1e9, periodic=False, choices=n) for n in (1, 9))
    assert more.chi2.shape == (2, 9 * 30) and torch.equal(more.points, best.points.repeat(1, 1, 9))
    chi2 = more.chi2.where(more.found, torch.inf).view(2, 9, 30)
    assert (chi2[:, 1:] >= chi2[:, :-1]).all() and more.found.sum() > 5 * best.found.sum()
    for name in ("bend", "d0", "chi2", "hits"):
        torch.testing.assert_close(getattr(more, name)[:, :30][best.found], getattr(best, name)[best.found])
    assert validate(LinkGroup, {"layers": ["BPIX1", "BPIX2", "BPIX3"], "choices": 16}, "links").choices == 16
    with pytest.raises(UsageError, match="choices 17 are more than the 4² pairs"):
        validate(LinkGroup, {"layers": ["BPIX1", "BPIX2", "BPIX3"], "choices": 17}, "links")
    with pytest.raises(UsageError, match="candidates 4 are more than the 3 hits of a layer"):
        validate(LinkGroup, {"layers": ["BPIX1", "BPIX2", "BPIX3"], "hits": 3}, "links")


def test_the_hits_nearest_to_the_middle_are_looked_at() -> None:
    points = torch.randn(2, 2, 50) * 0.3
    member = torch.rand(2, 50) < 0.4
    member[1, 5:] = False
    hits = hits_of(points, member, 4.4, 10)
    for b in range(2):
        inside = sorted((float(points[b, :, i].norm()), i) for i in range(50) if member[b, i])[:10]
        assert hits.found[b].tolist() == [True] * len(inside) + [False] * (10 - len(inside))
        torch.testing.assert_close(hits.points[b, :, : len(inside)], points[b][:, [i for _, i in inside]])


def crossings(pt: np.ndarray, charge: np.ndarray, d0: np.ndarray, radii: list[float]) -> tuple[Tensor, Tensor]:
    """η and φ [layers, P] about the vertex, where particles cross cylinders about it; directions from −0.5 to 0.5."""
    rng = np.random.default_rng(3)
    phi = rng.uniform(-0.5, 0.5, len(pt))
    helix = Helices(
        x=d0 * np.sin(phi), y=-d0 * np.cos(phi), z=np.zeros(len(pt)), phi=phi,
        kappa=-charge * GEV_PER_TESLA_CM * FIELD / pt, dip=rng.uniform(-0.5, 0.5, len(pt)),
    )  # fmt: skip
    x, y, z = np.array([position(helix, to_cylinder(helix, r)[0]) for r in radii]).transpose(1, 0, 2)
    return torch.tensor(np.arcsinh(z / np.hypot(x, y))), torch.tensor(np.arctan2(y, x))


@pytest.mark.parametrize("n_layers", [3, 5])
def test_a_link_has_the_momentum_charge_and_impact_parameter_of_its_particle(n_layers: int) -> None:
    rng = np.random.default_rng(2)
    n = 200
    pt, charge, d0 = np.exp(rng.uniform(0, 4.5, n)), rng.choice([-1.0, 1.0], n), rng.normal(0, 0.01, n)
    eta, phi = crossings(pt, charge, d0, RADII[:n_layers])
    # Each particle in a jet of its own.
    given = [
        LayerHits(r, torch.stack([e, p], dim=-1).unsqueeze(-1), torch.ones(n, 1, dtype=torch.bool))
        for r, e, p in zip(RADII, eta, phi, strict=False)
    ]
    links = find_links(given, candidates=1, most_chi2=40.0, periodic=False)
    assert links.found.double().mean() > 0.95
    good = links.found[:, 0].numpy()
    wanted = -charge * 0.5 * GEV_PER_TESLA_CM * FIELD / pt
    bend, found_d0 = links.bend[good, 0].numpy(), links.d0[good, 0].numpy()
    lever = 1.0 / (RADII[0] * RADII[n_layers - 1])  # what d0 adds to the bend between first and last layer
    np.testing.assert_allclose(bend - d0[good] * lever, wanted[good], rtol=0.03, atol=1e-6)
    np.testing.assert_allclose(found_d0, d0[good], rtol=0.05, atol=5e-4)
    crystals = crossings(pt, charge, d0, [ECAL_RADIUS])[1][0].numpy()
    turned = turn_to_crystals(links.bend - torch.tensor(d0).unsqueeze(1) * lever, RADII[1])[good, 0].numpy()
    reaching = pt[good] > 1.0
    np.testing.assert_allclose((phi[1].numpy()[good] + turned)[reaching], crystals[good][reaching], atol=0.02)
    if n_layers == 5:
        assert (links.hits[good] == 5).double().mean() > 0.95


def test_links_across_the_edge_of_phi_are_found_where_it_is_an_angle() -> None:
    here = [
        LayerHits(r, torch.tensor([[[0.1], [3.1415 + 1e-3 * r]]]), torch.ones(1, 1, dtype=torch.bool))
        for r in RADII[:3]
    ]
    inside = find_links(here, candidates=1, most_chi2=40.0, periodic=True)
    there = [
        LayerHits(h.radius, h.points - torch.tensor([[[0.0], [2 * math.pi if i else 0.0]]]), h.found)
        for i, h in enumerate(here)
    ]
    for periodic in (True, False):
        links = find_links(there, candidates=1, most_chi2=40.0, periodic=periodic)
        assert bool(links.found) == periodic
    torch.testing.assert_close(
        find_links(there, candidates=1, most_chi2=40.0, periodic=True).bend, inside.bend, rtol=1e-3, atol=1e-6
    )


def test_the_straightest_links_are_kept_with_what_they_are() -> None:
    links = find_links(layers(3, 30), candidates=3, most_chi2=40.0, periodic=False)
    rows, found = straightest(links, 8)
    assert rows.shape == (2, 8, 7) and found.all()
    for b in range(2):
        bends = links.bend[b][links.found[b]]
        torch.testing.assert_close(rows[b, :, 2].abs(), bends.abs().sort().values[:8])
        i = int((links.bend[b] == rows[b, 0, 2]).nonzero()[0])
        assert rows[b, 0].tolist() == [
            *links.points[b, :, i].tolist(), *(float(getattr(links, name)[b, i]) for name in
            ("bend", "d0", "chi2", "hits", "sharing")),
        ]  # fmt: skip


def test_tokens_carry_the_momentum_of_links_in_a_column_of_their_own() -> None:
    group = validate(
        LinkGroup, {"layers": ["BPIX1", "BPIX2", "BPIX3"], "hits": 20, "keep": 4, "most_chi2": 1e9}, "links"
    )
    points, features, mask, _ = jets([200, 150], seed=1)
    nodes = NodeMaker(INPUTS)(points.transpose(1, 2), features.transpose(1, 2), mask)
    tokens = LinkTokens(group, 8, INPUTS, ("TRACK", "ECAL", "HCAL"))(nodes)
    assert tokens.x.shape == (2, 4, 8) and tokens.energy.shape == (2, 4, 4)
    assert tokens.found.all()
    assert (tokens.energy[..., :3] == 0).all() and (tokens.energy[..., 3] > 0).all()
    assert (tokens.energy[..., 3].diff(dim=1) <= 0).all()  # the hardest first
    # The same bends are of half the momentum in half the field.
    in_half = replace(INPUTS, field=INPUTS.field / 2)
    slower = LinkTokens(group, 8, in_half, ("TRACK", "ECAL", "HCAL"))(nodes)
    torch.testing.assert_close(2 * slower.energy, tokens.energy)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["BPIX1", "BPIX2"], "at least 3"),
        (["BPIX1", "BPIX2", "ECAL"], "different layers of hits"),
        (["BPIX1", "BPIX2", "BPIX2"], "different layers of hits"),
    ],
)
def test_layers_that_cannot_be_linked_are_refused(names: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        validate(LinkGroup, {"layers": names}, "links")


def test_layers_that_are_absent_or_out_of_order_are_refused() -> None:
    for names, said in (
        (["BPIX1", "BPIX2", "BPIX9"], "reads channel BPIX9"),
        (["BPIX2", "BPIX1", "BPIX3"], "order them"),
    ):
        with pytest.raises(UsageError, match=said):
            LinkTokens(validate(LinkGroup, {"layers": names}, "links"), 8, INPUTS, ())


def test_equally_bent_links_stay_in_their_order() -> None:
    n = 40
    same = torch.full((1, n), 1e-3)
    places = torch.rand(1, 2, n)
    members = torch.zeros(1, 3, n, dtype=torch.long)
    links = Links(places, same, same, same, same, same, torch.ones(1, n, dtype=torch.bool), members)
    rows, _ = straightest(links, n)
    assert torch.equal(rows[0, :, :2], places[0].T)


def test_a_network_with_longer_chains_and_several_choices_is_exported_and_is_blind_to_order_and_padding() -> None:
    chains = "{layers: [BPIX1, BPIX2, BPIX3, BPIX4, TIB1], hits: 20, choices: 3, keep: 24, most_chi2: 1.0e9}"
    network = build("tracks-and-cells-links", n_outputs=2, settings=(f"options.links=[{chains}]",))
    points, features, mask, jet = jets([200, 60, 1])
    nodes = NodeMaker(INPUTS)(points.transpose(1, 2), features.transpose(1, 2), mask)
    (maker,) = (one for one in network.makers if isinstance(one, LinkTokens))
    links = maker.links(nodes)
    assert links.hits[links.found].max() == 5 and maker(nodes).found[0].all()
    scores = network(points, features, mask, jet)
    order = torch.randperm(points.shape[1])
    shuffled = network(points[:, order], features[:, order], mask[:, order], jet)
    torch.testing.assert_close(shuffled, scores, atol=2e-5, rtol=0)
    alone = network(points[1:2, :60], features[1:2, :60], mask[1:2, :60], jet[1:2])
    torch.testing.assert_close(alone, scores[1:2], atol=2e-5, rtol=0)
    triplets = build("tracks-and-cells-links", n_outputs=2)
    assert not torch.allclose(triplets(points, features, mask, jet), scores, atol=1e-3)
    assert parity(network, 80).largest_difference < 1e-5
