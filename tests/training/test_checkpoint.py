import os
import stat

import torch

from e2egraph.training.checkpoint import read_checkpoint, write_checkpoint


def test_a_checkpoint_and_then_its_name_are_flushed_to_the_disk(tmp_path, monkeypatch):
    path, flush, flushed = tmp_path / "checkpoints" / "last.ckpt", os.fsync, []

    def watched(file):
        flushed.append(("folder" if stat.S_ISDIR(os.fstat(file).st_mode) else "file", path.is_file()))
        flush(file)

    monkeypatch.setattr(os, "fsync", watched)
    write_checkpoint(path, {"weights": torch.ones(3)})
    assert flushed == [("file", False), ("folder", True)]
    assert read_checkpoint(path)["weights"].tolist() == [1, 1, 1]


def test_a_file_system_that_cannot_flush_folders_will_do(tmp_path, monkeypatch):
    flush = os.fsync

    def refuse(file):
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise OSError(22, os.strerror(22))
        flush(file)

    monkeypatch.setattr(os, "fsync", refuse)
    write_checkpoint(tmp_path / "last.ckpt", {"weights": torch.ones(3)})
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]
