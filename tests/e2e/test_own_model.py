"""The README's models of one's own, as they stand there, through the command line."""

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from e2egraph.cli import main
from tests.toy_dataset import write_toy_dataset

README = (Path(__file__).parents[2] / "README.md").read_text()
SECTION = README.split("## A model of your own\n")[1].split("\n## ")[0]
NETWORK, KERNEL = re.findall(r"```python\n(.*?)```", SECTION, flags=re.DOTALL)
(YAML,) = re.findall(r"```yaml\n(.*?)```", SECTION, flags=re.DOTALL)
(COMMANDS,) = re.findall(r"```sh\n(.*?)```", SECTION, flags=re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with data, outside the package, as the working directory."""
    monkeypatch.chdir(tmp_path)
    write_toy_dataset(tmp_path / "data/top", 120)
    return tmp_path


def run(commands: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for command in commands.splitlines():
        path, program, *words = shlex.split(command.replace("epochs=5", "epochs=1"))
        assert (path, program) == ("PYTHONPATH=.", "e2egraph")
        monkeypatch.syspath_prepend(str(Path.cwd()))
        assert main(words) == 0, command


def test_the_readmes_network_trains_and_leaves_as_onnx(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mine.py").write_text(NETWORK)
    Path("mine.yaml").write_text(YAML)
    run(COMMANDS, monkeypatch)
    metadata = json.loads(Path("exports/mine/metadata.json").read_text())
    expected = {"name": "mine", "network": "mine:Mine", "options": {"width": 16}, "hide": []}
    assert metadata["info"]["model_config"] == expected
    assert 0.0 <= json.loads(Path("runs/mine/metrics.json").read_text())["auc"] <= 1.0


def test_the_readmes_kernel_trains_and_leaves_as_onnx(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, options = re.findall(r"`(network: my_kernel:\w+)`, `(options: {[^}]*})`", SECTION)[0]
    Path("my_kernel.py").write_text(KERNEL)
    Path("mine.yaml").write_text(f"name: my-kernel\n{network}\n{options}\n")
    run(COMMANDS, monkeypatch)
    config = json.loads(Path("exports/mine/metadata.json").read_text())["info"]["model_config"]
    assert config["options"].items() >= yaml.safe_load(options)["options"].items()
    assert config["network"] == "my_kernel:MyNetwork"
