"""Targets of a regression: stored with each object, or refused in one sentence before any work."""

import numpy as np
import pytest

from e2egraph.errors import InputError, UsageError
from e2egraph.events.samples import Sample
from e2egraph.events.sources.registry import image_options, open_source
from e2egraph.graphs.building.build import BuildOptions, build
from e2egraph.graphs.building.checks import check_source
from e2egraph.tasks.task import load_task, make_task
from tests import image_files, rhtree_files
from tests.graphs.builds import jets_of as columns_of
from tests.graphs.builds import ntuple, parton_ntuple

DECAYS = {
    "gluon": {"pdg_id": [21], "status": [23], "nearest": True},
    "quark": {"pdg_id": [1, 2, 3], "status": [23], "nearest": True},
}


def regression(*targets, classes=("gluon", "quark"), decays=DECAYS, **changes):
    content = {
        "name": "partons",
        "description": "the parton behind a jet",
        "object": {"kind": "jet", "abs_eta_max": 1.5},
        "inputs": {"channels": ["ECAL"]},
        "truth": {"class_by": "particle", "radius": 0.4, "decays": decays},
        "objective": {"kind": "regression", "classes": list(classes), "targets": [{"name": n} for n in targets]},
    }
    return make_task(content | changes, "partons.yaml")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return parton_ntuple(tmp_path_factory.mktemp("partons") / "a.root", 3, 20)


def test_targets_of_the_matched_particle_and_of_the_object_are_stored(file, tmp_path):
    task = regression("gen_mass", "gen_pt", "gen_dr", "gen_pdg_id", "softdrop_mass")
    summary = build(task, [Sample("dijets", None, (file,))], tmp_path / "data")
    jets = columns_of(summary)
    assert summary.manifest.targets == task.target_names
    assert list(jets)[-5:] == [f"target_{name}" for name in task.target_names]
    assert len(jets["jet"]) > 20
    event, quark = jets["event"].astype(int) - 1, jets["jet"] == 0
    np.testing.assert_array_equal(jets["label"], quark)
    np.testing.assert_allclose(jets["target_gen_mass"], np.where(quark, 0.1, 0.2) * event, rtol=1e-6)
    np.testing.assert_array_equal(jets["target_gen_pt"], np.where(quark, 500, 600) + event)
    np.testing.assert_allclose(jets["target_gen_dr"], np.where(quark, 0.1, 0.2), atol=1e-5)
    np.testing.assert_array_equal(jets["target_gen_pdg_id"], np.where(quark, 1 + event % 3, 21))
    np.testing.assert_array_equal(jets["target_softdrop_mass"], jets["softdrop_mass"])
    assert all(jets[f"target_{name}"].dtype == np.float32 for name in task.target_names)


def test_the_mass_of_a_top_is_that_of_its_last_copy(tmp_path):
    deposits = rhtree_files.random_deposits(20, 2)
    for event in range(20):
        deposits.branches["gen_m"][event] = np.array([170, 100 + event, 5, 80, 80, 0, 0], np.float32)
    path = rhtree_files.write(tmp_path / "top.root", deposits, without=rhtree_files.IMAGE_PREFIXES)
    task = load_task("top-mass", ["inputs.channels=[ECAL]", "object.abs_eta_max=1.5", "resampling=null"])
    jets = columns_of(build(task, [Sample("top", "top", (path,))], tmp_path / "data"))
    assert len(jets["jet"]) > 5
    np.testing.assert_array_equal(jets["target_gen_mass"], 100 + jets["event"].astype(int) - 1)


