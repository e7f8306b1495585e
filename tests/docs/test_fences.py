"""Every command and snippet of README and documentation runs, in the order of its page, at a size for tests."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from e2egraph.cli import cli, main
from e2egraph.config import config_names, configs_folder, override, read_yaml, validate
from tests.docs.fences import RECORDS, ROOT, RUNNABLE, Fence, commands, fences, pages
from tests.made_once import simulated_once

WRITTEN = [page for page in pages() if not page.startswith(RECORDS)]

OWN_NETWORK = "docs/tutorials/own-network.md"
FIRST = "docs/tutorials/first-tagger.md"
# These begin with nothing; the others with what the first tagger and the commands below leave.
FROM_NOTHING = (
    "README.md",
    FIRST,
    "docs/tutorials/own-ntuples.md",
    "docs/tutorials/mass-regression.md",
    "docs/reference/python.md",
)
NEEDED = """
e2egraph train --model gravnet --data data/top --output runs/gravnet --set training.epochs=5
e2egraph train --model resnet15 --data data/top --output runs/resnet15 --set training.epochs=5
e2egraph evaluate runs/gravnet
e2egraph evaluate runs/resnet15
e2egraph export runs/gravnet --output exports/gravnet
e2egraph export runs/resnet15 --output exports/resnet15
"""
# Pages that go on where another one ends.
AFTER = {"docs/how-to/tasks.md": "docs/how-to/simulate.md"}

# Commands whose result is taken again where a page gives them with the same words.
KEPT = ("simulate", "build-graphs", "train", "evaluate", "export")

# What takes long is made small; everything else runs to the letter.
SMALLER = (
    # Few jets of QCD pass, and every split needs some.
    (r"--process qcd --events \d+", "--process qcd --events 400"),
    (r'simulate\("qcd", events=\d+', 'simulate("qcd", events=400'),
    (r"--events (1000|2000)", "--events 250"),
    (r"--events 3000", "--events 600"),
    (r"--events (100|200)\b", "--events 20"),
    (r"events=(?!400)\d+", "events=250"),
    (r"training\.epochs=\d+", "training.epochs=1"),
    (r"\bepochs=\d+", "epochs=1"),
    (r"--recipe short(?! --set training\.epochs)", "--recipe short --set training.epochs=1"),
    (r"--trials \d+", "--trials 2"),
    # Drawing what scores owe to each part takes longest; the report of the first tagger's graph is drawn in full.
    (r"e2egraph evaluate ", "e2egraph evaluate --no-report "),
    (r"e2e\.evaluate\(run\)", "e2e.evaluate(run, report=False)"),
)


class Reader:
    """Does what a page says, in the working folder; what takes long and was done by an earlier page is taken again."""

    def __init__(self, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._kept, self._monkeypatch = kept, monkeypatch

    def read(self, page: str) -> None:
        for fence in fences(page):
            if fence.reason or fence.language not in RUNNABLE:
                continue
            text = fence.text if fence.file else smaller(fence.text)
            if page == FIRST:
                text = text.replace(" --no-report runs/graph", " runs/graph")
            if fence.file:
                Path(fence.file).write_text(text)
            if fence.language == "yaml":
                check_yaml(fence)
            elif fence.language == "python" and not fence.file:
                exec(compile(text, str(fence), "exec"), {"__name__": "__main__"})
            elif fence.language in ("bash", "sh"):
                self.run(text, str(fence))

    def run(self, text: str, where: str) -> None:
        for words in commands(text):
            if words == ["export", "PYTHONPATH=."]:
                self._monkeypatch.syspath_prepend(str(Path.cwd()))
                continue
            assert words[0] == "e2egraph", f"{where}: {words[0]} cannot be run here; say why, as 'no-run: …'"
            if not self._taken(words):
                assert main(words[1:]) == 0, f"{where}: {shlex.join(words)}"
                self._keep(words)

    def _name(self, words: list[str]) -> tuple[Path, Path] | None:
        """Where the result of these words is kept, and where it belongs; None for words that are never left out."""
        if words[1] not in KEPT or any(word.endswith(".yaml") or word == "--triton" for word in words):
            return None
        if "--output" not in words:
            return self._name_evaluated(words)
        output = words.index("--output")
        return self._kept / kept_name([*words[1:output], *words[output + 2 :]]), Path(words[output + 1])

    def _name_evaluated(self, words: list[str]) -> tuple[Path, Path] | None:
        """The same of an evaluation into its run; one with a report serves those without."""
        place = next(number for number, word in enumerate(words) if (Path(word) / "checkpoints").is_dir())
        weights = hashlib.sha256((Path(words[place]) / "checkpoints" / "best.ckpt").read_bytes()).hexdigest()
        rest = [word for word in (*words[1:place], *words[place + 1 :]) if word != "--no-report"]
        return self._kept / kept_name([*rest, weights]), Path(words[place])

    def _taken(self, words: list[str]) -> bool:
        named = self._name(words)
        if named is None or not named[0].exists():
            return False
        shutil.rmtree(named[1], ignore_errors=True)  # a run before its evaluation
        copy(*named)
        return True

    def _keep(self, words: list[str]) -> None:
        named = self._name(words)
        if named is not None and not named[0].exists():
            copy(named[1], named[0])


def kept_name(words: list[str]) -> str:
    """The name under which the result of these words is kept."""
    return hashlib.sha256(" ".join(words).encode()).hexdigest()


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def smaller(text: str) -> str:
    """A text with what takes long made small, and continued lines joined."""
    text = re.sub(r" *\\\n\s*", " ", text)
    for pattern, replacement in SMALLER:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    return text


def check_yaml(fence: Fence) -> None:
    """A snippet of a configuration is one: alone, or in the place of these keys in a shipped one."""
    from e2egraph.events.samples import SampleList
    from e2egraph.models.registry import ModelConfig
    from e2egraph.simulation.generation.process import ProcessConfig
    from e2egraph.tasks.task import make_task
    from e2egraph.training.tuning.space import read_space

    content, where = yaml.safe_load(fence.text), str(fence)
    shipped = configs_folder()
    if "samples" in content:
        validate(SampleList, content, where)
    elif "network" in content:
        validate(ModelConfig, content, where)
    elif {"generator", "cross_section"} & set(content):
        rest = {} if "title" in content else read_yaml(shipped / "processes/multijets_600_800.yaml")
        process = rest | content
        process["generator"].pop("slha", None)  # a file of the reader's
        validate(ProcessConfig, process, where)
    elif "object" in content:
        make_task(content, where)
    elif "objective" in content:
        make_task(override(read_yaml(shipped / "tasks/top-mass.yaml") | content, []), where)
    else:
        Path("space.yaml").write_text(fence.text)
        assert read_space("space.yaml").dimensions, where


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where results of commands are kept; two simulations are those of tests/api too."""
    folder = tmp_path_factory.mktemp("kept")
    for seed, (process, events) in enumerate((("ttbar", 250), ("qcd", 400)), start=1):
        words = ["--process", process, "--events", str(events), "--seed", str(seed), "--no-images"]
        copy(simulated_once(tmp_path_factory, *words), folder / kept_name(["simulate", *words]))
    return folder


