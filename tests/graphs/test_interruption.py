"""Killed at any moment, by a signal nothing can catch, a build goes on to the same bytes; so it does on a cluster."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from distributed import LocalCluster

from e2egraph.errors import InputError, UnfinishedError
from e2egraph.graphs.building import build as build_module
from e2egraph.graphs.building import mapper, planning, staging
from e2egraph.graphs.building.build import BuildOptions, build
from e2egraph.graphs.making import chunk
from tests.graphs.builds import SETTINGS, content, damaged_ntuple, ntuple, samples_of, task

EVENTS_PER_SHARD = 3

PROGRAM = f"""
import sys
from e2egraph.graphs.building import planning
planning.EVENTS_PER_SHARD = {EVENTS_PER_SHARD}
from e2egraph.cli import main
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ntuples")
    return {name: ntuple(folder / f"{name}.root", seed, events=24) for name, seed in (("qcd", 1), ("top", 2))}


@pytest.fixture(scope="module")
def expected(files, tmp_path_factory):
    """What an undisturbed build in this process gives."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "EVENTS_PER_SHARD", EVENTS_PER_SHARD)
        output = tmp_path_factory.mktemp("data") / "top"
        return content(build(task(), samples_of([files["qcd"]], [files["top"]]), output).output)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(planning, "EVENTS_PER_SHARD", EVENTS_PER_SHARD)


def command(files, output, workers, folder):
    program = folder / "program.py"
    program.write_text(PROGRAM)
    words = ["build-graphs", "--task", "top", "--output", output, "--workers", workers]
    words += [word for name in ("qcd", "top") for word in ("--sample", f"{name}={files[name]}")]
    words += [word for setting in SETTINGS for word in ("--set", setting)]
    return [sys.executable, str(program), *map(str, words)]


@pytest.mark.parametrize(
    ("workers", "moment"),
    [(1, "plan.json"), (1, "part-00006.parquet"), (2, "part-00003.parquet"), (1, "part-00015.parquet")],
)
def test_kill_9_and_the_same_command_again_give_the_same_bytes(files, expected, tmp_path, workers, moment):
    output, staging = tmp_path / "top", tmp_path / "top.partial"
    words = command(files, output, workers, tmp_path)
    process = subprocess.Popen(words, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (staging / moment).exists() and not (output / moment).exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.0005)
    # Only the process that the user sees; its workers must not live on.
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    while alive(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    if moment != "part-00015.parquet":  # after the last shard the rename may have come first
        assert not output.exists()
        assert staging.is_dir()
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert content(output) == expected
    assert not staging.exists()


@pytest.mark.parametrize("where", ["link", "link to nothing", "working folder", "mount point"])
def test_an_output_that_is_there_stays_what_it_is_and_holds_the_same_bytes(
    files, expected, tmp_path, where, monkeypatch
):
    output, given = tmp_path / "top", samples_of([files["qcd"]], [files["top"]])
    if "link" in where:
        output.symlink_to("elsewhere")
    if where != "link to nothing":
        output.resolve().mkdir()
    if where == "working folder":
        monkeypatch.chdir(output)
    named = Path() if where == "working folder" else output
    with mounted(output) if where == "mount point" else nullcontext():
        before = output.lstat()
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            killed_after(patch, 5)
            build(task(), given, named)
        assert not (output / "manifest.json").exists()
        assert not build(task(), given, named).already_complete
        assert content(output) == expected
        assert os.path.samestat(before, output.lstat())
        assert build(task(), given, named).already_complete


@contextmanager
def mounted(folder):
    """A file system of its own at a folder."""
    if subprocess.run(["mount", "-t", "tmpfs", "none", str(folder)], capture_output=True, check=False).returncode:
        pytest.skip("mounting needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def killed_after(monkeypatch, shards):
    """The build ends, as by Ctrl-C, once so many shards are written."""
    real, written = chunk.write_shard, []

    def write(*given):
        if len(written) == shards:
            raise KeyboardInterrupt
        written.append(given)
        real(*given)

    monkeypatch.setattr(chunk, "write_shard", write)


@pytest.mark.parametrize(
    ("step", "what"),
    [(build_module, "write_manifest"), (Path, "replace"), (staging, "clear_up")],
    ids=["before the manifest", "a rename that fails", "after the rename"],
)
@pytest.mark.parametrize("there", [False, True])
def test_a_kill_between_the_last_steps_or_a_rename_that_fails_leaves_what_the_next_run_ends(
    files, expected, tmp_path, monkeypatch, there, step, what
):
    output, given = tmp_path / "top", samples_of([files["qcd"]], [files["top"]])
    if there:
        output.mkdir()
    real = getattr(step, what)

    def fails(path, *others):
        if step is not Path:
            raise KeyboardInterrupt
        if path.name in ("top.partial", "manifest.json") or others[0].name == "manifest.json":
            raise OSError(errno.EPERM, "Operation not permitted")
        return real(path, *others)

    with monkeypatch.context() as patch:
        patch.setattr(step, what, fails)
        with pytest.raises((KeyboardInterrupt, UnfinishedError)) as caught:
            build(task(), given, output)
    if step is Path:
        assert "cannot be written (Operation not permitted)" in str(caught.value)
    assert build(task(), given, output).already_complete == (what == "clear_up")
    assert content(output) == expected
    assert [path.name for path in tmp_path.iterdir()] == ["top"]


def test_other_things_in_a_folder_that_is_built_in_are_refused_and_stay(files, tmp_path, monkeypatch):
    output, given = tmp_path / "top", samples_of([files["qcd"]], [files["top"]])
    output.mkdir()
    killed_after(monkeypatch, 2)
    with pytest.raises(KeyboardInterrupt):
        build(task(), given, output)
    (output / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="the folder holds other things"):
        build(task(), given, output)
    assert (output / "thesis.tex").read_text() == "years of work"


def alive(group):
    """Whether any process of a group is left (zombies that nobody waits for aside)."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    listed = subprocess.run(["ps", "-o", "stat=", "-g", str(group)], capture_output=True, text=True, check=False)
    return any(not state.startswith("Z") for state in listed.stdout.split())


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1", silence_logs=50
    ) as local:
        yield local


