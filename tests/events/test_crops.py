"""Crops around the seeds of electrons and photons: in HDF5, and in ntuples of the SCRegressor vintage."""

import awkward as ak
import numpy as np
import pytest
import uproot

from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.padding import pad
from e2egraph.errors import InputError, UsageError
from e2egraph.events.samples import Sample
from e2egraph.events.schema import PointSource
from e2egraph.events.sources.images.croptree import CropTree
from e2egraph.events.sources.images.seedcrops import check_seeds
from e2egraph.events.sources.registry import image_options, open_source
from e2egraph.graphs.building.build import BuildOptions, build
from e2egraph.graphs.building.checks import check_source
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.models.image.crystal_crop import CrystalCrop
from e2egraph.tasks.objects.cluster import KIND, ClusterConfig
from e2egraph.tasks.task import load_task
from tests import image_files
from tests.tasks.crystals import events_of

PLANES = ("ECAL", "ECAL_time")
TASK = load_task("egamma", ["inputs.channels=[ECAL]", "resampling=null", "split={validation: 0, test: 0}"])
COUNTS = [2, 0, 1, 3, 0, 2]


def crops(number, seed=1):
    """Sparse crops with their seed at pixel (15, 15)."""
    pixels = image_files.images(number, PLANES, seed, size=32)
    pixels[:, 0, 15, 15] = 40.0
    return pixels


def tree(path, pixels, *, change=lambda branches: None, extra=None):
    """An ntuple of ``COUNTS`` photons an event, all pixels of an event in one vector."""
    rng = np.random.default_rng(3)
    number = sum(COUNTS)
    flat = {"SC_ieta": rng.integers(20, 150, number), "SC_iphi": rng.integers(0, 360, number)}
    flat |= {"pho_pT": rng.uniform(15, 90, number), "pho_eta": rng.uniform(-1, 1, number), "SC_mass": np.arange(number)}
    branches = {name: ak.unflatten(values.astype(np.float32), COUNTS) for name, values in flat.items()}
    for plane, name in enumerate(("SC_energy", "SC_time")):
        branches[name] = ak.unflatten(pixels[:, plane].reshape(-1), [count * 1024 for count in COUNTS])
    for name, value in (("runId", 1), ("lumiId", 7)):
        branches[name] = np.full(len(COUNTS), value, np.uint32)
    branches["eventId"] = np.arange(len(COUNTS), dtype=np.uint64) + 100
    change(branches)
    with uproot.recreate(path) as file:
        types = {
            name: values.type.content if isinstance(values, ak.Array) else values.dtype
            for name, values in branches.items()
        }
        file.mktree("fevt/RHTree", types).extend(branches)
    return path


def drawn(data, planes=PLANES):
    """Crops of all objects of a data set, in its order, and their columns."""
    shard = open_shard(data.output / data.manifest.shards[0].name)
    clouds = shard.read()
    batch = JetBatch.from_arrays(pad(clouds, data.manifest.network_inputs))
    crop = CrystalCrop(data.manifest.network_inputs, channels=planes)
    return crop(batch.points, batch.features, batch.mask).numpy(), clouds.jets


def built(path, preset, output):
    samples = [Sample(name, name, (path,)) for name in ("photon", "electron")]
    return build(TASK, samples, output, options=BuildOptions(source=image_options(None, preset)))


def test_crops_of_a_file_are_drawn_again_to_the_last_bit(tmp_path):
    """File → points → data set → the image a network sees; a crop that is no seed's is counted, and left out."""
    pixels = crops(9)
    pixels[4, 0, 17, 22] = 41.0
    path = image_files.write_hdf5(
        tmp_path / "a.hdf5", pixels, {"y": np.array([0, 1, 1, 0, 1, 0, 0, 1, 1])}, name="X", last=True
    )
    data = built(path, "egamma", tmp_path / "data")
    images = {}
    for shard in data.manifest.shards:
        clouds = open_shard(data.output / shard.name).read(blocks=[0])
        batch = JetBatch.from_arrays(pad(clouds, data.manifest.network_inputs))
        images[shard.sample] = CrystalCrop(data.manifest.network_inputs)(
            batch.points, batch.features, batch.mask
        ).numpy()
    np.testing.assert_array_equal(images["photon"], pixels[[0, 3, 5, 6]])
    np.testing.assert_array_equal(images["electron"], pixels[[1, 2, 7, 8]])
    assert (images["photon"][:, 0].argmax(axis=(1)) >= 0).all()
    flow = data.manifest.cutflow["electron"]
    assert (flow["jets"], flow["seed"], flow["truth"]) == (9, 8, 4)


