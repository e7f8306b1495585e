"""Channels and variables from outside the package: built like any other, and nothing made before is changed."""

import sys

import numpy as np
import pytest

from e2egraph.cli import main
from e2egraph.data.padding import pad
from e2egraph.detector import channels as channel_table
from e2egraph.detector.channels import Channel, channels
from e2egraph.errors import InputError, UsageError
from e2egraph.events.sources.registry import image_options, open_source
from e2egraph.graphs.building.build import build
from e2egraph.graphs.building.checks import check_source
from e2egraph.graphs.making.imagepoints import image_clouds, image_objects
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.graphs.storage.shards import first_jets, open_shard
from e2egraph.tasks import variables as variable_table
from e2egraph.tasks.task import load_task
from e2egraph.tasks.variables import NodeVariable, Scale, Variable
from tests import image_files, rhtree_files
from tests.graphs.builds import content, jets_of, node_task, ntuple, samples_of, task

HEIGHT = NodeVariable(
    Variable(name="z", unit="cm", description="z of a hit", scale=Scale(unit=10.0)), {"hits": "z", "ecal": -1.0}
)
PLAIN = ("resampling=null", "inputs.channels=[TRACK,BPIX1,TIB1,ECAL]")
WIDER = ("resampling=null", "inputs.channels=[TRACK,BPIX1,TIB1,TIB3,ECAL]", "inputs.variables=[value,z,d0,azimuth]")


@pytest.fixture
def tables(monkeypatch):
    """The tables of channels and variables, as they are again afterwards."""
    monkeypatch.setattr(channel_table, "_TABLE", dict(channel_table._TABLE))
    monkeypatch.setattr(variable_table, "_TABLE", dict(variable_table._TABLE))


def add():
    """A layer of the inner barrel, the height of a hit, and an angle worked out from two fields."""
    layer = channel_table.register(Channel("TIB3", 200, "hits", 41.9, cms=(3, 3)))
    variable_table.register(HEIGHT)
    azimuth = Variable(name="azimuth", unit="rad", description="φ of a hit")
    variable_table.register(NodeVariable(azimuth, {"hits": lambda hits: np.arctan2(hits["y"], hits["x"])}))
    return layer


def test_a_task_says_where_layers_are_whose_hits_come_as_images(tmp_path):
    """Images hold no radius; hits of their own keep theirs. Nothing of it outlives the task."""
    phase_1 = {"BPIX1": 2.9, "BPIX2": 6.8, "BPIX3": 10.9}
    given = f"inputs.radii={{{', '.join(f'{name}: {radius}' for name, radius in phase_1.items())}}}"
    usual, newer = task(), task(given)
    files = [
        rhtree_files.write(
            tmp_path / f"{seed}.root", rhtree_files.random_deposits(12, seed), without=rhtree_files.VECTOR_PREFIXES
        )
        for seed in (1, 2)
    ]

    def radii(of_task):
        made = build(of_task, samples_of(files[:1], files[1:]), tmp_path / f"{len(of_task.inputs.radii)}")
        nodes = open_shard(made.output / made.manifest.shards[0].name).read().nodes
        return {
            name: np.unique(np.round(nodes["rho"][nodes["channel"] == of_task.numbers[name]], 3)) for name in phase_1
        }

    for of_task, expected in ((usual, {"BPIX1": 4.4, "BPIX2": 7.3, "BPIX3": 10.2}), (newer, phase_1)):
        assert radii(of_task) == {name: pytest.approx([radius], rel=1e-3) for name, radius in expected.items()}
    assert newer.numbers == usual.numbers
    for made, words in ((usual, "the pixel detector before 2017"), (newer, "the Phase-1 pixel detector")):
        known = made.network_inputs.channels
        assert channel_table.pixel_detector({layer.name: layer.radius for layer in known}) == words
    assert channel_table.pixel_detector({"BPIX1": 3.0}) is None and channel_table.pixel_detector({"TIB1": 3.0}) is None
    with pytest.raises(UsageError, match="radii name BPIX4; layers of hits among the channels: BPIX1"):
        task("inputs.radii={BPIX4: 16.0}")


def relabelled(path, seed):
    """An ntuple in which every hit of the third pixel layer is one of the third layer of TIB."""
    deposits = rhtree_files.random_deposits(12, seed)
    for sub, layer in zip(deposits.branches["hit_sub_det"], deposits.branches["hit_layer"], strict=True):
        sub[(sub == 1) & (layer == 3)] = 3
    return rhtree_files.write(path, deposits, without=rhtree_files.IMAGE_PREFIXES)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ntuples")
    return samples_of([relabelled(folder / "qcd.root", 1)], [relabelled(folder / "top.root", 2)])


def clouds_of(summary):
    files = [open_shard(summary.output / shard.name) for shard in summary.manifest.shards]
    return [file.read() for file in files]


