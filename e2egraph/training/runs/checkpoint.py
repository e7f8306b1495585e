"""Checkpoint files: written whole or not at all, verified when read.

``best.ckpt`` holds the weights of the best epoch (``Objective.best``), ``last.ckpt`` the latest and all that an exact
continuation needs; ``previous.ckpt`` is the one before it, for when ``last.ckpt`` turns out damaged.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from e2egraph import transient
from e2egraph.errors import InputError
from e2egraph.files import replacing
from e2egraph.folders import make_folder

# Version of what the files hold; reading refuses any other.
FORMAT = 1

# Where a checkpoint's state dictionary keeps the network's weights.
NETWORK_PREFIX = "network."

SUFFIX = ".ckpt"
BEST, LAST, PREVIOUS = "best", "last", "previous"


class DamagedCheckpointError(InputError):
    """A checkpoint that is torn or altered."""


def write_checkpoint(path: Path, content: dict[str, Any], keep: Path | None = None) -> None:
    """Write ``content`` (tensors and plain values) next to ``path``, flush it to the disk and rename it.

    The file that stood at ``path`` becomes ``keep``, if given. InputError when it cannot be written; what was there
    before is then still there.
    """
    stream = io.BytesIO()
    torch.save({"format": FORMAT, **content}, stream)
    try:
        make_folder(path.parent)
        with replacing(path, keep) as file:
            file.write(stream.getbuffer())
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror or error}); the checkpoint before it is kept, so make room "
            "and give the same command again."
        ) from error


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint, on the CPU; nothing in the file is executed.

    DamagedCheckpointError when the file is cut short, a checksum (CRC-32 of each record of the ZIP archive that it is)
    does not fit, or it is something else; InputError when another version wrote it, UnfinishedError when disk or memory
    fail.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if (bad := archive.testzip()) is not None:
                raise DamagedCheckpointError(f"{path}: damaged checkpoint (record {bad}); train again.")
        content = torch.load(path, map_location="cpu", weights_only=True)
        wrote = content.get("format")
    except (
        *(RuntimeError, OSError, KeyError, ValueError, AttributeError, EOFError),
        *(zipfile.BadZipFile, zipfile.LargeZipFile, pickle.UnpicklingError),
    ) as error:
        raise transient.unfinished(str(path), error) or DamagedCheckpointError(
            f"{path}: damaged checkpoint; train again."
        ) from error
    if wrote != FORMAT:
        raise InputError(
            f"{path}: made by another version (format {wrote or 'not given'}, not {FORMAT}); use that one, or train "
            "again."
        )
    return dict(content)


def read_latest(folder: Path) -> tuple[dict[str, Any] | None, list[str]]:
    """The newest checkpoint in ``folder`` that is whole (None: there is none), and a remark on each that is not.

    InputError when there are checkpoints and all are damaged.
    """
    remarks: list[str] = []
    for name in (LAST, PREVIOUS):
        path = folder / f"{name}{SUFFIX}"
        if not path.is_file():
            continue
        try:
            return read_checkpoint(path), remarks
        except DamagedCheckpointError:
            remarks.append(f"{path} is damaged and ignored")
    if remarks:
        raise InputError(f"{folder}: no checkpoint in it can be read; begin again with --restart.")
    return None, remarks


def network_state(network: nn.Module) -> dict[str, Tensor]:
    """The weights as checkpoints name them."""
    return {NETWORK_PREFIX + name: value for name, value in network.state_dict().items()}


def load_network_state(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Put the weights of a checkpoint into ``network``; RuntimeError when they do not fit."""
    network.load_state_dict(
        {name.removeprefix(NETWORK_PREFIX): value for name, value in state.items() if name.startswith(NETWORK_PREFIX)}
    )
