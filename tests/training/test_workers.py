"""The watch over the other processes that a training started."""

import subprocess
import sys

import pytest

from e2egraph.training import workers

PROGRAM = """
import subprocess, sys, time
from e2egraph.training import workers
workers._INTERVAL = workers._PATIENCE = 0.05
class Environment:
    creates_processes_externally, main_address, main_port = False, "127.0.0.1", 1
    def node_rank(self):
        return 0
other = "import os, sys, time; assert os.environ['WORLD_SIZE'] == '3'; "
other += "sys.exit({code}) if os.environ['LOCAL_RANK'] == '2' else {rest}"
workers.same_command = lambda: [sys.executable, "-c", other]
workers.start_workers(Environment(), 3, 1)
time.sleep({wait})
print("went on")
"""


def test_a_process_that_waits_for_one_that_failed_ends_with_a_sentence():
    program = PROGRAM.format(code=3, rest="time.sleep(300)", wait=200)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=150)
    assert done.returncode == 1
    assert done.stdout == ""
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("e2egraph: another process of this training stopped")


def test_processes_that_end_well_are_left_alone():
    program = PROGRAM.format(code=0, rest="None", wait=2)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=150)
    assert (done.returncode, done.stdout, done.stderr) == (0, "went on\n", "")


@pytest.mark.parametrize(("name", "expected"), [(None, ["{cwd}/train.py"]), ("e2egraph.__main__", ["-m", "{name}"])])
def test_the_command_is_given_again_as_it_was(monkeypatch, tmp_path, name, expected):
    monkeypatch.chdir(tmp_path)
    spec = None if name is None else type("Spec", (), {"name": name})
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", spec)
    monkeypatch.setattr(sys, "argv", ["train.py", "--seed", "1"])
    program = [word.format(cwd=tmp_path, name=name) for word in expected]
    assert workers.same_command() == [sys.executable, *program, "--seed", "1"]
