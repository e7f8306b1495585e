"""Which class an object is of: by decay chain, by jet label, by sample or by particle; and the particle behind it."""

import math

import awkward as ak
import numpy as np
import pytest

from e2egraph.errors import InputError, UsageError
from e2egraph.events.schema import Missing
from e2egraph.tasks.decays import Decay
from e2egraph.tasks.objects.jet import from_columns
from e2egraph.tasks.objects.objects import Objects
from e2egraph.tasks.task import load_task, make_task
from e2egraph.tasks.truth import NO_CLASS, PARTICLE_COLUMNS, Truth, given_columns, labelled, truth_source
from tests.tasks.records import TOP, Loops, P, gen

TRUTH = load_task("top").truth
CLASSES = ("qcd", "top")
AXIS = ("jet_eta", "jet_phi")


def jets(*objects, **columns) -> Objects:
    """Jets at (event, η, φ)."""
    event, eta, phi = (np.array(column) for column in zip(*objects, strict=True))
    made = from_columns({"jet_eta": eta, "jet_phi": phi, **columns})
    return Objects(event, made.columns, made.centres)


def events(*records, **options):
    return ak.zip({"gen": gen(*records, **options)}, depth_limit=1)


def test_each_jet_is_matched_to_its_own_event_only():
    objects = jets((0, 0.0, 0.0), (0, 3.0, 0.0), (1, 0.0, 0.0), (2, 0.1, 0.1))
    found = labelled(objects, events(TOP, [P(1)], TOP), TRUTH, CLASSES, "top", "generator", AXIS)
    assert found.label.tolist() == [1, NO_CLASS, NO_CLASS, 1]
    assert found.columns["gen_index"].tolist() == [1, -1, -1, 1]


def test_a_jet_label_selects_by_the_value_of_the_task():
    objects = jets(*[(0, 0.0, 0.0)] * 3, truth_label=np.array([1, 0, 1]))
    found = labelled(objects, ak.Array([]), TRUTH, CLASSES, "top", "jet_label", AXIS)
    assert found.label.tolist() == [1, NO_CLASS, 1]
    both = labelled(objects, ak.Array([]), TRUTH, CLASSES, None, "jet_label", AXIS)
    assert both.label.tolist() == [1, 0, 1]


def test_a_trusted_sample_labels_every_object():
    found = labelled(jets((0, 0, 0), (4, 0, 0)), ak.Array([]), TRUTH, CLASSES, "qcd", "sample_name", AXIS)
    assert found.label.tolist() == [0, 0]
    assert {name: column.tolist() for name, column in found.columns.items()} == {
        name: [-1, -1] if name == "gen_index" else [0, 0] for name in PARTICLE_COLUMNS
    }


def test_the_particle_behind_an_object_is_told_with_its_type():
    record = [P(21), P(-15, 0, 0.3, 3.1, 40.0, 1.777)]
    truth = Truth(decays={"tau": Decay(pdg_id=[15])})
    found = labelled(jets((0, 0.1, -3.1), (0, 2.0, 0.0)), events(record), truth, ("tau",), "tau", "generator", AXIS)
    assert {name: column.dtype for name, column in found.columns.items()} == PARTICLE_COLUMNS
    told = {name: column[0] for name, column in found.columns.items()}
    apart = math.hypot(0.2, 2 * math.pi - 6.2)
    assert told == pytest.approx({
        "gen_index": 1, "gen_pdg_id": -15, "gen_pt": 40.0, "gen_eta": 0.3, "gen_phi": 3.1, "gen_mass": 1.777,
        "gen_dr": apart,
    })  # fmt: skip
    assert found.columns["gen_index"][1] == -1


