"""``--sample NAME=GLOB``: globs, order and mistakes."""

import pytest

from e2egraph.errors import InputError, UsageError
from e2egraph.events.samples import parse_samples, read_samples


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


def listed(folder, text):
    (folder / "samples.yaml").write_text(text)
    return read_samples(folder / "samples.yaml", ["qcd", "top"])


def test_a_samples_file_gives_files_from_its_own_folder_and_event_weights(folder):
    samples = listed(
        folder,
        """
        luminosity: 20
        samples:
          - {class: top, files: a.root, cross_section: 250.0}
          - {class: qcd, files: [b.*, c.txt], cross_section: 2000.0, generated_events: 400000}
        """,
    )
    assert [sample.name for sample in samples] == ["qcd", "top"]
    assert samples[0].paths == (folder / "b.root", folder / "c.txt")
    # w = σ·L/N: 2000 pb × 20 000 pb⁻¹ / 400 000, whatever the files hold; 250 × 20 000 / 5000 events of the files
    assert samples[0].event_weight(7) == pytest.approx(100.0)
    assert samples[1].event_weight(5000) == pytest.approx(1000.0)


def test_a_sum_of_weights_takes_the_place_of_a_number_of_events(folder):
    samples = listed(
        folder,
        """
        samples:
          - {class: top, files: a.root, cross_section: 250.0, sum_of_weights: 1.25e7}
          - {class: qcd, files: b.root, cross_section: 2000.0}
        """,
    )
    # w = σ·L/Σw: 250 pb × 1000 pb⁻¹ / 1.25e7, whatever the files hold
    assert [sample.event_weight(4000) for sample in samples] == pytest.approx([500.0, 0.02])


def test_a_plain_weight_may_be_given_and_one_is_the_default(folder):
    samples = listed(folder, "samples: [{class: top, files: a.root, weight: 2.5}, {class: qcd, files: b.root}]")
    assert [sample.event_weight(10) for sample in samples] == [1.0, 2.5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("samples: []", "'samples' is wrong"),
        ("samples: [{class: top, files: a.root, xsec: 3}]", "unknown key 'samples.0.xsec'"),
        ("samples: [{class: w, files: a.root}]", "'w' is no class of this task; use one of qcd, top"),
        ("samples: [{class: top, files: a.root}]", "class 'qcd' has no sample"),
        ("samples: [{class: top, files: a.root, cross_section: -1}]", "greater than 0"),
        ("samples: [{class: top, files: a.root, cross_section: .inf}]", "finite number"),
        ("samples: [{class: top, files: a.root, weight: .nan}]", "0.weight' is wrong"),
        ("luminosity: .inf\nsamples: [{class: top, files: a.root, cross_section: 1}]", "'luminosity' is wrong"),
        ("samples: [{class: qcd, files: a.root, files: b.root}]", "line 1: key 'samples.0.files' is given twice"),
        ("samples: [{class: top, files: a.root, generated_events: 5}]", "needs cross_section"),
        ("samples: [{class: top, files: a.root, sum_of_weights: 5}]", "sum_of_weights needs cross_section"),
        ("samples: [{class: top, files: a.root, weight: 1, sum_of_weights: 5}]", "not both"),
        (
            "samples: [{class: top, files: a.root, cross_section: 1, generated_events: 5, sum_of_weights: 5}]",
            "give generated_events .* or sum_of_weights .*, not both",
        ),
        ("samples: [{class: top, files: a.root, weight: 1, cross_section: 2}]", "not both"),
        (
            "samples: [{class: top, files: a.root, cross_section: 2}, {class: qcd, files: b.root}]",
            "an entry of 'qcd' has no cross_section",
        ),
        ("- a", "key: value"),
    ],
)
def test_a_wrong_samples_file_is_a_usage_error(folder, text, message):
    with pytest.raises(UsageError, match=message):
        listed(folder, text)


def test_a_samples_file_or_data_file_that_is_not_there_is_named(folder):
    with pytest.raises(UsageError, match=r"none\.yaml: no such file"):
        read_samples(folder / "none.yaml", ["qcd", "top"])
    with pytest.raises(InputError, match=r"samples\.yaml: \*\.parquet: no file matches"):
        listed(folder, "samples: [{class: top, files: '*.parquet'}, {class: qcd, files: b.root}]")


def test_two_entries_may_not_share_a_file(folder):
    with pytest.raises(InputError, match=r"a\.root: given for 'qcd' and for 'qcd'"):
        listed(
            folder,
            "samples: [{class: qcd, files: a.root}, {class: qcd, files: '*.root'}, {class: top, files: c.txt}]",
        )


def test_a_list_named_in_a_samples_file_counts_from_that_files_folder(folder, monkeypatch):
    """Whatever stands under the same name where the command is given."""
    here = folder / "here"
    here.mkdir()
    (here / "a.root").touch()
    monkeypatch.chdir(here)
    (folder / "tops.txt").write_text("a.root\n")
    samples = listed(folder, "samples: [{class: top, files: '@tops.txt'}, {class: qcd, files: b.root}]")
    assert samples[1].paths == (folder / "a.root",)


def test_a_file_written_in_two_ways_comes_once_and_to_one_class(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "link.root").symlink_to("a.root")
    ways = ("a.root", "./a.root", f"{folder}/a.root", f"file://{folder}/a.root", "link.root")
    found = parse_samples([*(f"top={way}" for way in ways), "qcd=b.root"], ["qcd", "top"])
    assert [len(sample.paths) for sample in found] == [1, 1]
    for way in ways[1:]:
        with pytest.raises(InputError, match="given for 'qcd' and for 'top'"):
            parse_samples(["top=a.root", f"qcd={way}"], ["qcd", "top"])