def test_a_flat_spectrum_in_target_and_pt_has_equal_weight_in_every_bin(tmp_path, file):
    edges = {"gen_mass": [0, 1.0, 5.0], "jet_pt": [400, 600, 900]}
    settings = {"reference": "flat", "edges": edges, "method": "reweight"}
    jets = columns_of(
        build(regression("gen_mass", resampling=settings), [Sample("dijets", None, (file,))], tmp_path / "data")
    )
    for label in (0, 1):
        mine = jets["label"] == label
        found = np.histogram2d(
            jets["target_gen_mass"][mine], jets["jet_pt"][mine], list(edges.values()), weights=jets["weight"][mine]
        )[0]
        assert found.min() > 0
        np.testing.assert_allclose(found, found.mean(), rtol=1e-5)


def test_images_give_the_targets_that_stand_in_their_columns(tmp_path):
    planes = ("ECAL",)
    masses = np.arange(4.0)
    columns = {"pt": np.full(4, 500.0), "m0": np.ones(4), "y": np.array([0, 1, 0, 1.0]), "am": masses}
    path = image_files.write_parquet(tmp_path / "a.parquet", image_files.images(4, planes), columns, flat=True)
    truth = {"class_by": "particle", "decays": DECAYS, "jet_labels": {"gluon": 0, "quark": 1}}
    options = BuildOptions(source=image_options("ECAL", None))
    samples = [Sample("jets", None, (path,))]
    summary = build(regression("gen_mass", truth=truth), samples, tmp_path / "data", options=options)
    jets = columns_of(summary)
    assert jets["label"].tolist() == [0, 1, 0, 1]
    np.testing.assert_array_equal(jets["target_gen_mass"], masses)
    with pytest.raises(InputError, match=r"a\.parquet: truth cannot give 'gen_pt' for class gluon, quark .*jet label"):
        build(regression("gen_pt", truth=truth), samples, tmp_path / "other", options=options)


BY_SAMPLE = {"radius": 0.8, "decays": {"top": load_task("top").truth.decays["top"]}}


