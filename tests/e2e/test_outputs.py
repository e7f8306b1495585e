"""What every command does with the output it is given, and what it names as the next command."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from e2egraph.cli import cli, main
from e2egraph.commands.console import OutputFile, OutputFolder, OutputPlot, command
from e2egraph.errors import UsageError
from e2egraph.graphs.inspecting.likely_build import likely_build
from e2egraph.graphs.storage.manifest import read_manifest
from tests.graphs.builds import SETTINGS, ntuple, parton_ntuple
from tests.toy_dataset import write_toy_dataset


def outputs(group=cli, words=()):
    """Each command's words with each option of it that names something to write."""
    for name, found in group.commands.items():
        if isinstance(found, click.Group):
            yield from outputs(found, (*words, name))
            continue
        for option in found.params:
            if isinstance(option, click.Option) and option.name in WRITTEN:
                yield (*words, name), option


# Names of options that no command has for anything else.
WRITTEN = {"output", "json_file", "plot", "masses", "triton"}

every_output = pytest.mark.parametrize(
    ("words", "option"), [pytest.param(*found, id=" ".join((*found[0], found[1].opts[0]))) for found in outputs()]
)


def test_every_command_that_writes_is_among_them():
    assert len(list(outputs())) == 25
    for words, option in outputs():
        assert isinstance(option.type, OutputFile | OutputFolder | OutputPlot), (words, option)


@every_output
def test_what_is_no_file_and_no_folder_is_refused_before_any_work_and_stays(tmp_path, capsys, words, option):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        # Nothing else is given: it is looked at first.
        assert main([*words, option.opts[0], str(tmp_path / name)]) == 1
        assert f"{name}: " in (error := capsys.readouterr().err)
        assert "pipe" in error.replace(str(tmp_path), "")
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "link").is_symlink()


