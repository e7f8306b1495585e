import errno
import os
import stat
import zipfile

import pytest
import torch

from e2egraph.errors import UnfinishedError
from e2egraph.training.runs.checkpoint import read_checkpoint, read_latest, write_checkpoint


def test_a_checkpoint_and_then_its_name_are_flushed_to_the_disk(tmp_path, monkeypatch):
    path, flush, flushed = tmp_path / "checkpoints" / "last.ckpt", os.fsync, []

    def watched(file):
        flushed.append(("folder" if stat.S_ISDIR(os.fstat(file).st_mode) else "file", path.is_file()))
        flush(file)

    monkeypatch.setattr(os, "fsync", watched)
    write_checkpoint(path, {"weights": torch.ones(3)})
    assert flushed == [("file", False), ("folder", True)]
    assert read_checkpoint(path)["weights"].tolist() == [1, 1, 1]


def test_a_disk_that_fails_makes_no_damaged_checkpoint(tmp_path, monkeypatch):
    """Else the work since the checkpoint before it would be done again, or all of it."""
    for name in ("last", "previous"):
        write_checkpoint(tmp_path / f"{name}.ckpt", {"weights": torch.ones(3)})

    def fail(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(zipfile.ZipFile, "testzip", fail)
    with pytest.raises(UnfinishedError, match=r"last\.ckpt: cannot be read now \(Input/output error\)"):
        read_latest(tmp_path)
