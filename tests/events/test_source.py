"""Choosing the reader by what a file holds, refusing what is no such file, and mixed inputs."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot

from e2egraph.detector.channels import Channel
from e2egraph.errors import InputError
from e2egraph.events.schema import EventSource, PointSource
from e2egraph.events.sources.hitstree import HitsTreeFile
from e2egraph.events.sources.images.imagefile import ImageFile
from e2egraph.events.sources.registry import check_alike, image_options, node_form, open_source
from e2egraph.events.sources.rhtree import RHTreeFile
from tests import hitstree_files, image_files, rhtree_files
from tests.image_files import BOOSTED_TOP

TOP = image_options(None, "boosted-top")


@pytest.fixture(scope="module")
def deposits():
    return rhtree_files.random_deposits(3)


def test_the_content_and_not_the_name_chooses_the_reader(tmp_path, deposits):
    pixels, columns = image_files.images(1, BOOSTED_TOP), image_files.quantities(1)
    made = {
        RHTreeFile: rhtree_files.write(tmp_path / "a", deposits, without=rhtree_files.IMAGE_PREFIXES),
        HitsTreeFile: hitstree_files.write(tmp_path / "b.dat", hitstree_files.random_branches(2)),
        ImageFile: image_files.write_parquet(tmp_path / "c.snappy.parquet.1", pixels, columns, flat=True),
    }
    for kind, path in made.items():
        source = open_source(path, TOP)
        assert type(source) is kind
        assert source.path == str(path)
        assert isinstance(source, PointSource) is (kind is ImageFile)
        assert isinstance(source, EventSource) is (kind is not ImageFile)


PAGE = b"<!DOCTYPE html><html><head><title>403 Forbidden</title></head></html>" * 20


@pytest.mark.parametrize("suffix", ["root", "parquet", "h5", "hdf5", "tfrecord", "dat"])
@pytest.mark.parametrize("content", [b"", PAGE, bytes(range(1, 256)) * 40, b"root", b"PAR1", b"\x89HDF\r\n\x1a\n"])
def test_foreign_bytes_are_refused_in_one_sentence_naming_the_file(tmp_path, suffix, content):
    path = tmp_path / f"page.{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"page\..*(not a readable|truncated)") as caught:
        source = open_source(path, TOP)
        source.read(0, source.n_jets)
    assert "copy it again" in str(caught.value) and "\n" not in str(caught.value)


def test_a_page_saved_as_root_is_named_for_what_it_is(tmp_path):
    path = tmp_path / "ttbar.root"
    path.write_bytes(PAGE)
    with pytest.raises(
        InputError, match=r"ttbar\.root: not a readable ROOT file \(it begins with b'<!DOCTYP'\).*error page"
    ):
        open_source(path)


def test_truncated_root_files_are_refused_at_every_length(tmp_path, deposits):
    path = rhtree_files.write(tmp_path / "cut.root", deposits, without=rhtree_files.IMAGE_PREFIXES)
    content = path.read_bytes()
    for length in [*range(0, 300, 23), *range(300, len(content), len(content) // 25), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"cut\.root: .*(bytes\); it is truncated|truncated)"):
            open_source(path)


def test_a_root_object_that_is_no_tree_is_refused(tmp_path):
    path = tmp_path / "histogram.root"
    with uproot.recreate(path) as file:
        file["fevt/RHTree"] = np.histogram(np.arange(10))
    with pytest.raises(InputError, match=r"fevt/RHTree is a TH1D and no tree; give an MLAnalyzer ntuple"):
        open_source(path)


def test_a_root_file_without_a_known_tree_is_refused_naming_what_is_there(tmp_path):
    path = tmp_path / "other.root"
    with uproot.recreate(path) as file:
        file.mktree("Events", {"x": "f4"}).extend({"x": np.zeros(2, "f4")})
    with pytest.raises(InputError, match=r"no tree fevt/RHTree \(found Events\)"):
        open_source(path)


def test_a_tree_whose_branches_hold_something_else_is_refused(tmp_path, deposits):
    plain = rhtree_files.Deposits({**deposits.branches, "jetPt": [1, 2, 3]})
    path = rhtree_files.write(tmp_path / "odd.root", plain, without=rhtree_files.IMAGE_PREFIXES)
    with pytest.raises(InputError, match=r"odd\.root: jetPt is no vector"):
        open_source(path).read(0, 3, ["jets"])


def test_a_tree_without_events_has_none(tmp_path):
    path = tmp_path / "empty.root"
    with uproot.recreate(path) as file:
        file.mktree("fevt/RHTree", {"jetPt": "var * float32", "eventId": "u8"})
    assert open_source(path).n_events == 0


# Mixed schemas in one data set.


ALL = (Channel.TRACK, Channel.BPIX1, Channel.ECAL, Channel.HCAL)


def forms(paths, channels=ALL):
    return [(str(path), node_form(open_source(path, TOP), channels)) for path in paths]


def test_files_of_one_kind_are_alike_whatever_their_truth(tmp_path, deposits):
    paths = [rhtree_files.write(tmp_path / f"{i}.root", deposits, without=rhtree_files.IMAGE_PREFIXES) for i in "ab"]
    without_truth = rhtree_files.write(tmp_path / "c.root", deposits, without=(*rhtree_files.IMAGE_PREFIXES, "gen_"))
    check_alike(forms([*paths, without_truth]))


@pytest.mark.parametrize(
    ("without", "message"),
    [
        (rhtree_files.VECTOR_PREFIXES, r"a\.root and .*b\.root hold different things \(ecal: objects and images"),
        ((*rhtree_files.IMAGE_PREFIXES, "hcal_"), r"hcal: objects and missing"),
    ],
)
def test_mixed_files_are_refused_naming_two_and_what_differs(tmp_path, deposits, without, message):
    paths = [
        rhtree_files.write(tmp_path / "a.root", deposits, without=rhtree_files.IMAGE_PREFIXES),
        rhtree_files.write(tmp_path / "b.root", deposits, without=without),
    ]
    with pytest.raises(InputError, match=message):
        check_alike(forms(paths))


@pytest.mark.parametrize(("whole", "barrel"), [("ECAL_energy", "EB_energy"), ("HBHE_energy", "HBHE_energy_EB")])
def test_files_whose_calorimeter_ends_with_the_barrel_do_not_mix_with_whole_ones(tmp_path, deposits, whole, barrel):
    central = [image[11 * 72 : 45 * 72] for image in deposits.branches["HBHE_energy"]]
    branches = rhtree_files.Deposits({**deposits.branches, "HBHE_energy_EB": central})
    partial = rhtree_files.Deposits({name: values for name, values in branches.branches.items() if name != whole})
    vectors = (*rhtree_files.VECTOR_PREFIXES, "TIB", "TOB")
    paths = [
        rhtree_files.write(tmp_path / f"{name}.root", given, without=vectors)
        for name, given in (("a", branches), ("b", branches), ("c", partial), ("d", partial))
    ]
    check_alike(forms(paths[:2]))
    check_alike(forms(paths[2:]))
    with pytest.raises(InputError, match=r"b\.root and .*c\.root .* \(.cal: images and images of the barrel alone\)"):
        check_alike(forms(paths[1:3]))
    check_alike(forms(paths[1:3], (Channel.TRACK, Channel.BPIX1)))


def test_what_no_channel_needs_may_differ(tmp_path, deposits):
    paths = [
        rhtree_files.write(tmp_path / "a.root", deposits, without=rhtree_files.IMAGE_PREFIXES),
        rhtree_files.write(tmp_path / "b.root", deposits, without=(*rhtree_files.IMAGE_PREFIXES, "hcal_")),
    ]
    check_alike(forms(paths, (Channel.TRACK, Channel.BPIX1)))


def test_a_variable_that_one_file_lacks_is_told(tmp_path, deposits):
    vectors = (*rhtree_files.VECTOR_PREFIXES, "TIB", "TOB")
    paths = [
        rhtree_files.write(tmp_path / "a.root", deposits, without=vectors),
        rhtree_files.write(tmp_path / "b.root", deposits, without=(*vectors, "ECAL_tracksD0Sig")),
    ]
    with pytest.raises(InputError, match=r"tracks\.d0_sig: there and missing"):
        check_alike(forms(paths))


def test_images_and_events_do_not_mix(tmp_path, deposits):
    pixels, columns = image_files.images(1, BOOSTED_TOP), image_files.quantities(1)
    paths = [
        rhtree_files.write(tmp_path / "a.root", deposits, without=rhtree_files.IMAGE_PREFIXES),
        image_files.write_parquet(tmp_path / "b.parquet", pixels, columns, flat=True),
    ]
    with pytest.raises(InputError, match="hold different things"):
        check_alike(forms(paths))


def test_a_table_without_images_is_no_file_of_images(tmp_path):
    path = tmp_path / "scores.parquet"
    pq.write_table(pa.table({"run": [1], "score_top": [0.5]}), path)
    with pytest.raises(InputError, match=r"scores\.parquet: holds neither events nor images \(columns run, score_top"):
        open_source(path)
