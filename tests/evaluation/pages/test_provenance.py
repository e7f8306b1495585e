import pytest

from e2egraph.evaluation.pages.provenance import (
    as_yaml,
    command_line,
    environment_facts,
    without_paths,
    without_places,
)


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (
            "/opt/venv/bin/e2egraph train --data /home/someone/data",
            "e2egraph train --data data",
        ),
        ("/x/e2egraph/__main__.py evaluate runs/one", "e2egraph evaluate runs/one"),
        ("e2egraph build-graphs --sample 'top=/data/my files/t*.root'", "e2egraph build-graphs --sample 'top=t*.root'"),
        (
            "e2egraph train --data '/my data/top' --set training.epochs=5",
            "e2egraph train --data top --set training.epochs=5",
        ),
        ("e2egraph train --data '/unclosed quote", "e2egraph train --data 'unclosed quote"),
    ],
)
def test_of_absolute_paths_in_a_command_the_last_part_is_left(command, shown):
    assert command_line(command) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/someone/models/net.yaml", "net.yaml"),
        ("C:\\Users\\someone\\net.yaml", "net.yaml"),
        ("runs/a: not a run; see '/tmp/x/y'", "runs/a: not a run; see 'y'"),
        ("~/models/net.yaml", "net.yaml"),
        ("/my data/top", "top"),
        ("/home/someone/run: loss not finite at 3 jets/s; see /tmp/x/y.", "run: loss not finite at 3 jets/s; see y."),
        ("τ3 / τ2", "τ3 / τ2"),
        ("signal/background and 1/2", "signal/background and 1/2"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("package.module:Network", "package.module:Network"),
    ],
)
def test_text_keeps_all_but_the_places_of_files(text, shown):
    assert without_paths(text) == shown


def test_hosts_and_folders_are_left_out_wherever_they_stand():
    content = {
        "machine": {"host": "node7", "cpus": 4},
        "data_set": {"folder": "/a/b", "digest": "d"},
        "f": ["/a/b/c", 1],
    }
    assert without_places(content) == {"machine": {"cpus": 4}, "data_set": {"digest": "d"}, "f": ["c", 1]}
    assert as_yaml({"host": "node7", "x": {"path": "/a/b/c"}}) == "x:\n  path: c\n"


def test_what_an_environment_lacks_is_said():
    facts = environment_facts({})
    assert facts["command"] == facts["Python"] == facts["accelerator"] == "not recorded"
    assert facts["code"] == "not from a Git checkout"
    told = environment_facts({"code": {"commit": "abc", "modified": True}, "machine": {"cpus": 2, "accelerator": None}})
    assert (told["code"], told["accelerator"], told["CPUs"]) == ("commit abc, with changes", "none", "2")
