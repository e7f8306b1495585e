"""Which failures say nothing of a file, and what is said of them."""

import errno
import os

import numpy as np
import pytest
from aiohttp import ClientPayloadError, ServerDisconnectedError

from e2egraph import cli
from e2egraph.errors import UnfinishedError
from e2egraph.events.locations import damage_named
from e2egraph.transient import unfinished


def caused(by: BaseException) -> Exception:
    """What a library makes of an error."""
    error = ValueError("not enough bytes")
    error.__cause__ = by
    return error


def too_much() -> MemoryError:
    """More than any machine has, as a damaged length asks for."""
    try:
        return np.empty(2**60, np.uint8) and MemoryError()
    except MemoryError as error:
        return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EIO, "Input/output error"), r"cannot be read now \(Input/output error\)"),
        (OSError(errno.EMFILE, "Too many open files"), r"\(Too many open files\).*raise the limit \(ulimit -n\)"),
        (TimeoutError(), r"\(timed out\)"),
        (ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)), "Connection reset"),
        (ClientPayloadError("half of it"), r"ClientPayloadError: half of it"),
        (ServerDisconnectedError(), "ServerDisconnectedError"),
        (OSError("File did not read properly: [FATAL] Connection error"), "Connection error"),
        (MemoryError("Unable to allocate 98.4 MiB"), r"memory is full \(Unable to allocate 98\.4 MiB\)"),
        (RuntimeError("can't start new thread"), "memory is full"),
    ],
)
def test_failures_of_memory_disk_and_server_are_told_in_the_system_s_words(error, words):
    for each in (error, caused(error), caused(caused(error))):
        with pytest.raises(UnfinishedError, match=rf"^a\.root: .*{words}.*run the same command again") as told:
            raise unfinished("a.root", each)
        assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "error",
    [
        *(OSError(number, os.strerror(number)) for number in (errno.ENOENT, errno.EACCES, errno.EISDIR, errno.EINVAL)),
        OSError("File did not open properly: [ERROR] Server responded with an error: [3011] No such file"),
        OSError("expected Chunk of length 100, received 3 bytes"),
        ValueError("damaged"),
        RuntimeError("damaged"),
        too_much(),
    ],
)
def test_what_is_wrong_with_a_file_is_not_transient(error):
    assert unfinished("a.root", error) is None
    assert unfinished("a.root", caused(error)) is None


def test_bytes_that_ask_for_more_memory_than_there_is_are_damaged():
    with (
        pytest.raises(Exception, match=r"a\.root: branch x cannot be read .*truncated, damaged"),
        damage_named("a.root", "branch x cannot be read"),
    ):
        raise too_much()


def test_full_memory_is_told_by_every_command(capsys, monkeypatch):
    def fail(*_, **__):
        raise MemoryError("Unable to allocate 98.4 MiB")

    monkeypatch.setattr(cli.cli.commands["inspect"], "callback", fail)
    assert cli.main(["inspect", "data"]) == 1
    assert "e2egraph: inspect: memory is full (Unable to allocate 98.4 MiB); end other" in capsys.readouterr().err
