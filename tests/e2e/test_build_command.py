"""``build-graphs`` and its data sets as a user meets them: damage ends with one sentence and no half result."""

import json
import os
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest

from e2egraph.cli import main
from e2egraph.graphs.storage.manifest import read_manifest
from tests import rhtree_files
from tests.e2e.test_bad_input import says
from tests.graphs.builds import SETTINGS, content, damaged_ntuple, ntuple, parton_ntuple

TASK = ["build-graphs", "--task", "top", *(word for setting in SETTINGS for word in ("--set", setting))]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ntuples")
    return {name: ntuple(folder / f"{name}.root", seed) for name, seed in (("qcd", 1), ("top", 2))}


@pytest.fixture(scope="module")
def data_set(files, tmp_path_factory):
    output = tmp_path_factory.mktemp("data") / "top"
    words = ["--sample", f"qcd={files['qcd']}", "--sample", f"top={files['top']}", "--output", str(output)]
    assert main([*TASK, *words]) == 0
    return output


def truncated(path, good):
    path.write_bytes(good.read_bytes()[: good.stat().st_size // 2])


def random_bytes(path, good):
    path.write_bytes(np.random.default_rng(1).bytes(4000))


def error_page(path, good):
    path.write_text("<!DOCTYPE html><html><body>404</body></html>")


def without_hcal(path, good):
    rhtree_files.write(path, rhtree_files.random_deposits(3, 9), without=(*rhtree_files.IMAGE_PREFIXES, "hcal_"))


def short_image(path, good):
    deposits = rhtree_files.random_deposits(3, 9)
    deposits.branches["HBHE_energy"] = [image[:-1] for image in deposits.branches["HBHE_energy"]]
    rhtree_files.write(path, deposits, without=rhtree_files.VECTOR_PREFIXES)


def infinite(path, good):
    damaged_ntuple(path, 9)


def same_events(path, good):
    ntuple(path, 2, events=3, first_event=4)


def other_kind(path, good):
    rhtree_files.write(path, rhtree_files.random_deposits(3, 9), without=rhtree_files.VECTOR_PREFIXES)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (truncated, "truncated"),
        (random_bytes, "not a readable ROOT file"),
        (error_page, "not a readable ROOT file"),
        (without_hcal, "no branch for hcal"),
        (short_image, "HBHE_energy of entry 0 holds 4031 values, expected 4032"),
        (infinite, "ecal_energy of entry 11 holds NaN or infinite values"),
        (same_events, "(run:lumi:event) occurs in it and in"),
        (other_kind, "made otherwise than"),
    ],
)
def test_a_bad_input_ends_with_one_sentence_and_nothing_left(run, files, tmp_path, make, sentence):
    bad = tmp_path / "z_bad.root"
    make(bad, files["top"])
    words = ["--sample", f"qcd={files['qcd']}", "--output", tmp_path / "data", "--sample", f"top={files['top']}"]
    if make is short_image:
        images = rhtree_files.write(
            tmp_path.parent / "images.root", rhtree_files.random_deposits(3, 8), without=rhtree_files.VECTOR_PREFIXES
        )
        words[1], words[-1] = f"qcd={images}", f"top={bad}"
    else:
        words += ["--sample", f"top={bad}"]
    code, _, error = run(*TASK, *words)
    assert code == 1
    says(error, "z_bad.root", sentence)
    assert list(tmp_path.iterdir()) == [bad]


def test_skipped_files_are_in_the_last_line_and_in_the_manifest(run, files, data_set, tmp_path):
    error_page(tmp_path / "bad.root", None)
    words = [
        "--sample",
        f"qcd={files['qcd']}",
        "--sample",
        f"top={files['top']}",
        "--sample",
        f"top={tmp_path}/bad.root",
    ]
    code, out, error = run(*TASK, *words, "--output", tmp_path / "data", "--skip-bad-files")
    assert code == 0
    assert f"skipped {tmp_path}/bad.root" in out.splitlines()[-1]
    assert "not a readable ROOT file" in error
    assert [entry.path for entry in read_manifest(tmp_path / "data").skipped] == [f"{tmp_path}/bad.root"]
    shards, expected = content(tmp_path / "data"), content(data_set)
    del shards["manifest.json"], expected["manifest.json"]
    assert shards == expected


