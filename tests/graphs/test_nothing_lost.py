"""Nothing is lost unnoticed: cutflow and nodes add up, bad files are named, duplicates and mixtures refused."""

import errno
import itertools
import os
import re
from itertools import pairwise

import numpy as np
import pyarrow.parquet as pq
import pytest
import uproot

from e2egraph.data.table import read_table
from e2egraph.errors import InputError, UnfinishedError
from e2egraph.events.samples import Sample
from e2egraph.graphs.building import build as build_module
from e2egraph.graphs.building import cutflow
from e2egraph.graphs.building.build import BuildOptions, build
from e2egraph.graphs.making import chunk
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.graphs.storage.shards import open_shard
from tests import rhtree_files
from tests.graphs.builds import content, damaged_ntuple, ntuple, samples_of, task

SKIP = BuildOptions(skip_bad_files=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ntuples")
    return {name: ntuple(folder / f"{name}.root", seed) for name, seed in (("qcd", 1), ("top", 2), ("more", 3))}


@pytest.fixture(scope="module")
def plain(files, tmp_path_factory):
    output = tmp_path_factory.mktemp("data") / "plain"
    return build(task(), samples_of([files["qcd"]], [files["top"], files["more"]]), output)


def test_jets_in_are_jets_out_and_the_jets_of_every_cut(plain, files):
    manifest = plain.manifest
    for name in manifest.classes:
        left, removed = manifest.cutflow[name], manifest.removed[name]
        assert left["jets"] == sum(removed.values()) + sum(manifest.counts[name].values())
        steps = list(left.values())[1:]
        assert list(removed.values()) == [a - b for a, b in pairwise(steps)]
        assert left["events"] == sum(entry.events for entry in manifest.inputs if entry.sample == name)
    assert manifest.removed["qcd"]["resampling"] > 0


def test_every_deposit_in_a_window_is_accounted_for(plain):
    for name, outcomes in plain.manifest.nodes.items():
        lost = outcomes["negative"] + outcomes["below_threshold"] + outcomes["over_cap"]
        assert outcomes["in_windows"] == outcomes["kept"] + lost > 0
        assert outcomes["kept"] == sum(shard.nodes for shard in plain.manifest.shards if shard.sample == name)


def test_negative_energies_are_dropped_and_counted(files, tmp_path):
    deposits = rhtree_files.random_deposits(12, 2)
    for event in range(12):
        deposits.branches["ecal_energy"][event] *= np.where(
            np.arange(len(deposits.branches["ecal_energy"][event])) % 2, 1, -1
        )
    noisy = rhtree_files.write(tmp_path / "noisy.root", deposits, without=rhtree_files.IMAGE_PREFIXES)
    options = ("inputs.channels=[ECAL]", "resampling=null")
    clean = build(task(*options), samples_of([files["qcd"]], [files["top"]]), tmp_path / "clean").manifest.nodes["top"]
    outcomes = build(task(*options), samples_of([files["qcd"]], [noisy]), tmp_path / "noise").manifest.nodes["top"]
    assert outcomes["in_windows"] == clean["in_windows"]
    assert outcomes["negative"] > 0.3 * clean["kept"]
    assert outcomes["kept"] == clean["kept"] - outcomes["negative"]


def test_nodes_below_a_threshold_and_over_the_cap_are_counted(files, tmp_path):
    options = ("inputs.channels=[ECAL]", "inputs.thresholds={ECAL: 1.0}", "inputs.cap=20", "resampling=null")
    summary = build(task(*options), samples_of([files["qcd"]], [files["top"]]), tmp_path / "data")
    for outcomes in summary.manifest.nodes.values():
        assert outcomes["below_threshold"] > 0
        assert outcomes["over_cap"] > 0
        assert outcomes["negative"] == 0


def test_a_cutflow_that_does_not_add_up_is_refused():
    cutflow.check("here", {"events": 3, "jets": 6, "pt": 4}, {"pt": 2}, 4)
    for left, removed, jets in (({"jets": 6, "pt": 4}, {"pt": 1}, 4), ({"jets": 6, "pt": 4}, {"pt": 2}, 3)):
        with pytest.raises(InputError, match="the cutflow does not add up"):
            cutflow.check("here", left, removed, jets)


@pytest.mark.parametrize("bad", ["unreadable", "damaged in the middle"])
@pytest.mark.parametrize("resampling", [(), ("resampling=null",)])
def test_skipping_a_bad_file_gives_the_data_set_without_it_and_lists_it(files, plain, bad, resampling, tmp_path):
    if bad == "unreadable":
        (tmp_path / "bad.root").write_text("<html>not found</html>")
    else:
        damaged_ntuple(tmp_path / "bad.root", 4)
    given = samples_of([files["qcd"]], [tmp_path / "bad.root", files["top"], files["more"]])
    with pytest.raises(InputError, match=r"bad\.root"):
        build(task(*resampling), given, tmp_path / "data")
    summary = build(task(*resampling), given, tmp_path / "data", options=SKIP)
    (skipped,) = summary.manifest.skipped
    assert skipped.path.endswith("bad.root")
    assert "bad.root" in skipped.reason
    expected = plain
    if resampling:
        expected = build(
            task(*resampling), samples_of([files["qcd"]], [files["top"], files["more"]]), tmp_path / "good"
        )
    shards, reference = content(summary.output), content(expected.output)
    del shards["manifest.json"], reference["manifest.json"]
    assert shards == reference
    again = build(task(*resampling), given, tmp_path / "data", options=SKIP)
    assert again.already_complete


def test_a_class_whose_files_are_all_bad_is_refused(files, tmp_path):
    (tmp_path / "bad.root").write_bytes(os.urandom(2000))
    with pytest.raises(InputError, match=r"every file is bad and was skipped, .*bad\.root: not a readable ROOT"):
        build(task(), samples_of([files["qcd"]], [tmp_path / "bad.root"]), tmp_path / "data", options=SKIP)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.root"]


def test_a_number_that_its_column_does_not_hold_is_refused(files, tmp_path):
    """The 70,000th jet of an event: its index would wrap to another jet's."""
    deposits = rhtree_files.random_deposits(2, 7)
    for name in [name for name in deposits.branches if name.startswith("jet")]:
        deposits.branches[name][1] = np.resize(deposits.branches[name][1], 70_000)
    deposits.branches["jetPt"][1][:-1] = 1.0
    deposits.branches["jetPt"][1][-1] = 500.0
    crowded = rhtree_files.write(tmp_path / "crowded.root", deposits, without=rhtree_files.IMAGE_PREFIXES)
    trusting = task("resampling=null", "truth.source=sample_name", "inputs.channels=[TRACK]")
    with pytest.raises(InputError, match=r"crowded\.root: column jet would hold 69999, which is beyond uint16"):
        build(trusting, samples_of([files["qcd"]], [crowded]), tmp_path / "data")


def test_duplicate_events_across_files_are_refused_naming_both(files, tmp_path):
    overlap = ntuple(tmp_path / "overlap.root", 2, events=5, first_event=8)
    given = samples_of([files["qcd"]], [files["top"], overlap])
    with pytest.raises(
        InputError, match=r"overlap\.root: event 1:2:8 \(run:lumi:event\) stands in it and in .*top\.root"
    ):
        build(task(), given, tmp_path / "data")
    allowed = build(task(), given, tmp_path / "data", options=BuildOptions(allow_duplicates=True))
    assert allowed.manifest.duplicates == 5


def test_an_event_twice_in_one_file_is_refused(files, tmp_path):
    deposits = rhtree_files.random_deposits(4, 5)
    deposits.branches["eventId"][3] = deposits.branches["eventId"][1]
    twice = rhtree_files.write(tmp_path / "twice.root", deposits, without=rhtree_files.IMAGE_PREFIXES)
    with pytest.raises(InputError, match=r"twice\.root: event 1:5:2 .* stands in it twice"):
        build(task(), samples_of([files["qcd"]], [twice]), tmp_path / "data")


def test_different_productions_may_number_their_events_alike_but_a_copy_is_refused(files, tmp_path):
    """As simulated samples do: each its own ``Sample``, with lumi and event numbers that begin at 1."""
    other = rhtree_files.random_deposits(12, 6)
    other.branches["lumiId"] = [2] * 12
    other = rhtree_files.write(tmp_path / "other.root", other, without=rhtree_files.IMAGE_PREFIXES)
    separate = [Sample("qcd", "qcd", (files["qcd"],)), Sample("top_1", "top", (files["top"],))]
    separate.append(Sample("top_2", "top", (other,)))
    assert build(task(), separate, tmp_path / "data").manifest.duplicates == 0
    copy = tmp_path / "copy.root"
    copy.write_bytes(files["top"].read_bytes())
    with pytest.raises(InputError, match=r"copy\.root: the same events as .*top\.root, byte for byte"):
        build(task(), [*separate[:2], Sample("top_2", "top", (copy,))], tmp_path / "copied")


def test_files_of_one_sample_that_differ_in_kind_are_refused(files, tmp_path):
    images = rhtree_files.write(
        tmp_path / "images.root", rhtree_files.random_deposits(3, 8), without=rhtree_files.VECTOR_PREFIXES
    )
    with pytest.raises(InputError, match=r"images\.root: made otherwise than .*top\.root of the same sample"):
        build(task(), samples_of([files["qcd"]], [files["top"], images]), tmp_path / "data")
    poorer = rhtree_files.write(
        tmp_path / "poorer.root",
        rhtree_files.random_deposits(3, 9),
        without=(*rhtree_files.IMAGE_PREFIXES, "jetSoftDropM"),
    )
    with pytest.raises(InputError, match=r"poorer\.root: .*lacks jets\.softdrop_mass .*unlike"):
        build(task(), samples_of([files["qcd"]], [files["top"], poorer]), tmp_path / "data")
    separate = [
        Sample("qcd", "qcd", (files["qcd"],)),
        Sample("top", "top", (files["top"],)),
        Sample("top", "top", (poorer,)),
    ]
    manifest = build(task(), separate, tmp_path / "data").manifest
    assert any("poorer.root: jets.softdrop_mass" in line for line in manifest.missing)


def full_disk(monkeypatch, after):
    """The disk is full once ``after`` shards are written."""
    import pyarrow.parquet as pq

    real, written = pq.ParquetWriter.write_table, []

    def write_table(writer, table, **options):
        if writer not in written:
            written.append(writer)
        if len(written) > after:
            raise OSError(28, "Error writing bytes to file")
        return real(writer, table, **options)

    monkeypatch.setattr("e2egraph.graphs.storage.shards.pq.ParquetWriter.write_table", write_table)


def test_a_full_disk_leaves_whole_shards_alone_and_the_same_command_goes_on(files, plain, tmp_path, monkeypatch):
    given = samples_of([files["qcd"]], [files["top"], files["more"]])
    with monkeypatch.context() as patch:
        full_disk(patch, after=1)
        with pytest.raises(
            UnfinishedError, match=r"part-00001\.parquet: cannot be written \(No space left on device\)"
        ):
            build(task(), given, tmp_path / "data", options=SKIP)
    assert not (tmp_path / "data").exists()
    staged = {path.name for path in (tmp_path / "data.partial").iterdir()}
    assert staged == {"plan.json", "build.lock", "part-00000.parquet"}
    assert content(build(task(), given, tmp_path / "data").output) == content(plain.output)


def test_a_full_disk_before_the_first_shard_leaves_nothing(files, tmp_path, monkeypatch):
    full_disk(monkeypatch, after=0)
    with pytest.raises(UnfinishedError, match="No space left on device"):
        build(task(), samples_of([files["qcd"]], [files["top"]]), tmp_path / "data")
    assert list(tmp_path.iterdir()) == []


def failing_read(monkeypatch, error, *, at):
    """Reading ``ecal_energy`` for the ``at``-th time fails."""
    real, count = uproot.TBranch.array, itertools.count(1)

    def array(self, *arguments, **options):
        if self.name == "ecal_energy" and next(count) == at:
            raise error
        return real(self, *arguments, **options)

    monkeypatch.setattr(uproot.TBranch, "array", array)


def test_a_failure_that_passes_keeps_the_shards_and_leaves_no_file_out(files, tmp_path, monkeypatch):
    """The first shard stays, whatever comes while the second file is read; at last the same command ends the work."""
    given, lean = samples_of([files["qcd"]], [files["top"]]), task("resampling=null")
    for number, (error, words) in enumerate(
        (
            (OSError(errno.EIO, "Input/output error"), "cannot be read now (Input/output error)"),
            (OSError(errno.EMFILE, "Too many open files"), "cannot be read now (Too many open files)"),
            (FileNotFoundError(errno.ENOENT, "No such file or directory"), "was there when the build began"),
            (PermissionError(errno.EACCES, "Permission denied"), "may not be read any more"),
            (MemoryError("Unable to allocate 98.4 MiB"), "memory is full (Unable to allocate 98.4 MiB)"),
        )
    ):
        with monkeypatch.context() as patch:
            failing_read(patch, error, at=1 if number else 2)
            with pytest.raises(UnfinishedError, match=rf"top\.root: .*{re.escape(words)}.* run the same command again"):
                build(lean, given, tmp_path / "data", options=SKIP if number % 2 else None)
    with monkeypatch.context() as patch:
        patch.setattr(chunk, "make_nodes", lambda *_, **__: raised(MemoryError()))
        with pytest.raises(UnfinishedError, match=r"top\.root: memory is full \(MemoryError\)"):
            build(lean, given, tmp_path / "data", options=SKIP)
    staged = tmp_path / "data.partial"
    assert {path.name for path in staged.iterdir()} == {"plan.json", "build.lock", "part-00000.parquet"}
    first = (staged / "part-00000.parquet").stat().st_ino
    summary = build(lean, given, tmp_path / "data", options=SKIP)
    assert not summary.manifest.skipped and [shard.jets > 0 for shard in summary.manifest.shards] == [True, True]
    assert (summary.output / "part-00000.parquet").stat().st_ino == first


def test_a_failure_that_passes_at_the_first_look_at_a_file_leaves_none_out(files, tmp_path, monkeypatch):
    failing_disk = OSError(errno.EIO, "Input/output error")
    monkeypatch.setattr("uproot.source.file.FileResource.get", lambda *_: raised(failing_disk))
    with pytest.raises(UnfinishedError, match=r"qcd\.root: cannot be read now \(Input/output error\)"):
        build(task(), samples_of([files["qcd"]], [files["top"]]), tmp_path / "data", options=SKIP)
    assert list(tmp_path.iterdir()) == []


def raised(error):
    raise error


def test_a_shard_that_cannot_be_read_now_is_not_called_damaged(plain, monkeypatch):
    folder = plain.output
    monkeypatch.setattr(
        pq.ParquetFile, "read_row_groups", lambda *_, **__: raised(OSError(errno.EIO, "Input/output error"))
    )
    with pytest.raises(UnfinishedError, match=r"part-00000\.parquet: cannot be read now \(Input/output error\)"):
        read_table(folder)
    monkeypatch.undo()
    table = read_table(folder)
    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", lambda *_, **__: raised(MemoryError("malloc failed")))
    with pytest.raises(UnfinishedError, match=r"part-00000\.parquet: memory is full \(malloc failed\)"):
        table.read_group(0, ["value"])


def test_an_output_that_cannot_be_written_is_refused(files, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/data: cannot be written \(Not a directory\)"):
        build(task(), samples_of([files["qcd"]], [files["top"]]), tmp_path / "file" / "data")


def test_a_damaged_shard_of_an_interrupted_build_is_made_again(files, plain, tmp_path, monkeypatch):
    given = samples_of([files["qcd"]], [files["top"], files["more"]])

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(build_module, "account", stop)
        with pytest.raises(KeyboardInterrupt):
            build(task(), given, tmp_path / "data")
    staged = tmp_path / "data.partial"
    (staged / "part-00000.parquet").write_bytes(b"")
    (staged / "part-00001.parquet").write_bytes((staged / "part-00002.parquet").read_bytes())
    (staged / "part-00002.parquet.123.partial").write_bytes(b"half")
    assert content(build(task(), given, tmp_path / "data").output) == content(plain.output)


def test_two_builds_do_not_work_in_one_folder(files, plain, tmp_path, monkeypatch):
    given = samples_of([files["qcd"]], [files["top"], files["more"]])
    real = build_module.write_shards
    messages = []

    def meanwhile(*arguments, **options):
        monkeypatch.setattr(build_module, "write_shards", real)
        with pytest.raises(InputError, match="another build is at work in it") as caught:
            build(task(), given, tmp_path / "data")
        messages.append(caught.value)
        return real(*arguments, **options)

    monkeypatch.setattr(build_module, "write_shards", meanwhile)
    assert content(build(task(), given, tmp_path / "data").output) == content(plain.output)
    assert len(messages) == 1


def test_a_shard_altered_after_the_build_is_refused_on_opening(plain, tmp_path):
    import shutil

    copy = shutil.copytree(plain.output, tmp_path / "copy")
    read_manifest(copy)
    shard = copy / "part-00001.parquet"
    damaged = bytearray(shard.read_bytes())
    damaged[len(damaged) // 3] ^= 4
    shard.write_bytes(bytes(damaged))
    with pytest.raises(InputError, match=r"part-00001\.parquet: shard altered after the build \(SHA-256 differs\)"):
        read_manifest(copy)


def test_footers_repeat_the_accounts_of_their_shard(plain):
    for shard in plain.manifest.shards:
        footer = open_shard(plain.output / shard.name).footer
        in_splits = sum(number for splits in footer["counts"].values() for number in splits.values())
        assert list(footer["cutflow"].values())[-1] == shard.jets == in_splits
        assert footer["nodes"]["kept"] == shard.nodes
