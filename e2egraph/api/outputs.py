"""Names of files that functions of the Python interface write."""

from __future__ import annotations

from pathlib import Path

from e2egraph.files import check_format
from e2egraph.folders import user_path


def parquet_path(output: str | Path | None) -> Path | None:
    """Where scores or candidates are written, if anywhere; UsageError for the name of a file of another format."""
    if output is None:
        return None
    path = user_path(output)
    check_format(path, ".parquet", "output")
    return path