@pytest.mark.parametrize(
    ("target", "truth", "message"),
    [
        ("gen_mas", BY_SAMPLE, "task 'partons': no object column 'gen_mas'; choose one of jet_pt, .*gen_mass"),
        ("gen_pt", BY_SAMPLE, r"qcd\.root: truth cannot give 'gen_pt' for class qcd \(labels come from sample name\)"),
        ("gen_pt", {**BY_SAMPLE, "source": "sample_name"}, r"root: truth cannot give 'gen_pt' for class qcd"),
        ("softdrop_mass", BY_SAMPLE, r"qcd\.root: no branch for jets\.softdrop_mass \(looked for jetSoftDropM\)"),
        ("tau32", BY_SAMPLE, r"qcd\.root: no branch for jets\.tau3 \(looked for jetTau3\), which column 'tau32'"),
    ],
)
def test_a_target_that_nothing_gives_is_refused_and_nothing_is_left(tmp_path, target, truth, message):
    qcd = rhtree_files.random_deposits(3, 1)
    without = (*rhtree_files.IMAGE_PREFIXES, "jetSoftDropM", "jetTau3")
    paths = [rhtree_files.write(tmp_path / "qcd.root", qcd, without=without), ntuple(tmp_path / "top.root", 2, 3)]
    task = regression(target, classes=("qcd", "top"), truth=truth)
    samples = [Sample(name, name, (path,)) for name, path in zip(task.classes, paths, strict=True)]
    with pytest.raises(InputError, match=message):
        build(task, samples, tmp_path / "data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["qcd.root", "top.root"]


def test_a_record_without_masses_gives_no_mass(tmp_path):
    deposits = rhtree_files.random_deposits(3, 1)
    del deposits.branches["gen_m"]
    path = rhtree_files.write(tmp_path / "b.root", deposits, without=rhtree_files.IMAGE_PREFIXES)
    task = load_task("top-mass", ["resampling=null"])
    with pytest.raises(
        InputError, match=r"b\.root: no branch for gen\.mass \(looked for gen_m\), which task 'top-mass'"
    ):
        check_source(open_source(path), task, "top")
    check_source(
        open_source(path), load_task("top-mass", ["resampling=null", "objective.targets=[{name: gen_pt}]"]), "top"
    )


def test_a_column_of_the_spectrum_must_be_given_for_every_class(tmp_path):
    source = open_source(ntuple(tmp_path / "a.root", 1, 3))
    task = load_task("top", ["resampling.edges={gen_pt: [400, 600, 900]}"])
    check_source(source, task, "top")
    with pytest.raises(InputError, match="truth cannot give 'gen_pt' for class qcd"):
        check_source(source, task, "qcd")


def joint(**options):
    heads = [
        {"kind": "classification", "classes": ["qcd", "top"], "signal": "top"},
        {"kind": "regression", "classes": ["qcd", "top"], "targets": [{"name": "gen_pt"}]},
    ]
    return regression(truth=BY_SAMPLE, objective={"kind": "joint", "heads": heads, **options})


def test_classes_that_a_target_is_not_learnt_from_need_not_have_it(tmp_path):
    source = open_source(ntuple(tmp_path / "a.root", 1, 12))
    with pytest.raises(InputError, match="truth cannot give 'gen_pt' for class qcd"):
        check_source(source, joint(), "qcd")
    task = joint(only={"regression": ["top"]})
    paths = [tmp_path / "a.root", ntuple(tmp_path / "b.root", 2, 12)]
    samples = [Sample(name, name, (path,)) for name, path in zip(task.classes, paths, strict=True)]
    summary = build(task, samples, tmp_path / "data")
    assert (columns_of(summary, 1)["target_gen_pt"] == 100).all()
    assert (columns_of(summary, 0)["target_gen_pt"] == 0).all()


def test_the_target_of_a_class_that_has_none_is_drawn_evenly_by_what_object_it_is(file, tmp_path):
    limits = [-0.3, -0.1]
    objective = {
        "kind": "regression",
        "classes": ["gluon", "quark"],
        "targets": [{"name": "gen_mass", "drawn": {"gluon": limits}}],
    }
    sample, found = Sample("dijets", None, (file,)), []
    for number, changes in enumerate(({}, {"object": {"kind": "jet", "abs_eta_max": 1.5, "pt_min": 510.0}})):
        task = regression("gen_mass", objective=objective, **changes)
        found.append(columns_of(build(task, [sample], tmp_path / f"{number}")))
    jets = found[0]
    drawn, quark = jets["target_gen_mass"][jets["label"] == 0], jets["jet"] == 0
    assert drawn.min() >= limits[0] and drawn.max() < limits[1] and len(set(drawn.tolist())) == len(drawn) > 10
    assert abs(drawn.mean() + 0.2) < 3 * 0.2 / np.sqrt(12 * len(drawn))
    event = jets["event"].astype(int) - 1
    np.testing.assert_allclose(jets["target_gen_mass"][quark], 0.1 * event[quark], rtol=1e-6)
    # Another selection leaves what was drawn as it is.
    key = [list(zip(one["event"].tolist(), one["jet"].tolist(), strict=True)) for one in found]
    assert 0 < len(key[1]) < len(key[0])
    of_all = dict(zip(key[0], jets["target_gen_mass"].tolist(), strict=True))
    assert [of_all[one] for one in key[1]] == found[1]["target_gen_mass"].tolist()


@pytest.mark.parametrize(
    ("drawn", "said"),
    [
        ({"gluon": [0.0, -0.3]}, "limits of class 'gluon' must rise"),
        ({"photon": [-0.3, 0.0]}, "for some of the classes gluon, quark"),
        ({"gluon": [-0.3, 0.0], "quark": [-0.3, 0.0]}, "not for all"),
    ],
)
def test_limits_that_cannot_be_are_refused(drawn, said):
    targets = [{"name": "gen_mass", "drawn": drawn}]
    with pytest.raises(UsageError, match=said):
        regression(objective={"kind": "regression", "classes": ["gluon", "quark"], "targets": targets})