def test_a_samples_file_serves_instead_of_sample_options(run, files, tmp_path):
    (tmp_path / "samples.yaml").write_text(
        f"samples: [{{class: top, files: {files['top']}, cross_section: 250}}, "
        f"{{class: qcd, files: {files['qcd']}, cross_section: 5000, generated_events: 100}}]"
    )
    code, out, _ = run(*TASK, "--samples", tmp_path / "samples.yaml", "--output", tmp_path / "data")
    assert code == 0
    assert "next: e2egraph train" in out.splitlines()[-1]
    weights = {entry.sample: entry.weight for entry in read_manifest(tmp_path / "data").inputs}
    assert weights == pytest.approx({"qcd": 5000 * 1000 / 100, "top": 250 * 1000 / 12})


def test_files_are_given_in_one_of_two_ways(run, files, tmp_path):
    (tmp_path / "samples.yaml").write_text("samples: []")
    for words in ([], ["--sample", f"top={files['top']}", "--samples", tmp_path / "samples.yaml"]):
        code, _, error = run(*TASK, *words, "--output", tmp_path / "data")
        assert code == 2
        says(error, "--sample NAME=GLOB", "--samples FILE")


def test_a_full_disk_ends_with_one_sentence_and_no_half_shard(files, data_set, tmp_path):
    """The kernel refuses every byte of a file beyond 30 kB, as a full disk or a quota would."""
    words = [*TASK, "--sample", f"qcd={files['qcd']}", "--sample", f"top={files['top']}", "--output", tmp_path / "data"]
    done = subprocess.run(
        [sys.executable, "-m", "e2egraph", *map(str, words)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000)),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    says(done.stderr, "part-00000.parquet", "cannot be written (File too large)", "run the command again")
    assert list(tmp_path.iterdir()) == []
    assert main([str(word) for word in words]) == 0
    assert content(tmp_path / "data") == content(data_set)


@pytest.mark.parametrize("command", ["inspect", "train"])
def test_an_altered_shard_and_a_future_manifest_are_refused_by_whatever_reads_them(run, data_set, tmp_path, command):
    copy = shutil.copytree(data_set, tmp_path / "copy")
    words = {
        "inspect": ["inspect", copy],
        "train": ["train", "--model", "resnet15", "--data", copy, "--output", tmp_path / "run"],
    }[command]
    shard = copy / "part-00001.parquet"
    good = shard.read_bytes()
    shard.write_bytes(good[:5000] + bytes([good[5000] ^ 1]) + good[5001:])
    code, _, error = run(*words)
    assert code == 1
    says(error, "part-00001.parquet", "altered")
    shard.write_bytes(good)
    manifest = json.loads((copy / "manifest.json").read_text())
    for version in (1, 7):
        (copy / "manifest.json").write_text(json.dumps(manifest | {"schema_version": version}))
        code, _, error = run(*words)
        assert code == 1
        says(error, "manifest.json", f"schema version {version}", "build the data set again in another folder")


def test_one_file_of_dijets_fills_the_classes_of_quark_gluon(run, tmp_path):
    path = parton_ntuple(tmp_path / "dijets.root", 4)
    words = ["build-graphs", "--task", "quark-gluon", "--sample", f"dijets={path}", "--output", tmp_path / "data"]
    code, out, error = run(*words, "--set", "object.abs_eta_max=1.5")
    assert code == 0, error
    assert out.startswith("dijets: events 12 → jets 24 → ")
    counts = read_manifest(tmp_path / "data").counts
    assert list(counts) == ["gluon", "quark"] and all(sum(splits.values()) > 5 for splits in counts.values())
    code, _, error = run(*words, "--trust-sample-names")
    assert code == 2
    says(error, "truth.class_by: particle", "samples cannot name it")


def test_a_regression_is_built_and_told_by_inspect(run, files, tmp_path):
    words = ["build-graphs", "--task", "top-mass", "--sample", f"top={files['top']}", "--output", tmp_path / "data"]
    words += ["--set", "object.abs_eta_max=1.5"]
    assert run(*words)[0] == 0
    code, out, _ = run("inspect", tmp_path / "data")
    assert code == 0
    # Every particle of these files has a mass of 100 GeV.
    assert "| target gen_mass | 100 (100, 100) |" in out


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("objective.targets=[{name: mass}]", ("no object column 'mass'", "choose one of jet_pt")),
        ("truth.decays={}", ("truth cannot give 'gen_mass' for class top", "give truth.decays of that class")),
        ("resampling.edges={gen_energy: [0, 1]}", ("no object column 'gen_energy'", "choose one of")),
    ],
)
def test_what_truth_cannot_give_is_refused_before_any_work(run, files, tmp_path, setting, words):
    command = ["build-graphs", "--task", "top-mass", "--sample", f"top={files['top']}", "--set", setting]
    code, _, error = run(*command, "--output", tmp_path / "data")
    assert code == 1
    says(error, *words)
    assert list(tmp_path.iterdir()) == []
