"""Data sets of whole events: selection by sums over jets, nodes in the detector's own coordinates, what is refused."""

import math

import numpy as np
import pytest

from e2egraph.config import as_dict
from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.padding import pad
from e2egraph.detector.geometry import PHI_STEPS
from e2egraph.errors import InputError, UsageError
from e2egraph.events.samples import Sample
from e2egraph.events.sources.registry import SourceOptions
from e2egraph.graphs.building.build import build
from e2egraph.graphs.building.planning import BuildOptions, events_per_shard
from e2egraph.graphs.storage.pointclouds import concatenate
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.inference.events import read_objects, without_truth
from e2egraph.models.image.event_image import EventImage
from e2egraph.tasks.task import load_task
from tests import delphes_files
from tests.graphs.builds import jets_of
from tests.rhtree_files import IMAGE_PREFIXES, random_deposits, write

ALL = ("object={kind: event}", "inputs.thresholds={}")
FAT = {"Pt": [400.0, 31.0, 20.0], "Eta": [0.1, -1.0, 0.0], "Phi": [0.0, 1.0, 2.0], "M": [120.0, 7.5, 99.0]}


def deposits_of(seed, events=6, *, tagged=True):
    made = random_deposits(events, seed, truth=False)
    for event in range(events):
        if tagged:
            made.add("jetBTag", np.arange(len(made.branches["jetPt"][event]), dtype=np.int32) % 2)
            made.add("met", np.float32(10.0 * event))
            for name, values in FAT.items():
                made.add(f"fatjet{name}", np.array(values, np.float32))
    return made


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("events")
    made = {name: deposits_of(seed) for name, seed in (("qcd", 1), ("rpv", 2))}
    return {name: (write(folder / f"{name}.root", one, without=IMAGE_PREFIXES), one) for name, one in made.items()}


def samples(files):
    return [Sample(name, name, (str(path),)) for name, (path, _) in files.items()]


@pytest.fixture(scope="module")
def made(files, tmp_path_factory):
    task = load_task("rpv", ALL)
    return task, build(task, samples(files), tmp_path_factory.mktemp("data") / "all")


def first_of_qcd(summary):
    return open_shard(summary.output / summary.manifest.shards[0].name).read().take(np.array([0]))


def test_stored_neighbours_are_the_nearest_round_the_detector(files, tmp_path):
    task = load_task("rpv", (*ALL, "inputs.neighbors=3"))
    event = first_of_qcd(build(task, samples(files), tmp_path / "data"))
    eta, phi, found = (event.nodes[name].astype(float) for name in ("deta", "dphi", "neighbors"))
    apart = np.abs(phi[:, None] - phi)
    seam = apart > np.pi
    distance = np.hypot(eta[:, None] - eta, np.minimum(apart, 2 * np.pi - apart))
    np.fill_diagonal(distance, np.inf)
    rows, found = np.arange(len(eta))[:, None], found.astype(int)
    np.testing.assert_allclose(distance[rows, found], np.sort(distance, axis=1)[:, :3], atol=1e-9)
    assert seam[rows, found].any()


def test_every_event_is_an_object_with_the_sums_of_its_jets(files, made):
    _, summary = made
    columns = jets_of(summary)
    for label, name in enumerate(("qcd", "rpv")):
        branches = files[name][1].branches
        rows = np.flatnonzero(columns["label"] == label)
        assert len(rows) == 6
        for event, row in enumerate(rows):
            jets = [
                (pt, tag)
                for pt, eta, tag in zip(*(branches[key][event] for key in ("jetPt", "jetEta", "jetBTag")), strict=True)
                if pt > 30 and abs(eta) < 2.4
            ]
            assert columns["ht"][row] == pytest.approx(sum(pt for pt, _ in jets), rel=1e-6)
            assert columns["n_jets"][row] == len(jets)
            assert columns["n_bjets"][row] == sum(tag for _, tag in jets)
            assert columns["sum_fatjet_mass"][row] == pytest.approx(127.5)
            assert columns["met"][row] == pytest.approx(10.0 * event)


@pytest.mark.parametrize("settings", [(), ("object.sum_fatjet_mass_min=100",)])
def test_events_that_are_scored_have_the_sums_that_they_have_in_a_data_set(files, made, settings):
    """Fat jets and missing momentum are read for them too, whether or not a cut asks."""
    task = without_truth(as_dict(load_task("rpv", [*ALL, *settings])), "task")
    clouds = concatenate(list(read_objects(str(files["qcd"][0]), task, SourceOptions())))
    columns = jets_of(made[1], 0)
    assert (columns["sum_fatjet_mass"] > 100).all() and columns["met"].any()
    for name in ("event", "ht", "n_jets", "n_bjets", "sum_fatjet_mass", "met"):
        np.testing.assert_array_equal(clouds.jets[name].astype(columns[name].dtype), columns[name], err_msg=name)


