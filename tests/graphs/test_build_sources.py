"""Data sets built through the command line from every kind of file."""

import numpy as np
import pytest

from e2egraph.cli import main
from e2egraph.errors import InputError
from e2egraph.events.sources.registry import opened
from e2egraph.graphs.building import layers
from e2egraph.graphs.building.checks import check_source
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.tasks.task import load_task
from tests import hitstree_files, image_files, rhtree_files
from tests.image_files import BOOSTED_TOP

PLAIN = ["--set", "resampling=null", "--set", "object.pt_min=0"]
IMAGES = ["--image-preset", "boosted-top"]


def build(output, samples, *options):
    given = [word for name, path in samples for word in ("--sample", f"{name}={path}")]
    code = main(["build-graphs", "--task", "top", *given, "--output", str(output), *PLAIN, *options])
    return code


def clouds_of(folder):
    manifest = read_manifest(folder)
    for shard in manifest.shards:
        with open_shard(folder / shard.name) as file:
            yield file.read()


@pytest.mark.parametrize("suffix", ["parquet", "h5", "tfrecord"])
def test_one_file_of_labelled_images_fills_both_classes(tmp_path, suffix, capsys):
    pixels, columns = image_files.images(12, BOOSTED_TOP), image_files.quantities(12)
    path = tmp_path / f"jets.{suffix}"
    image_files.write_boosted_top(path, pixels, columns)
    assert build(tmp_path / "data", [("qcd", path), ("top", path)], *IMAGES) == 0, capsys.readouterr().err
    manifest = read_manifest(tmp_path / "data")
    assert {name: sum(splits.values()) for name, splits in manifest.counts.items()} == {"qcd": 6, "top": 6}
    found = {float(pt): int(label) for clouds in clouds_of(tmp_path / "data")
             for pt, label in zip(clouds.jets["jet_pt"], clouds.jets["label"], strict=True)}  # fmt: skip
    assert found == {float(pt): int(y) for pt, y in zip(columns["pt"], columns["y"], strict=True)}


def test_images_without_named_channels_are_refused_with_exit_code_1(tmp_path, capsys):
    pixels, columns = image_files.images(2, BOOSTED_TOP), image_files.quantities(2)
    paths = [image_files.write_parquet(tmp_path / f"{i}.parquet", pixels, columns, flat=True) for i in "ab"]
    assert build(tmp_path / "data", zip(("qcd", "top"), paths, strict=True)) == 1
    assert "a.parquet: holds images" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("options", [IMAGES, ["--image-channels", "ECAL"]])
def test_planes_of_images_are_refused_where_there_are_none(tmp_path, options, capsys):
    path = rhtree_files.write(tmp_path / "a.root", rhtree_files.random_deposits(2))
    assert build(tmp_path / "data", [("qcd", path), ("top", path)], *options) == 2
    error = capsys.readouterr().err
    assert "no file of images, whose planes alone --image-channels and --image-preset name; leave them out" in error
    assert main(["inspect", str(path), *options]) == 2
    assert "a.root: no file of images" in capsys.readouterr().err
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.root"]


def test_hits_trees_become_data_sets_of_tracks_and_hits(tmp_path, capsys):
    for name, seed in (("top", 1), ("qcd", 2)):
        hitstree_files.write(tmp_path / f"{name}.root", hitstree_files.random_branches(20, seed=seed))
    samples = [(name, tmp_path / f"{name}.root") for name in ("qcd", "top")]
    options = ["--trust-sample-names", "--set", "inputs.channels=[TRACK,BPIX1,BPIX2,BPIX3,TIB1]"]
    assert build(tmp_path / "data", samples, *options) == 0, capsys.readouterr().err
    clouds = list(clouds_of(tmp_path / "data"))
    channels = np.concatenate([part.nodes["channel"] for part in clouds])
    assert set(np.unique(channels)) <= {0, 1, 2, 3, 5} and (channels == 0).any()
    assert sum(len(part) for part in clouds) > 10


def test_a_layer_that_the_detector_of_a_file_lacks_is_refused(tmp_path, monkeypatch):
    """Ntuples list hits of all layers together: a fourth layer of pixels would be empty in silence."""
    monkeypatch.setattr(layers, "ENOUGH_HITS", 1000)
    deposits = rhtree_files.random_deposits(16, 1, truth=False)
    path = rhtree_files.write(tmp_path / "a.root", deposits, without=rhtree_files.IMAGE_PREFIXES)
    few = rhtree_files.write(
        tmp_path / "few.root", rhtree_files.random_deposits(1, 1, truth=False), without=rhtree_files.IMAGE_PREFIXES
    )
    there = [f"inputs.channels=[BPIX1,{layer},ECAL]" for layer in ("BPIX2", "BPIX4")]
    tasks = [load_task("top", [channels, "truth.source=sample_name"]) for channels in there]
    message = r"a\.root: no hit of BPIX4 in its first 16 events, .* reads it; .* --set inputs\.channels=\[BPIX1,ECAL\]"
    with opened(path) as source:
        check_source(source, tasks[0], "qcd")
        with pytest.raises(InputError, match=message):
            check_source(source, tasks[1], "qcd")
    with opened(few) as source:
        check_source(source, tasks[1], "qcd")


def test_a_task_that_needs_a_calorimeter_refuses_a_hits_tree(tmp_path, capsys):
    path = hitstree_files.write(tmp_path / "hits.root", hitstree_files.random_branches(3))
    assert build(tmp_path / "data", [("qcd", path), ("top", path)], "--trust-sample-names") == 1
    assert "hits.root" in capsys.readouterr().err


def test_tops_of_the_run_2_ntuples_build_without_jet_phi(tmp_path, capsys):
    for name, seed in (("top", 1), ("qcd", 2)):
        deposits = rhtree_files.random_deposits(4, seed=seed, first_event=100 * seed)
        renamed = {"jetPt": "jet_Pt", "jetEta": "jet_Eta", "jetM": "jet_M"}
        branches = {renamed.get(key, key): values for key, values in deposits.branches.items()}
        without = ("jetPhi", *rhtree_files.VECTOR_PREFIXES, "TIB", "TOB")
        rhtree_files.write(tmp_path / f"{name}.root", rhtree_files.Deposits(branches), without=without)
    samples = [(name, tmp_path / f"{name}.root") for name in ("qcd", "top")]
    assert build(tmp_path / "data", samples, "--trust-sample-names") == 0, capsys.readouterr().err
    phi = np.concatenate([part.jets["jet_phi"] for part in clouds_of(tmp_path / "data")])
    # Tower centres: −7.5°, −2.5°, 2.5°, …
    towers = (np.degrees(phi.astype(float)) + 7.5) / 5.0
    np.testing.assert_allclose(towers, np.rint(towers), atol=1e-4)


def test_classes_may_not_differ_in_the_form_of_their_nodes(tmp_path, capsys):
    """A network would learn which class has pixels and which has tracks."""
    paths = {}
    for name, seed, without in (("qcd", 1, rhtree_files.IMAGE_PREFIXES), ("top", 2, rhtree_files.VECTOR_PREFIXES)):
        deposits = rhtree_files.random_deposits(3, seed=seed, first_event=100 * seed)
        paths[name] = rhtree_files.write(tmp_path / f"{name}.root", deposits, without=without)
    assert build(tmp_path / "data", paths.items(), "--trust-sample-names") == 1
    message = capsys.readouterr().err
    assert "qcd.root" in message and "top.root" in message and "ecal: objects and images" in message
