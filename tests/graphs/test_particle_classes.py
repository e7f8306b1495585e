"""Classes that particles decide: one file fills several; and samples with names of their own."""

import numpy as np
import pytest

from e2egraph.cli import main
from e2egraph.errors import InputError, UsageError
from e2egraph.events.samples import Sample, parse_samples, read_samples
from e2egraph.graphs.building.build import BuildOptions, build
from e2egraph.graphs.inspecting.inspection import describe, inspect_data_set
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.graphs.storage.shards import first_jets
from e2egraph.tasks.task import load_task
from tests.graphs.builds import content, damaged_ntuple, jets_of, ntuple, parton_ntuple, samples_of, task

QUARK_GLUON = load_task("quark-gluon", ["object.pt_min=400", "object.abs_eta_max=1.5", "resampling=null"])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ntuples")
    for name, seed in (("low", 1), ("high", 4)):
        parton_ntuple(folder / f"{name}.root", seed, 20)
    return folder


@pytest.fixture(scope="module")
def data_set(files, tmp_path_factory):
    given = [Sample(name, None, (files / f"{name}.root",)) for name in ("low", "high")]
    return build(QUARK_GLUON, given, tmp_path_factory.mktemp("data") / "qg")


def test_one_file_fills_both_classes_and_no_jet_stands_twice(data_set):
    jets = jets_of(data_set)
    # The first jet of an event comes from a quark, the second from a gluon.
    np.testing.assert_array_equal(jets["label"], 1 - jets["jet"])
    keys = list(zip(jets["lumi"], jets["event"], jets["jet"], strict=True))
    assert len(set(keys)) == len(keys) > 50


def test_the_manifest_counts_cuts_by_sample_and_objects_by_class(data_set):
    manifest, jets = data_set.manifest, jets_of(data_set)
    assert manifest.classes == ["gluon", "quark"]
    assert [(entry.sample, entry.of_class) for entry in manifest.inputs] == [("low", None), ("high", None)]
    assert [shard.sample for shard in manifest.shards] == ["low", "high"]
    for by_sample in (manifest.cutflow, manifest.removed, manifest.nodes):
        assert list(by_sample) == ["low", "high"]
    for lumi, name in ((1, "low"), (4, "high")):
        assert list(manifest.cutflow[name].values())[-1] == (jets["lumi"] == lumi).sum()
        assert manifest.cutflow[name]["events"] == 20
    for label, name in enumerate(manifest.classes):
        assert sum(manifest.counts[name].values()) == (jets["label"] == label).sum() > 0
        for split, number in manifest.counts[name].items():
            assert number == ((jets["label"] == label) & (jets["split"] == split)).sum()
    text = describe(inspect_data_set(data_set.output))
    assert "low: events 20" in text and "gluon: train" in text


def test_the_first_jets_are_of_every_class(data_set):
    first, jets = first_jets(data_set.output, 3).jets, jets_of(data_set)
    assert first["label"].tolist() == [0, 0, 0, 1, 1, 1]
    for label in (0, 1):
        events = jets["event"][jets["label"] == label][:3]
        assert first["event"][first["label"] == label].tolist() == events.tolist()
        assert (first["lumi"] == 1).all()


def test_by_sample_a_file_fills_the_class_it_is_given_for_alone(tmp_path):
    settings = ["object.pt_min=400", "object.abs_eta_max=1.5", "resampling=null", "truth.class_by=sample"]
    path = parton_ntuple(tmp_path / "a.root", 1, 10)
    given = [Sample("gluon", "gluon", (path,)), Sample("quark", "quark", (parton_ntuple(tmp_path / "b.root", 4, 10),))]
    jets = jets_of(build(load_task("quark-gluon", settings), given, tmp_path / "data"))
    assert set(zip(jets["lumi"].tolist(), jets["jet"].tolist(), strict=True)) == {(1, 1), (4, 0)}


def test_spectra_of_classes_from_one_file_are_resampled(files, tmp_path):
    edges = [400, 600, 900]
    settings = ["object.pt_min=400", "object.abs_eta_max=1.5", f"resampling.edges.jet_pt={edges}"]
    settings.append("resampling.method=reweight")
    given = [Sample("dijets", None, (files / "low.root", files / "high.root"))]
    summary = build(load_task("quark-gluon", settings), given, tmp_path / "data")
    gluon, quark = (
        np.histogram(jets["jet_pt"], edges, weights=jets["weight"])[0]
        for jets in (jets_of(summary, 0), jets_of(summary, 1))
    )
    np.testing.assert_allclose(gluon, quark, rtol=1e-5)
    assert quark.min() > 0


def test_a_class_without_any_particle_is_refused(tmp_path):
    path = ntuple(tmp_path / "tops.root", 1, 12)
    settings = ["truth.decays.gluon.status=null", "truth.decays.quark={pdg_id: [6]}", "object.abs_eta_max=1.5"]
    with pytest.raises(InputError, match=r"class 'gluon': no object selected \(left after each cut: .*truth \d+\)"):
        build(load_task("quark-gluon", settings), [Sample("tops", None, (path,))], tmp_path / "data")