def test_a_visible_particle_is_told_by_its_visible_daughters():
    record = [P(15, -1, 0.1, 0.0, 60.0, 1.777), P(16, 0, 0.6, 0.3, 25.0), P(-211, 0, 0.2, -0.1, 20.0, 0.14), P(111, 0)]
    truth = Truth(decays={"tau": Decay(pdg_id=[15], visible=True)})
    found = labelled(jets((0, 0.1, 0.1)), events(record), truth, ("tau",), "tau", "generator", AXIS)
    pt, eta, phi, mass = Loops(record).visible(0)
    told = [float(found.columns[f"gen_{name}"][0]) for name in ("pt", "eta", "phi", "mass", "dr", "pdg_id")]
    assert told == pytest.approx([pt, eta, phi, mass, math.hypot(eta - 0.1, phi - 0.1), 15], rel=1e-6)


QUARK_GLUON = load_task("quark-gluon")


def test_by_particle_the_nearest_of_all_classes_decides():
    record = [P(21, -1, 0.3, status=23), P(1, -1, -0.2, status=23), P(21, -1, 2.0, status=23), P(4, -1, 1.0, status=23)]
    objects = jets((0, 0.0, 0.0), (0, 0.2, 0.0), (0, 1.0, 0.0), (0, 2.0, 0.1), (1, 0.0, 0.0))
    found = labelled(
        objects, events(record, []), QUARK_GLUON.truth, QUARK_GLUON.classes, None, "generator", AXIS
    )  # fmt: skip
    gluon, quark = 0, 1
    assert found.label.tolist() == [quark, gluon, NO_CLASS, gluon, NO_CLASS]
    assert found.columns["gen_pdg_id"].tolist() == [1, 21, 0, 21, 0]
    assert found.columns["gen_index"].tolist() == [1, 0, -1, 2, -1]


def test_by_sample_particles_of_other_classes_do_not_matter():
    truth = Truth(radius=0.4, decays=QUARK_GLUON.truth.decays)
    record = [P(21, -1, 0.3, status=23), P(1, -1, 0.1, status=23)]
    found = labelled(jets((0, 0.0, 0.0)), events(record), truth, ("gluon", "quark"), "gluon", "generator", AXIS)
    assert found.label.tolist() == [0]


class File:
    path = "ntuple.root"

    def __init__(self, *missing):
        self.missing = Missing({name: f"branch of {name}" for name in missing})


def test_the_generator_record_is_preferred_then_the_jet_label():
    assert truth_source(TRUTH, "top", File()) == "generator"
    assert truth_source(TRUTH, "top", File("gen")) == truth_source(TRUTH, "top", File("gen.mother")) == "jet_label"
    assert truth_source(TRUTH, "qcd", File("gen", "jets.truth_label")) == "sample_name"


def test_labels_of_jets_are_no_labels_of_clusters_and_events():
    assert truth_source(TRUTH, "top", File("gen")) == "jet_label"
    for file, of_jets in ((File("gen"), False), (File("gen", "jets"), True)):
        with pytest.raises(InputError, match="no truth for class 'top'"):
            truth_source(TRUTH, "top", file, of_jets=of_jets)


def test_events_without_any_stored_particle_give_objects_of_no_class():
    found = labelled(jets((0, 0.0, 0.0)), events([]), TRUTH, ("qcd", "top"), "top", "generator", AXIS)
    assert found.label.tolist() == [NO_CLASS] and found.columns["gen_index"].tolist() == [-1]


def test_without_any_truth_the_error_names_the_option_to_trust_names():
    with pytest.raises(InputError, match=r"ntuple\.root: no truth for class 'top'.*--trust-sample-names"):
        truth_source(TRUTH, "top", File("gen", "jets.truth_label"))


def test_by_particle_no_sample_can_be_trusted():
    assert truth_source(QUARK_GLUON.truth, None, File()) == "generator"
    assert truth_source(QUARK_GLUON.truth, None, File("gen")) == "jet_label"
    with pytest.raises(InputError, match=r"no truth for class 'gluon' .*; give a file that has it\.$"):
        truth_source(QUARK_GLUON.truth, None, File("gen", "jets.truth_label"))
    with pytest.raises(UsageError, match="particle finds the class of each object, so samples cannot name it"):
        load_task("quark-gluon", ["truth.source=sample_name"])
    with pytest.raises(UsageError, match=r"truth.decays of every class, none is given for \['qcd'\]"):
        load_task("top", ["truth.class_by=particle"])


