"""Shards are hashed once on a machine, and again whenever a file, a stamp or the manifest is another."""

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import time

import pytest

from e2egraph.cli import main
from e2egraph.errors import InputError
from e2egraph.graphs.building.build import build
from e2egraph.graphs.storage import verification
from e2egraph.graphs.storage.manifest import read_manifest
from tests.graphs.builds import ntuple, samples_of, task

SHARDS = ["part-00000.parquet", "part-00001.parquet"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    samples = samples_of([ntuple(folder / "qcd.root", 3, 30)], [ntuple(folder / "top.root", 4, 30)])
    return build(task(), samples, folder / "data").output


@pytest.fixture
def data(built, tmp_path, monkeypatch):
    """A copy without a stamp, in a process that knows nothing of it; its file system tells any two times apart."""
    folder = tmp_path / "data"
    shutil.copytree(built, folder)
    remove_stamps(folder)
    monkeypatch.setattr(verification, "MARGIN", 0)
    monkeypatch.setattr(verification, "_known", {})
    settle()
    return folder


@pytest.fixture
def hashed(monkeypatch):
    """Names of the files that are hashed, as they come."""
    names, real = [], verification.sha256_of
    monkeypatch.setattr(verification, "sha256_of", lambda path: names.append(path.name) or real(path))
    return names


def settle():
    """Until the clock of the file system has ticked."""
    time.sleep(0.03)


def stamps(folder):
    return sorted(folder.glob(f"{verification.STAMP_PREFIX}*"))


def remove_stamps(folder):
    for path in stamps(folder):
        path.unlink()


def read_as_new_process(folder):
    verification._known.clear()
    return read_manifest(folder)


def test_a_second_process_hashes_nothing(data, hashed):
    read_manifest(data)
    assert hashed == SHARDS
    read_as_new_process(data)
    assert hashed == SHARDS
    assert len(stamps(data)) == 1


def test_a_stamp_left_by_a_real_command_serves_the_next(data, hashed):
    code = "import sys; from pathlib import Path; from e2egraph.graphs.storage import verification as v; v.MARGIN = 0; "
    code += "from e2egraph.graphs.storage.manifest import read_manifest; read_manifest(Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", code, data], check=True)
    read_manifest(data)
    assert hashed == []


def changed_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def changed_byte_with_its_old_time(path):
    before = path.stat()
    changed_byte(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def another_file_in_its_place(path):
    before, other = path.stat(), path.with_name("other")
    shutil.copyfile(path, other)
    changed_byte(other)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize("change", [changed_byte, changed_byte_with_its_old_time, another_file_in_its_place])
def test_any_change_of_a_shard_is_found_by_the_next_command(data, hashed, change):
    read_manifest(data)
    settle()
    hashed.clear()
    change(data / SHARDS[1])
    with pytest.raises(InputError, match=r"part-00001\.parquet: shard altered after the build \(SHA-256 differs\)"):
        read_as_new_process(data)
    assert hashed == [SHARDS[1]]
    # And by this process too, which knew the shard.
    with pytest.raises(InputError, match="SHA-256 differs"):
        read_manifest(data)


def test_only_what_was_touched_is_hashed_again(data, hashed):
    read_manifest(data)
    settle()
    hashed.clear()
    os.utime(data / SHARDS[0])
    settle()
    read_as_new_process(data)
    assert hashed == [SHARDS[0]]
    read_as_new_process(data)
    assert hashed == [SHARDS[0]]


def test_a_shard_that_changed_within_a_tick_before_the_hashing_is_never_taken_for_known(data, hashed, monkeypatch):
    monkeypatch.setattr(verification, "MARGIN", 2 * 10**9)
    old = time.time_ns() - 10 * 10**9
    monkeypatch.setattr(verification, "_state", lambda path: [path.stat().st_size, *times[path.name], 1])
    times = {SHARDS[0]: [old, old], SHARDS[1]: [old, time.time_ns()]}
    read_manifest(data)
    assert hashed == SHARDS
    # The young one may have changed again after it was read, within the same tick: as this file.
    changed_byte(data / SHARDS[1])
    with pytest.raises(InputError, match=r"part-00001\.parquet: .*SHA-256 differs"):
        read_as_new_process(data)
    assert hashed == [*SHARDS, SHARDS[1]]


def test_a_shard_that_changes_while_it_is_hashed_is_hashed_again(data, hashed, monkeypatch):
    real = verification.sha256_of

    def touched_meanwhile(path):
        found = real(path)
        if path.name == SHARDS[0]:
            os.utime(path)
        return found

    monkeypatch.setattr(verification, "sha256_of", touched_meanwhile)
    read_manifest(data)
    settle()
    monkeypatch.setattr(verification, "sha256_of", real)
    hashed.clear()
    read_as_new_process(data)
    assert hashed == [SHARDS[0]]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: b"\xff\xfe\x00",
        lambda content: b"[" * 100_000,
        lambda content: b'{"shards": 3}',
        lambda content: json.dumps(json.loads(content) | {"shards": [1]}).encode(),
        lambda content: json.dumps(json.loads(content) | {"shards": {SHARDS[0]: None, SHARDS[1]: 7}}).encode(),
        lambda content: json.dumps(json.loads(content) | {"version": 0}).encode(),
        lambda content: json.dumps(json.loads(content) | {"host": "another"}).encode(),
        lambda content: json.dumps(json.loads(content) | {"folder": "/elsewhere"}).encode(),
        lambda content: json.dumps(json.loads(content) | {"manifest_sha256": "0" * 64}).encode(),
    ],
)
def test_a_torn_or_foreign_stamp_counts_as_none_and_is_replaced(data, hashed, spoil):
    read_manifest(data)
    (stamp,) = stamps(data)
    good = stamp.read_bytes()
    stamp.write_bytes(spoil(good))
    read_as_new_process(data)
    assert hashed == SHARDS * 2
    assert stamp.read_bytes() == good


