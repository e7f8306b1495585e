"""Files of doubles give the very events, nodes and event files that the same numbers in single precision give."""

import awkward as ak
import numpy as np
import pytest

from e2egraph.events.samples import Sample
from e2egraph.events.sources.registry import opened
from e2egraph.graphs.building.build import build
from e2egraph.graphs.making.dump import dump_events
from e2egraph.graphs.storage.pointclouds import concatenate
from e2egraph.graphs.storage.shards import open_shard
from tests import delphes_files, hitstree_files, rhtree_files
from tests.graphs.builds import task

COLLECTIONS = ("id", "pv", "tracks", "hits", "ecal", "hcal", "jets", "fatjets", "met", "gen")


def doubles(branches, seed=1):
    """Branches with numbers that are not whole as doubles, with digits of their own beyond single precision."""
    rng = np.random.default_rng(seed)
    return {
        name: [value * (1 + 1e-8 * rng.standard_normal(len(value))) for value in map(np.asarray, values)]
        if np.ndim(values[0]) == 1 and np.asarray(values[0]).dtype == np.float32 and "Seed" not in name
        else values
        for name, values in branches.items()
    }


def singles(branches):
    return {
        name: [value.astype(np.float32) if getattr(value, "dtype", None) == np.float64 else value for value in values]
        for name, values in branches.items()
    }


def rhtree(folder, name, seed=1):
    deposits = rhtree_files.random_deposits(12, seed, first_event=1 + 100 * seed)
    of_double = doubles({n: v for n, v in deposits.branches.items() if not n.startswith(rhtree_files.IMAGE_PREFIXES)})
    for kind, branches in (("double", of_double), ("single", singles(of_double))):
        rhtree_files.write(folder / f"{name}_{kind}.root", rhtree_files.Deposits(branches))


def hitstree(folder, name):
    of_double = doubles(hitstree_files.random_branches(6))
    for kind, branches in (("double", of_double), ("single", singles(of_double))):
        hitstree_files.write(folder / f"{name}_{kind}.root", branches)


def hitstree_without_tracks(folder, name):
    of_double = doubles(hitstree_files.random_branches(6))
    tracks = tuple(branch for branch in of_double if branch.startswith("track"))
    for kind, branches in (("double", of_double), ("single", singles(of_double))):
        hitstree_files.write(folder / f"{name}_{kind}.root", branches, tracks)


def delphes(folder, name):
    for kind, real in (("double", np.float64), ("single", np.float32)):
        delphes_files.write(folder / f"{name}_{kind}.root", real=real)


@pytest.mark.parametrize("write", [rhtree, hitstree, hitstree_without_tracks, delphes])
def test_events_of_doubles_are_those_of_single_precision(write, tmp_path):
    write(tmp_path, "a")
    with opened(tmp_path / "a_double.root") as one, opened(tmp_path / "a_single.root") as other:
        names = [name for name in COLLECTIONS if name not in one.missing]
        assert {"id", "jets"} < set(names)
        found, expected = (source.read(0, source.n_events, names) for source in (one, other))
    assert found.fields == expected.fields
    for name in found.fields:
        if name != "event":  # Delphes and hits trees make it of the file's content
            assert ak.array_equal(found[name], expected[name]), name
    for name in {"tracks", "hits", "ecal", "hcal", "jets", "gen"} & set(names):
        for field in found[name].fields:
            assert ak.to_numpy(ak.flatten(found[name][field])).dtype != np.float64, (name, field)


def test_nodes_and_event_files_of_doubles_are_those_of_single_precision(tmp_path):
    rhtree(tmp_path, "qcd", 1)
    rhtree(tmp_path, "top", 2)
    clouds, files = [], []
    for kind in ("double", "single"):
        samples = [Sample(name, name, (tmp_path / f"{name}_{kind}.root",)) for name in ("qcd", "top")]
        made = build(task(), samples, tmp_path / kind)
        clouds.append(concatenate([open_shard(made.output / shard.name).read() for shard in made.manifest.shards]))
        dump_events(task(), samples, tmp_path / f"{kind}.e2e")
        files.append((tmp_path / f"{kind}.e2e").read_bytes())
    assert files[0] == files[1]
    for one, other in ((clouds[0].nodes, clouds[1].nodes), (clouds[0].jets, clouds[1].jets)):
        assert {name: column.tobytes() for name, column in one.items()} == {
            name: column.tobytes() for name, column in other.items()
        }
