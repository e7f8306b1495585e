"""Text that users write: UTF-8, with or without a byte-order mark, or what its byte-order mark says."""

from __future__ import annotations

import codecs

_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decoded(content: bytes) -> str:
    """The text of a file, its byte-order mark removed; UnicodeDecodeError, whose reason names the line, if it has
    none."""
    encoding = "utf-16" if content.startswith(_MARKS) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        error.reason = f"line {line} is not {encoding.removesuffix('-sig').upper()}"
        raise