def test_a_manifest_that_says_otherwise_makes_the_stamp_worthless(data, hashed):
    read_manifest(data)
    path = data / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text())))
    read_as_new_process(data)
    assert hashed == SHARDS * 2


def test_each_machine_has_a_stamp_of_its_own(data, hashed, monkeypatch):
    read_manifest(data)
    monkeypatch.setattr(verification.platform, "node", lambda: "another")
    read_as_new_process(data)
    assert hashed == SHARDS * 2
    monkeypatch.undo()
    assert len(stamps(data)) == 2


def test_a_data_set_that_was_moved_is_hashed_again(data, hashed):
    read_manifest(data)
    moved = data.with_name("moved")
    data.rename(moved)
    read_as_new_process(moved)
    assert hashed == SHARDS * 2


def test_a_data_set_in_a_read_only_folder_has_its_stamp_in_the_users_cache(data, hashed, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(verification, "MARGIN_OF_CLOCKS", 0)
    refuse_to_write(monkeypatch, data)
    read_manifest(data)
    assert stamps(data) == []
    assert len(list((tmp_path / "cache" / "e2egraph" / "verified").iterdir())) == 1
    read_as_new_process(data)
    assert hashed == SHARDS
    # Written minutes ago by a server whose clock may be wrong by as much: not taken for known.
    monkeypatch.setattr(verification, "MARGIN_OF_CLOCKS", 600 * 10**9)
    shutil.rmtree(tmp_path / "cache")
    read_as_new_process(data)
    read_as_new_process(data)
    assert hashed == SHARDS * 3


def test_where_nothing_can_be_written_each_process_hashes(data, hashed, tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    refuse_to_write(monkeypatch, data)
    read_as_new_process(data)
    read_as_new_process(data)
    assert hashed == SHARDS * 2


def refuse_to_write(monkeypatch, folder):
    """As a folder does that may only be read, also to root, whom tests may run as."""

    def temporary(dir):
        raise PermissionError(13, "Permission denied", str(dir))

    real = verification.keep
    monkeypatch.setattr(verification, "TemporaryFile", temporary)
    monkeypatch.setattr(verification, "keep", lambda path, content: path.parent != folder and real(path, content))


def test_inspect_verify_always_hashes_and_finds_what_no_time_tells(data, hashed, monkeypatch, capsys):
    read_manifest(data)
    hashed.clear()
    assert main(["inspect", str(data)]) == 0
    assert hashed == []
    assert main(["inspect", str(data), "--verify"]) == 0
    assert hashed == SHARDS
    # A disk that loses a bit changes no time.
    state = {path: verification._state(path) for path in map(data.joinpath, SHARDS)}
    changed_byte(data / SHARDS[0])
    monkeypatch.setattr(verification, "_state", state.__getitem__)
    assert main(["inspect", str(data)]) == 0
    assert main(["inspect", str(data), "--verify"]) == 1
    assert "part-00000.parquet: shard altered" in capsys.readouterr().err
    # From then on everybody is told.
    with pytest.raises(InputError, match="shard altered"):
        read_as_new_process(data)


def test_verify_of_a_file_is_wrong_usage(tmp_path, capsys):
    (tmp_path / "a.root").write_bytes(b"root")
    assert main(["inspect", str(tmp_path / "a.root"), "--verify"]) == 2
    assert "--verify: is for a data set, and this is an input file" in capsys.readouterr().err


def _read_and_count(folder, counts, start):
    verification.MARGIN = 0
    real, found = verification.sha256_of, []

    def slow(path):
        found.append(path.name)
        time.sleep(0.2)
        return real(path)

    verification.sha256_of = slow
    start.wait()
    read_manifest(folder)
    counts.put(len(found))


def test_of_processes_that_start_together_one_hashes(data):
    context = multiprocessing.get_context("spawn")
    counts, start = context.Queue(), context.Barrier(3)
    ranks = [context.Process(target=_read_and_count, args=(data, counts, start)) for _ in range(3)]
    for rank in ranks:
        rank.start()
    assert sorted(counts.get(timeout=60) for _ in ranks) == [0, 0, len(SHARDS)]
    for rank in ranks:
        rank.join()


def test_a_build_leaves_its_stamp(tmp_path, hashed, monkeypatch):
    monkeypatch.setattr(verification, "MARGIN", -(10**9))
    samples = samples_of([ntuple(tmp_path / "qcd.root", 3)], [ntuple(tmp_path / "top.root", 4)])
    output = build(task(), samples, tmp_path / "data").output
    assert len(stamps(output)) == 1
    hashed.clear()
    read_as_new_process(output)
    assert hashed == []


def test_shards_of_a_build_that_has_just_ended_are_hashed_once_more(built, tmp_path, hashed):
    samples = samples_of([ntuple(tmp_path / "qcd.root", 3)], [ntuple(tmp_path / "top.root", 4)])
    output = build(task(), samples, tmp_path / "data").output
    hashed.clear()
    read_as_new_process(output)
    assert hashed == SHARDS


def test_a_folder_emptied_but_for_its_stamp_can_be_built_in(data, tmp_path):
    read_manifest(data)
    for path in data.glob("[!.]*"):
        path.unlink()
    assert stamps(data)
    samples = samples_of([ntuple(tmp_path / "qcd.root", 3)], [ntuple(tmp_path / "top.root", 4)])
    assert build(task(), samples, data).manifest.shards
