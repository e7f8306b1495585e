"""``--sample NAME=GLOB``: globs, order and mistakes."""

import pytest

from e2egraph.errors import InputError, UsageError
from e2egraph.events.samples import parse_samples


@pytest.fixture
def folder(tmp_path):
    for name in ("b.root", "a.root", "c.txt"):
        (tmp_path / name).touch()
    return tmp_path


def test_samples_come_in_class_order_and_their_files_sorted(folder):
    found = parse_samples([f"top={folder}/*.root", f"qcd={folder}/c.txt"], ["qcd", "top"])
    assert [(sample.name, [path.name for path in sample.paths]) for sample in found] == [
        ("qcd", ["c.txt"]),
        ("top", ["a.root", "b.root"]),
    ]


def test_a_class_may_be_given_in_several_globs(folder):
    found = parse_samples([f"top={folder}/b.root", f"top={folder}/*.root", f"qcd={folder}/c.txt"], ["qcd", "top"])
    assert [path.name for path in found[1].paths] == ["a.root", "b.root"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["top"], "expected NAME=GLOB"),
        (["top="], "expected NAME=GLOB"),
        (["w=x.root"], "'w' is no class of this task; use one of qcd, top"),
        (["top=x.root"], "class 'qcd' has no sample"),
    ],
)
def test_wrong_options_are_usage_errors(options, message):
    with pytest.raises(UsageError, match=message):
        parse_samples(options, ["qcd", "top"])


def test_a_glob_that_matches_nothing_is_an_error(folder):
    with pytest.raises(InputError, match="no file matches"):
        parse_samples([f"top={folder}/*.parquet", f"qcd={folder}/c.txt"], ["qcd", "top"])


def test_a_file_may_not_belong_to_two_classes(folder):
    with pytest.raises(InputError, match=r"a\.root: given for 'qcd' and for 'top'"):
        parse_samples([f"top={folder}/*.root", f"qcd={folder}/a.root"], ["qcd", "top"])
