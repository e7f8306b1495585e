"""Globs, lists and URLs: what they stand for, and what is said when they stand for nothing."""

import errno
import functools
import hashlib
import io
import os
import re
import shutil
import socket
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from e2egraph.errors import InputError, UnfinishedError
from e2egraph.events import locations, patterns
from e2egraph.events.sources import registry
from e2egraph.events.sources.registry import image_options, open_source
from tests import image_files, rhtree_files

FORMATS = ("root", "parquet", "h5", "tfrecord")
IMAGES = image_options(None, "boosted-top")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One input file of each format, by its suffix."""
    folder = tmp_path_factory.mktemp("made")
    paths = {suffix: folder / f"made.{suffix}" for suffix in FORMATS}
    rhtree_files.write(paths["root"], rhtree_files.random_deposits(2), without=rhtree_files.IMAGE_PREFIXES)
    pixels, columns = image_files.images(2, image_files.BOOSTED_TOP), image_files.quantities(2)
    for path in list(paths.values())[1:]:
        image_files.write_boosted_top(path, pixels, columns)
    return paths


@pytest.fixture
def folder(tmp_path):
    for name in ("b.root", "a.root", "c.txt"):
        (tmp_path / name).write_text(name)
    return tmp_path


def test_a_glob_stands_for_its_files_sorted(folder):
    assert patterns.expand(f"{folder}/*.root", "--sample") == [f"{folder}/a.root", f"{folder}/b.root"]
    assert patterns.expand(f"file://{folder}/*.root", "--sample") == [f"{folder}/a.root", f"{folder}/b.root"]


def test_what_exists_as_it_is_written_is_meant_and_not_what_it_matches(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plain = ("run1/a1.root", "x?/v[2]/b.root", "~/c.root", "@d.root")
    for name in (*plain, *(f"run[1]/{name}.root" for name in ("a1", "a[1]", "a*", "ab"))):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    for given, expected in {
        "run[1]/a[1].root": ["run[1]/a[1].root"],
        "run[1]/a*.root": ["run[1]/a*.root"],
        # The folder is there as written, the rest is a pattern.
        "run[1]/a?.root": ["run[1]/a*.root", "run[1]/a1.root", "run[1]/ab.root"],
        "run[1]/a[b-c].root": ["run[1]/ab.root"],
        "run[12]/a1.root": ["run1/a1.root"],
        "run[[]1]/a1.root": ["run[1]/a1.root"],
        "x*/v[2]/*.root": ["x?/v[2]/b.root"],
        "**/v[2]/b.root": ["x?/v[2]/b.root"],
        "~/*.root": ["~/c.root"],
        "@d.root": ["@d.root"],
    }.items():
        assert patterns.expand(given, "--sample") == expected, given
        for absolute in (f"{tmp_path}/{given}", f"file://{tmp_path}/{given}"):
            found = [path.removeprefix("file://") for path in patterns.expand(absolute, "--sample")]
            assert found == [f"{tmp_path}/{path}" for path in expected], absolute


def test_a_folder_with_brackets_may_hold_a_list_and_its_files(tmp_path):
    folder = tmp_path / "[v1] *"
    folder.mkdir()
    for name in ("a.root", "b.root"):
        (folder / name).touch()
    (folder / "list").write_text("a.root\nb*.root\n")
    for pattern in ("*.root", "@list"):
        assert patterns.expand(pattern, "samples.yaml", folder) == [f"{folder}/a.root", f"{folder}/b.root"]


def test_the_home_folder_may_be_a_tilde(folder, monkeypatch):
    monkeypatch.setenv("HOME", str(folder))
    (folder / "list").write_text("~/a.root\n~/b*.root\n")
    expected = [f"{folder}/a.root", f"{folder}/b.root"]
    for pattern in ("~/*.root", "@~/list"):
        assert patterns.expand(pattern, "--sample") == expected
        assert patterns.expand(pattern, "samples.yaml", Path("/else")) == expected


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_list_may_begin_with_a_byte_order_mark(folder, encoding):
    (folder / "list").write_text(f"{folder}/a.root\r\n", encoding=encoding)
    assert patterns.expand(f"@{folder}/list", "--sample") == [f"{folder}/a.root"]
    (folder / "list").write_bytes(b"a.root\n# \xb5\n")
    with pytest.raises(InputError, match=r"list cannot be read \(line 2 is not UTF-8\)"):
        patterns.expand(f"@{folder}/list", "--sample")


def test_a_path_or_url_stands_for_itself(folder):
    for text in ("gone.root", "root://host//store/a.root", "https://host/a.root?download=1"):
        assert patterns.expand(text, "--sample") == [text]


def test_a_list_names_paths_globs_and_urls(folder):
    (folder / "list").write_text(f"# tops\n{folder}/b.root\n\n  root://host//a.root\n{folder}/*.root\n")
    assert patterns.expand(f"@{folder}/list", "--sample") == [
        f"{folder}/a.root", f"{folder}/b.root", "root://host//a.root",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "names no file"),
        ("# nothing\n", "names no file"),
        ("@other\n", "names another list"),
        ("gone*.root\n", r"--sample top=… \(in .*list\): no file matches"),
    ],
)
def test_lists_that_name_nothing_are_refused(folder, content, message):
    (folder / "list").write_text(content)
    with pytest.raises(InputError, match=message):
        patterns.expand(f"@{folder}/list", "--sample top=…")


def test_an_absent_list_and_a_binary_one_are_refused(folder):
    with pytest.raises(InputError, match=r"--sample: the list .*gone cannot be read"):
        patterns.expand(f"@{folder}/gone", "--sample")
    (folder / "list").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        patterns.expand(f"@{folder}/list", "--sample")


def test_a_pattern_that_matches_nothing_is_an_error(folder):
    with pytest.raises(InputError, match="--sample: no file matches"):
        patterns.expand(f"{folder}/*.h5", "--sample")


def test_one_file_has_one_identity_however_it_is_written(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "link.root").symlink_to("a.root")
    same = {locations.identity(text) for text in ("a.root", f"{folder}/../{folder.name}/a.root", "link.root",
                                                  f"file://{folder}/a.root")}  # fmt: skip
    assert len(same) == 1
    assert locations.identity("root://host//a.root") == "root://host//a.root"
    for one, other in (
        ("root://host//a.root", "xroot://HOST:1094//a.root"),
        ("https://me@host:443/a", "https://me@host/a"),
    ):
        assert locations.identity(one) == locations.identity(other)
    for one, other in (("root://host//a.root", "root://host:1095//a.root"), ("http://host/a", "http://host/A")):
        assert locations.identity(one) != locations.identity(other)


def test_size_and_checksum_are_those_of_the_bytes(folder):
    content = bytes(range(256)) * 5000
    (folder / "big").write_bytes(content)
    expected = (len(content), hashlib.sha256(content).hexdigest())
    assert locations.size_and_sha256(f"{folder}/big") == expected
    assert locations.size_and_sha256(f"file://{folder}/big") == expected


def test_files_that_cannot_be_opened_say_why(folder):
    with pytest.raises(InputError, match=r"gone: no such file"):
        locations.open_binary(f"{folder}/gone")
    with pytest.raises(InputError, match=r"is a folder; give its files"):
        locations.open_binary(str(folder))
    with pytest.raises(InputError, match=r"xyz://host/a: cannot be read \(ValueError: Protocol not known"):
        locations.open_binary("xyz://host/a")


def test_a_file_without_read_permission_says_so(folder, monkeypatch):
    # Tests may run as root, who may read anything: the system's refusal is played.
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(InputError, match=r"a\.root: may not be read; give yourself read permission"):
        open_source(folder / "a.root")


class _Ranges(SimpleHTTPRequestHandler):
    """A quiet file server that knows byte ranges, as uproot and fsspec need."""

    protocol_version = "HTTP/1.1"
    status = 200

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.send_error(self.status if self.status != 200 else 405)

    def do_GET(self):
        if self.status != 200:
            return self.send_error(self.status)
        try:
            content = Path(self.translate_path(self.path)).read_bytes()
        except OSError:
            return self.send_error(404)
        wanted = self.headers.get("Range")
        first, last = 0, len(content) - 1
        if wanted:
            low, high = wanted.removeprefix("bytes=").split("-")
            first, last = int(low), min(int(high), last) if high else last
        part = content[first : last + 1]
        self.send_response(206 if wanted else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(part)))
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.end_headers()
        self.wfile.write(part)


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Gives the files of a folder; every answer has ``_Ranges.status``, if that is no success."""
    monkeypatch.setattr(_Ranges, "status", 200)
    handler = functools.partial(_Ranges, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def test_root_files_are_read_over_http(made, tmp_path, server):
    path = shutil.copy(made["root"], tmp_path / "a.root")
    here, there = (
        open_source(location).read(0, 2, ["id", "tracks", "jets"]) for location in (path, f"{server}/a.root")
    )
    assert here.tolist() == there.tolist()
    assert locations.size_and_sha256(f"{server}/a.root") == locations.size_and_sha256(str(path))


def test_names_that_mean_something_to_libraries_are_read_as_names(made, tmp_path, server):
    for name in ("a[1].root", "a*.root", "a:b.root", "a::b.root", "zip::c.root", "a.root:tree", "a b#%20?.root"):
        path = shutil.copy(made["root"], tmp_path / name)
        assert patterns.expand(str(path), "--sample") == [str(path)]
        for location in (str(path), f"file://{path}"):
            assert len(open_source(location).read(0, 2, ["id"])) == 2
        if "[" in name or "*" in name:
            url = f"{server}/{name}"
            assert patterns.expand(url, "--sample") == [url]
            assert len(open_source(url).read(0, 2, ["id"])) == 2


@pytest.mark.parametrize("suffix", FORMATS[1:])
def test_images_are_read_over_http(made, tmp_path, server, suffix):
    path = shutil.copy(made[suffix], tmp_path / f"a.{suffix}")
    here, there = (open_source(location, IMAGES).read(0, 2) for location in (path, f"{server}/{path.name}"))
    np.testing.assert_array_equal(here.variables["value"], there.variables["value"])
    np.testing.assert_array_equal(here.jets["event"], there.jets["event"])


def test_a_url_that_is_not_there_says_so(server):
    with pytest.raises(InputError, match=r"http://127\.0\.0\.1:\d+/gone\.root: no such file"):
        open_source(f"{server}/gone.root")


def answers(status):
    _Ranges.status = status


def test_a_server_that_is_down_makes_no_bad_file(made, tmp_path, server):
    """At the opening, and in the middle, where fsspec hands the answer on in place of bytes."""
    url = f"{server}/{shutil.copy(made['root'], tmp_path / 'a.root').name}"
    source = open_source(url)
    for work in (
        lambda: open_source(url),
        lambda: locations.size_and_sha256(url),
        lambda: source.read(0, 2, ["tracks", "ecal"]),
    ):
        for status in (503, 429):
            answers(status)
            with pytest.raises(UnfinishedError, match=rf"a\.root: cannot be read now \(HTTP {status} .*run the same"):
                work()
        answers(403)
        with pytest.raises(locations.UnreachableError, match=r"does not give it \(HTTP 401 or 403\)"):
            work()
    answers(200)
    assert len(source.read(0, 2, ["tracks", "ecal"])) == 2


@pytest.mark.parametrize("suffix", FORMATS[1:])
def test_a_server_that_is_down_makes_no_bad_image_file(made, tmp_path, server, suffix):
    path = shutil.copy(made[suffix], tmp_path / f"a.{suffix}")
    answers(503)
    with pytest.raises(UnfinishedError, match=r"cannot be read now \(HTTP 503"):
        open_source(f"{server}/{path.name}", IMAGES)


def test_a_server_that_is_not_there_makes_no_bad_file(server):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with pytest.raises(UnfinishedError, match=r"cannot be read now \(.*Connect"):
        open_source(f"http://127.0.0.1:{port}/a.root")


class FailingDisk(io.RawIOBase):
    """A file that opens and cannot be read."""

    def __init__(self, number):
        self.number = number

    def readable(self):
        return True

    def seekable(self):
        return True

    def seek(self, *_):
        return 0

    def readinto(self, *_):
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("number", [errno.EIO, errno.ETIMEDOUT, errno.EMFILE, errno.ESTALE])
def test_a_failing_disk_makes_no_bad_file(made, monkeypatch, number):
    """The system's own error is named, from the first byte and in the middle."""
    source = open_source(made["root"])
    says = re.escape(f"cannot be read now ({os.strerror(number)}")
    monkeypatch.setattr("uproot.source.file.FileResource.get", FailingDisk(number).readinto)
    with pytest.raises(UnfinishedError, match=says):
        source.read(0, 2, ["tracks"])
    monkeypatch.setattr(Path, "open", lambda *_, **__: io.BufferedReader(FailingDisk(number)))
    for path in made.values():
        with pytest.raises(UnfinishedError, match=says):
            open_source(path, IMAGES)


@pytest.mark.parametrize("kind", ["HDF5", "TFRecord"])
def test_a_disk_that_fails_once_the_format_is_known_makes_no_bad_file(monkeypatch, kind):
    monkeypatch.setattr(registry, "_format", lambda _: kind)
    monkeypatch.setattr(Path, "open", lambda *_, **__: io.BufferedReader(FailingDisk(errno.EIO)))
    with pytest.raises(UnfinishedError, match=r"cannot be read now \(Input/output error\)"):
        open_source("some file", IMAGES)