@pytest.mark.parametrize(
    ("decay", "lacks", "words"),
    [
        (Decay(pdg_id=[1], status=[23]), "gen.status", "asks for the status .*leave out status in truth.decays.top"),
        (Decay(pdg_id=[6], daughters=[Decay(pdg_id=[5], status=[1])]), "gen.status", "asks for the status"),
        (Decay(pdg_id=[15], visible=True), "gen.mass", "asks for the mass .*leave out visible in truth.decays.top"),
    ],
)
def test_what_a_chain_asks_for_must_stand_in_the_record(decay, lacks, words):
    truth = Truth(decays={"top": decay})
    assert truth_source(truth, "top", File()) == "generator"
    with pytest.raises(InputError, match=rf"ntuple\.root: truth of class 'top' {words}"):
        truth_source(truth, "top", File(lacks))
    plain = Truth(decays={"top": Decay(pdg_id=[6])})
    assert truth_source(plain, "top", File("gen.status", "gen.mass")) == "generator"


def test_only_a_matched_particle_gives_columns():
    assert given_columns(TRUTH, "top", "generator") == tuple(PARTICLE_COLUMNS)
    for name, source in (("qcd", "generator"), ("top", "jet_label"), ("top", "sample_name")):
        assert given_columns(TRUTH, name, source) == ()


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ({"decays": {"w": {"pdg_id": [24]}}}, r"\['w'\] are not among the classes"),
        ({"jet_labels": {"w": 1}}, r"\['w'\] are not among the classes"),
        ({"decays": {"top": {"pdg_id": []}}}, "'truth.decays.top.pdg_id' is wrong"),
        ({"decays": {"top": {"pdg_id": [6], "closest": True}}}, "unknown key 'truth.decays.top.closest'"),
        ({"radius": 0}, "'truth.radius' is wrong"),
        ({"class_by": "jet"}, "'truth.class_by' is wrong"),
    ],
)
def test_a_wrong_truth_is_refused_naming_the_key(truth, message):
    content = {
        "name": "t",
        "description": "",
        "inputs": {"channels": ["ECAL"]},
        "truth": truth,
        "objective": {"kind": "classification", "classes": ["qcd", "top"], "signal": "top"},
    }
    with pytest.raises(UsageError, match=message):
        make_task(content, "t.yaml")


@pytest.mark.parametrize("classes", [("b", "w"), ("w", "b")])
@pytest.mark.parametrize(
    ("decay", "lacks"),
    [({"status": [22]}, "gen.status"), ({"visible": True}, "gen.mass")],
    ids=lambda given: str(given),
)
def test_by_particle_a_file_must_hold_what_the_truth_of_each_class_asks_for(classes, decay, lacks):
    decays = {"b": Decay(pdg_id=[5]), "w": Decay(pdg_id=[24], **decay)}
    truth = Truth(class_by="particle", decays={name: decays[name] for name in classes})
    assert truth_source(truth, None, File()) == "generator"
    with pytest.raises(InputError, match=f"truth of class 'w' asks for .* branch of {lacks}"):
        truth_source(truth, None, File(lacks))


def test_by_particle_labels_of_jets_serve_only_where_each_class_has_one():
    decays = {"gluon": Decay(pdg_id=[21]), "quark": Decay(pdg_id=[1])}
    labels = {"gluon": 0, "quark": 1}
    both = Truth(class_by="particle", decays=decays, jet_labels=labels)
    assert truth_source(both, None, File("gen")) == "jet_label"
    one = Truth(class_by="particle", decays=decays, jet_labels={"gluon": 0})
    with pytest.raises(InputError, match="no truth for class 'quark'"):
        truth_source(one, None, File("gen"))
