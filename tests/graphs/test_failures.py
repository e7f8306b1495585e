"""Disks that are full, failures that pass, shards that are damaged: a build keeps what is finished, and goes on."""

import errno
import itertools
import re

import pyarrow.parquet as pq
import pytest
import uproot

from e2egraph.data.table import read_table
from e2egraph.errors import InputError, UnfinishedError, UsageError
from e2egraph.graphs.building import build as build_module
from e2egraph.graphs.building.build import BuildOptions, build
from e2egraph.graphs.making import chunk
from e2egraph.graphs.storage.manifest import read_manifest
from tests.graphs.builds import content, samples_of, task

SKIP = BuildOptions(skip_bad_files=True)


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


@pytest.mark.parametrize("error", [InputError("bad."), UsageError("wrong.")], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("made", [False, True], ids=["new folder", "folder that is there"])
def test_bad_input_and_wrong_use_in_the_middle_leave_nothing(files, tmp_path, monkeypatch, error, made):
    if made:
        (tmp_path / "data").mkdir()

    def fail(*_):
        raise error

    monkeypatch.setattr(build_module, "account", fail)
    with pytest.raises(type(error), match=str(error)):
        build(task(), samples_of([files["qcd"]], [files["top"]]), tmp_path / "data")
    assert [path.name for path in tmp_path.rglob("*")] == ["data"] * made


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