def test_isolation_is_refused_of_crops_before_any_work(tmp_path):
    path = image_files.write_hdf5(tmp_path / "a.hdf5", crops(4), {"y": np.arange(4) % 2}, name="X", last=True)
    task = load_task("egamma", ["inputs.channels=[ECAL]", "object.isolation={}"])
    samples = [Sample(name, name, (path,)) for name in ("photon", "electron")]
    with pytest.raises(InputError, match=r"a\.hdf5: holds images, and no tracks of events, which object\.isolation of"):
        build(task, samples, tmp_path / "data", options=BuildOptions(source=image_options(None, "egamma")))
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.hdf5"]


@pytest.mark.parametrize(("row", "column"), [(16, 16), (15, 16), (13, 7)])
def test_crops_whose_seeds_stand_elsewhere_are_refused(row, column, tmp_path):
    pixels = crops(5)
    pixels[:3, 0, row, column] = 50.0
    path = image_files.write_hdf5(tmp_path / "a.hdf5", pixels, {"y": np.arange(5) % 2}, name="X", last=True)
    source = open_source(path, image_options(None, "egamma"))
    for read in (source.read, source.read_jets):
        with pytest.raises(InputError, match=r"a\.hdf5: in 3 of 5 images from number 0 on, pixel \(15, 15\) has less"):
            read(0, 5)
    pixels[2] = crops(5)[2]
    path = image_files.write_hdf5(tmp_path / "b.hdf5", pixels, {"y": np.arange(5) % 2}, name="X", last=True)
    found = open_source(path, image_options(None, "egamma")).read(0, 5).jets["seed_highest"]
    assert found.tolist() == [False, False, True, True, True]


def test_planes_in_another_order_are_refused(tmp_path):
    path = image_files.write_hdf5(tmp_path / "a.hdf5", crops(8)[:, ::-1], {"y": np.arange(8) % 2}, name="X", last=True)
    with pytest.raises(InputError, match="the planes in another order"):
        open_source(path, image_options(None, "egamma")).read(0, 8)
    with pytest.raises(UsageError, match="seed_crystal needs a plane ECAL"):
        image_options("ECAL_time", None, ["seed_crystal=true"])


def test_photons_of_an_ntuple_come_back_exactly(tmp_path):
    pixels = crops(sum(COUNTS))
    path = tree(tmp_path / "a.root", pixels)
    source = open_source(path, image_options(None, "supercluster"))
    assert isinstance(source, PointSource) and source.n_jets == 8
    points = source.read(0, 8)
    again = np.zeros_like(pixels)
    photon = np.repeat(np.arange(8), points.counts)
    for plane, name in enumerate(("value", "time")):
        again[photon, plane, points.rows + 15, points.columns + 15] = points.variables[name]
    np.testing.assert_array_equal(again, pixels)
    part = source.read(3, 7)
    np.testing.assert_array_equal(part.variables["value"], points.variables["value"][(photon >= 3) & (photon < 7)])
    raw = uproot.open(path)["fevt/RHTree"].arrays()
    for name, branch, shift in (
        ("seed_row", "SC_ieta", 55),
        ("seed_column", "SC_iphi", 0),
        ("jet_pt", "pho_pT", 0),
        ("gen_mass", "SC_mass", 0),
    ):
        np.testing.assert_array_equal(points.jets[name], ak.to_numpy(ak.flatten(raw[branch])) + shift, err_msg=name)
    assert points.jets["event"].tolist() == [100, 100, 102, 103, 103, 103, 105, 105]
    assert points.jets["jet"].tolist() == [0, 1, 0, 0, 1, 2, 0, 1]


