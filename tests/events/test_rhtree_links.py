"""Links to true particles in RHTree files: read as they are, and never beyond their event's lists."""

import awkward as ak
import numpy as np
import pytest

from e2egraph.errors import InputError
from e2egraph.events.sources.rhtree import RHTreeFile
from tests import rhtree_files

EVENTS, PARTICLES = 4, 5
NAMES = ["track_details", "sim", "track_links", "ecal_links", "hcal_links"]


def integers(values):
    return np.asarray(values, np.int32)


@pytest.fixture(scope="module")
def branches():
    """Branches of a small file with links: a track and a cell have one particle after the other."""
    made = dict(rhtree_files.random_deposits(EVENTS, seed=3).branches)
    sim = {name: [] for name in ("pdgId", "charge", "collision", "genIndex", "fate")}
    for entry in range(EVENTS):
        tracks = len(made["track_pt"][entry])
        for name in ("eta0", "phi0", "ptErr"):
            made.setdefault(f"track_{name}", []).append(np.full(tracks, 0.5, np.float32))
        made.setdefault("track_muon", []).append(integers(np.arange(tracks) == 0))
        made.setdefault("track_simIndex", []).append(integers(np.arange(tracks) % (PARTICLES + 1) - 1))
        made.setdefault("track_secondary", []).append(integers(np.zeros(tracks)))
        for cells in ("ecal", "hcal"):
            size = len(made[f"{cells}_energy"][entry])
            made.setdefault(f"{cells}Link_cell", []).append(integers(np.arange(size)))
            made.setdefault(f"{cells}Link_sim", []).append(integers(np.arange(size) % PARTICLES))
            made.setdefault(f"{cells}Link_energy", []).append(np.ones(size, np.float32))
        for name, values in sim.items():
            values.append(integers(np.full(PARTICLES, -1 if name == "genIndex" else 0)))
        for name in ("pt", "eta", "phi", "m", "vx", "vy", "vz"):
            made.setdefault(f"sim_{name}", []).append(np.full(PARTICLES, 1.5, np.float32))
    return made | {f"sim_{name}": values for name, values in sim.items()}


def opened(path, branches, **changed):
    return RHTreeFile(rhtree_files.write(path, rhtree_files.Deposits(branches | changed)))


def test_every_branch_reaches_its_field(tmp_path, branches):
    file = opened(tmp_path / "links.root", branches)
    events = file.read(1, EVENTS, NAMES)
    assert ak.to_list(events.ecal_links.particle) == [v.tolist() for v in branches["ecalLink_sim"][1:]]
    assert ak.to_list(events.track_links.particle) == [v.tolist() for v in branches["track_simIndex"][1:]]
    assert ak.to_list(events.track_details.muon) == [v.tolist() for v in branches["track_muon"][1:]]
    assert events.sim.fields[:3] == ["pdg_id", "charge", "pt"]
    assert file.recognised["hcal_links.energy"] == "hcalLink_energy"
    assert not set(NAMES) & set(file.missing.branches)


@pytest.mark.parametrize(
    ("branch", "collection", "index", "other"),
    [
        ("ecalLink_cell", "ecal_links", 10_000, "ecal"),
        ("ecalLink_cell", "ecal_links", -1, "ecal"),
        ("hcalLink_sim", "hcal_links", PARTICLES, "sim"),
        ("hcalLink_sim", "hcal_links", -1, "sim"),
        ("track_simIndex", "track_links", PARTICLES, "sim"),
        ("track_simIndex", "track_links", -2, "sim"),
        ("sim_genIndex", "sim", 10_000, "gen"),
    ],
)
def test_indices_outside_of_their_lists_are_refused(tmp_path, branches, branch, collection, index, other):
    values = [np.array(v) for v in branches[branch]]
    values[2][1] = index
    file = opened(tmp_path / "bad.root", branches, **{branch: values})
    file.read(0, 2, [collection])
    with pytest.raises(InputError, match=rf"bad\.root: {branch} of entry 2 is {index}, .* members of {other};"):
        file.read(1, EVENTS, [collection])


def test_links_without_what_they_count_in_are_refused(tmp_path, branches):
    kept = {name: values for name, values in branches.items() if not name.startswith("sim_")}
    file = opened(tmp_path / "bad.root", kept)
    with pytest.raises(InputError, match="ecalLink_sim counts in sim, of which the file has no branches"):
        file.read(0, 1, ["ecal_links"])
