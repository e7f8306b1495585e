"""Installed from the wheel in another folder, the command works just the same; wheel and sdist can be published."""

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

import e2egraph

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with wheel and sdist, built by the project's own build backend."""
    folder = tmp_path_factory.mktemp("dist")
    program = (
        f"from hatchling.build import build_sdist, build_wheel; "
        f"build_wheel({str(folder)!r}); build_sdist({str(folder)!r})"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """The wheel installed by pip in a folder of its own, without what it depends on."""
    folder = tmp_path_factory.mktemp("wheel")
    (wheel,) = built.glob("e2egraph-*.whl")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--target", str(folder / "site"), str(wheel)], check=True, capture_output=True)
    return folder / "site"


def test_wheel_and_sdist_pass_the_checks_of_an_index(built):
    files = sorted(map(str, built.iterdir()))
    assert [Path(file).suffix for file in files] == [".whl", ".gz"]
    done = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_sdist_holds_what_a_contributor_needs_and_no_made_pages(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {"CHANGELOG.md", "CONTRIBUTING.md", "CITATION.cff", "docs/conf.py", "scripts/test.sh", "README.md"}
    assert not [name for name in names if name.startswith(("docs/generated/", ".venv/", "build/"))]


def test_the_version_is_the_same_everywhere(built):
    version = e2egraph.__version__
    assert all(re.match(rf"e2egraph-{re.escape(version)}(-|\.tar)", path.name) for path in built.iterdir())
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    changes = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert changes[0] == version


def test_without_anything_else_it_says_its_version(installed, tmp_path):
    program = "import e2egraph; print(e2egraph.__version__)"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    # -S: no site-packages, as in an empty environment
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == e2egraph.__version__


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
    tasks = sorted(path.stem for path in (ROOT / "configs" / "tasks").glob("*.yaml"))
    assert f"choose one of {', '.join(tasks)}, " in done.stderr


def test_every_configuration_is_inside(installed):
    inside = {path.relative_to(installed / "e2egraph") for path in (installed / "e2egraph" / "configs").rglob("*.yaml")}
    assert inside == {path.relative_to(ROOT) for path in (ROOT / "configs").rglob("*.yaml")}
