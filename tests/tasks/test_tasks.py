"""Tasks as configurations: the shipped ones, their objectives, and what is refused in one."""

import json
from dataclasses import replace
from functools import reduce
from operator import getitem

import pytest

from e2egraph.config import as_dict, config_names, validate
from e2egraph.errors import UsageError
from e2egraph.tasks.objectives.objective import Best, make_objective
from e2egraph.tasks.objects.registry import kinds, register
from e2egraph.tasks.task import TaskConfig, load_task, make_task

CLASSES = ["qcd", "top"]
CLASSIFICATION = {"kind": "classification", "classes": CLASSES, "signal": "top"}
REGRESSION = {"kind": "regression", "classes": CLASSES, "targets": [{"name": "gen_mass", "unit": "GeV"}]}
JOINT = {"kind": "joint", "heads": [CLASSIFICATION, REGRESSION]}
PLAIN = {"name": "t", "description": "", "inputs": {"channels": ["ECAL"]}, "objective": CLASSIFICATION}


@pytest.mark.parametrize("name", config_names("tasks"))
def test_a_shipped_task_is_read_back_from_what_is_stored_of_it(name):
    task = load_task(name)
    assert task.name == name and task.description
    assert validate(TaskConfig, as_dict(task), name) == task
    assert task.objective.best.title and task.objective.outputs.size >= 1
    assert set(task.truth.decays) <= set(task.classes)


@pytest.mark.parametrize(
    ("objective", "classes", "targets", "columns"),
    [
        (CLASSIFICATION, ("qcd", "top"), (), ("qcd", "top")),
        (REGRESSION, ("qcd", "top"), ("gen_mass",), ("gen_mass",)),
        (JOINT, ("qcd", "top"), ("gen_mass",), ("qcd", "top", "gen_mass")),
    ],
)
def test_an_objective_says_what_examples_need_and_a_network_gives(objective, classes, targets, columns):
    task = make_task(PLAIN | {"objective": objective}, "t.yaml")
    assert (task.classes, task.target_names) == (classes, targets)
    assert tuple(name for head in task.objective.outputs.heads for name in head.columns) == columns
    assert make_objective(as_dict(task.objective), "again") == task.objective


def test_a_target_is_needed_for_the_classes_it_is_learnt_from():
    assert make_objective(REGRESSION, "t").classes_with("gen_mass") == ("qcd", "top")
    assert make_objective(JOINT, "t").classes_with("gen_mass") == ("qcd", "top")
    only_top = make_objective(JOINT | {"only": {"regression": ["top"]}}, "t")
    assert only_top.classes_with("gen_mass") == only_top.classes_of("regression") == ("top",)
    assert only_top.classes_of("classification") == ("qcd", "top")


