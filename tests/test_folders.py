import os
import signal
import subprocess
import sys

import pytest

from e2egraph.errors import InputError
from e2egraph.folders import check_folder, filled, is_left, make_folder, names_in

OWN = ("model", "card", "variant", "metadata")


def write(folder, content, names=("metadata", "model", "card")):
    with filled(folder, OWN, last="metadata") as new:
        for name in names:
            (new / name).write_text(content)


def content(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.fixture(params=["missing", "there", "link", "link to nothing", "working folder"])
def folder(request, tmp_path, monkeypatch):
    folder = tmp_path / "bundle"
    if "link" in request.param:
        folder.symlink_to("elsewhere")
    if request.param == "link":
        (tmp_path / "elsewhere").mkdir()
    if request.param in ("there", "working folder"):
        folder.mkdir()
    if request.param == "working folder":
        monkeypatch.chdir(folder)
        return type(folder)()
    return folder


def test_files_take_the_place_of_those_before_and_the_folder_stays_what_it_is(folder):
    link = folder.is_symlink()
    check_folder(folder)
    write(folder, "old", ("metadata", "model", "variant"))
    number = folder.stat().st_ino
    write(folder, "new")
    assert content(folder) == dict.fromkeys(("metadata", "model", "card"), "new")
    assert (folder.stat().st_ino, folder.is_symlink()) == (number, link)
    assert not [path for path in folder.resolve().parent.iterdir() if path.name not in ("bundle", "elsewhere")]


@pytest.mark.parametrize("earlier", [False, True])
def test_an_exception_inside_leaves_what_was_there(tmp_path, earlier):
    folder = tmp_path / "bundle"
    if earlier:
        write(folder, "old")
    with pytest.raises(KeyboardInterrupt), filled(folder, OWN, last="metadata") as new:
        (new / "model").write_text("half")
        raise KeyboardInterrupt
    assert folder.exists() == earlier
    if earlier:
        assert content(folder) == dict.fromkeys(("metadata", "model", "card"), "old")


@pytest.mark.parametrize("moment", [0, 1, 3, 5, 6, 7])
def test_whenever_it_is_killed_old_and_new_are_never_taken_for_one_and_another_call_ends_the_work(tmp_path, moment):
    folder = tmp_path / "bundle"
    write(folder, "old")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(moment)], check=False)
    assert killed.returncode == -signal.SIGKILL
    left = names_in(folder)
    assert all(name in OWN or is_left(name) for name in left)
    whole = {(folder / name).read_text() for name in left if name in OWN}
    assert "metadata" not in left or len(whole) == 1
    write(folder, "newest")
    assert content(folder) == dict.fromkeys(("metadata", "model", "card"), "newest")


def test_a_folder_that_cannot_be_used_is_refused_and_nothing_is_made(tmp_path):
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "pipe")
    check_folder(tmp_path / "new" / "folder")
    for name, reason in (
        ("file", "a file is in the way"),
        ("pipe", "a device or pipe is in the way"),
        ("file/folder", r"cannot be written \(Not a directory\)"),
    ):
        with pytest.raises(InputError, match=f"{name}: {reason}; choose another --triton"):
            check_folder(tmp_path / name, "--triton")
    assert names_in(tmp_path) == ["file", "pipe"]


def test_what_a_file_system_puts_into_a_folder_does_not_count(tmp_path):
    (tmp_path / "lost+found").mkdir()
    (tmp_path / ".nfs0001").write_text("")
    assert names_in(tmp_path) == []


def test_a_folder_is_made_where_a_link_leads(tmp_path):
    (tmp_path / "link").symlink_to("elsewhere")
    make_folder(tmp_path / "link")
    assert (tmp_path / "elsewhere").is_dir()


KILLED = """
import os, signal, sys
from pathlib import Path
from e2egraph.folders import filled
steps = 0
def step(real):
    def stepped(*given, **named):
        global steps
        if steps == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        steps += 1
        return real(*given, **named)
    return stepped
with filled(Path(sys.argv[1]), ("model", "card", "variant", "metadata"), last="metadata") as new:
    for name in ("model", "card", "metadata"):
        (new / name).write_text("new")
    Path.unlink, Path.replace = step(Path.unlink), step(Path.replace)
"""
