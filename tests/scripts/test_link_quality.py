"""``scripts/link_quality.py`` on particles whose hits and tracks are known: all are found, and noise is not."""

import numpy as np
import pytest
import torch

from e2egraph.config import validate
from e2egraph.data.loading.batch import JetBatch
from e2egraph.models.tokens.link_tokens import LinkGroup, LinkTokens
from tests.all_inputs import INPUTS
from tests.models.tokens.test_links import RADII, crossings
from tests.scripts import loading

LAYERS = ("BPIX1", "BPIX2", "BPIX3")


def batch_of_particles(n: int, noise: int, shift: float) -> JetBatch:
    """One jet of n particles of 1.5 to 40 GeV, each a track and three hits, and hits of noise; hits are seen from a
    vertex that moves their η by ``shift``."""
    rng = np.random.default_rng(1)
    pt, charge = np.exp(rng.uniform(0.4, 3.7, n)), rng.choice([-1.0, 1.0], n)
    eta, phi = crossings(pt, charge, np.zeros(n), [*RADII[:3], 129.0])
    rows = []
    for place, name in enumerate((*LAYERS, "TRACK")):
        count = n + (noise if name != "TRACK" else 0)
        features = torch.zeros(count, INPUTS.n_features)
        features[:, INPUTS.index(f"is_{name}")] = 1.0
        if name == "TRACK":
            features[:, INPUTS.index("value")] = torch.tensor(pt)
            features[:, INPUTS.index("charge")] = torch.tensor(charge)
        points = torch.stack([eta[place], phi[place]], dim=-1).float()
        points[:, 0] += shift * (name != "TRACK")
        made_up = torch.tensor(rng.uniform(-0.5, 0.5, (count - n, 2)), dtype=torch.float32)
        rows.append((torch.cat([points, made_up]), features))
    points, features = (torch.cat(parts).unsqueeze(0) for parts in zip(*rows, strict=True))
    mask, one = torch.ones(points.shape[:2], dtype=torch.bool), torch.zeros(1)
    return JetBatch(points, features, mask, torch.zeros(1, 0), one.long(), one, torch.zeros(1, 0), one.long())


@pytest.mark.parametrize("shift", [0.0, 0.04])
def test_particles_are_found_with_their_momentum_and_noise_is_not(shift: float) -> None:
    with loading.script("link_quality") as script:
        finder = LinkTokens(validate(LinkGroup, {"layers": LAYERS, "hits": 256}, "links"), 1, INPUTS, ())
        found = script.compared(INPUTS, finder, [batch_of_particles(40, 60, shift)])
        assert len(found.track_pt) == 40
        assert found.track_matched.mean() >= 0.95
        assert found.link_matched.sum() >= 38 and (~found.link_matched).sum() <= 4
        ratio = found.partner_pt[found.track_matched] / found.track_pt[found.track_matched]
        np.testing.assert_allclose(ratio, 1.0, atol=0.05)
        records = {(r.case, r.metric): r.value for r in script.records_of(found)}
        assert records["all", "efficiency"] == found.track_matched.mean()
        assert records["all", "purity"] == found.link_matched.mean()


@pytest.mark.parametrize(
    ("tracks", "link", "matched", "distance"),
    [
        # No track has its curvature: the nearest is another one.
        ([[0.0, 0.0, 0.1], [0.3, 0.0, 0.1]], [0.005, 0.005, -0.5], False, np.hypot(0.005, 0.005)),
        ([[0.0, 0.0, 0.1], [0.3, 0.0, 0.1]], [0.0, 0.005, 0.1], True, np.hypot(0.3, 0.005)),
        # The partner is not the nearest.
        ([[0.0, 0.0, 0.1], [0.0, 0.012, -0.9]], [0.0, 0.01, 0.1], True, 0.002),
        ([[0.0, 0.0, 0.1]], [0.0, 0.005, 0.1], True, np.inf),
        ([[0.0, 0.0, 0.1]], [0.0, 0.005, -0.5], False, 0.005),
        (np.zeros((0, 3)), [0.0, 0.005, 0.1], False, np.inf),
    ],
)
def test_the_nearest_other_track_of_a_link_is_any_but_its_partner(tracks, link, matched, distance) -> None:
    with loading.script("link_quality") as script:
        *_, link_distance, link_matched = script._of_jet(np.array(tracks), np.array([link]))
    assert (link_matched.tolist(), link_distance.tolist()) == ([matched], [pytest.approx(distance)])
