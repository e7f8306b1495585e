"""Killed at any moment, by a signal nothing can catch, a build goes on to the same bytes; so it does on a cluster."""

import os
import signal
import subprocess
import sys
import time

import pytest
from distributed import LocalCluster

from e2egraph.errors import InputError, UnfinishedError
from e2egraph.graphs.building import mapper, planning
from e2egraph.graphs.building.build import BuildOptions, build
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


def test_a_worker_that_dies_is_told_and_its_build_can_go_on(tmp_path):
    with pytest.raises(UnfinishedError, match="a worker process died"), mapper.open_mapper(2) as run:
        list(run(os._exit, [9]))