@every_output
def test_an_output_that_cannot_be_written_is_refused_before_any_work(tmp_path, capsys, words, option):
    (tmp_path / "file").write_text("mine")
    assert main([*words, option.opts[0], str(tmp_path / "file" / "output")]) == 1
    error = capsys.readouterr().err
    assert error.endswith(f"file/output: cannot be written (Not a directory); choose another {option.opts[0]}.\n")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_is_written_next_to_an_output_is_refused_alike(tmp_path, capsys):
    for suffix in (".md", ".png", ".pdf"):
        os.mkfifo(tmp_path / f"a{suffix}")
    for words in (
        ["inspect", "--plot", "a.png"],
        ["inspect", "--masses", "a"],
        ["benchmark", "io", "--output", "a.json"],
    ):
        *rest, name = words
        assert main([*rest, str(tmp_path / name)]) == 1
        assert "is a named pipe" in capsys.readouterr().err
    assert main(["benchmark", "io", "--output", str(tmp_path / "b.md")]) == 2
    assert main(["compare", "run", "--output", str(tmp_path / "b"), "--json", str(tmp_path / "b")]) == 2
    assert "one and the same file" in capsys.readouterr().err


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A folder with a data set, what stands for a run and a bundle of its name, and files that commands read."""
    folder = tmp_path_factory.mktemp("given")
    write_toy_dataset(folder / "data", 20)
    for name in ("runs/a/metrics.json", "runs/a/config.yaml", "exports/a/model.onnx", "costs.json", "mine.yaml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")
    (folder / "link.json").symlink_to("data/manifest.json")
    (folder / "link.root").symlink_to("mine.yaml")
    (folder / "list").write_text("ttbar.root")
    return folder


@pytest.mark.parametrize(
    "line",
    [
        "dump-elements data --output data/part-qcd-000.parquet",
        "dump-elements data --output link.json",
        "dump-events --task mine.yaml --sample top=ttbar.root --output mine.yaml",
        "dump-events --task top --sample top=@list --output list",
        "simulate --process mine.yaml --events 1 --output link.root",
        "compare runs/a --json runs/a/metrics.json",
        "compare runs/a --bundles exports --output exports/a/model.onnx",
        "benchmark io --data data --output link.json",
        "benchmark train --data data --output data/manifest.json",
        "benchmark scaling --data data --model gravnet --output link.json",
        "benchmark infer --data data --output link.json",
        "benchmark infer --bundle exports/a --output exports/a/model.onnx",
        "benchmark kernels --model mine.yaml --output mine.yaml",
        "benchmark pareto runs/a --costs costs.json --output costs.json",
        "benchmark simulate --process mine.yaml --output mine.yaml",
        "benchmark build --sample top=costs.json --sample qcd=list --output costs.json",
    ],
)
def test_an_output_that_the_command_is_to_read_is_refused_and_stays(given, monkeypatch, capsys, line):
    monkeypatch.chdir(given)
    before = {path: path.read_bytes() for path in given.rglob("*") if path.is_file()}
    assert main(line.split()) == 1
    assert f"{line.split()[-1]}: is to be read too, as " in capsys.readouterr().err
    assert {path: path.read_bytes() for path in given.rglob("*") if path.is_file()} == before


def test_lists_of_jets_are_not_written_over_the_shards_that_a_link_leads_to(given, tmp_path, capsys):
    shard = sorted((given / "data").glob("*.parquet"))[-1]
    (tmp_path / shard.name).symlink_to(shard)
    before = shard.read_bytes()
    assert main(["dump-jets", str(given / "data"), "--output", str(tmp_path)]) == 1
    assert "is to be read too" in capsys.readouterr().err
    assert shard.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


def test_a_plot_keeps_the_name_it_is_given(tmp_path):
    convert = OutputPlot().convert
    assert convert(str(tmp_path / "a.v2"), None, None) == tmp_path / "a.v2"
    assert convert(str(tmp_path / "a.v2.pdf"), None, None) == tmp_path / "a.v2"
    with pytest.raises(UsageError, match=r"a\.jpg: plots are written as PNG and PDF"):
        convert(str(tmp_path / "a.jpg"), None, None)


def test_a_name_of_another_format_than_is_written_is_refused(tmp_path):
    convert = OutputFile(kind=".parquet").convert
    with pytest.raises(UsageError, match=r"scores\.csv: the file is written as \.parquet; give a name that ends so"):
        convert(str(tmp_path / "scores.csv"), None, None)
    for name in ("scores.parquet", "scores", "scores.v2"):
        assert convert(str(tmp_path / name), None, None) == tmp_path / name


def test_the_next_command_is_quoted_as_a_shell_takes_it():
    line = command("e2egraph", "train", "--data", Path("my data/it's"), "--sample", "top=a b.root", "--sample", "qcd=…")
    assert shlex.split(line) == [
        *("e2egraph", "train", "--data", "my data/it's", "--sample", "top=a b.root", "--sample", "qcd=…")
    ]
    assert line.endswith(" --sample qcd=…")


def test_a_file_is_offered_to_a_task_whose_objects_it_holds(tmp_path, capsys):
    (tmp_path / "my files").mkdir()
    tops, partons = ntuple(tmp_path / "my files" / "a.root", 1), parton_ntuple(tmp_path / "b.root", 2)
    assert likely_build(str(tops)) == ["--task", "top", "--sample", f"top={tops}", "--sample", "qcd=…"]
    assert likely_build(str(partons))[:3] == ["--task", "quark-gluon", "--sample"]
    # A class of whole events that its name holds is no reason to take whole events.
    named = ntuple(tmp_path / "ttbar.root", 1)
    assert likely_build(str(named)) == ["--task", "top", "--sample", f"top={named}", "--sample", "qcd=…"]
    background = ntuple(tmp_path / "qcd_1.root", 3)
    assert likely_build(str(background)) == ["--task", "top", "--sample", f"qcd={background}", "--sample", "top=…"]
    assert main(["inspect", str(tops)]) == 0
    line = capsys.readouterr().out.splitlines()[-1].partition("; next: ")[2]
    assert shlex.split(line)[4:6] == ["--sample", f"top={tops}"]


def test_a_file_of_no_shipped_task_is_offered_to_none(tmp_path, capsys):
    from tests import rhtree_files

    photons = rhtree_files.random_deposits(5, 4, truth=False)
    path = rhtree_files.write(tmp_path / "photons.root", photons, without=rhtree_files.IMAGE_PREFIXES)
    assert likely_build(str(path)) is None
    assert main(["inspect", str(path)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("next: e2egraph build-graphs --help")


def test_under_a_locale_that_is_not_utf8_everything_is_utf8_all_the_same(tmp_path):
    folder = tmp_path / "ü"
    folder.mkdir()
    words = [sys.executable, "-m", "e2egraph", "build-graphs", "--task", "top", "--output", "ü/data", "--workers", "2"]
    words += [word for setting in SETTINGS for word in ("--set", setting)]
    for seed, name in enumerate(("top", "qcd"), 1):
        words += ["--sample", f"{name}=ü/{ntuple(folder / f'{name}.root', seed).name}"]
    plain = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    done = subprocess.run(
        words, cwd=tmp_path, env={**os.environ, **plain}, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    assert "--data 'ü/data'" in done.stdout
    assert [entry.path for entry in read_manifest(folder / "data").inputs] == ["ü/qcd.root", "ü/top.root"]


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("runs/a b", "'runs/a b'"),
        ("print(p['x'])", "\"print(p['x'])\""),
        ("it's $HOME", "'it'\"'\"'s $HOME'"),
    ],
)
def test_the_next_command_is_what_a_shell_takes_and_people_read(word, shown):
    assert command("python", word) == f"python {shown}"
    assert shlex.split(command("python", word)) == ["python", word]
