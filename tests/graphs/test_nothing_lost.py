"""Nothing is lost unnoticed: cutflow and nodes add up, bad files are named, duplicates and mixtures refused."""

import os
from itertools import pairwise

import numpy as np
import pytest

from e2egraph.errors import InputError
from e2egraph.events.samples import Sample
from e2egraph.graphs.building import cutflow
from e2egraph.graphs.building.build import BuildOptions, build
from e2egraph.graphs.storage.shards import open_shard
from tests import rhtree_files
from tests.graphs.builds import content, damaged_ntuple, ntuple, samples_of, task

SKIP = BuildOptions(skip_bad_files=True)


def test_jets_in_are_jets_out_and_the_jets_of_every_cut(plain, files):
    manifest = plain.manifest
    for name in manifest.classes:
        left, removed = manifest.cutflow[name], manifest.removed[name]
        assert left["jets"] == sum(removed.values()) + sum(manifest.counts[name].values())
        steps = list(left.values())[1:]
        assert list(removed.values()) == [a - b for a, b in pairwise(steps)]
        assert left["events"] == sum(entry.events for entry in manifest.inputs if entry.sample == name)
    assert manifest.removed["qcd"]["resampling"] > 0


def test_every_deposit_in_a_window_is_accounted_for(plain):
    for name, outcomes in plain.manifest.nodes.items():
        lost = outcomes["negative"] + outcomes["below_threshold"] + outcomes["over_cap"]
        assert outcomes["in_windows"] == outcomes["kept"] + lost > 0
        assert outcomes["kept"] == sum(shard.nodes for shard in plain.manifest.shards if shard.sample == name)


def test_negative_energies_are_dropped_and_counted(files, tmp_path):
    deposits = rhtree_files.random_deposits(12, 2)
    for event in range(12):
        deposits.branches["ecal_energy"][event] *= np.where(
            np.arange(len(deposits.branches["ecal_energy"][event])) % 2, 1, -1
        )
    noisy = rhtree_files.write(tmp_path / "noisy.root", deposits, without=rhtree_files.IMAGE_PREFIXES)
    options = ("inputs.channels=[ECAL]", "resampling=null")
    clean = build(task(*options), samples_of([files["qcd"]], [files["top"]]), tmp_path / "clean").manifest.nodes["top"]
    outcomes = build(task(*options), samples_of([files["qcd"]], [noisy]), tmp_path / "noise").manifest.nodes["top"]
    assert outcomes["in_windows"] == clean["in_windows"]
    assert outcomes["negative"] > 0.3 * clean["kept"]
    assert outcomes["kept"] == clean["kept"] - outcomes["negative"]


def test_nodes_below_a_threshold_and_over_the_cap_are_counted(files, tmp_path):
    options = ("inputs.channels=[ECAL]", "inputs.thresholds={ECAL: 1.0}", "inputs.cap=20", "resampling=null")
    summary = build(task(*options), samples_of([files["qcd"]], [files["top"]]), tmp_path / "data")
    for outcomes in summary.manifest.nodes.values():
        assert outcomes["below_threshold"] > 0
        assert outcomes["over_cap"] > 0
        assert outcomes["negative"] == 0


def test_a_cutflow_that_does_not_add_up_is_refused():
    cutflow.check("here", {"events": 3, "jets": 6, "pt": 4}, {"pt": 2}, 4)
    for left, removed, jets in (({"jets": 6, "pt": 4}, {"pt": 1}, 4), ({"jets": 6, "pt": 4}, {"pt": 2}, 3)):
        with pytest.raises(InputError, match="the cutflow does not add up"):
            cutflow.check("here", left, removed, jets)


@pytest.mark.parametrize("bad", ["unreadable", "damaged in the middle"])
@pytest.mark.parametrize("resampling", [(), ("resampling=null",)])
def test_skipping_a_bad_file_gives_the_data_set_without_it_and_lists_it(files, plain, bad, resampling, tmp_path):
    if bad == "unreadable":
        (tmp_path / "bad.root").write_text("<html>not found</html>")
    else:
        damaged_ntuple(tmp_path / "bad.root", 4)
    given = samples_of([files["qcd"]], [tmp_path / "bad.root", files["top"], files["more"]])
    with pytest.raises(InputError, match=r"bad\.root"):
        build(task(*resampling), given, tmp_path / "data")
    summary = build(task(*resampling), given, tmp_path / "data", options=SKIP)
    (skipped,) = summary.manifest.skipped
    assert skipped.path.endswith("bad.root")
    assert "bad.root" in skipped.reason
    expected = plain
    if resampling:
        expected = build(
            task(*resampling),
            samples_of([files["qcd"]], [files["top"], files["more"]]),
            tmp_path / "good",
        )
    shards, reference = content(summary.output), content(expected.output)
    del shards["manifest.json"], reference["manifest.json"]
    assert shards == reference
    again = build(task(*resampling), given, tmp_path / "data", options=SKIP)
    assert again.already_complete


def test_a_class_whose_files_are_all_bad_is_refused(files, tmp_path):
    (tmp_path / "bad.root").write_bytes(os.urandom(2000))
    with pytest.raises(InputError, match=r"every file is bad and was skipped, .*bad\.root: not a readable ROOT"):
        build(task(), samples_of([files["qcd"]], [tmp_path / "bad.root"]), tmp_path / "data", options=SKIP)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.root"]


