"""Flipped bits in valid files: readers refuse the file or read on, but never crash and never lose an event or jet.

What has a checksum (TFRecord records, Parquet pages and HDF5 chunks written with one, compressed ROOT baskets) is read
as it was or not at all. A bit of a number that is stored plain, without a checksum, cannot be told from a true value:
there the number of events, jets and objects is all that can be held fast, and a build's manifest pins the bytes it
read by their SHA-256.
"""

import random

import awkward as ak
import pytest
import uproot

from e2egraph.errors import InputError
from e2egraph.events.sources.registry import image_options, open_source
from tests import delphes_files, hitstree_files, image_files, rhtree_files

PLANES = ("track_pt", "track_d0_sig", "ECAL", "BPIX1")
# A quarter of the flips each go to the first and last bytes, where headers and footers stand.
EDGE = 3000
JETS = 4
SMALL = ("track_", "hit_", "hcal_", "gen_", "Vtx", "jetTau", "jetSoft")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def images():
    options = image_options(None, None)
    return type(options)(image={"planes": list(PLANES), "size": 32})


def image_file(path, kind):
    pixels, columns = image_files.images(JETS, PLANES, size=32), image_files.quantities(JETS)
    match kind:
        case "parquet":
            return image_files.write_parquet(path, pixels, columns, flat=True)
        case "parquet with checksums":
            return image_files.write_parquet(path, pixels, columns, flat=True, write_page_checksum=True)
        case "hdf5":
            return image_files.write_hdf5(path, pixels, columns, name="X", last=True, compression="lzf")
        case "hdf5 with checksums":
            return image_files.write_hdf5(
                path, pixels, columns, name="X", last=True, compression="gzip", fletcher32=True
            )
        case "tfrecord":
            return image_files.write_tfrecord(path, pixels, columns)
        case "tfrecord, not compressed":
            return image_files.write_tfrecord(path.with_suffix(".tfrecord"), pixels, columns, compressed=False)
    raise AssertionError(kind)


def root_file(path, kind):
    if kind == "hits_tree":
        return hitstree_files.write(path, hitstree_files.random_branches(JETS))
    if kind == "Delphes":
        return delphes_files.write(path)
    deposits = rhtree_files.random_deposits(JETS)
    return rhtree_files.write(path, deposits, without=(*rhtree_files.IMAGE_PREFIXES, *SMALL))


def content(path):
    """All that a file gives: number of jets or events, what is missing, and every value."""
    source = open_source(path, images())
    if hasattr(source, "n_events"):
        wanted = ("id", "tracks", "hits", "ecal", "hcal", "jets", "gen")
        events = source.read(0, source.n_events, [name for name in wanted if name not in source.missing])
        return source.n_events, set(source.missing.branches), ak.to_list(events)
    points = source.read(0, source.n_jets)
    values = [points.counts, points.rows, points.columns, points.channel, *points.variables.values()]
    jets = {name: column.tolist() for name, column in points.jets.items()}
    return source.n_jets, set(source.missing.branches), [jets, *(column.tolist() for column in values)]


def flips(size, number, seed):
    rng = random.Random(seed)
    for _ in range(number):
        edge = min(EDGE, size)
        place = rng.choice(
            [rng.randrange(size), rng.randrange(size), rng.randrange(edge), size - 1 - rng.randrange(edge)]
        )
        yield place, 1 << rng.randrange(8)


def outcomes(path, number, seed=1):
    """(where, content) for each flip that was not refused; anything but InputError is a failure of the test."""
    good = path.read_bytes()
    refused = 0
    read = []
    for place, bit in flips(len(good), number, seed):
        bad = bytearray(good)
        bad[place] ^= bit
        path.write_bytes(bad)
        try:
            read.append((place, content(path)))
        except InputError as error:
            refused += 1
            assert str(path) in str(error) and "\n" not in str(error)
    path.write_bytes(good)
    assert refused > number // 20
    return read


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("parquet", 500), ("parquet with checksums", 500), ("hdf5", 300), ("hdf5 with checksums", 300),
        ("tfrecord", 500), ("tfrecord, not compressed", 500),
    ],
)  # fmt: skip
def test_image_files_never_lose_a_jet_to_a_flipped_bit(folder, kind, number):
    path = image_file(folder / kind.replace(" ", "_"), kind)
    expected = content(path)
    for place, found in outcomes(path, number):
        assert found[0] == expected[0], f"flip at byte {place}"
        if kind.startswith("tfrecord"):
            assert found == expected, f"flip at byte {place}"
        if kind == "parquet with checksums" and found[1] == expected[1]:
            # A flip in the footer can rename a column, which is then told as missing.
            assert found == expected, f"flip at byte {place}"


@pytest.mark.parametrize(("kind", "number"), [("RHTree", 120), ("hits_tree", 40), ("Delphes", 40)])
def test_root_files_never_lose_an_event_to_a_flipped_bit(folder, kind, number):
    path = root_file(folder / f"{kind}.root", kind)
    expected = content(path)
    for place, found in outcomes(path, number):
        assert found[0] == expected[0], f"flip at byte {place}"
        if kind == "RHTree" and found[1] == expected[1]:
            lengths = [[len(event[name]) for name in ("ecal", "jets")] for event in found[2]]
            assert lengths == [[len(event[name]) for name in ("ecal", "jets")] for event in expected[2]]


def test_a_flipped_bit_in_a_compressed_basket_is_always_found(folder):
    """Images compress, so that their baskets carry the checksum of LZ4 blocks."""
    path = rhtree_files.write(
        folder / "images.root",
        rhtree_files.random_deposits(2),
        without=(*rhtree_files.VECTOR_PREFIXES, "BPIX", "TIB", "TOB", "gen_", "ECAL_tracks"),
    )
    good, expected = path.read_bytes(), content(path)
    with uproot.open(path) as file:
        branch = file["fevt/RHTree"]["ECAL_energy"]
        start, key = int(branch.member("fBasketSeek")[0]), branch.basket_key(0)
        first, last = start + key.fKeylen, start + key.fNbytes
        assert branch.compressed_bytes < branch.uncompressed_bytes / 10
    rng = random.Random(3)
    equal = 0
    for _ in range(40):
        bad = bytearray(good)
        bad[rng.randrange(first, last)] ^= 1 << rng.randrange(8)
        path.write_bytes(bad)
        try:
            assert content(path) == expected
            equal += 1
        except InputError as error:
            assert "branch ECAL_energy cannot be read" in str(error)
    assert equal <= 2
