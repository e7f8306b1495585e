"""Dumping events: the jets that a data set holds, with every deposit of their events as the source reads it."""

import struct

import awkward as ak
import numpy as np
import pytest

from e2egraph.cli import main
from e2egraph.errors import InputError
from e2egraph.events.eventfile import COLLECTIONS
from e2egraph.events.samples import Sample
from e2egraph.events.sources.registry import open_source
from e2egraph.graphs.building.build import build
from e2egraph.graphs.making.dump import dump_events
from e2egraph.graphs.storage.shards import open_shard
from e2egraph.tasks.task import load_task
from tests import rhtree_files
from tests.graphs.builds import parton_ntuple

TASK = load_task("top", ["object.abs_eta_max=1.5", "resampling=null"])


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ntuples")
    for seed, name in enumerate(("top", "qcd_1", "qcd_2")):
        deposits = rhtree_files.random_deposits(20, seed, first_event=1 + 100 * seed)
        rhtree_files.write(folder / f"{name}.root", deposits, without=rhtree_files.IMAGE_PREFIXES)
    return [
        Sample("qcd", "qcd", (folder / "qcd_1.root", folder / "qcd_2.root")),
        Sample("top", "top", (folder / "top.root",)),
    ]


def read(path):
    """Events of an event file, by its description alone: identity and the columns of each collection."""
    content, at, events = path.read_bytes(), 16, []
    for _ in range(struct.unpack_from("<Q", content, 8)[0]):
        identity = struct.unpack_from("<IIQI", content, at)
        counts = struct.unpack_from("<5I", content, at + 32)
        at += 52
        collections = {}
        for (name, columns), count in zip(COLLECTIONS.items(), counts, strict=True):
            collections[name] = {c: np.frombuffer(content, k, count, at + 4 * count * i)
                                 for i, (c, k) in enumerate(columns.items())}  # fmt: skip
            at += 4 * count * len(columns)
        events.append((identity, collections))
    assert at == len(content)
    return events


def test_the_jets_are_those_of_the_data_set_with_their_quantities(samples, tmp_path):
    summary = dump_events(TASK, samples, tmp_path / "events.e2e")
    built = build(TASK, samples, tmp_path / "data")
    parts = []
    for shard in built.manifest.shards:
        file = open_shard(built.output / shard.name)
        parts.append(file.read().jets)
    expected = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    events = read(tmp_path / "events.e2e")
    assert summary.events == len(events)
    assert sum(summary.jets.values()) == len(expected["event"]) > 20
    jets = [c["jets"] for _, c in events]
    sizes = [len(j["pt"]) for j in jets]
    for position, name in enumerate(("run", "lumi", "event", "n_pv")):
        assert np.repeat([identity[position] for identity, _ in events], sizes).tolist() == expected[name].tolist()
    names = {"index": "jet", "pt": "jet_pt", "eta": "jet_eta", "phi": "jet_phi", "mass": "jet_mass"}
    for column in COLLECTIONS["jets"]:
        found = np.concatenate([j[column] for j in jets])
        assert found.tolist() == expected[names.get(column, column)].tolist(), column


def test_all_deposits_of_an_event_are_there(samples, tmp_path):
    dump_events(TASK, samples, tmp_path / "events.e2e")
    source = open_source(samples[1].paths[0])
    record = source.read(0, source.n_events, ["id", "tracks", "hits", "ecal", "hcal"])
    events = {identity[2]: c for identity, c in read(tmp_path / "events.e2e")}
    there = [i for i, number in enumerate(record.event.tolist()) if number in events]
    assert there
    for i in there:
        for name in ("tracks", "hits", "ecal", "hcal"):
            for column, values in events[record.event[i]][name].items():
                assert values.tolist() == ak.to_numpy(record[name][i][column]).tolist()


def test_hits_that_come_as_images_lie_where_the_task_says(tmp_path):
    deposits = rhtree_files.random_deposits(20, 1)
    path = rhtree_files.write(tmp_path / "images.root", deposits, without=rhtree_files.VECTOR_PREFIXES)
    given = [Sample("qcd", "qcd", (path,)), Sample("top", "top", (path,))]
    task = load_task("top", ["object.abs_eta_max=1.5", "resampling=null", "inputs.radii={BPIX1: 2.9}"])
    dump_events(task, given[:1], tmp_path / "events.e2e", fill_missing=True)
    rho = np.concatenate([np.hypot(c["hits"]["x"], c["hits"]["y"]) for _, c in read(tmp_path / "events.e2e")])
    assert np.isclose(rho, 2.9, rtol=1e-3).any() and not np.isclose(rho, 4.4, rtol=1e-3).any()