def test_a_channel_and_a_variable_from_outside_are_built(files, tmp_path, tables):
    layer = add()
    summary = build(task(*WIDER), files, tmp_path / "data")
    inputs = read_manifest(summary.output).network_inputs
    assert inputs.feature_names == (
        "value", "z", "d0", "azimuth", "is_TRACK", "is_BPIX1", "is_TIB1", "is_TIB3", "is_ECAL",
    )  # fmt: skip
    assert inputs.channels[3].cms == (3, 3) and inputs.variables[1] == HEIGHT.variable
    pixels = [ntuple(tmp_path / f"{name}_pixels.root", seed) for name, seed in (("qcd", 1), ("top", 2))]
    before = build(
        task("resampling=null", "inputs.channels=[BPIX3]"), samples_of(*([p] for p in pixels)), tmp_path / "b"
    )
    for new, old in zip(clouds_of(summary), clouds_of(before), strict=True):
        mine = new.keep_nodes(new.nodes["channel"] == layer)
        np.testing.assert_array_equal(mine.offsets, old.offsets)
        for name in ("deta", "dphi", "value"):
            np.testing.assert_array_equal(mine.nodes[name], old.nodes[name])
        assert len(mine.nodes["z"]) > 50
        # Hits of these files have their η and φ from the primary vertex: z = ρ sinh η.
        eta = 0.0174 * (5 * mine.jets["seed_ieta"].astype(int)[mine.jet_of_node] + 2 - 139.5) + mine.nodes["deta"]
        np.testing.assert_allclose(mine.nodes["z"], 10.2 * np.sinh(eta), rtol=2e-3, atol=2e-3)
        # Collections that a variable does not name have 0, those with a constant have that.
        others = {int(channels()[name]): value for name, value in (("TRACK", 0.0), ("ECAL", -1.0))}
        for number, value in others.items():
            here = new.nodes["channel"] == number
            assert here.any() and (new.nodes["z"][here] == value).all() and not new.nodes["azimuth"][here].any()
        turned = np.mod(mine.nodes["azimuth"] - mine.nodes["dphi"] + np.pi, 2 * np.pi) - np.pi
        for jet in range(len(mine)):
            own = slice(*mine.offsets[jet : jet + 2])
            assert np.ptp(np.unwrap(turned[own])) < 1e-3 if mine.counts[jet] else True


def test_what_was_made_before_is_read_and_made_again_as_it_was(files, tmp_path, tables):
    before = build(task(*PLAIN), files, tmp_path / "before")
    jets, digest = first_jets(before.output, 3), before.manifest.digest
    arrays = pad(jets, before.manifest.network_inputs)
    add()
    manifest = read_manifest(before.output)
    assert manifest.digest == digest and manifest == before.manifest
    again = pad(first_jets(before.output, 3), manifest.network_inputs)
    for name, array in vars(arrays).items():
        np.testing.assert_array_equal(getattr(again, name), array, err_msg=name)
    assert content(build(task(*PLAIN), files, tmp_path / "after").output) == content(before.output)
    assert build(task(*PLAIN), files, before.output).already_complete


def test_a_data_set_is_read_where_nobody_knows_its_channels(files, tmp_path, tables, monkeypatch):
    add()
    summary = build(task(*WIDER), files, tmp_path / "data")
    expected = pad(first_jets(summary.output, 3), summary.manifest.network_inputs)
    monkeypatch.undo()
    assert "TIB3" not in channels()
    manifest = read_manifest(summary.output)
    again = pad(first_jets(summary.output, 3), manifest.network_inputs)
    np.testing.assert_array_equal(again.features, expected.features)
    assert main(["inspect", str(summary.output)]) == 0


def test_images_can_have_a_plane_of_an_added_layer(tmp_path, tables):
    layer = add()
    planes = ("TIB3", "ECAL")
    pixels = image_files.images(3, planes)
    path = image_files.write_parquet(tmp_path / "a.parquet", pixels, image_files.quantities(3), flat=True)
    points = open_source(path, image_options(",".join(planes), None)).read(0, 3)
    wanted = node_task(["TIB3", "ECAL"], cap=100_000)
    clouds, _ = image_clouds(points, image_objects(points.jets, wanted), wanted)
    here = clouds.nodes["channel"] == layer
    assert here.sum() == pixels[:, 0].sum() > 0
    assert (clouds.nodes["rho"][here] == np.float32(41.9)).all()


def test_a_file_without_the_layer_is_refused(tmp_path, tables):
    add()
    deposits = rhtree_files.random_deposits(2, 1)
    path = rhtree_files.write(tmp_path / "images.root", deposits, without=rhtree_files.VECTOR_PREFIXES)
    with pytest.raises(InputError, match=r"images\.root: no branch for hits\.TIB3 \(looked for TIB_layer3_ECAL_atPV\)"):
        check_source(open_source(path), task("inputs.channels=[TIB3]"), "qcd")