def test_a_dask_cluster_gives_the_same_bytes(files, expected, cluster, tmp_path):
    options = BuildOptions(dask=cluster.scheduler_address)
    steps = []
    summary = build(
        task(),
        samples_of([files["qcd"]], [files["top"]]),
        tmp_path / "top",
        options=options,
        progress=lambda done, of: steps.append((done, of)),
    )
    assert content(summary.output) == expected
    assert steps[-1] == (32, 32)


def test_a_bad_file_met_on_a_cluster_is_told_as_at_home(files, cluster, tmp_path):
    bad = damaged_ntuple(tmp_path / "bad.root", 3)
    with pytest.raises(InputError, match=r"bad\.root: ecal_energy of entry 11 holds NaN or infinite values"):
        build(
            task(),
            samples_of([files["qcd"]], [bad]),
            tmp_path / "top",
            options=BuildOptions(dask=cluster.scheduler_address),
        )
    assert [path.name for path in tmp_path.iterdir()] == ["bad.root"]


def test_a_scheduler_that_does_not_answer_is_an_input_error(files, tmp_path, monkeypatch):
    monkeypatch.setattr(mapper, "PATIENCE", 0.3)
    for address in ("tcp://127.0.0.1:9", "nonsense"):
        with pytest.raises(InputError, match=f"--dask {address}: no scheduler answers"):
            build(
                task(), samples_of([files["qcd"]], [files["top"]]), tmp_path / "top", options=BuildOptions(dask=address)
            )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["processes", "cluster"])
def test_when_a_piece_of_work_fails_no_other_is_at_work_and_the_first_of_the_failures_is_told(tmp_path, request, where):
    """What they write to is removed next."""
    address = request.getfixturevalue("cluster").scheduler_address if where == "cluster" else None
    items = [(tmp_path, number) for number in range(40)]
    with mapper.open_mapper(2, address) as run:
        with pytest.raises(InputError, match="item 5 is bad"):
            list(run(slow_unless_bad, items))
        there = set(tmp_path.iterdir())
        time.sleep(0.5)
        assert set(tmp_path.iterdir()) == there
        assert len(there) < len(items) - 10  # what had not begun was not begun
        assert list(run(abs, [-3, 2, -1])) == [3, 2, 1]


def slow_unless_bad(item):
    folder, number = item
    time.sleep(0.15 if number == 5 else 0.0 if number == 6 else 0.2)
    if number in (5, 6):
        raise InputError(f"item {number} is bad")
    (folder / str(number)).touch()


def test_a_folder_that_cannot_be_removed_does_not_hide_the_bad_file_and_the_next_run_takes_it(
    files, expected, tmp_path, monkeypatch
):
    bad = damaged_ntuple(tmp_path / "bad.root", 3, events=24)

    def never(*_):
        raise OSError(errno.ENOTEMPTY, "Directory not empty")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", never)
        patch.setattr(Path, "rmdir", never)
        with pytest.raises(InputError, match=r"bad\.root: ecal_energy of entry 23 holds NaN"):
            build(task(), samples_of([files["qcd"]], [bad]), tmp_path / "top")
    assert (tmp_path / "top.partial").is_dir()
    assert content(build(task(), samples_of([files["qcd"]], [files["top"]]), tmp_path / "top").output) == expected


def test_on_a_file_system_without_locks_a_build_is_made_and_the_user_told(files, expected, tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    said = []
    summary = build(task(), samples_of([files["qcd"]], [files["top"]]), tmp_path / "top", say=said.append)
    assert content(summary.output) == expected
    assert said == [f"the file system of {tmp_path}/top.partial has no locks; start no second build in this folder"]


def test_a_worker_that_dies_is_told_and_its_build_can_go_on(tmp_path):
    with pytest.raises(UnfinishedError, match="a worker process died"), mapper.open_mapper(2) as run:
        list(run(os._exit, [9]))