def test_a_number_that_its_column_does_not_hold_is_refused(files, tmp_path):
    """The 70,000th jet of an event: its index would wrap to another jet's."""
    deposits = rhtree_files.random_deposits(2, 7)
    for name in [name for name in deposits.branches if name.startswith("jet")]:
        deposits.branches[name][1] = np.resize(deposits.branches[name][1], 70_000)
    deposits.branches["jetPt"][1][:-1] = 1.0
    deposits.branches["jetPt"][1][-1] = 500.0
    crowded = rhtree_files.write(tmp_path / "crowded.root", deposits, without=rhtree_files.IMAGE_PREFIXES)
    trusting = task("resampling=null", "truth.source=sample_name", "inputs.channels=[TRACK]")
    with pytest.raises(InputError, match=r"crowded\.root: column jet would hold 69999, which is beyond uint16"):
        build(trusting, samples_of([files["qcd"]], [crowded]), tmp_path / "data")


def test_duplicate_events_across_files_are_refused_naming_both(files, tmp_path):
    overlap = ntuple(tmp_path / "overlap.root", 2, events=5, first_event=8)
    given = samples_of([files["qcd"]], [files["top"], overlap])
    with pytest.raises(
        InputError, match=r"overlap\.root: event 1:2:8 \(run:lumi:event\) occurs in it and in .*top\.root"
    ):
        build(task(), given, tmp_path / "data")
    allowed = build(task(), given, tmp_path / "data", options=BuildOptions(allow_duplicates=True))
    assert allowed.manifest.duplicates == 5


def test_an_event_twice_in_one_file_is_refused(files, tmp_path):
    deposits = rhtree_files.random_deposits(4, 5)
    deposits.branches["eventId"][3] = deposits.branches["eventId"][1]
    twice = rhtree_files.write(tmp_path / "twice.root", deposits, without=rhtree_files.IMAGE_PREFIXES)
    with pytest.raises(InputError, match=r"twice\.root: event 1:5:2 .* occurs in it twice"):
        build(task(), samples_of([files["qcd"]], [twice]), tmp_path / "data")


def test_different_productions_may_number_their_events_alike_but_a_copy_is_refused(files, tmp_path):
    """As simulated samples do: each its own ``Sample``, with lumi and event numbers that begin at 1."""
    other = rhtree_files.random_deposits(12, 6)
    other.branches["lumiId"] = [2] * 12
    other = rhtree_files.write(tmp_path / "other.root", other, without=rhtree_files.IMAGE_PREFIXES)
    separate = [Sample("qcd", "qcd", (files["qcd"],)), Sample("top_1", "top", (files["top"],))]
    separate.append(Sample("top_2", "top", (other,)))
    assert build(task(), separate, tmp_path / "data").manifest.duplicates == 0
    copy = tmp_path / "copy.root"
    copy.write_bytes(files["top"].read_bytes())
    with pytest.raises(InputError, match=r"copy\.root: the same events as .*top\.root, byte for byte"):
        build(task(), [*separate[:2], Sample("top_2", "top", (copy,))], tmp_path / "copied")
    with pytest.raises(InputError, match=r"top\.root: the same events as .*copy\.root, byte for byte"):
        build(task(), samples_of([copy], [files["top"]]), tmp_path / "copied")


def test_files_of_one_sample_that_differ_in_kind_are_refused(files, tmp_path):
    images = rhtree_files.write(
        tmp_path / "images.root", rhtree_files.random_deposits(3, 8), without=rhtree_files.VECTOR_PREFIXES
    )
    with pytest.raises(InputError, match=r"images\.root: made otherwise than .*top\.root of the same sample"):
        build(task(), samples_of([files["qcd"]], [files["top"], images]), tmp_path / "data")
    poorer = rhtree_files.write(
        tmp_path / "poorer.root",
        rhtree_files.random_deposits(3, 9),
        without=(*rhtree_files.IMAGE_PREFIXES, "jetSoftDropM"),
    )
    with pytest.raises(InputError, match=r"poorer\.root: .*lacks jets\.softdrop_mass .*unlike"):
        build(task(), samples_of([files["qcd"]], [files["top"], poorer]), tmp_path / "data")
    with pytest.raises(InputError, match=r"poorer\.root: lacks softdrop_mass, which .*qcd\.root of another class has"):
        build(task(), samples_of([files["qcd"]], [poorer]), tmp_path / "data")
    separate = [
        Sample("qcd", "qcd", (files["qcd"],)),
        Sample("top", "top", (files["top"],)),
        Sample("top", "top", (poorer,)),
    ]
    manifest = build(task(), separate, tmp_path / "data").manifest
    assert any("poorer.root: jets.softdrop_mass" in line for line in manifest.missing)


def test_footers_repeat_the_accounts_of_their_shard(plain):
    for shard in plain.manifest.shards:
        footer = open_shard(plain.output / shard.name).footer
        in_splits = sum(number for splits in footer["counts"].values() for number in splits.values())
        assert list(footer["cutflow"].values())[-1] == shard.jets == in_splits
        assert footer["nodes"]["kept"] == shard.nodes
