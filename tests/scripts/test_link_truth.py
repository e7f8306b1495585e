"""``scripts/link_truth.py`` on particles whose hits are known: links of other particles' hits are wrong."""

from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from e2egraph.config import validate
from e2egraph.detector.channels import channels
from e2egraph.errors import InputError
from e2egraph.models.tokens.link_tokens import LinkGroup
from tests.models.tokens.test_links import RADII, crossings
from tests.scripts import loading

LAYERS = ("BPIX1", "BPIX2", "BPIX3", "TIB1", "TIB2")
JETS, PARTICLES, NOISE = 3, 30, 20


def write(path: Path, swapped: int = 0, without: str = "none") -> Path:
    """Events of one jet each, at η = φ = 0: particles of 1.5 to 40 GeV that hit every layer, and noise of its own in
    each. In the third layer the first ``swapped`` hits are said to be of the next particle."""
    rng = np.random.default_rng(4)
    pt = np.exp(rng.uniform(0.4, 3.7, PARTICLES))
    rows: dict[str, list[np.ndarray]] = {}
    for _ in range(JETS):
        charge = rng.choice([-1.0, 1.0], PARTICLES)
        eta, phi = (values.numpy() for values in crossings(pt, charge, np.zeros(PARTICLES), RADII))
        parts = []
        for number, name in enumerate(LAYERS):
            detector, layer = channels()[name].cms or (0, 0)
            e, p = (np.concatenate([v[number], rng.uniform(-0.5, 0.5, NOISE)]) for v in (eta, phi))
            r, owner = RADII[number], np.concatenate([np.arange(PARTICLES), np.full(NOISE, -1)])
            owner[:swapped] += number == 2
            code = np.full_like(owner, detector), np.full_like(owner, layer), owner
            parts.append(np.stack([r * np.cos(p), r * np.sin(p), r * np.sinh(e), *code]))
        names = ("global_x", "global_y", "global_z", "sub_det", "layer", "genIndex")
        hits = {f"hit_{name}": values for name, values in zip(names, np.hstack(parts), strict=True)}
        event = hits | {"jetPt": [500.0], "jetEta": [0.0]}
        event |= {"jetPhi": [0.0], "gen_pt": pt, "gen_pdgId": np.full(PARTICLES, 211), "gen_status": np.ones(PARTICLES)}
        for name, values in event.items():
            rows.setdefault(name, []).append(np.asarray(values))
    whole = ("hit_sub_det", "hit_layer", "hit_genIndex", "gen_pdgId", "gen_status")
    kinds = {name: "int32" if name in whole else "float64" for name in rows if name != without}
    with uproot.recreate(path) as file:
        tree = file.mktree("fevt/RHTree", {name: f"var * {kind}" for name, kind in kinds.items()})
        tree.extend({name: ak.values_astype(ak.Array(rows[name]), kind) for name, kind in kinds.items()})
    return path


@pytest.mark.parametrize("layers", [LAYERS[:3], LAYERS])
def test_every_particle_has_a_true_link_of_its_momentum(layers: tuple[str, ...], tmp_path: Path) -> None:
    with loading.script("link_truth") as script:
        found = script.compared(write(tmp_path / "a.root"), validate(LinkGroup, {"layers": layers}, "links"), 100)
        assert len(found.pt) == JETS * PARTICLES and found.found.mean() > 0.95
        assert found.true.sum() == found.found.sum() and found.true.mean() > 0.95
        np.testing.assert_allclose(found.link_pt[found.true], found.true_pt[found.true], rtol=0.05)
        assert np.isnan(found.true_pt[~found.true]).all()
        assert found.hits[found.true].min() == 3 if len(layers) == 3 else found.hits.max() == 5
        records = {(r.case, r.metric): r.value for r in script.records_of("links", found)}
        assert records["links", "efficiency"] == found.found.mean()
        assert records["links", "purity"] == found.true.mean()


def test_a_link_with_a_hit_of_another_particle_is_wrong(tmp_path: Path) -> None:
    with loading.script("link_truth") as script:
        group = validate(LinkGroup, {"layers": LAYERS[:3]}, "links")
        own, mixed = (script.compared(write(tmp_path / f"{n}.root", n), group, 100) for n in (0, 10))
        assert len(mixed.true) == len(own.true) and len(mixed.pt) == JETS * (PARTICLES - 1)
        assert own.true.sum() - mixed.true.sum() == pytest.approx(JETS * 10, abs=2)


def test_a_file_without_the_truth_of_hits_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.root", without="hit_genIndex")
    with loading.script("link_truth") as script, pytest.raises(InputError, match=r"a\.root: no branch hit_genIndex"):
        script.compared(path, validate(LinkGroup, {"layers": LAYERS}, "links"), 100)