def test_photons_of_an_ntuple_are_built_with_the_cuts_of_clusters(tmp_path):
    """Labels come from the sample; seeds, pT and η are known and cut on."""
    pixels = crops(sum(COUNTS))
    paths = {
        name: tree(
            tmp_path / f"{name}.root",
            pixels,
            change=lambda branches, n=n: branches.update(lumiId=branches["lumiId"] + n),
        )
        for n, name in enumerate(("photon", "electron"))
    }
    task = load_task(
        "egamma", ["inputs.channels=[ECAL]", "resampling=null", "truth.source=sample_name", "object.et_min=40"]
    )
    samples = [Sample(name, name, (path,)) for name, path in paths.items()]
    data = build(task, samples, tmp_path / "data", options=BuildOptions(source=image_options(None, "supercluster")))
    raw = uproot.open(paths["photon"])["fevt/RHTree"].arrays()
    row, et = (ak.to_numpy(ak.flatten(raw[name])) for name in ("SC_ieta", "pho_pT"))
    inside = (row >= 16) & (row <= 153)
    assert data.manifest.cutflow["photon"]["barrel_edge"] == inside.sum()
    assert data.manifest.cutflow["photon"]["et"] == (inside & (et > 40)).sum() > 0
    images, jets = drawn(data)
    np.testing.assert_array_equal(images, pixels[inside & (et > 40)])
    np.testing.assert_array_equal(jets["seed_row"], row[inside & (et > 40)] + 55)


def test_energies_across_and_along_the_beams_are_those_of_the_ntuples_crystals(tmp_path):
    """What the image network of the mass regressions draws: E / cosh η and E · |tanh η| of each crystal."""
    pixels = crops(sum(COUNTS))
    paths = [
        tree(
            tmp_path / f"{n}.root", pixels, change=lambda branches, n=n: branches.update(lumiId=branches["lumiId"] + n)
        )
        for n in range(2)
    ]
    settings = ["inputs.channels=[ECAL]", "truth.source=sample_name", "resampling=null", "object.et_min=0"]
    samples = [Sample(name, name, (path,)) for name, path in zip(("a", "photon"), paths, strict=True)]
    options = BuildOptions(source=image_options(None, "supercluster"))
    data = build(load_task("diphoton-mass", settings), samples, tmp_path / "data", options=options)
    images, jets = drawn(data, ("ECAL_t", "ECAL_z"))
    row = jets["seed_row"].astype(int)[:, None] + np.arange(-15, 17) - 55
    eta = (row - 84.5)[:, :, None] * 0.0174
    energy = pixels[: len(jets["seed_row"]), 0].astype(np.float64)
    assert len(images) == sum(COUNTS)
    np.testing.assert_allclose(images[:, 0], energy / np.cosh(eta), rtol=1e-6)
    np.testing.assert_allclose(images[:, 1], energy * np.abs(np.tanh(eta)), rtol=1e-6)


def test_clusters_of_crops_have_the_shapes_that_the_same_crystals_have_in_events(tmp_path):
    pixels = crops(12)
    pixels[:3, 0, 14, 12] = -1.0  # noise
    path = image_files.write_hdf5(tmp_path / "a.hdf5", pixels, {"y": np.arange(12) % 2}, name="X", last=True)
    source = open_source(path, image_options(None, "egamma"))
    crystals = [[] for _ in pixels]
    for crop, row, column in np.argwhere(pixels[:, 0] != 0):
        crystals[crop].append((row + 120, column + 200, pixels[crop, 0, row, column]))
    found = KIND.find(events_of(crystals), ClusterConfig(seed_min=39.9))
    assert (found.columns["seed_row"] == 135).all() and (found.columns["seed_column"] == 215).all()
    for read in (lambda: source.read_jets(0, 12), lambda: source.read(0, 12).jets):
        columns = read()
        for name in ("cluster_energy", "r9", "eta_width", "phi_width"):
            assert (columns[name] > 0).sum() > 6
            np.testing.assert_allclose(columns[name], found.columns[name], rtol=1e-6, err_msg=name)


