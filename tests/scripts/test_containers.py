"""What can be known of the images without building them: that what they name exists and that the pins fit."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "scripts" / "containers"
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
DEFINITION = (FOLDER / "e2egraph.def").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

KNOWN = {"ARG", "FROM", "ENV", "WORKDIR", "RUN", "COPY", "USER", "ENTRYPOINT", "CMD"}


def instructions():
    """(instruction, the rest) of the Dockerfile, continued lines joined, comments left out."""
    lines = [line for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [tuple(line.split(maxsplit=1)) for line in joined.splitlines()]


def section(name):
    """Lines of a section of the Apptainer definition."""
    found = re.search(rf"^%{name}\n(.*?)(?=^%|\Z)", DEFINITION, flags=re.MULTILINE | re.DOTALL)
    return [line.strip() for line in found[1].splitlines() if line.strip()]


def copied():
    """What the two take from the checkout."""
    from_docker = [
        source
        for name, rest in instructions()
        if name == "COPY" and "--from" not in rest
        for source in shlex.split(rest)[:-1]
    ]
    return {"docker": set(from_docker), "apptainer": {line.split()[0] for line in section("files")}}


def pip_installs():
    """Words of every pip install in the two."""
    definition = " ".join(section("post")).replace("\\", " ")
    texts = [rest for name, rest in instructions() if name == "RUN"] + [definition]
    return [shlex.split(words) for text in texts for words in re.findall(r"pip install (.*?)(?= cd /|$)", text)]


def test_only_known_instructions_and_sections_are_used():
    assert {name for name, _ in instructions()} <= KNOWN
    assert re.findall(r"^%(\w+)", DEFINITION, flags=re.MULTILINE) == [
        "arguments",
        "files",
        "post",
        "environment",
        "runscript",
        "test",
    ]


def test_both_take_the_same_files_and_all_exist_and_none_is_ignored():
    taken = copied()
    assert taken["docker"] == taken["apptainer"]
    assert all((ROOT / name).exists() for name in taken["docker"])
    ignore = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    assert {line[1:] for line in ignore if line.startswith("!")} == taken["docker"]


def test_what_the_build_of_the_package_needs_is_taken():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {
        *wheel["packages"],
        *wheel["force-include"],
        PROJECT["readme"],
        *PROJECT["license-files"],
        "pyproject.toml",
    }
    assert needed <= copied()["docker"]


def test_every_install_is_held_to_the_constraints_file():
    installs = pip_installs()
    assert len(installs) == 3
    for words in installs:
        assert words[words.index("--constraint") + 1] == "scripts/constraints.txt"


def test_both_have_the_same_arguments_with_the_same_defaults():
    docker = [shlex.split(rest)[0].partition("=") for name, rest in instructions() if name == "ARG"]
    apptainer = [line.partition("=") for line in section("arguments")]
    assert {name: value for name, _, value in docker} == {name: value for name, _, value in apptainer}
    assert set(re.findall(r"{{ (\w+) }}", DEFINITION)) == {name for name, _, _ in apptainer}


def test_the_python_is_one_the_package_runs_on():
    default = dict(line.split("=", 1) for line in section("arguments"))["PYTHON"]
    oldest = PROJECT["requires-python"].removeprefix(">=")
    assert tuple(map(int, default.split("."))) >= tuple(map(int, oldest.split(".")))


@pytest.mark.parametrize("extra", ["", *dict(line.split("=", 1) for line in section("arguments"))["EXTRAS"].split(",")])
def test_the_pins_fit_everything_that_is_installed(extra):
    lines = (ROOT / "scripts" / "constraints.txt").read_text().splitlines()
    pins = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}
    for text in PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        assert name in pins, f"{name} is not pinned"
        assert requirement.specifier.contains(pins[name]), f"{text}: {pins[name]} is pinned"


def test_the_image_runs_as_nobody_in_particular():
    users = [rest for name, rest in instructions() if name == "USER"]
    assert users == ["e2egraph"]
    assert [name for name, _ in instructions()].index("USER") > max(
        number for number, (name, _) in enumerate(instructions()) if name in ("RUN", "COPY")
    )