def test_nodes_have_the_directions_of_their_deposits(files, made):
    task, summary = made
    clouds = first_of_qcd(summary)
    nodes, branches = clouds.nodes, files["qcd"][1].branches
    tracks = nodes["channel"] == task.numbers["TRACK"]
    inside = np.abs(branches["track_eta"][0]) < 2.5
    step = 2 * math.pi / PHI_STEPS  # φ of tracks lies on odd steps, 5 µrad apart
    for name, branch, tolerance in (("deta", "track_eta", 1e-6), ("dphi", "track_phi", 1.1 * step)):
        expected = np.sort(branches[branch][0][inside])
        np.testing.assert_allclose(np.sort(nodes[name][tracks]), expected, rtol=0, atol=tolerance)
    steps = nodes["dphi"].astype(float) / step
    assert np.abs(steps - np.round(steps)).max() < 0.1 and (np.round(steps[tracks]) % 2 == 1).all()
    crystals = nodes["channel"] == task.numbers["ECAL"]
    rows, columns = (branches[f"ecal_{name}"][0].astype(float) for name in ("ieta", "iphi"))
    above = branches["ecal_energy"][0] > 0
    eta, phi = (rows - 139.5) * 0.0174, np.radians(columns - 9.5)
    phi = np.array([math.remainder(one, 2 * math.pi) for one in phi])
    np.testing.assert_allclose(np.sort(nodes["deta"][crystals]), np.sort(eta[above]), atol=1e-5)
    np.testing.assert_allclose(np.sort(nodes["dphi"][crystals]), np.sort(phi[above]), atol=1e-5)


def test_the_image_of_an_event_is_numpy_s_histogram_of_its_deposits(files, made):
    task, summary = made
    clouds = first_of_qcd(summary)
    batch = JetBatch.from_arrays(pad(clouds, task.network_inputs))
    image = EventImage(task.network_inputs, 64, 2.5)(batch.points, batch.features, batch.mask)[0].numpy()
    branches = files["qcd"][1].branches
    edges = [np.linspace(-2.5, 2.5, 65), np.linspace(-math.pi, math.pi, 65)]
    weights = branches["track_pt"][0]
    expected, *_ = np.histogram2d(branches["track_eta"][0], branches["track_phi"][0], edges, weights=weights)
    np.testing.assert_allclose(image[0], expected, rtol=1e-5, atol=1e-5)
    assert image[1].sum() == pytest.approx(branches["ecal_energy"][0].clip(min=0).sum(), rel=1e-5)


def test_cuts_are_those_of_the_task_and_counted(files, made, tmp_path):
    _, summary = made
    columns = jets_of(summary)
    ht = float(np.median(columns["ht"]))
    task = load_task("rpv", [*ALL, "object.jets_min=2", f"object.ht_min={ht}", "object.bjets_min=1"])
    cut = build(task, samples(files), tmp_path / "cut")
    passing = (columns["ht"] > ht) & (columns["n_jets"] >= 2) & (columns["n_bjets"] >= 1)
    assert 0 < passing.sum() < len(passing)
    assert sorted(jets_of(cut)["ht"]) == sorted(columns["ht"][passing])
    assert list(cut.manifest.cutflow["qcd"]) == ["events", "jets", "n_jets", "ht", "n_bjets", "truth"]


@pytest.mark.parametrize(
    ("setting", "field"), [("object.bjets_min=1", "jets.b_tag"), ("object.sum_fatjet_mass_min=500", "fatjets")]
)
def test_a_cut_on_what_a_file_lacks_is_refused(setting, field, tmp_path):
    given = []
    for seed, name in ((3, "qcd"), (4, "rpv")):
        path = write(tmp_path / f"{name}.root", deposits_of(seed, tagged=False), without=IMAGE_PREFIXES)
        given.append(Sample(name, name, (str(path),)))
    assert len(jets_of(build(load_task("rpv", ALL), given, tmp_path / "without"))["ht"]) == 12
    with pytest.raises(InputError, match=rf"qcd.root: no branch for {field} .* which {setting.split('=')[0]} of"):
        build(load_task("rpv", [*ALL, setting]), given, tmp_path / "with")


def test_particles_are_not_looked_for_around_an_event():
    with pytest.raises(UsageError, match="objects of kind event have no direction"):
        load_task("rpv", ["truth.decays={rpv: {pdg_id: [1000021]}}"])


def test_shards_of_events_are_bounded_by_their_nodes():
    assert events_per_shard(load_task("top")) == 2048
    small, large = (events_per_shard(load_task("rpv", [f"inputs.cap={cap}"])) for cap in (500, 20_000))
    assert small == 2048 and large * 20_000 <= 1 << 21 < (large + 1) * 20_000


def test_events_of_delphes_serve_as_well(tmp_path):
    given = [Sample(name, name, (str(delphes_files.write(tmp_path / f"{name}.root")),)) for name in ("qcd", "rpv")]
    made = build(load_task("rpv", ALL), given, tmp_path / "data", options=BuildOptions(allow_duplicates=True))
    columns = jets_of(made)
    assert (columns["n_jets"] > 0).any() and (columns["n_nodes"] > 0).all() and len(columns["ht"]) == 4
