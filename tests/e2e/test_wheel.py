"""Installed from the wheel in another folder, the command works just the same."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel's content in a folder of its own, built by the project's own build backend."""
    folder = tmp_path_factory.mktemp("wheel")
    program = f"from hatchling.build import build_wheel; build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("e2egraph-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed, cwd, *words):
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-m", "e2egraph", *words]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def test_the_package_in_use_is_the_wheels(installed, tmp_path):
    program = "import e2egraph, e2egraph.config as c; print(e2egraph.__file__, c.configs_folder())"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    package, configs = done.stdout.split()
    assert Path(package).is_relative_to(installed)
    assert Path(configs).is_relative_to(installed)


def test_it_simulates_and_finds_its_configurations(installed, tmp_path):
    done = run(installed, tmp_path, "simulate", "--process", "ttbar", "--events", "3", "--output", "a.root")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.root").stat().st_size > 0
    done = run(installed, tmp_path, "build-graphs", "--task", "none", "--sample", "a=b", "--output", "c")
    assert done.returncode == 2
    assert "choose one of diphoton, diphoton-mass, ditau-mass, egamma, egamma-jets, quark-gluon, rpv, " in done.stderr


def test_every_configuration_is_inside(installed):
    inside = {path.relative_to(installed / "e2egraph") for path in (installed / "e2egraph" / "configs").rglob("*.yaml")}
    assert inside == {path.relative_to(ROOT) for path in (ROOT / "configs").rglob("*.yaml")}
