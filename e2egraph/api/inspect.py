"""``e2egraph.inspect``."""

from __future__ import annotations

from pathlib import Path

from e2egraph.events.sources.registry import image_options
from e2egraph.folders import user_path
from e2egraph.graphs.inspecting.file_inspection import FileInspection, inspect_file
from e2egraph.graphs.inspecting.inspection import Inspection, inspect_data_set
from e2egraph.graphs.storage.manifest import MANIFEST_NAME


def inspect(
    data: str | Path,
    *,
    verify: bool = False,
    image_channels: str | None = None,
    image_preset: str | Path | None = None,
) -> Inspection | FileInspection:
    """Check a data set and tell what it holds; or tell what is recognised in an event file.

    Args:
        data: Folder of a data set, or an event file in any of the formats.
        verify: Hash every shard of a data set again, whether or not it has changed.
        image_channels: Planes of an image file, in the file's order.
        image_preset: The same as a name in ``configs/images`` or a YAML file.

    Returns:
        A description of a data set has ``manifest``, ``jets``, ``bytes_per_jet``, ``jets_cut``, ``nodes`` (class →
        channel → nodes per jet), ``weights`` and ``spectra``. That of a file has ``reader``, ``entries``,
        ``recognised``, ``missing`` and ``verdicts``, which says for each (task, class) why the file cannot serve it
        (empty if it can).

    Raises:
        InputError: Missing, damaged, or neither a data set nor an event file.
        UsageError: Both ways to name planes.

    Example:
        >>> found = e2e.inspect("data/top")
        >>> found.jets == sum(shard.jets for shard in found.manifest.shards)
        True
        >>> e2e.inspect("ttbar.root").verdicts["top", "top"]
        ''
    """
    if is_event_file(data):
        options = image_options(image_channels, None if image_preset is None else str(image_preset))
        return inspect_file(str(user_path(data)), options)
    return inspect_data_set(user_path(data), verify=verify)


def is_event_file(data: str | Path) -> bool:
    """Whether ``data`` is meant as an event file; a folder, a file of a data set, or a missing path without a suffix,
    is a data set."""
    path = user_path(data)
    in_data_set = path.suffix in (".parquet", ".json") and path.is_file() and (path.parent / MANIFEST_NAME).is_file()
    return not path.is_dir() and not in_data_set and not (path.suffix == "" and not path.exists())
