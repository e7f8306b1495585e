"""``inspect``: what it tells of a data set and of an input file, checked against what was put in."""

from dataclasses import replace

import numpy as np
import pytest

from e2egraph.cli import main
from e2egraph.detector.channels import Channel
from e2egraph.errors import InputError
from e2egraph.graphs.building.build import BuildOptions, build
from e2egraph.graphs.inspecting.file_inspection import describe_file, inspect_file
from e2egraph.graphs.inspecting.inspection import describe, inspect_data_set
from e2egraph.graphs.storage.shards import open_shard
from tests import rhtree_files
from tests.changed_dataset import without_channel
from tests.graphs.builds import ntuple, samples_of, task
from tests.toy_dataset import write_toy_dataset


@pytest.fixture(scope="module")
def data_set(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inspected")
    files = [ntuple(folder / f"{name}.root", seed, 25) for name, seed in (("qcd", 1), ("top", 2))]
    (folder / "bad.root").write_text("<html>")
    given = samples_of([files[0]], [files[1], folder / "bad.root"])
    return build(task(), given, folder / "data", options=BuildOptions(skip_bad_files=True))


def test_spectra_and_weights_are_those_of_the_jets(data_set):
    found = inspect_data_set(data_set.output)
    for shard in data_set.manifest.shards:
        jets = open_shard(data_set.output / shard.name).read(blocks=[0]).jets
        spread = found.spectra["jet_pt"][shard.sample]
        assert (spread.low, spread.median, spread.high) == pytest.approx(
            tuple(np.percentile(jets["jet_pt"], (5, 50, 95)))
        )
        assert found.weights[shard.sample] == len(jets["jet_pt"])


@pytest.mark.parametrize("label", [0, 1])
def test_nodes_by_channel_are_told_of_every_class_also_where_one_has_none(tmp_path, label):
    data = without_channel(write_toy_dataset(tmp_path / "whole", 40), tmp_path / "data", label, Channel.TRACK)
    found = inspect_data_set(data)
    names = list(found.nodes)
    means = [{channel: count.mean for channel, count in found.nodes[name].items()} for name in names]
    assert list(means[0]) == list(means[1])
    assert means[label]["TRACK"] == 0 < means[1 - label]["TRACK"]
    for each in means:
        assert each["all"] == pytest.approx(sum(each.values()) - each["all"])
    row = next(line for line in describe(found).splitlines() if line.startswith("| TRACK |"))
    assert row.strip("| ").split(" | ")[1 + label] == "0.0 (0)"


def test_the_text_tells_cutflow_deposits_spectra_and_what_was_skipped(data_set):
    text = describe(inspect_data_set(data_set.output))
    for words in ("every checksum fits", "in windows ", "below threshold ", "| pT [GeV] |", "| sum of weights |"):
        assert words in text
    assert "skipped " in text and "bad.root" in text


def test_what_inputs_lack_is_told_once_and_of_which_files_where_not_of_all(data_set):
    found = inspect_data_set(data_set.output)
    text = describe(found)
    assert text.count("jets.truth_label") == 1 and "\n  jets.truth_label\n" in f"{text}\n"
    files = [entry.path for entry in found.manifest.inputs]
    some = replace(found.manifest, missing=[f"{path}: tracks.d0_sig" for path in files[:1]])
    told = describe(replace(found, manifest=some))
    assert f"\n  tracks.d0_sig: 1 of {len(files)} files ({files[0]})" in told


@pytest.mark.parametrize("view", ["jet", "average", "spectra"])
def test_every_view_of_a_data_set_is_drawn(data_set, tmp_path, view):
    assert main(["inspect", str(data_set.output), "--plot", str(tmp_path / "a.png"), "--view", view]) == 0
    for suffix in ("png", "pdf"):
        assert (tmp_path / f"a.{suffix}").stat().st_size > 5000


def test_a_complete_file_serves_every_class_of_the_task(tmp_path):
    found = inspect_file(str(ntuple(tmp_path / "a.root", 1, 3)), tasks=[task()])
    assert (found.entries, found.tree, found.reader) == (3, "fevt/RHTree", "RHTreeFile")
    assert found.recognised["jets.pt"] == "jetPt"
    assert found.kinds["ecal"] == "objects"
    assert found.verdicts == {("top", "qcd"): "", ("top", "top"): ""}
    assert "jets.pt" not in found.missing and "jets.truth_label" in found.missing


def test_what_a_file_lacks_is_told_for_each_class(tmp_path):
    blind = rhtree_files.random_deposits(3, 1, truth=False)
    path = rhtree_files.write(tmp_path / "blind.root", blind, without=(*rhtree_files.VECTOR_PREFIXES, "BPIX_layer2"))
    found = inspect_file(str(path), tasks=[task(), task("inputs.channels=[ECAL]")])
    assert (
        "no branch for hits.BPIX2 (looked for BPIX_layer2_ECAL_atPV)"
        in inspect_file(str(path), tasks=[task()]).verdicts["top", "qcd"]
    )
    assert found.verdicts["top", "qcd"] == ""
    assert "--trust-sample-names" in found.verdicts["top", "top"]
    assert found.kinds["tracks"] == "images"
    text = describe_file(found)
    assert "| tracks.pt | ECAL_tracksPt_atECALfixIP |" in text
    assert "not usable for\n  task top, class top: no truth" in text
    assert "usable for\n  task top, class qcd\n" in text


def test_branches_that_nothing_reads_are_listed_with_their_type(tmp_path):
    deposits = rhtree_files.random_deposits(3, 1)
    deposits.branches["my_own"] = [np.zeros(2, np.float32)] * 3
    found = inspect_file(str(rhtree_files.write(tmp_path / "a.root", deposits)), tasks=[])
    assert "my_own" in found.unrecognised
    assert "my_own: " in describe_file(found)
    assert "jetPt" not in found.unrecognised


def test_a_file_and_one_of_its_events_are_shown_on_the_command_line(tmp_path, capsys):
    path = ntuple(tmp_path / "a.root", 1, 3)
    assert main(["inspect", str(path), "--plot", str(tmp_path / "event.png"), "--entry", "2"]) == 0
    out = capsys.readouterr().out
    assert "3 entries in tree fevt/RHTree" in out
    assert "next: e2egraph build-graphs" in out.splitlines()[-1]
    assert (tmp_path / "event.png").stat().st_size > 5000
    assert main(["inspect", str(path), "--plot", str(tmp_path / "none.png"), "--entry", "3"]) == 1
    assert "no entry 3; give a number from 0 to 2" in capsys.readouterr().err
    assert not (tmp_path / "none.png").exists()


@pytest.mark.parametrize(
    ("of_file", "options", "message"),
    [
        (False, ["--view", "spectra"], "--view: says what to draw; add --plot"),
        (False, ["--jet", "3"], "--jet: says what to draw; add --plot"),
        (False, ["--plot", "a.png", "--entry", "1"], "--entry: is for an input file, and this is a data set"),
        (False, ["--plot", "a.png", "--view", "spectra", "--jet", "3"], "--jet: says which one to draw, and --view"),
        (False, ["--plot", "a.png", "--masses", "./a"], "--plot and --masses are one and the same file; give two"),
        (True, ["--plot", "a.png", "--view", "jet"], "--view: is for a data set, and this is an input file"),
        (True, ["--masses", "m.png"], "--masses: is for a data set, and this is an input file"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(data_set, tmp_path, monkeypatch, capsys, of_file, options, message):
    monkeypatch.chdir(tmp_path)
    path = ntuple(tmp_path / "a.root", 1, 3) if of_file else data_set.output
    assert main(["inspect", str(path), *options]) == 2
    assert message in capsys.readouterr().err


def test_a_path_next_to_a_data_set_is_told_from_it(data_set, capsys):
    folder = data_set.output
    assert main(["inspect", str(folder.parent)]) == 1
    assert f"not a complete data set (manifest.json is missing); give one of those in it, such as {folder}." in (
        capsys.readouterr().err
    )
    assert main(["inspect", str(next(folder.glob("part-*.parquet")))]) == 1
    assert f"is a file, and a data set is a folder; give {folder}." in capsys.readouterr().err


def test_a_file_that_is_not_readable_or_not_there_is_an_input_error(tmp_path, capsys):
    (tmp_path / "page.root").write_text("<html>")
    with pytest.raises(InputError, match=r"page\.root: not a readable ROOT file"):
        inspect_file(str(tmp_path / "page.root"))
    for name, message in (("gone.root", "no such file"), ("gone", "no such data set")):
        assert main(["inspect", str(tmp_path / name)]) == 1
        assert message in capsys.readouterr().err
