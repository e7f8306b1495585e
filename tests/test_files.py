import errno
import json
import os
import stat
import subprocess
import sys

import pytest

from e2egraph.files import PARTIAL, is_partial, replacing, write_json, write_text, written_beside


def a_stream(path):
    with replacing(path) as stream:
        stream.write(b"new")


def a_path(path):
    with written_beside(path) as partial:
        partial.write_bytes(b"new")


def a_text(path):
    write_text(path, "new")


every_way = pytest.mark.parametrize("write", [a_stream, a_path, a_text])


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "scores.parquet"
    file.write_text("old")
    return file


def failing(number, of=stat.S_ISREG):
    real = os.fsync

    def fsync(descriptor):
        if of(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        real(descriptor)

    return fsync


@every_way
def test_the_new_content_takes_the_place_of_the_old(path, write):
    write(path)
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


@every_way
def test_a_full_disk_leaves_the_old_content_and_nothing_else(path, write, monkeypatch):
    monkeypatch.setattr(os, "fsync", failing(errno.ENOSPC))
    with pytest.raises(OSError, match="No space left on device"):
        write(path)
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_an_exception_inside_leaves_the_old_content_and_nothing_else(path, kind):
    with pytest.raises(kind), replacing(path) as stream:
        stream.write(b"half")
        raise kind
    with pytest.raises(kind), written_beside(path) as partial:
        partial.write_text("half")
        raise kind
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


@every_way
def test_the_file_is_renamed_once_it_is_on_the_disk_and_then_its_folder_is_flushed(path, write, monkeypatch):
    real, seen = os.fsync, []

    def watched(descriptor):
        status = os.fstat(descriptor)
        seen.append(("folder" if stat.S_ISDIR(status.st_mode) else status.st_size, path.read_text()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    write(path)
    assert seen == [(len("new"), "old"), ("folder", "new")]


def test_a_file_system_that_cannot_flush_folders_will_do(path, monkeypatch):
    monkeypatch.setattr(os, "fsync", failing(errno.EINVAL, of=stat.S_ISDIR))
    write_text(path, "new")
    assert path.read_text() == "new"


def test_the_content_before_can_be_kept(path, tmp_path, monkeypatch):
    kept = tmp_path / "previous"
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing(errno.ENOSPC))
        with pytest.raises(OSError, match="No space left"), replacing(path, keep=kept) as stream:
            stream.write(b"new")
    assert path.read_text() == "old"
    assert not kept.exists()
    with replacing(path, keep=kept) as stream:
        stream.write(b"new")
    assert (kept.read_text(), path.read_text()) == ("old", "new")


def test_nothing_to_keep_is_no_error(tmp_path):
    with replacing(tmp_path / "last", keep=tmp_path / "previous") as stream:
        stream.write(b"new")
    assert [file.name for file in tmp_path.iterdir()] == ["last"]


def test_the_first_error_is_the_one_told_of(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError):
        write_text(tmp_path / "file" / "scores", "new")
    with pytest.raises(FileNotFoundError):
        write_text(tmp_path / "missing" / "scores", "new")


def test_json_is_indented_and_ends_its_line(tmp_path):
    write_json(tmp_path / "metrics.json", {"auc": [0.5, None], "name": "ü"})
    text = (tmp_path / "metrics.json").read_text()
    assert text == '{\n "auc": [\n  0.5,\n  null\n ],\n "name": "\\u00fc"\n}\n'
    assert json.loads(text)["name"] == "ü"


def test_two_processes_write_the_same_file_without_a_clash(path):
    with replacing(path) as stream:
        stream.write(b"first")
        subprocess.run([sys.executable, "-c", WRITE, str(path)], check=True)
        assert path.read_text() == "second"
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]


def test_what_a_killed_process_leaves_is_known_by_its_name(path):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert killed.returncode != 0
    (left,) = (file.name for file in path.parent.iterdir() if file != path)
    assert path.read_text() == "old"
    assert left.endswith(PARTIAL)
    assert is_partial(left, path.name)
    assert not is_partial(path.name, path.name)
    assert not is_partial(left, "scores")


WRITE = """
import sys
from pathlib import Path
from e2egraph.files import write_text
write_text(Path(sys.argv[1]), "second")
"""

KILLED = """
import os, signal, sys
from pathlib import Path
from e2egraph.files import replacing
with replacing(Path(sys.argv[1])) as stream:
    os.kill(os.getpid(), signal.SIGKILL)
"""
