"""Mistakes end with the right exit code and one sentence on fault and remedy; nothing is left behind."""

import subprocess
import sys

import pytest

from tests import rhtree_files


def says(error, *names):
    lines = error.strip().splitlines()
    assert len(lines) == 1, error
    assert lines[0].startswith("e2egraph: ")
    for name in names:
        assert name in lines[0]


@pytest.fixture(scope="module")
def ntuple(tmp_path_factory):
    path = tmp_path_factory.mktemp("ntuple") / "good.root"
    return rhtree_files.write(path, rhtree_files.random_deposits(5), without=rhtree_files.IMAGE_PREFIXES)


def test_missing_file(run, tmp_path, ntuple):
    words = ("build-graphs", "--task", "top", "--sample", f"qcd={ntuple}", "--output", tmp_path / "data")
    code, _, error = run(*words, "--sample", f"top={tmp_path}/gone.root")
    assert code == 1
    says(error, "gone.root", "no such file")
    assert list(tmp_path.iterdir()) == []


def test_not_a_root_file(run, tmp_path, ntuple):
    (tmp_path / "page.root").write_text("<html>not found</html>")
    words = ("build-graphs", "--task", "top", "--sample", f"qcd={ntuple}", "--output", tmp_path / "data")
    code, _, error = run(*words, "--sample", f"top={tmp_path}/page.root")
    assert code == 1
    says(error, "page.root", "not a readable ROOT file")
    assert not (tmp_path / "data").exists()


def test_wrong_tree(run, tmp_path, ntuple):
    deposits = rhtree_files.random_deposits(2)
    other = rhtree_files.write(tmp_path / "other.root", deposits, tree="events", without=rhtree_files.IMAGE_PREFIXES)
    words = ("build-graphs", "--task", "top", "--sample", f"qcd={ntuple}", "--output", tmp_path / "data")
    code, _, error = run(*words, "--sample", f"top={other}")
    assert code == 1
    says(error, "other.root", "fevt/RHTree", "events")


def test_missing_branch(run, tmp_path, ntuple):
    poor = rhtree_files.write(
        tmp_path / "poor.root", rhtree_files.random_deposits(2), without=("ecal_", "ECAL_energy", "EB")
    )
    words = ("build-graphs", "--task", "top", "--sample", f"qcd={ntuple}", "--output", tmp_path / "data")
    code, _, error = run(*words, "--sample", f"top={poor}")
    assert code == 1
    says(error, "poor.root", "ecal_energy", "ECAL_energy")
    assert not (tmp_path / "data").exists()


def test_no_jet_selected(run, tmp_path, ntuple):
    words = ("build-graphs", "--task", "top", "--sample", f"qcd={ntuple}", "--output", tmp_path / "data")
    code, _, error = run(*words, "--sample", f"top={ntuple.with_name('gone*')}")
    assert code == 1
    says(error, "no file matches")
    other = rhtree_files.write(
        tmp_path / "o.root", rhtree_files.random_deposits(5, 2), without=rhtree_files.IMAGE_PREFIXES
    )
    code, _, error = run(*words, "--sample", f"top={other}", "--set", "object.pt_min=9999")
    assert code == 1
    says(error, "class 'qcd'", "no object selected", "object")
    assert not (tmp_path / "data").exists()


def test_unknown_task_model_process_and_option(run, tmp_path):
    for words, names in (
        (("build-graphs", "--task", "tops", "--sample", "a=b", "--output", tmp_path / "d"), ("tops", "top")),
        (("train", "--model", "gravity", "--data", tmp_path, "--output", tmp_path / "r"), ("gravity", "gravnet")),
        (("simulate", "--process", "zz", "--events", "1", "--output", tmp_path / "a.root"), ("zz", "ttbar")),
        (("simulate", "--process", "ttbar", "--events", "0", "--output", tmp_path / "a.root"), ("--events",)),
        (("simulate", "--proces", "ttbar"), ("--proces",)),
        (("trian",), ("trian",)),
    ):
        code, _, error = run(*words)
        assert code == 2, words
        says(error, *names)
    assert list(tmp_path.iterdir()) == []


def test_an_output_folder_with_other_content(run, tmp_path, ntuple):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.tex").write_text("years of work")
    words = ("build-graphs", "--task", "top", "--sample", f"qcd={ntuple}", "--output", tmp_path / "data")
    other = rhtree_files.write(
        tmp_path / "o.root", rhtree_files.random_deposits(5, 2), without=rhtree_files.IMAGE_PREFIXES
    )
    code, _, error = run(*words, "--sample", f"top={other}")
    assert code == 1
    says(error, str(tmp_path / "data"), "holds other things")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["thesis.tex"]


def test_a_file_given_for_two_classes(run, tmp_path, ntuple):
    words = ("build-graphs", "--task", "top", "--output", tmp_path / "data")
    code, _, error = run(*words, "--sample", f"qcd={ntuple}", "--sample", f"top={ntuple}", "--trust-sample-names")
    assert code == 1
    says(error, "given for 'qcd' and for 'top'")
    assert not (tmp_path / "data").exists()


def test_a_class_without_sample(run, tmp_path, ntuple):
    code, _, error = run("build-graphs", "--task", "top", "--sample", f"qcd={ntuple}", "--output", tmp_path / "data")
    assert code == 2
    says(error, "class 'top' has no sample", "--sample top=")


@pytest.mark.parametrize("command", ["train", "predict"])
def test_a_data_set_that_is_not_there(run, tmp_path, command):
    words = {
        "train": ("train", "--model", "gravnet", "--data", tmp_path / "none", "--output", tmp_path / "run"),
        "predict": ("predict", tmp_path / "bundle", "--data", tmp_path / "none", "--output", tmp_path / "s.parquet"),
    }[command]
    code, _, error = run(*words)
    assert code == 1
    says(error, str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("evaluate", "nowhere"), ("export", "nowhere", "--output", "bundle")])
def test_a_run_that_is_not_there(run, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    code, _, error = run(*words)
    assert code == 1
    says(error, "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_a_traceback_is_shown_only_when_asked_for(run, tmp_path):
    words = ("evaluate", tmp_path / "nowhere")
    assert "Traceback" not in run(*words)[2]
    assert "Traceback" in run(*words, "--debug")[2]


def test_help_answers_fast_because_nothing_heavy_is_imported():
    program = (
        "import sys\nfrom e2egraph.cli import main\nmain(['--help'])\n"
        "heavy = {'torch', 'lightning_fabric', 'awkward', 'uproot', 'matplotlib', 'onnxruntime', 'sklearn'}\n"
        "heavy.add('pythia8mc')\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command in ("simulate", "build-graphs", "train", "evaluate", "export", "predict"):
        assert command in done.stdout


@pytest.mark.parametrize("command", ["simulate", "build-graphs", "train", "evaluate", "compare", "export", "predict"])
def test_the_help_of_every_command_has_an_example(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0
    assert f"e2egraph {command} " in out.split("Example:")[1]
