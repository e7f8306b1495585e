"""Event files: the bytes of their description, whole or not at all."""

import struct

import numpy as np
import pytest

from e2egraph.errors import InputError
from e2egraph.events.eventfile import COLLECTIONS, EventFileWriter

IDENTITY = {"run": 1, "lumi": 4_000_000_000, "event": 2**63, "n_pv": 7}


def towers(*energies):
    size = len(energies)
    return {"ieta": np.arange(size), "iphi": np.full(size, 71), "energy": np.array(energies, np.float64)}


def test_the_bytes_are_those_of_the_description(tmp_path):
    path = tmp_path / "events.e2e"
    jet = {name: np.array([number]) for number, name in enumerate(COLLECTIONS["jets"])}
    with EventFileWriter(path) as file:
        file.write(IDENTITY, {"hcal": towers(0.5, -1.0), "jets": jet}, (0.1, -0.25, 5.0))
        file.write(IDENTITY | {"run": 3}, {})
    first = struct.pack("<IIQI3f5I", 1, 4_000_000_000, 2**63, 7, 0.1, -0.25, 5.0, 0, 0, 0, 2, 1)
    first += struct.pack("<4i2f", 0, 1, 71, 71, 0.5, -1.0) + struct.pack("<2i7f2i", *range(11))
    second = struct.pack("<IIQI3f5I", 3, 4_000_000_000, 2**63, 7, *[0] * 8)
    assert path.read_bytes() == b"E2EEVT02" + struct.pack("<Q", 2) + first + second


def test_nothing_is_left_of_a_file_that_was_not_finished(tmp_path):
    with pytest.raises(ZeroDivisionError), EventFileWriter(tmp_path / "events.e2e") as file:
        file.write(IDENTITY, {})
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_file_is_replaced_at_the_end_alone(tmp_path):
    path = tmp_path / "events.e2e"
    path.write_bytes(b"before")
    with EventFileWriter(path) as file:
        file.write(IDENTITY, {})
        assert path.read_bytes() == b"before"
    assert path.read_bytes().startswith(b"E2EEVT02")
    assert list(tmp_path.iterdir()) == [path]


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        EventFileWriter(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        EventFileWriter(tmp_path / "file" / "events.e2e")
