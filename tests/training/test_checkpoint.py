import os
import stat

import torch

from e2egraph.training.runs.checkpoint import read_checkpoint, write_checkpoint


def test_a_checkpoint_and_then_its_name_are_flushed_to_the_disk(tmp_path, monkeypatch):
    path, flush, flushed = tmp_path / "checkpoints" / "last.ckpt", os.fsync, []

    def watched(file):
        flushed.append(("folder" if stat.S_ISDIR(os.fstat(file).st_mode) else "file", path.is_file()))
        flush(file)

    monkeypatch.setattr(os, "fsync", watched)
    write_checkpoint(path, {"weights": torch.ones(3)})
    assert flushed == [("file", False), ("folder", True)]
    assert read_checkpoint(path)["weights"].tolist() == [1, 1, 1]
