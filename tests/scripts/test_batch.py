"""The submission examples, run with stand-ins for what only a cluster has."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from e2egraph.cli import cli
from e2egraph.config import config_names

BATCH = Path(__file__).parents[2] / "scripts" / "batch"
SCRIPTS = sorted(BATCH.glob("*.sh"))

# Each stand-in notes how it was called. Training ends with $CODE; with CODE=wait it waits for SIGTERM, then ends as
# e2egraph does.
STAND_INS = {
    "e2egraph": """echo "e2egraph $*" >>"$CALLS"
if [ "$CODE" != wait ]; then exit "$CODE"; fi
trap 'exit 143' TERM
touch "$CALLS.waiting"
while true; do sleep 0.05; done""",
    "srun": 'while [[ $1 == -* ]]; do shift; done; exec "$@"',
    "torchrun": """while [ "$1" != -m ]; do shift; done; shift
"$@" & child=$!
trap 'kill -TERM $child; wait $child; exit 1' TERM
wait $child""",
    "scontrol": """echo "scontrol $*" >>"$CALLS"
if [ "$1" = show ]; then echo node1; echo node2; fi""",
}


@pytest.fixture
def cluster(tmp_path):
    """An environment with the stand-ins, and the file that they write to."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, body in STAND_INS.items():
        (folder / name).write_text(f"#!/usr/bin/env bash\n{body}\n")
        (folder / name).chmod(0o755)
    calls = tmp_path / "calls"
    slurm = {"SLURM_JOB_ID": "77", "SLURM_CPUS_PER_TASK": "8", "SLURM_NNODES": "2", "SLURM_JOB_NODELIST": "node[1-2]"}
    return {**os.environ, **slurm, "PATH": f"{folder}:{os.environ['PATH']}", "CALLS": str(calls)}, calls


def arguments(script):
    return ["bash", str(BATCH / script), "gravnet", "data/top", "run"]


def run(script, cluster, tmp_path, code):
    environment, calls = cluster
    done = subprocess.run(arguments(script), cwd=tmp_path, env=environment | {"CODE": str(code)}, capture_output=True)
    return done.returncode, calls.read_text().splitlines()


def stop(script, cluster, tmp_path, **more):
    """Run until it trains, send the script SIGTERM; exit code and calls."""
    environment, calls = cluster
    process = subprocess.Popen(arguments(script), cwd=tmp_path, env=environment | {"CODE": "wait"} | more)
    for _ in range(600):
        if calls.with_name("calls.waiting").exists() or process.poll() is not None:
            break
        time.sleep(0.05)
    if not more:
        process.send_signal(signal.SIGTERM)
    return process.wait(30), calls.read_text().splitlines()


@pytest.mark.parametrize("script", [path.name for path in SCRIPTS])
def test_the_commands_of_a_script_are_ones_that_e2egraph_takes(script, cluster, tmp_path):
    code, calls = run(script, cluster, tmp_path, 0)
    assert code == 0
    (given,) = (call.split()[1:] for call in calls if call.startswith("e2egraph "))
    command = cli.commands[given[0]]
    options = command.make_context(given[0], given[1:]).params
    assert options["model"] == "gravnet"
    assert (options["data"], options["output"]) == (Path("data/top"), Path("run"))
    assert options["recipe"] in config_names("recipes")
    assert not [call for call in calls if "requeue" in call]


@pytest.mark.parametrize("script", ["slurm_train.sh", "slurm_tune.sh"])
def test_a_stopped_slurm_job_queues_again_and_a_failed_one_does_not(script, cluster, tmp_path):
    code, calls = run(script, cluster, tmp_path, 143)
    assert (code, calls[-1]) == (143, "scontrol requeue 77")
    cluster[1].unlink()
    code, calls = run(script, cluster, tmp_path, 1)
    assert code == 1
    assert not [call for call in calls if "requeue" in call]


def test_several_nodes_are_told_to_stop_and_queue_again(cluster, tmp_path):
    _, calls = stop("slurm_multi_node.sh", cluster, tmp_path)
    assert calls[-1] == "scontrol requeue 77"


def test_several_nodes_that_finish_while_told_to_stop_do_not_queue_again(cluster, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "summary.json").touch()
    _, calls = stop("slurm_multi_node.sh", cluster, tmp_path)
    assert not [call for call in calls if "requeue" in call]


def test_an_evicted_condor_job_says_that_its_checkpoint_is_written(cluster, tmp_path):
    assert stop("condor_train.sh", cluster, tmp_path)[0] == 85


def test_a_condor_job_brings_its_checkpoint_to_safety_after_a_period(cluster, tmp_path):
    assert stop("condor_train.sh", cluster, tmp_path, PERIOD="1s")[0] == 85


def test_a_failed_condor_job_does_not_look_like_a_stopped_one(cluster, tmp_path):
    assert run("condor_train.sh", cluster, tmp_path, 1)[0] == 1


def test_the_submit_file_and_its_script_agree():
    lines = [line for line in (BATCH / "condor_train.sub").read_text().splitlines() if line and line[0] not in "#+"]
    given = {
        key.strip(): value.strip() for key, separator, value in (line.partition("=") for line in lines) if separator
    }
    assert lines[-1] == "queue"
    script = BATCH.parents[1] / given["executable"]
    assert os.access(script, os.X_OK)
    assert f"exit {given['checkpoint_exit_code']}" in script.read_text()
    model, data, output = given["arguments"].split()
    assert model in config_names("models")
    assert Path(given["transfer_input_files"]).name == data
    assert given["transfer_output_files"] == given["transfer_checkpoint_files"] == output
    assert given["kill_sig"] == "SIGTERM"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_every_script_is_valid_bash_and_can_be_executed(script):
    assert subprocess.run([shutil.which("bash"), "-n", script], check=False).returncode == 0
    assert os.access(script, os.X_OK)