def test_a_channel_that_nothing_makes_is_refused(files, tmp_path, tables):
    channel_table.register(Channel("DT1", 30, "muons", 402.0))
    with pytest.raises(InputError, match=r"task 'top': nothing makes nodes of channel DT1 \(collection 'muons'\)"):
        build(task("inputs.channels=[ECAL,DT1]"), files, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_two_channels_of_the_same_deposits_are_refused_and_one_of_them_is_not(files, tmp_path, tables):
    channel_table.register(Channel("CRYSTALS", 31, "ecal", 129.0, energy=True))
    with pytest.raises(InputError, match="task 'top': channels ECAL, CRYSTALS would be made of the same deposits"):
        build(task("inputs.channels=[ECAL,CRYSTALS]"), files, tmp_path / "data")
    own, usual = (
        build(task("resampling=null", f"inputs.channels=[{name}]"), files, tmp_path / name)
        for name in ("CRYSTALS", "ECAL")
    )
    for ours, theirs in zip(clouds_of(own), clouds_of(usual), strict=True):
        assert (ours.nodes["channel"] == 31).all()
        np.testing.assert_array_equal(ours.nodes["value"], theirs.nodes["value"])


@pytest.mark.parametrize("number", [0, 255])
def test_the_smallest_and_the_largest_number_of_a_channel_can_be_used(files, tmp_path, tables, number):
    if number == 0:
        del channel_table._TABLE["TRACK"]
    channel_table.register(Channel("TIB3", number, "hits", 41.9, cms=(3, 3)))
    summary = build(task("resampling=null", "inputs.channels=[TIB3,ECAL]"), files, tmp_path / "data")
    clouds = clouds_of(summary)[0]
    assert set(clouds.nodes["channel"]) == {number, int(Channel.ECAL)}
    features = pad(clouds, summary.manifest.network_inputs).features
    assert features[..., -2].sum() == (clouds.nodes["channel"] == number).sum() > 0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (Channel("ECAL", 40, "ecal", 129.0), r"channel ECAL \(number 40\) clashes with ECAL \(number 9\)"),
        (Channel("EE", 9, "ecal", 129.0), r"channel EE \(number 9\) clashes with ECAL \(number 9\)"),
        (Channel("EE", 256, "ecal", 129.0), "numbers go from 0 to 255"),
    ],
)
def test_a_channel_that_clashes_is_refused(tables, row, message):
    with pytest.raises(ValueError, match=message):
        channel_table.register(row)
    assert channels()["ECAL"] == Channel.ECAL


@pytest.mark.parametrize("name", ["value", "deta", "channel"])
def test_a_variable_whose_name_is_taken_is_refused(tables, name):
    taken = Variable(name=name, unit="", description="another")
    with pytest.raises(ValueError, match=f"variable {name} exists already; choose another name"):
        variable_table.register(NodeVariable(taken, {}))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e39])
def test_a_variable_that_is_not_finite_is_refused_before_anything_is_learnt_from_it(files, tmp_path, tables, bad):
    worse = Variable(name="worse", unit="", description="not a number of the crystals above 1 GeV")
    origin = {"ecal": lambda crystals: np.where(crystals["energy"] > 1.0, bad, 0.0)}
    variable_table.register(NodeVariable(worse, origin))
    wanted = task("resampling=null", "inputs.channels=[TRACK,ECAL]", "inputs.variables=[value,worse]")
    message = r"variable worse cannot be made of ecal \(\d+ of \d+ values are NaN or infinite\)"
    with pytest.raises(InputError, match=message):
        build(wanted, files, tmp_path / "data")


def test_a_variable_of_a_field_that_is_not_there_is_refused(files, tmp_path, tables):
    for name, origin in (("chi2", {"tracks": "chi2"}), ("slope", {"ecal": lambda cells: cells["slope"]})):
        variable_table.register(NodeVariable(Variable(name=name, unit="", description=name), origin))
    with pytest.raises(InputError, match=r"task 'top': variable chi2 needs the field tracks\.chi2"):
        build(task("inputs.variables=[chi2]"), files, tmp_path / "data")
    with pytest.raises(InputError, match=r"qcd\.root: variable slope cannot be made of ecal \('slope'\)"):
        build(task("inputs.variables=[slope]", "resampling=null"), files, tmp_path / "data")
    # It is none where its collection is not asked for.
    chosen = task("inputs.channels=[ECAL]", "inputs.variables=[chi2]", "resampling=null")
    assert not clouds_of(build(chosen, files, tmp_path / "data"))[0].nodes["chi2"].any()


MODULE = """
from e2egraph.detector.channels import Channel, register
register(Channel("TIB3", 200, "hits", 41.9, cms=(3, 3)))
"""


def test_a_task_names_the_modules_that_it_needs_and_workers_import_them(files, tmp_path, tables, monkeypatch):
    (tmp_path / "outer_layers.py").write_text(MODULE)
    settings = ("inputs.channels=[TIB3,ECAL]", "extensions=[outer_layers]", "resampling=null")
    with pytest.raises(UsageError, match=r"extension 'outer_layers' cannot be imported .*PYTHONPATH"):
        load_task("top", settings)
    monkeypatch.syspath_prepend(str(tmp_path))
    chosen = task(*settings)
    one, two = (build(chosen, files, tmp_path / f"{n}", workers=n) for n in (1, 2))
    assert content(one.output) == content(two.output)
    assert (jets_of(one)["n_nodes"] > 0).all() and one.manifest.network_inputs.channel_names == ("TIB3", "ECAL")
    del sys.modules["outer_layers"]
