"""Published images of whole events become points, and these the same images again, bit for bit."""

import h5py
import numpy as np
import pytest
import torch

from e2egraph.cli import main
from e2egraph.data.padding import pad
from e2egraph.errors import InputError, UsageError
from e2egraph.events.sources.registry import image_options, open_source
from e2egraph.graphs.inspecting.file_inspection import inspect_file
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.models.image.event_image import EventImage
from e2egraph.tasks.task import load_task

EVENTS = 4
# As drawn: tracks, ECAL, HCAL. As the public code stores them: HCAL, ECAL, tracks.
STORED = [2, 1, 0]


def images(size: int, seed: int) -> np.ndarray:
    """[EVENTS, 3, size, size] in the order they are drawn in; some pixels at the edges, and an event without any."""
    rng = np.random.default_rng(seed)
    made = np.where(rng.random((EVENTS, 3, size, size)) < 0.03, rng.exponential(3.0, (EVENTS, 3, size, size)), 0.0)
    made[0, :, [0, -1], :] = 1.25
    made[0, :, :, [0, -1]] = 0.75
    made[1] = 0.0
    return made.astype(np.float32)


def write(path, pixels, *, last=False, order=STORED, group="all_events", **others):
    with h5py.File(path, "w") as file:
        data = pixels[:, order]
        file[f"{group}/images"] = np.moveaxis(data, 1, 3) if last else data
        for name, values in others.items():
            file[f"{group}/{name}"] = values
    return path


@pytest.mark.parametrize(
    ("size", "last", "order", "preset"),
    [(64, False, STORED, "whole-events"), (224, True, [0, 2, 1], "whole-events-tracks-first")],
)
def test_a_data_set_of_images_is_those_images_with_their_weights(tmp_path, capsys, size, last, order, preset):
    pixels = {name: images(size, seed) for seed, name in enumerate(("qcd", "rpv"))}
    weights = {"qcd": np.array([0.5, 2.0, 4.0, 1.5]), "rpv": np.full(EVENTS, 3e-4)}
    samples = []
    for name in pixels:
        path = write(tmp_path / f"{name}.h5", pixels[name], last=last, order=order, weights=weights[name])
        samples += ["--sample", f"{name}={path}"]
    command = ["build-graphs", "--task", "rpv-images", *samples, "--image-preset", preset]
    assert main([*command, "--output", str(tmp_path / "data")]) == 0, capsys.readouterr().err
    manifest = read_manifest(tmp_path / "data")
    draw, seen = EventImage(manifest.network_inputs, size, 2.5), 0
    for shard in manifest.shards:
        clouds = open_shard(tmp_path / "data" / shard.name).read()
        arrays = pad(clouds, manifest.network_inputs)
        drawn = draw(*(torch.from_numpy(a) for a in (arrays.points, arrays.features, arrays.mask))).numpy()
        np.testing.assert_array_equal(drawn, pixels[shard.sample])
        np.testing.assert_allclose(clouds.jets["weight"], weights[shard.sample], rtol=1e-6)
        assert (np.abs(clouds.nodes["dphi"]) < np.pi).all() and not clouds.jets["nodes_cut"].any()
        seen += len(clouds)
    assert seen == 2 * EVENTS


def test_quantities_of_events_are_read_and_cut_on(tmp_path, capsys):
    quantities = {"scalarHT": np.array([1400.0, 1600.0, 1700.0, 900.0]), "numJet": np.array([5, 6, 3, 8])}
    path = write(tmp_path / "a.h5", images(64, 0), **quantities)
    source = open_source(path, image_options(None, "whole-events"))
    assert source.read_jets(1, 3)["ht"].tolist() == [1600.0, 1700.0]
    assert "jets.pt" not in source.missing and {"jets.b_tag", "fatjets", "gen"} <= set(source.missing.branches)
    whole, parts = source.read(0, 4), [source.read(0, 3), source.read(3, 4)]
    numbers = np.concatenate([part.jets["event"] for part in parts])
    np.testing.assert_array_equal(whole.jets["event"], numbers)
    assert len(np.unique(numbers)) == 4
    command = ["build-graphs", "--task", "rpv-images", "--sample", f"rpv={path}", "--sample", f"qcd={path}"]
    other = write(tmp_path / "b.h5", images(64, 1), **quantities)
    command[-1] = f"qcd={other}"
    cuts = ["--set", "object.ht_min=1500", "--set", "object.jets_min=4"]
    preset = ["--image-preset", "whole-events", "--output", str(tmp_path / "data")]
    assert main([*command, *preset, *cuts]) == 0, capsys.readouterr().err
    assert sum(shard.jets for shard in read_manifest(tmp_path / "data").shards) == 2


