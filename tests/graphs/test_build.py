"""Building a data set: content, reproducibility, resumption, refusal."""

import json
import math
import shutil

import numpy as np
import pytest

from e2egraph.detector import geometry
from e2egraph.errors import InputError
from e2egraph.events.samples import Sample
from e2egraph.events.sources import roottree
from e2egraph.events.sources.registry import open_source
from e2egraph.events.sources.rhtree import RHTreeFile
from e2egraph.graphs.building.build import build
from e2egraph.graphs.making import chunk as chunk_module
from e2egraph.graphs.storage.columns import node_types, object_types
from e2egraph.graphs.storage.lists import list_table
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.tasks.task import load_task
from tests import rhtree_files

SETTINGS = ["inputs.neighbors=3", "object.abs_eta_max=1.5"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ntuples")
    for name, seed, events in (("top_1", 1, 30), ("top_2", 2, 30), ("qcd", 3, 60)):
        deposits = rhtree_files.random_deposits(events, seed)
        rhtree_files.write(folder / f"{name}.root", deposits, without=rhtree_files.IMAGE_PREFIXES)
    return folder


@pytest.fixture(scope="module")
def samples(files):
    return [
        Sample("qcd", "qcd", (files / "qcd.root",)),
        Sample("top", "top", (files / "top_1.root", files / "top_2.root")),
    ]


@pytest.fixture(scope="module")
def task():
    return load_task("top", SETTINGS)


@pytest.fixture(scope="module")
def data_set(samples, task, tmp_path_factory):
    output = tmp_path_factory.mktemp("data") / "top"
    return build(task, samples, output)


def content(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if not path.name.startswith(".")}


def read_all(summary):
    return [(shard, open_shard(summary.output / shard.name).read())
            for shard in summary.manifest.shards]  # fmt: skip


def test_shards_hold_every_column_with_its_type(data_set, task):
    with open_shard(data_set.output / "part-00000.parquet") as file:
        schema = list_table(file.read()).schema
    plain, lists = object_types(task.object_kind), node_types(task.network_inputs)
    assert schema.names == [*plain, *lists, "neighbors"]
    for name, kind in lists.items():
        assert schema.field(name).type.value_type == kind
    for name, kind in plain.items():
        assert schema.field(name).type == ("string" if name == "split" else kind)
    assert schema.field("neighbors").type.value_type.list_size == 3


def test_selected_jets_satisfy_the_selection_and_the_cutflow_adds_up(data_set):
    manifest = data_set.manifest
    for name, flow in manifest.cutflow.items():
        steps = list(flow.values())[1:]
        assert steps == sorted(steps, reverse=True)
        assert flow["jets"] == 2 * flow["events"]
        jets = sum(shard.jets for shard in manifest.shards if shard.sample == name)
        assert flow["resampling"] == jets == sum(manifest.counts[name].values())
    for shard, clouds in read_all(data_set):
        assert (clouds.jets["jet_pt"] > 400).all()
        assert (np.abs(clouds.jets["jet_eta"]) < 1.5).all()
        assert (28 - np.abs(geometry.signed_tower_ieta(clouds.jets["seed_ieta"])) >= 12).all()
        assert (clouds.jets["label"] == ["qcd", "top"].index(shard.sample)).all()
        assert (clouds.jets["n_nodes"] == clouds.counts).all()


def test_a_top_jet_holds_its_quarks_and_a_jet_without_them_is_no_top(data_set):
    """Worked out jet by jet from what the file was given: its first axis carries the decay, at small offsets."""
    given = {seed: rhtree_files.random_deposits(30, seed).branches for seed in (1, 2)}
    expected = set()
    for seed, branches in given.items():
        for event in range(30):
            for jet in range(2):
                distances = [
                    math.hypot(
                        branches["gen_eta"][event][i] - branches["jetEta"][event][jet],
                        (branches["gen_phi"][event][i] - branches["jetPhi"][event][jet] + 3 * math.pi) % (2 * math.pi)
                        - math.pi,
                    )
                    for i in (1, 2, 4, 5, 6)  # the last copies of t and W, b and both quarks
                ]
                kinematic = branches["jetPt"][event][jet] > 400 and abs(branches["jetEta"][event][jet]) < 1.5
                if kinematic and max(distances) < 0.8:
                    expected.add((seed, event + 1, jet))
    tops = [clouds.jets for shard, clouds in read_all(data_set) if shard.sample == "top"]
    found = {
        (int(a), int(b), int(c))
        for jets in tops
        for a, b, c in zip(jets["lumi"], jets["event"], jets["jet"], strict=True)
    }
    assert found == expected


def test_jet_quantities_come_from_their_branches(data_set, files):
    shard, clouds = read_all(data_set)[0]
    assert shard.sample == "qcd"
    deposits = rhtree_files.random_deposits(60, 3)
    for i in range(len(clouds)):
        event, jet = int(clouds.jets["event"][i]) - 1, int(clouds.jets["jet"][i])
        assert clouds.jets["jet_pt"][i] == deposits.branches["jetPt"][event][jet]
        assert clouds.jets["softdrop_mass"][i] == deposits.branches["jetSoftDropM"][event][jet]
        # τ1, τ2, τ3 are 0.5, 0.25, 0.2 for the first jet; the second jet's τ2 is 0, which leaves τ32 without meaning
        assert clouds.jets["tau21"][i] == pytest.approx([0.5, 0.0][jet])
        assert clouds.jets["tau32"][i] == pytest.approx([0.8, 0.0][jet])


def test_the_manifest_tells_inputs_configuration_and_hashes(data_set, samples, task):
    manifest = read_manifest(data_set.output)
    assert [entry.path for entry in manifest.inputs] == [str(p) for sample in samples for p in sample.paths]
    assert manifest.configuration["inputs"]["neighbors"] == 3
    assert any("jets.truth_label" in line for line in manifest.missing)
    footer = open_shard(data_set.output / manifest.shards[0].name).footer
    assert footer["configuration_sha256"] == manifest.configuration_sha256
    assert footer["input"]["sha256"] == manifest.inputs[0].sha256


def test_events_are_read_in_few_calls_that_hold_few_bytes(data_set, samples, task, tmp_path, monkeypatch):
    calls, real = [], RHTreeFile.read

    def read(source, start, stop, collections):
        if "hits" in collections:
            calls.append((start, stop))
        return real(source, start, stop, collections)

    monkeypatch.setattr(RHTreeFile, "read", read)
    monkeypatch.setattr(chunk_module, "EVENTS_PER_STEP", 10)
    whole = build(task, samples, tmp_path / "whole")
    assert set(calls) == {(0, 60), (0, 30)}  # files of so many events
    source = open_source(samples[0].paths[0])
    monkeypatch.setattr(roottree, "BYTES_AT_ONCE", roottree.BYTES_AT_ONCE * 25 // source.events_at_once)
    calls.clear()
    little = build(task, samples, tmp_path / "little")
    assert max(stop - start for start, stop in calls) <= 30
    assert len(calls) > len(samples)
    assert content(whole.output) == content(little.output) == content(data_set.output)


def test_two_processes_and_small_reading_steps_give_the_same_bytes(data_set, samples, task, tmp_path, monkeypatch):
    parallel = build(task, samples, tmp_path / "parallel", workers=2)
    assert content(parallel.output) == content(data_set.output)
    monkeypatch.setattr(chunk_module, "EVENTS_PER_STEP", 7)
    assert content(build(task, samples, tmp_path / "steps").output) == content(data_set.output)


def test_a_build_goes_on_where_it_was_interrupted(data_set, samples, task, tmp_path, monkeypatch):
    real, done = chunk_module.build_shard, []

    def interrupted(chunk, *rest):
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append(chunk.shard)
        return real(chunk, *rest)

    monkeypatch.setattr("e2egraph.graphs.building.working.build_shard", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(task, samples, tmp_path / "top")
    assert not (tmp_path / "top").exists()
    assert (tmp_path / "top.partial" / "part-00000.parquet").is_file()
    monkeypatch.setattr(
        "e2egraph.graphs.building.working.build_shard",
        lambda chunk, *rest: done.append(chunk.shard) or real(chunk, *rest),
    )
    again = build(task, samples, tmp_path / "top")
    assert done == ["part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]
    assert content(again.output) == content(data_set.output)
    assert not (tmp_path / "top.partial").exists()


def test_building_again_finds_the_data_set_complete(data_set, samples, task):
    before = content(data_set.output)
    again = build(task, samples, data_set.output)
    assert again.already_complete
    assert content(data_set.output) == before


def test_an_output_with_another_configuration_or_other_content_is_refused(data_set, samples, task, tmp_path):
    with pytest.raises(InputError, match="another configuration"):
        build(load_task("top"), samples, data_set.output)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    with pytest.raises(InputError, match="the folder holds other things"):
        build(task, samples, tmp_path / "notes")
    assert (tmp_path / "notes" / "a.txt").read_text() == "mine"


def test_a_class_without_a_selected_jet_is_refused_and_leaves_nothing(samples, tmp_path):
    task = load_task("top", [*SETTINGS, "object.pt_min=5000"])
    with pytest.raises(InputError, match=r"class 'qcd': no object selected .*pt 0"):
        build(task, samples, tmp_path / "top")
    assert list(tmp_path.iterdir()) == []


def test_damage_met_in_the_middle_leaves_nothing(samples, task, tmp_path, files):
    deposits = rhtree_files.random_deposits(20, 4)
    deposits.branches["ecal_energy"][15][0] = np.inf
    bad = rhtree_files.write(tmp_path / "bad.root", deposits, without=rhtree_files.IMAGE_PREFIXES)
    with pytest.raises(InputError, match=r"bad\.root: ecal_energy of entry 15 holds NaN or infinite"):
        build(task, [samples[0], Sample("top", "top", (bad,))], tmp_path / "top")
    assert list(tmp_path.iterdir()) == [bad]


def test_a_file_that_lacks_a_channel_of_the_task_is_refused_before_any_work(samples, task, tmp_path):
    deposits = rhtree_files.random_deposits(3, 4)
    poor = rhtree_files.write(tmp_path / "poor.root", deposits, without=("hcal_", "HBHE_"))
    with pytest.raises(InputError, match=r"poor\.root: no branch for hcal .*which task 'top' needs"):
        build(task, [samples[0], Sample("top", "top", (poor,))], tmp_path / "top")
    assert list(tmp_path.iterdir()) == [poor]


def test_without_truth_the_sample_name_may_be_trusted(samples, tmp_path):
    blind = rhtree_files.write(tmp_path / "blind.root", rhtree_files.random_deposits(20, 4, truth=False))
    given = [samples[0], Sample("top", "top", (blind,))]
    with pytest.raises(InputError, match="--trust-sample-names"):
        build(load_task("top", SETTINGS), given, tmp_path / "top")
    trusting = build(load_task("top", [*SETTINGS, "truth.source=sample_name"]), given, tmp_path / "top")
    assert trusting.manifest.cutflow["top"]["truth"] == trusting.manifest.cutflow["top"]["seed_edge"]


@pytest.fixture
def copy(data_set, tmp_path):
    return shutil.copytree(data_set.output, tmp_path / "copy")


def test_a_missing_or_resized_shard_is_refused(copy):
    shard = copy / "part-00001.parquet"
    shard.write_bytes(shard.read_bytes() + b"x")
    with pytest.raises(InputError, match=r"part-00001\.parquet: shard altered"):
        read_manifest(copy)
    shard.unlink()
    with pytest.raises(InputError, match=r"part-00001\.parquet: shard missing"):
        read_manifest(copy)


def test_a_flipped_bit_is_found_by_its_checksum(copy):
    shard = copy / "part-00001.parquet"
    damaged = bytearray(shard.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    shard.write_bytes(bytes(damaged))
    with pytest.raises(InputError, match=r"part-00001\.parquet: .*SHA-256 differs"):
        read_manifest(copy)


def test_a_manifest_of_another_version_or_damaged_is_refused(copy, samples, task):
    path = copy / "manifest.json"
    known = json.loads(path.read_text())
    path.write_text(json.dumps(known | {"schema_version": 99}))
    with pytest.raises(InputError, match="schema version 99, but this e2egraph reads 3"):
        read_manifest(copy)
    before = {name: value for name, value in known.items() if name not in ("network_inputs", "removed")}
    path.write_text(json.dumps(before | {"schema_version": 2}))
    sentence = r"schema version 2, but this e2egraph reads 3; build the data set again in another folder, or use the"
    for refused in (lambda: read_manifest(copy), lambda: build(task, samples, copy)):
        with pytest.raises(InputError, match=rf"copy/manifest\.json: {sentence} e2egraph that made it\.$"):
            refused()
    for text in ("{", "[]", json.dumps({"schema_version": 3, "inputs": [{}], "shards": []})):
        path.write_text(text)
        with pytest.raises(InputError, match=r"manifest\.json: damaged"):
            read_manifest(copy)
    path.unlink()
    with pytest.raises(InputError, match="not a complete data set"):
        read_manifest(copy)
