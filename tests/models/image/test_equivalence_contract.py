"""The equivalence contract (DESIGN §6): drawn from points = cut from the ntuple's dense images, in every channel."""

import numpy as np
import pytest
import torch

from e2egraph.data.padding import pad
from e2egraph.events.samples import Sample
from e2egraph.graphs.building.build import build
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.models.image.planes import PUBLISHED_CHANNELS
from e2egraph.models.image.rasterize import Rasterize
from e2egraph.tasks.task import load_task
from tests import rhtree_files
from tests.dense_crops import BUILD_SETTINGS, CHANNELS, DenseFile

EVENTS = 25


@pytest.fixture(scope="module")
def deposits():
    return {name: rhtree_files.random_deposits(EVENTS, seed) for name, seed in (("qcd", 11), ("top", 12))}


@pytest.fixture(scope="module", params=["vectors", "images"])
def jets_and_files(request, deposits, tmp_path_factory):
    """Point clouds built from per-object vectors, or from the dense images of a file that has nothing else."""
    folder = tmp_path_factory.mktemp(request.param)
    hidden = rhtree_files.IMAGE_PREFIXES if request.param == "vectors" else rhtree_files.VECTOR_PREFIXES
    inputs = {name: rhtree_files.write(folder / f"{name}.root", of, without=hidden) for name, of in deposits.items()}
    dense = {name: DenseFile(rhtree_files.write(folder / f"all_{name}.root", of)) for name, of in deposits.items()}
    task = load_task("top", BUILD_SETTINGS)
    return build(task, [Sample(name, name, (path,)) for name, path in inputs.items()], folder / "data"), dense


def test_every_image_channel_equals_the_crop_of_the_dense_branch(jets_and_files):
    summary, dense = jets_and_files
    compared = 0
    for shard in summary.manifest.shards:
        file = open_shard(summary.output / shard.name)
        clouds = file.read()
        inputs = summary.manifest.network_inputs
        arrays = pad(clouds, inputs)
        drawn = Rasterize(inputs, CHANNELS)(*map(torch.from_numpy, (arrays.points, arrays.features, arrays.mask)))
        for jet in range(len(clouds)):
            identity = (int(clouds.jets[name][jet]) for name in ("event", "seed_ieta", "seed_iphi"))
            for name, image in dense[shard.sample].crop(*identity).items():
                np.testing.assert_allclose(
                    drawn[jet, CHANNELS.index(name)].numpy(),
                    image,
                    rtol=2e-6,
                    atol=1e-6 * abs(image).max(),
                    err_msg=name,
                )
                compared += image.any()
    assert compared > 9 * 40


@pytest.mark.parametrize("hidden", [rhtree_files.IMAGE_PREFIXES, rhtree_files.VECTOR_PREFIXES])
@pytest.mark.parametrize("rows", [170, 280])
def test_every_image_channel_of_a_whole_event_equals_the_dense_branch(hidden, rows, deposits, tmp_path):
    # All rows of crystals, or the barrel's; column 0 begins at φ = −π, and that of the branches at −10°.
    region = f"region.abs_eta_max={rows * 0.0174 / 2}"
    task = load_task(
        "rpv", [*BUILD_SETTINGS[:2], "object={kind: event}", "inputs.thresholds={}", "inputs.caps={}", region]
    )
    samples, dense = [], {}
    for name, of in (("qcd", deposits["qcd"]), ("rpv", deposits["top"])):
        samples.append(Sample(name, name, (str(rhtree_files.write(tmp_path / f"{name}.root", of, without=hidden)),)))
        dense[name] = DenseFile(rhtree_files.write(tmp_path / f"all_{name}.root", of))
    summary = build(task, samples, tmp_path / "data")
    inputs = summary.manifest.network_inputs
    draw = Rasterize(inputs, CHANNELS)
    first = (280 - rows) // 2
    compared = 0
    for shard in summary.manifest.shards:
        clouds = open_shard(summary.output / shard.name).read()
        arrays = pad(clouds, inputs)
        drawn = draw(*map(torch.from_numpy, (arrays.points, arrays.features, arrays.mask)))
        for number, event in enumerate(clouds.jets["event"]):
            for name, image in dense[shard.sample].whole(int(event)).items():
                expected = np.roll(image, -190, axis=1)[first : first + rows]
                found = drawn[number, CHANNELS.index(name)].numpy()
                np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6 * abs(image).max(), err_msg=name)
                compared += expected.any()
    assert compared > 9 * 2 * EVENTS * 0.8


def test_channels_of_the_published_images_are_among_those_compared():
    assert set(PUBLISHED_CHANNELS) <= set(CHANNELS)