def test_the_best_epoch_is_the_highest_or_lowest_and_never_nan():
    nan = float("nan")
    for best, better, worse in ((Best("auc", "AUC", True), 0.9, 0.8), (Best("mae", "error", False), 0.8, 0.9)):
        assert best.better(better, worse) and not best.better(worse, better) and not best.better(better, better)
        assert best.better(worse, nan) and not best.better(nan, worse) and not best.better(nan, nan)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"objective": {"kind": "ranking"}}, "unknown objective kind 'ranking'; choose one of anomaly, "),
        ({"objective": {"classes": CLASSES}}, "unknown objective kind 'None'"),
        ({"objective": CLASSIFICATION | {"signal": "w"}}, "signal 'w' is not among the classes qcd, top"),
        ({"objective": CLASSIFICATION | {"classes": ["top", "top"]}}, "classes must differ"),
        ({"objective": REGRESSION | {"targets": []}}, "'targets' is wrong"),
        ({"objective": REGRESSION | {"weights": [1.0, 2.0]}}, "2 weights for 1 targets"),
        ({"objective": REGRESSION | {"loss": "mean"}}, "'loss' is wrong"),
        ({"objective": REGRESSION | {"targets": [{"name": "gen_mass", "scale": 0}]}}, "'targets.0.scale' is wrong"),
        ({"objective": JOINT | {"heads": [CLASSIFICATION] * 2}}, "heads must be of different kinds"),
        ({"objective": JOINT | {"heads": [CLASSIFICATION]}}, "'heads' is wrong"),
        (
            {"objective": JOINT | {"heads": [CLASSIFICATION, REGRESSION | {"classes": ["top"]}]}},
            "heads must have the same classes",
        ),
        ({"objective": JOINT | {"only": {"regression": ["w"]}}}, r"only\.regression must name classes out of qcd, top"),
        ({"objective": JOINT | {"only": {"ranking": ["top"]}}}, r"only\.ranking must name classes"),
        ({"object": {"kind": "muon"}}, "unknown kind 'muon'; choose one of .*jet"),
        ({"object": {"kind": "jet", "pt": 3}}, "unknown key 'pt'"),
        ({"name": "a/b"}, "'name' is wrong"),
        ({"split": {"validation": 0.5, "test": 0.5}}, "validation and test must leave events to train on"),
        ({"extensions": ["no.such.module"]}, r"t\.yaml: extension 'no\.such\.module' cannot be imported"),
        ({"nodes": {"cap": 3}}, "unknown key 'nodes'"),
        ({"object": "jet"}, r"'object' is wrong \(give a group with its kind, such as {kind: jet}\)"),
        ({"object": None}, r"'object' is wrong \(give a group with its kind"),
        ({"inputs": {"variables": ["value"]}}, r"'inputs\.channels' is wrong \(field required\)"),
        ({"inputs": {"channels": ["ECAL"], "caps": {"ECAL": 10**20}}}, r"'inputs\.caps\.ECAL' is wrong"),
        ({"split": {"salt": -1}}, r"'split\.salt' is wrong \(input should be greater than or equal to 0\)"),
        ({"split": {"salt": 2**64}}, r"'split\.salt' is wrong \(input should be less than"),
        ({"extensions": "e2egraph.detector.phase1"}, "'extensions' is wrong .give a list of modules"),
        ({"extensions": [""]}, "extension '' fails"),
    ],
)
def test_a_wrong_task_is_refused_in_one_sentence(content, message):
    with pytest.raises(UsageError, match=message) as caught:
        make_task(PLAIN | content, "t.yaml")
    assert "\n" not in str(caught.value)


def sections(content, at=()):
    """The places of all groups in a task's content, the task itself left out."""
    for key, value in content.items():
        if isinstance(value, dict):
            yield (*at, key)
            yield from sections(value, (*at, key))


# One task of deposits, with resampling and decays, and one of elements.
WHOLE = {name: as_dict(load_task(name)) for name in ("top", "particle-flow")}
PLACES = [
    (name, at)
    for name, content in WHOLE.items()
    for at in (*sections(content), ("extensions",), ("objective", "kind"), ("object", "kind"))
]


@pytest.mark.parametrize("value", [None, "text", [], ["text"], [{}], 3, True], ids=repr)
def test_what_is_no_group_where_one_belongs_is_refused_in_one_sentence(value):
    for name, at in PLACES:
        content = json.loads(json.dumps(WHOLE[name]))
        *groups, last = at
        reduce(getitem, groups, content)[last] = value
        if (last, value) in (("resampling", None), ("elements", None), ("extensions", [])):
            make_task(content, "t.yaml")
            continue
        with pytest.raises(UsageError) as caught:
            make_task(content, "t.yaml")
        message = str(caught.value)
        assert message.startswith("t.yaml: ") and message.endswith(".") and "\n" not in message, at
        assert last.removesuffix("s") in message or "kind" in message, at


def test_a_kind_of_objects_is_known_by_one_name():
    jet = kinds()["jet"]
    assert register(jet) is jet
    with pytest.raises(ValueError, match="object kind jet exists already"):
        register(replace(jet, axis=("jet_eta", "jet_eta")))


def test_the_columns_of_jets_say_which_fields_they_need():
    jet = kinds()["jet"]
    assert set(jet.column_needs) <= set(jet.columns)
    assert set(jet.quantities) <= set(jet.columns) and set(jet.spectra) <= set(jet.columns)
    assert set(jet.axis) <= set(jet.columns)
