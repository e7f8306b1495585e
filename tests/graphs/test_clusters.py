"""Data sets of clusters: nodes around the seed crystal, truth, images, and what such a task cannot have."""

import math

import numpy as np
import pytest

from e2egraph.cli import main
from e2egraph.config import as_dict
from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.padding import pad
from e2egraph.errors import UsageError
from e2egraph.events.samples import Sample
from e2egraph.events.sources.registry import SourceOptions
from e2egraph.graphs.building.build import build
from e2egraph.graphs.making.chunk import Chunk, scan
from e2egraph.graphs.making.pixels import pixel_offset
from e2egraph.graphs.storage.columns import SPLITS
from e2egraph.graphs.storage.manifest import InputFile
from e2egraph.graphs.storage.shards import first_jets
from e2egraph.inference.events import read_objects, without_truth
from e2egraph.models.image.crystal_crop import CrystalCrop
from e2egraph.models.image.rasterize import Rasterize
from e2egraph.tasks.task import load_task
from tests.graphs.builds import jets_of
from tests.rhtree_files import Deposits, write

EVENTS = 40
TASK = load_task("egamma", ["inputs.channels=[TRACK,ECAL]", "resampling=null"])


def shower_file(path, number, seed):
    """An event each of one shower in 5 × 5 crystals, some at the ends of the columns, noise far from it, a track in
    front of it, and the particle behind it (``number``), seen from a vertex at z = 3 cm; one event has none of it.

    Returns also the seeds (row, column) and images of energy and time, 280 × 360.
    """
    rng = np.random.default_rng(seed)
    deposits, seeds, images = Deposits(), [], []
    for event in range(EVENTS):
        row, column = int(rng.integers(80, 200)), int(rng.choice([0, 1, 358, rng.integers(0, 360)]))
        energy, time = np.zeros((280, 360), np.float32), np.zeros((280, 360), np.float32)
        for i in range(-2, 3):
            for j in range(-2, 3):
                energy[row + i, (column + j) % 360] = 30.0 * math.exp(-1.5 * (abs(i) + abs(j))) + rng.uniform(0, 0.01)
        noise = rng.integers(0, 280, 60), rng.integers(0, 360, 60)
        energy[noise] = np.maximum(energy[noise], rng.uniform(0.1, 0.9, 60))
        if event == 0:
            energy[:] = 0.0
        at = np.argwhere(energy > 0)
        rng.shuffle(at)
        time[tuple(at.T)] = rng.normal(0, 1, len(at))
        for name, value in (("runId", 1), ("lumiId", seed), ("eventId", event), ("nVtx", 1)):
            deposits.add(name, value)
        for axis, value in (("x", 0.0), ("y", 0.0), ("z", 3.0)):
            deposits.add(f"Vtx_{axis}", [value])
        for name, values in (("ieta", at[:, 0]), ("iphi", at[:, 1])):
            deposits.add(f"ecal_{name}", values.astype(np.int32))
        for name, image in (("energy", energy), ("time", time)):
            deposits.add(f"ecal_{name}", image[tuple(at.T)])
        phi = math.remainder(math.radians(column - 9.5), 2 * math.pi)
        eta = math.asinh(math.sinh((row - 139.5) * 0.0174) - 3.0 / 129.0)
        track = {"pt": 35.0, "eta": (row - 139.5) * 0.0174, "phi": phi, "d0": 0.0, "dz": 0.0, "charge": -1.0}
        for name, value in (track | {"d0Err": 0.01, "dzErr": 0.01}).items():
            deposits.add(f"track_{name}", np.array([value], np.float32))
        pt = 45.0 / math.cosh(eta)
        # Where an electron was before it turned; the second entry is a photon of a π⁰ at the same place.
        turned = math.asin(0.299792458 * 3.8 * 1.29 / 2 / pt) if number == 11 else 0.0
        particles = [(number, eta, phi - turned, -1, 1), (111, eta, phi, -1, 2), (22, eta, phi, 1, 1)]
        for place, name in enumerate(("pdgId", "eta", "phi", "mother", "status")):
            kind = np.float32 if name in ("eta", "phi") else np.int32
            deposits.add(f"gen_{name}", np.array([particle[place] for particle in particles], kind))
        deposits.add("gen_pt", np.full(3, pt, np.float32))
        deposits.add("gen_m", np.zeros(3, np.float32))
        if event:
            seeds.append((row, column))
            images.append((energy, time))
    return write(path, deposits), seeds, images


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("showers")
    return {
        name: shower_file(folder / f"{name}.root", number, seed)
        for seed, (name, number) in enumerate((("photon", 22), ("electron", 11)))
    }