def test_what_a_file_lacks_is_written_as_0_only_where_that_is_asked_for(tmp_path, capsys):
    output = tmp_path / "events.e2e"
    words = ["dump-events", "--task", "top", "--output", str(output)]
    for seed, name in enumerate(("top", "qcd")):
        deposits, path = rhtree_files.random_deposits(20, seed), tmp_path / f"{name}.root"
        rhtree_files.write(path, deposits, without=rhtree_files.VECTOR_PREFIXES)
        words += ["--sample", f"{name}={path}"]
    words += ["--set", "object.abs_eta_max=1.5", "--set", "resampling=null", "--trust-sample-names"]
    assert main(words) == 1
    message = (
        f"{path}: no branch for tracks.charge (looked for track_charge), which charge of task 'top' is made of; give"
    )
    assert message in capsys.readouterr().err and not output.exists()
    assert main([*words, "--set", "inputs.variables=[rho,value,d0]"]) == 0
    assert main([*words, "--fill-missing"]) == 0
    charges = np.concatenate([collections["tracks"]["charge"] for _, collections in read(output)])
    assert len(charges) > 0 and not charges.any()


def test_no_more_jets_of_a_class_than_asked_for_and_the_first_ones(samples, tmp_path):
    everything = dump_events(TASK, samples, tmp_path / "all.e2e")
    few = dump_events(TASK, samples, tmp_path / "few.e2e", max_jets=3)
    assert few.jets == {name: min(3, number) for name, number in everything.jets.items()}
    first = next(i for i, _ in read(tmp_path / "all.e2e"))
    assert next(i for i, _ in read(tmp_path / "few.e2e")) == first


def test_seeds_can_be_left_for_the_reader_to_find(samples, tmp_path):
    dump_events(TASK, samples, tmp_path / "events.e2e", seeds=False)
    for _, collections in read(tmp_path / "events.e2e"):
        assert set(collections["jets"]["seed_ieta"]) == set(collections["jets"]["seed_iphi"]) == {-1}


def test_without_a_selected_jet_nothing_is_written(samples, tmp_path):
    task = load_task("top", ["object.pt_min=100000"])
    with pytest.raises(InputError, match="no jet of task 'top'"):
        dump_events(task, samples, tmp_path / "events.e2e")
    assert list(tmp_path.iterdir()) == []


def test_the_command_says_what_it_wrote(samples, tmp_path, capsys):
    words = [f"--sample={sample.name}={path}" for sample in samples for path in sample.paths]
    output = tmp_path / "events.e2e"
    assert main(["dump-events", "--task", "top", *words, "--output", str(output), "--max-jets", "2"]) == 0
    line = capsys.readouterr().out
    assert "(2 qcd, 2 top)" in line
    assert str(output) in line


def test_one_file_of_particles_gives_jets_of_every_class(tmp_path, capsys):
    path = parton_ntuple(tmp_path / "a.root", 4, 20)
    settings = ["object.abs_eta_max=1.5", "object.pt_min=400", "resampling=null"]
    task = load_task("quark-gluon", settings)
    summary = dump_events(task, [Sample("dijets", None, (path,))], tmp_path / "events.e2e", max_jets=6)
    assert summary.jets == {"gluon": 6, "quark": 6}
    jets = [c["jets"] for _, c in read(tmp_path / "events.e2e")]
    label, index = (np.concatenate([part[name] for part in jets]) for name in ("label", "index"))
    np.testing.assert_array_equal(label, 1 - index)
    words = ["dump-events", "--task", "quark-gluon", f"--sample=dijets={path}", "--output", str(tmp_path / "e")]
    assert main([*words, "--max-jets", "6", *(f"--set={setting}" for setting in settings)]) == 0
    assert (tmp_path / "e").read_bytes() == (tmp_path / "events.e2e").read_bytes()
    assert "(6 gluon, 6 quark)" in capsys.readouterr().out


def test_a_file_of_images_is_refused(tmp_path, capsys):
    path = tmp_path / "images.parquet"
    path.write_bytes(b"PAR1" + bytes(20))
    words = [f"--sample={name}={path}" for name in ("top", "qcd")]
    assert main(["dump-events", "--task", "top", *words, "--output", str(tmp_path / "e"), "--set", "name=x"]) == 1
    assert str(path) in capsys.readouterr().err


def test_an_output_that_is_an_input_too_is_refused_and_stays(samples, tmp_path):
    path = samples[1].paths[0]
    content = path.read_bytes()
    (tmp_path / "link").symlink_to(path)
    for output in (path, path.parent / ".." / path.parent.name / path.name, tmp_path / "link"):
        with pytest.raises(InputError, match=r"top\.root: is to be read too|link: is to be read too"):
            dump_events(TASK, samples, output)
        assert path.read_bytes() == content