@pytest.fixture(scope="module")
def made(kept: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader's folder after the first tagger, with a run and a bundle of gravnet and resnet15."""
    folder = tmp_path_factory.mktemp("reader")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        reader = Reader(kept, patch)
        reader.read(FIRST)
        reader.run(smaller(NEEDED), "NEEDED")
    return folder


@pytest.mark.journey
def test_the_first_tagger_leaves_what_it_says(made: Path) -> None:
    for written in ("event.png", "jet.png", "masses.png", "runs/graph/report.html", "exports/graph/model.onnx"):
        assert (made / written).stat().st_size > 0
    assert (made / "scores.parquet").stat().st_size > 0


READ = [
    page
    for page in WRITTEN
    if page != FIRST and any(fence.language in RUNNABLE and not fence.reason for fence in fences(page))
]


@pytest.mark.journey
@pytest.mark.parametrize("page", READ)
def test_a_page_says_what_works(
    page: str, made: Path, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if page not in FROM_NOTHING:
        shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    modules = set(sys.modules)
    reader = Reader(kept, monkeypatch)
    if page in AFTER:
        reader.read(AFTER[page])
    reader.read(page)
    for name in set(sys.modules) - modules:
        if getattr(sys.modules[name], "__file__", None) and Path(str(sys.modules[name].__file__)).parent == tmp_path:
            del sys.modules[name]
    if page == OWN_NETWORK:
        for name, network in (("mine", "mine:Mine"), ("my-kernel", "my_kernel:MyNetwork")):
            config = json.loads(Path(f"exports/{name}/metadata.json").read_text())["info"]["model_config"]
            assert (config["network"], config["options"]["width"]) == (network, 16)
        assert 0.0 <= json.loads(Path("runs/mine/metrics.json").read_text())["auc"] <= 1.0


def test_every_fence_runs_is_saved_or_says_why_not() -> None:
    for page in WRITTEN:
        for fence in fences(page):
            assert fence.language, f"{fence}: no language; 'text' is for what nobody runs"
            assert fence.language in (*RUNNABLE, "text", "mermaid"), fence
            assert fence.language != "cpp" or fence.reason, f"{fence}: C++ is not compiled here; say what does it"


def options(name: str, rest: list[str]) -> set[str]:
    """The options of a command, or of the command of a group that ``rest`` names."""
    command = cli.commands[name]
    inner = getattr(command, "commands", {})
    if inner:
        command = inner[next(word for word in rest if word in inner)]
    return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}


def test_commands_that_do_not_run_here_exist_with_all_their_options() -> None:
    seen = 0
    for page in pages():
        for fence in fences(page):
            if fence.language in ("python", "yaml", "cpp", "text") or (page in WRITTEN and not fence.reason):
                continue
            for line in re.sub(r"\\\n\s*", " ", fence.text).splitlines():
                found = re.search(r"(?:^|[\s;])e2egraph ([a-z-]+)\b([^;|#]*)", line)
                if found is None:
                    continue
                name, rest = found.groups()
                assert name in cli.commands, f"{fence}: no command {name}"
                unknown = set(re.findall(r"(?<=\s)--[a-z][\w-]*", rest)) - {"--help"}
                assert unknown <= options(name, rest.split()), f"{fence}: {line}"
                seen += 1
    assert seen > 50


def test_files_that_pages_name_exist() -> None:
    for page in pages():
        text = (ROOT / page).read_text(encoding="utf-8")
        for name in re.findall(r"`((?:configs|scripts|tests)/[\w/.-]*\w)`", text):
            assert (ROOT / name).exists(), f"{page}: {name}"
        for target in re.findall(r"\]\(([^()\s#]+)(?:#[\w-]*)?\)", text):
            if not re.match(r"[a-z]+:", target) and "docs/generated/" not in str(
                (ROOT / page).parent.joinpath(target).resolve()
            ):
                assert (ROOT / page).parent.joinpath(target).exists(), f"{page}: {target}"


def test_every_command_is_in_the_table_and_most_run_on_some_page() -> None:
    table = (ROOT / "docs/reference/commands.md").read_text()
    assert [name for name in cli.commands if f"[`{name}`]" not in table] == []
    run = [fence for page in (FIRST, *READ) for fence in fences(page) if fence.language == "bash" and not fence.reason]
    shown = {words[1] for fence in run for words in commands(fence.text) if words[0] == "e2egraph"}
    # Benchmarks take long; tests of their own run these.
    assert set(cli.commands) - shown <= {"benchmark"}


def test_every_shipped_task_and_model_is_in_its_table() -> None:
    tasks, models = ((ROOT / "docs" / name).read_text() for name in ("how-to/tasks.md", "reference/models.md"))
    assert [name for name in config_names("tasks") if f"`{name}`" not in tasks] == []
    short = {f"tracks-and-cells{size}": f"`{size}`" for size in ("-small", "-large")}
    assert [name for name in config_names("models") if short.get(name, f"`{name}`") not in models] == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= 8000