@pytest.fixture(scope="module")
def built(files, tmp_path_factory):
    samples = [Sample(name, name, (path,)) for name, (path, _, _) in files.items()]
    return build(TASK, samples, tmp_path_factory.mktemp("data") / "data")


def test_every_shower_is_a_cluster_of_the_particle_behind_it(files, built):
    jets = jets_of(built)
    for label, (name, (_, seeds, _)) in enumerate(files.items()):
        flow = built.manifest.cutflow[name]
        assert flow["events"] == EVENTS and flow["truth"] == EVENTS - 1
        own = jets["label"] == label
        assert list(zip(jets["seed_row"][own].tolist(), jets["seed_column"][own].tolist(), strict=True)) == seeds
    assert set(jets["split"]) == set(SPLITS)


def test_clusters_that_are_scored_are_cut_on_isolation_though_no_tracks_are_nodes(files):
    """Without a veto the track of each shower is in its cone."""
    isolation = "object.isolation={most: 0.1, veto: 0, cone: 0.02}"
    task = without_truth(as_dict(load_task("egamma", ["inputs.channels=[ECAL]", isolation])), "task")
    open_task = without_truth(as_dict(load_task("egamma", ["inputs.channels=[ECAL]"])), "task")
    left, of_all = (
        sum(len(clouds) for clouds in read_objects(str(files["electron"][0]), each, SourceOptions()))
        for each in (task, open_task)
    )
    assert left < of_all == EVENTS - 1


def test_photons_of_a_hadron_are_none_of_the_task(files, tmp_path):
    """There is one in front of every shower of an electron."""
    path = files["electron"][0]
    found = [scan(Chunk("", InputFile(name, name, str(path), 0, "", EVENTS), 0, EVENTS), TASK) for name in TASK.classes]
    assert [one.cutflow["truth"] for one in found] == [0, EVENTS - 1]


def test_images_are_the_detector_around_the_seed(files, built):
    """The crop of −15 … 16 crystals and the plane of 33 × 33, from the file's crystals, to the last bit."""
    inputs = built.manifest.network_inputs
    clouds = first_jets(built.output, 100)
    batch = JetBatch.from_arrays(pad(clouds, inputs))
    crop = CrystalCrop(inputs)(batch.points, batch.features, batch.mask).numpy()
    planes = Rasterize(inputs, ("ECAL", "track_pt"))(batch.points, batch.features, batch.mask).numpy()
    expected = [(seed, image) for _, seeds, images in files.values() for seed, image in zip(seeds, images, strict=True)]
    assert len(expected) == len(crop) > 70
    for number, ((row, column), (energy, time)) in enumerate(expected):
        around = [np.roll(image, 180 - column, axis=1)[row - 16 : row + 17, 164:197] for image in (energy, time)]
        np.testing.assert_array_equal(planes[number, 0], around[0])
        np.testing.assert_array_equal(crop[number], [image[1:, 1:] for image in around])
        assert crop[number, 0].argmax() == 15 * 32 + 15
        assert planes[number, 1].sum() == planes[number, 1, 16, 16] == np.float32(35.0)


def test_nodes_lie_within_the_region(built):
    clouds = first_jets(built.output, 100)
    for name, pitch in (("deta", 0.0174), ("dphi", math.pi / 180)):
        assert np.abs(pixel_offset(clouds.nodes[name], pitch)).max() == 16


def test_the_plane_of_towers_is_refused_and_its_nodes_are_not():
    inputs = load_task("egamma", ["inputs.channels=[ECAL,HCAL]"]).network_inputs
    assert Rasterize(inputs).channels == ("ECAL",)
    with pytest.raises(
        UsageError, match=r"HCAL cannot be drawn: .* does not hold whole towers \(HCAL nodes are fine\)"
    ):
        Rasterize(inputs, ("ECAL", "HCAL"))


def test_commands_do_without_the_masses_that_clusters_do_not_have(built, tmp_path, capsys):
    data, run = str(built.output), tmp_path / "run"
    recipe = ["--recipe", "short", "--set", "training.epochs=1"]
    assert main(["train", "--model", "cnn-egamma", "--data", data, "--output", str(run), *recipe]) == 0
    assert main(["evaluate", str(run)]) == 0
    assert (run / "report.html").stat().st_size > 10_000
    assert main(["compare", str(run)]) == 0
    assert main(["inspect", data, "--plot", str(tmp_path / "jet.png")]) == 0
    assert main(["inspect", data, "--view", "spectra", "--plot", str(tmp_path / "spectra.png")]) == 0
    assert "R9" in capsys.readouterr().out
    assert main(["train", "--model", "fcn", "--data", data, "--output", str(tmp_path / "fcn")]) != 0
    assert "fcn reads softdrop_mass, tau32" in capsys.readouterr().err