def test_crops_that_do_not_say_where_they_lie_are_refused_where_that_is_needed(tmp_path):
    path = image_files.write_hdf5(tmp_path / "a.hdf5", crops(5), {"y": np.arange(5) % 2}, name="X", last=True)
    task = load_task("diphoton-mass", ["inputs.channels=[ECAL]", "truth.source=sample_name", "resampling=null"])
    message = r"a\.hdf5: no column SC_ieta, and so no place .* energy_t, energy_z could be made of"
    with pytest.raises(InputError, match=message):
        check_source(open_source(path, image_options(None, "egamma")), task, "photon")


def test_clusters_whose_mass_is_drawn_need_none_to_be_resampled_by_it(tmp_path):
    def photons(branches):
        del branches["SC_mass"]
        branches["lumiId"] = branches["lumiId"] + 1

    pixels = crops(sum(COUNTS))
    paths = {"a": tree(tmp_path / "a.root", pixels), "photon": tree(tmp_path / "b.root", pixels, change=photons)}
    task = load_task("diphoton-mass", ["inputs.channels=[ECAL]", "truth.source=sample_name", "object.et_min=0"])
    samples = [Sample(name, name, (path,)) for name, path in paths.items()]
    data = build(task, samples, tmp_path / "data", options=BuildOptions(source=image_options(None, "supercluster")))
    assert data.manifest.cutflow["photon"]["resampling"] == sum(COUNTS)
    with pytest.raises(InputError, match=r"b\.root: truth cannot give 'gen_mass' for class a"):
        check_source(open_source(paths["photon"], image_options(None, "supercluster")), task, "a")


def test_one_vector_a_photon_is_read_as_all_in_one(tmp_path, monkeypatch):
    """uproot cannot write vectors of vectors: they are put in where a branch is read."""
    pixels = crops(sum(COUNTS))
    path = tree(tmp_path / "a.root", pixels)
    flat = next(iter(CropTree(str(path)).batches(0)))
    read = CropTree._read

    def nested(self, name, start, stop):
        values = read(self, name, start, stop)
        if name not in ("SC_energy", "SC_time"):
            return values
        return ak.unflatten(ak.unflatten(ak.flatten(values), 1024), ak.num(values) // 1024)

    monkeypatch.setattr(CropTree, "_read", nested)
    np.testing.assert_array_equal(next(iter(CropTree(str(path)).batches(0))), flat)
    np.testing.assert_array_equal(flat, pixels)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b.update(SC_ieta=np.arange(len(COUNTS), dtype=np.float32)), "SC_ieta is no vector"),
        (lambda b: b.pop("SC_ieta"), "no branch SC_ieta, and so no crops of photons; leave out --image-preset"),
        (lambda b: b.update(SC_time=b["SC_time"][:, 1:]), "SC_time does not hold 32×32 pixels for each entry"),
        (lambda b: b.update(pho_pT=b["pho_pT"][:, :1]), "pho_pT and SC_ieta differ in length"),
        (lambda b: b.update(SC_ieta=b["SC_ieta"] + 150), "SC_ieta of image .* no whole number from 0 to 169"),
    ],
)  # fmt: skip
def test_ntuples_that_do_not_hold_what_they_should_are_refused(change, message, tmp_path):
    path = tree(tmp_path / "a.root", crops(sum(COUNTS)), change=change)
    with pytest.raises(InputError, match=rf"a\.root: {message}"):
        open_source(path, image_options(None, "supercluster")).read(0, 8)


def test_the_last_images_of_a_file_do_not_decide_where_seeds_stand():
    wrong = np.zeros(1, bool)
    check_seeds("crops.h5", wrong, 256, 32)
    for found, start in ((wrong, 0), (np.zeros(64, bool), 256)):
        with pytest.raises(
            InputError, match=rf"crops\.h5: in {len(found)} of {len(found)} images from number {start} on"
        ):
            check_seeds("crops.h5", found, start, 32)
