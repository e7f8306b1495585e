import ast
import errno
import json
import math
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from e2egraph.errors import InputError
from e2egraph.files import PARTIAL, atomic_path, check_file, is_partial, remove, replacing, write_json, write_text


def a_stream(path):
    with replacing(path) as stream:
        stream.write(b"new")


def a_path(path):
    with atomic_path(path) as partial:
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
    with pytest.raises(kind), atomic_path(path) as partial:
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


@every_way
@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_what_it_leads_to_is_written(tmp_path, write, there):
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "scores", tmp_path / "link"
    if there:
        target.write_text("old")
    link.symlink_to("elsewhere/scores")
    check_file(link)
    write(link)
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["elsewhere", "link", "scores"]
    remove(link)
    assert link.is_symlink()
    assert not target.exists()


def pipe(path):
    os.mkfifo(path)
    return "named pipe"


def device(path):
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("making a device needs root")
    return "device"


def listening(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))  # short enough for a socket's name
    return "socket"


def folder(path):
    path.mkdir()
    return "folder"


@pytest.mark.parametrize("through_link", [False, True])
@pytest.mark.parametrize("make", [pipe, device, listening, folder])
def test_what_is_no_file_is_refused_and_stays(tmp_path, make, through_link):
    there = path = tmp_path / "thing"
    what = make(there)
    if through_link:
        path = tmp_path / "link"
        path.symlink_to(there)
    before = there.lstat().st_mode
    for attempt in (check_file, a_stream, a_path, a_text, remove):
        with pytest.raises(InputError, match=f"{path.name}: is a {what}; give the name of a file"):
            attempt(path)
    assert there.lstat().st_mode == before
    assert path.is_symlink() == through_link
    assert len(list(tmp_path.iterdir())) == 1 + through_link


@every_way
def test_a_file_that_is_a_mount_point_is_written_over(path, write, monkeypatch):
    def busy(*_):
        raise OSError(errno.EBUSY, "Device or resource busy")

    number = path.stat().st_ino
    monkeypatch.setattr(Path, "replace", busy)
    write(path)
    assert (path.read_text(), path.stat().st_ino) == ("new", number)
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_refused_before_the_work_and_nothing_is_made(tmp_path):
    check_file(tmp_path / "new" / "folders" / "scores")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/scores: cannot be written \(Not a directory\); choose another --json"):
        check_file(tmp_path / "file" / "scores", "--json")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(InputError, match=r"loop: cannot be written \(Too many levels of symbolic links\)"):
        check_file(tmp_path / "loop")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "loop"]


def test_text_is_utf8_whatever_the_locale_and_names_of_files_keep_their_bytes(tmp_path):
    program = "import sys; from pathlib import Path; from e2egraph.files import write_text\n"
    program += f"write_text(Path({str(tmp_path / 'text')!r}), '\\u2195' + sys.argv[1])"
    plain = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    subprocess.run([sys.executable, "-c", program, b"\xc3\xbc\xff"], env={**os.environ, **plain}, check=True)
    assert (tmp_path / "text").read_bytes() == b"\xe2\x86\x95\xc3\xbc\xff"


def test_no_text_is_read_or_written_in_the_encoding_of_the_locale():
    top = Path(__file__).parents[1]
    sources = [*(top / "e2egraph").rglob("*.py"), *(top / "scripts").glob("*.py")]
    assert len(sources) > 300
    faults = []
    for source in sources:
        for call in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and opens_text(call):
                faults.append(f"{source.relative_to(top)}:{call.lineno}: {ast.unparse(call)}")
    assert faults == []


def opens_text(call):
    """Whether a call opens a file (or a pipe) as text without saying in which encoding."""
    named = {keyword.arg for keyword in call.keywords}
    if "encoding" in named or {"text", "universal_newlines"} & named:
        return "encoding" not in named
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    owner = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    if called == "read_text" or (called == "write_text" and owner):
        return True
    modes = [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    elsewhere = owner.startswith(("os", "uproot", "Bundle", "fsspec"))
    return called == "open" and not elsewhere and not any("b" in mode for mode in modes)


def test_json_has_no_numbers_that_other_readers_refuse(tmp_path):
    write_json(tmp_path / "bins.json", {"edges": [20.0, math.inf], "of": {"mean": math.nan}, "pair": (-math.inf, 1)})
    text = (tmp_path / "bins.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == {
        "edges": [20.0, None],
        "of": {"mean": None},
        "pair": [None, 1],
    }


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