def test_a_sample_must_be_given_for_a_class_of_the_task_or_for_none(files, tmp_path):
    path = files / "low.root"
    with pytest.raises(UsageError, match="sample 'a': given for class 'gluon', but in task 'quark-gluon' particles"):
        build(QUARK_GLUON, [Sample("a", "gluon", (path,))], tmp_path / "data")
    for of_class in (None, "gluon"):
        with pytest.raises(UsageError, match=f"sample 'a': given for '{of_class}', which is no class of task 'top'"):
            build(task(), [Sample("a", of_class, (path,))], tmp_path / "data")


def test_the_same_events_may_not_be_given_in_two_samples(files, tmp_path):
    copy = tmp_path / "copy.root"
    copy.write_bytes((files / "low.root").read_bytes())
    given = [Sample("a", None, (files / "low.root",)), Sample("b", None, (copy,))]
    with pytest.raises(InputError, match=r"copy\.root: the same events as .*low\.root, byte for byte"):
        build(QUARK_GLUON, given, tmp_path / "data")


def test_a_bad_file_is_skipped_and_listed_with_its_sample(files, tmp_path):
    bad = [damaged_ntuple(tmp_path / "bad.root", 3), tmp_path / "page.root"]
    bad[1].write_text("<html>")
    given = [Sample("good", None, (files / "low.root",)), Sample("bad", None, tuple(bad))]
    skip = BuildOptions(skip_bad_files=True)
    manifest = build(QUARK_GLUON, given, tmp_path / "data", options=skip).manifest
    assert {(entry.sample, entry.path) for entry in manifest.skipped} == {("bad", str(path)) for path in bad}
    assert [entry.sample for entry in manifest.inputs] == ["good"]
    with pytest.raises(InputError, match=r"samples: every file is bad and was skipped, .*page\.root: not a readable"):
        build(QUARK_GLUON, [Sample("bad", None, (bad[1],))], tmp_path / "none", options=skip)


def test_samples_are_parsed_by_any_name_where_particles_decide(files):
    options = [f"dijets={files}/low.root", f"photons={files}/high.root"]
    samples = parse_samples(options, ("gluon", "quark"), by_particle=True)
    assert [(sample.name, sample.of_class) for sample in samples] == [("dijets", None), ("photons", None)]
    with pytest.raises(UsageError, match="'dijets' is no class of this task"):
        parse_samples(options, ("gluon", "quark"))


@pytest.mark.parametrize(
    ("entries", "by_particle", "message"),
    [
        ("{name: a, class: quark, files: low.root}", True, "give each entry a 'name' and no 'class'"),
        ("{files: low.root}", True, "give each entry a 'name' and no 'class'"),
        ("{name: a, files: low.root}", False, "'None' is no class of this task"),
    ],
)
def test_entries_name_a_class_or_a_sample_as_the_task_needs(files, tmp_path, entries, by_particle, message):
    (files / "samples.yaml").write_text(f"samples: [{entries}]")
    with pytest.raises(UsageError, match=message):
        read_samples(files / "samples.yaml", ("gluon", "quark"), by_particle=by_particle)


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slices")
    for name, seed in (("soft", 1), ("hard", 2), ("top", 3)):
        ntuple(folder / f"{name}.root", seed, 12)
    (folder / "samples.yaml").write_text(
        """
        luminosity: 0.1
        samples:
          - {class: top, files: top.root, cross_section: 2}
          - {class: qcd, name: qcd_300_600, files: soft.root, cross_section: 100}
          - {class: qcd, name: qcd_600_3000, files: hard.root, cross_section: 5, generated_events: 500}
        """
    )
    return folder


def test_samples_of_one_class_are_told_apart_by_name(slices, tmp_path, capsys):
    words = ["--set", "resampling=null", "--set", "object.abs_eta_max=1.5", "--output", str(tmp_path / "data")]
    assert main(["build-graphs", "--task", "top", "--samples", str(slices / "samples.yaml"), *words]) == 0
    out = capsys.readouterr().out
    manifest = read_manifest(tmp_path / "data")
    names = ["qcd_300_600", "qcd_600_3000", "top"]
    assert [(entry.sample, entry.of_class) for entry in manifest.inputs] == list(
        zip(names, ("qcd", "qcd", "top"), strict=True)
    )
    assert [entry.weight for entry in manifest.inputs] == pytest.approx([10_000 / 12, 1.0, 200 / 12])
    assert list(manifest.cutflow) == list(manifest.removed) == list(manifest.nodes) == names
    assert all(f"{name}: events 12" in out for name in names)
    assert list(manifest.counts) == ["qcd", "top"]
    in_qcd = sum(list(manifest.cutflow[name].values())[-1] for name in names[:2])
    assert sum(manifest.counts["qcd"].values()) == in_qcd


def test_the_name_of_a_sample_changes_no_jet(slices, tmp_path):
    given = samples_of([slices / "soft.root"], [slices / "top.root"])
    named = [Sample("soft", "qcd", given[0].paths), Sample("ttbar", "top", given[1].paths)]
    plain, other = (build(task(), samples, tmp_path / name) for name, samples in (("a", given), ("b", named)))
    for name, column in jets_of(plain).items():
        np.testing.assert_array_equal(jets_of(other)[name], column)
    assert content(plain.output).keys() == content(other.output).keys()