def test_labels_of_a_file_decide_which_of_its_events_are_of_a_class(tmp_path, capsys):
    mixed = write(tmp_path / "mixed.h5", images(64, 0), labels=np.array([0, 1, 1, 0]))
    command = ["build-graphs", "--task", "rpv-images", "--sample", f"rpv={mixed}", "--sample", f"qcd={mixed}"]
    output = ["--image-preset", "whole-events", "--output", str(tmp_path / "data")]
    assert main([*command, *output]) == 0, capsys.readouterr().err
    manifest = read_manifest(tmp_path / "data")
    assert {name: sum(splits.values()) for name, splits in manifest.counts.items()} == {"qcd": 2, "rpv": 2}
    one_kind = write(tmp_path / "qcd.h5", images(64, 1), labels=np.zeros(EVENTS))
    command[4] = f"rpv={one_kind}"
    output[-1] = str(tmp_path / "none")
    assert main([*command, *output]) == 1
    assert "class 'rpv': no object selected" in capsys.readouterr().err


def wrong(name, pixels):
    others, group = {}, "all_events"
    if name == "group":
        group = "events"
    elif name == "planes":
        pixels = pixels[:, :2]
    elif name == "pixels":
        pixels[2, 1, 3, 4] = np.nan
    elif name == "weights":
        others["weights"] = np.array([1.0, np.nan, 1.0, 1.0])
    elif name == "few weights":
        others["weights"] = np.ones(3)
    return pixels, group, others


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("group", r"no group all_events \(found events\)"),
        (
            "planes",
            r"all_events/images has images of shape \(2, 64, 64\), expected squares of pixels in each of 3 planes",
        ),
        ("pixels", r"plane ECAL of event 2 holds NaN or infinite values"),
        ("weights", r"weights of image 1 is NaN"),
        ("few weights", r"column weights holds float64 of shape \(3,\), expected one number for each of 4"),
    ],
)
def test_files_that_cannot_be_what_they_should_are_refused(tmp_path, name, message):
    pixels, group, others = wrong(name, images(64, 0))
    path = write(tmp_path / "a.h5", pixels, order=STORED if name != "planes" else [1, 0], group=group, **others)
    with pytest.raises(InputError, match=rf"a\.h5: {message}"):
        source = open_source(path, image_options(None, "whole-events"))
        source.read(0, 4), source.weights(0, 4)


def test_the_order_of_planes_must_be_named_and_the_task_be_of_events(tmp_path, capsys):
    path = write(tmp_path / "a.h5", images(64, 0))
    with pytest.raises(InputError, match=r"only you know what their planes are; add --image-channels"):
        open_source(path)
    inspected = inspect_file(
        str(path), image_options(None, "whole-events"), [load_task("rpv-images"), load_task("top")]
    )
    assert "images of whole events of TRACK, ECAL, HCAL" in inspected.reader
    assert not inspected.verdicts["rpv-images", "rpv"] and inspected.verdicts["top", "top"]
    command = ["build-graphs", "--sample", f"top={path}", "--sample", f"qcd={path}", "--output", str(tmp_path / "data")]
    assert main([*command, "--task", "top", "--image-preset", "whole-events"]) == 1
    assert "holds images of whole events, but task 'top' sees 125×125 pixels" in capsys.readouterr().err


@pytest.mark.parametrize("setting", ["planes=[BPIX1]", "size=64", "seed_crystal=true", "events_abs_eta_max=0"])
def test_a_layout_of_whole_events_has_only_what_they_have(setting):
    with pytest.raises(UsageError, match=r"whole events|events_abs_eta_max|planes"):
        image_options(None, "whole-events", [setting])
