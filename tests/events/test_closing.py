"""No input file stays open: not after it was read, not when it is refused, not when reading stops half-way."""

import gc
from pathlib import Path

import pytest
import uproot

from e2egraph.config import as_dict
from e2egraph.errors import InputError
from e2egraph.events.sources.registry import SourceOptions, image_options, opened
from e2egraph.inference.events import read_objects, without_truth
from e2egraph.tasks.task import load_task
from tests import delphes_files, hitstree_files, image_files
from tests.image_files import BOOSTED_TOP

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are listed on Linux alone")
IMAGES = image_options(None, "boosted-top")


@pytest.fixture(autouse=True)
def _no_collector():
    """The collector of cycles would close a forgotten file sooner or later, and hide it here."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def handles(path):
    """How many files are open at ``path``."""
    links = []
    for each in Path("/proc/self/fd").iterdir():
        try:
            links.append(each.readlink())
        except OSError:  # the listing's own
            continue
    return links.count(Path(path).resolve())


def image_file(kind, folder, columns=True):
    pixels, given = image_files.images(3, BOOSTED_TOP), image_files.quantities(3) if columns else {}
    if kind == "parquet":
        return image_files.write_parquet(folder / "a.parquet", pixels, given, flat=True)
    if kind == "hdf5":
        return image_files.write_hdf5(folder / "a.h5", pixels, given, name="X_jets" if columns else "Y", last=True)
    return image_files.write_tfrecord(folder / "a.tfrecord", pixels, given)


@pytest.mark.parametrize("kind", ["parquet", "hdf5", "tfrecord"])
def test_a_file_of_images_is_closed_once_it_was_read(kind, tmp_path):
    path = image_file(kind, tmp_path)
    with opened(path, IMAGES) as source:
        source.read(0, 2)
    assert handles(path) == 0


@pytest.mark.parametrize("kind", ["delphes", "hits"])
def test_a_tree_is_closed_once_it_was_read(kind, tmp_path):
    path = tmp_path / "a.root"
    if kind == "delphes":
        delphes_files.write(path)
    else:
        hitstree_files.write(path, hitstree_files.random_branches(2))
    with opened(path) as source:
        source.read(0, 1, ["id", "tracks"])
        assert handles(path) >= 1
    assert handles(path) == 0


def test_an_ntuple_is_closed_when_reading_it_stops_half_way(flow_file):
    steps = read_objects(str(flow_file), without_truth(as_dict(load_task("top")), "task top"), SourceOptions())
    next(steps)
    assert handles(flow_file) >= 1
    steps.close()
    assert handles(flow_file) == 0


def test_files_that_are_refused_are_closed(tmp_path):
    other = tmp_path / "other.root"
    with uproot.recreate(other) as file:
        file["something"] = {"x": [1.0, 2.0]}
    nameless = image_file("hdf5", tmp_path, columns=False)
    for path, options in ((other, None), (nameless, IMAGES)):
        # The error is held, and with it what it passed through.
        with pytest.raises(InputError) as refused, opened(path, options):
            raise AssertionError("was opened")
        assert handles(path) == 0, refused.value


def test_a_file_is_closed_when_what_is_done_with_it_fails(flow_file):
    with pytest.raises(ArithmeticError) as failed, opened(flow_file) as source:
        source.read(0, 1, ["id"])
        raise ArithmeticError
    assert handles(flow_file) == 0, failed.value
