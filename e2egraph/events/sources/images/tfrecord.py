"""TFRecord files of ``tf.train.Example`` with jet images, GZIP-compressed or plain, without TensorFlow.

Framing (TensorFlow, "TFRecord and tf.train.Example"): length (8 bytes, little-endian), masked CRC-32C of the length,
data, masked CRC-32C of the data. The checksums are verified, so that no flipped bit passes (the ``tfrecord`` package
on PyPI reads over them). Messages are parsed by protobuf's own runtime.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import Any, BinaryIO, cast

import crc32c
import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from numpy.typing import NDArray

from e2egraph.errors import InputError
from e2egraph.events import locations
from e2egraph.events.locations import damage_named
from e2egraph.events.sources.images.container import IMAGE_COLUMNS, JETS_PER_STEP, check_plain

_GZIP_MAGIC = b"\x1f\x8b"
# Far above any jet image (13 planes of 125×125 in float64 are 1.6 MB); a longer record is a damaged length.
_LONGEST_RECORD = 1 << 28
_CRC_MASK = 0xA282EAD8


class TFRecordContainer:
    """A file of examples. It can only be read from its beginning, so plain columns are kept from one pass over it."""

    def __init__(self, location: str) -> None:
        self._location = location
        first = next(self._examples(), None)
        if first is None:
            raise InputError(
                f"{location}: not a readable TFRecord file (it holds no record); it may be truncated: copy it again."
            )
        self.names = frozenset(first)
        self._image = next((name for name in IMAGE_COLUMNS if name in self.names), "")

    @property
    def n_jets(self) -> int:
        return self._scanned[0]

    def close(self) -> None:
        """Nothing: each pass over the file closes it."""

    def column(self, name: str) -> NDArray:
        count, columns = self._scanned
        return check_plain(self._location, name, columns[name], count)

    def batches(self, start: int) -> Iterator[NDArray]:
        examples = islice(self._examples(), start, None)
        while batch := [self._feature(example, self._image) for example in islice(examples, JETS_PER_STEP)]:
            lengths = {len(image) for image in batch}
            if len(lengths) > 1:
                raise InputError(
                    f"{self._location}: {self._image} has rows of different lengths ({min(lengths)} and {max(lengths)} "
                    "values); make the file again."
                )
            yield np.stack(batch)

    @cached_property
    def _scanned(self) -> tuple[int, dict[str, NDArray]]:
        """Number of records, and every column other than the images."""
        names = sorted(self.names - {self._image})
        columns: dict[str, list[NDArray]] = {name: [] for name in names}
        count = 0
        for example in self._examples():
            count += 1
            for name in names:
                columns[name].append(self._feature(example, name))
        ragged = [name for name, values in columns.items() if len({len(value) for value in values}) > 1]
        if ragged:
            raise InputError(f"{self._location}: {ragged[0]} has rows of different lengths; make the file again.")
        return count, {name: np.stack(values) for name, values in columns.items() if values}

    def _feature(self, example: dict[str, NDArray], name: str) -> NDArray:
        if name not in example:
            raise InputError(f"{self._location}: a record has no {name}, which the first one has; make the file again.")
        return example[name]

    def _examples(self) -> Iterator[dict[str, NDArray]]:
        with locations.open_binary(self._location) as raw, damage_named(self._location, "not a readable TFRecord file"):
            compressed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            file = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if compressed else raw
            for record in _records(self._location, file):
                yield _parse(record)


def masked_crc(data: bytes) -> int:
    """CRC-32C (Castagnoli) rotated and offset as TFRecord stores it."""
    crc = crc32c.crc32c(data)
    return ((crc >> 15 | crc << 17) + _CRC_MASK) & 0xFFFFFFFF


def _records(location: str, file: BinaryIO) -> Iterator[bytes]:
    number = 0
    while head := file.read(12):
        if len(head) < 12:
            raise InputError(f"{location}: ends within record {number}; it is truncated: copy it again.")
        length, check = struct.unpack("<QI", head)
        if masked_crc(head[:8]) != check or length > _LONGEST_RECORD:
            raise InputError(
                f"{location}: not a readable TFRecord file (the length of record {number} fails its checksum); it is "
                "damaged or of another format: copy it again."
            )
        data, tail = file.read(length), file.read(4)
        if len(data) < length or len(tail) < 4:
            raise InputError(f"{location}: ends within record {number}; it is truncated: copy it again.")
        if masked_crc(data) != struct.unpack("<I", tail)[0]:
            raise InputError(f"{location}: record {number} fails its checksum; the file is damaged: copy it again.")
        yield data
        number += 1


def _parse(record: bytes) -> dict[str, NDArray]:
    """Float and integer features of one Example by name."""
    features: dict[str, NDArray] = {}
    for entry in _EXAMPLE.FromString(record).features.feature:
        if entry.value.HasField("float_list"):
            features[entry.key] = np.frombuffer(b"".join(entry.value.float_list.value), "<f4")
        elif entry.value.HasField("int64_list"):
            features[entry.key] = np.array(entry.value.int64_list.value, np.int64)
    return features


def _declare() -> Any:
    """``tf.train.Example`` (tensorflow/core/example/example.proto, feature.proto).

    A packed list of floats is declared as the bytes it is on the wire: the same encoding, and no Python object for
    each of 125,000 pixels.
    """
    kind = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="e2egraph_example.proto", package="e2egraph", syntax="proto3")

    def message(name: str, *fields: tuple[str, int, int, bool, str]) -> None:
        made = file.message_type.add(name=name)
        for field, number, wire, repeated, of in fields:
            label = kind.LABEL_REPEATED if repeated else kind.LABEL_OPTIONAL
            of_type = {"type_name": f".e2egraph.{of}"} if of else {}
            made.field.add(name=field, number=number, type=wire, label=label, **of_type)

    message("FloatList", ("value", 1, kind.TYPE_BYTES, True, ""))
    message("Int64List", ("value", 1, kind.TYPE_INT64, True, ""))
    message(
        "Feature",
        ("float_list", 2, kind.TYPE_MESSAGE, False, "FloatList"),
        ("int64_list", 3, kind.TYPE_MESSAGE, False, "Int64List"),
    )
    message("Entry", ("key", 1, kind.TYPE_STRING, False, ""), ("value", 2, kind.TYPE_MESSAGE, False, "Feature"))
    message("Features", ("feature", 1, kind.TYPE_MESSAGE, True, "Entry"))
    message("Example", ("features", 1, kind.TYPE_MESSAGE, False, "Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("e2egraph.Example"))


_EXAMPLE = _declare()
