"""A trained run → its network, ready to score jets."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import torch
from torch import nn

from e2egraph.errors import InputError
from e2egraph.models.registry import build_model
from e2egraph.training.module import NETWORK_PREFIX
from e2egraph.training.run_folder import BEST, CHECKPOINTS, RunInfo, read_run


def load_run(run: Path, checkpoint: str = BEST) -> tuple[nn.Module, RunInfo]:
    """The network of a run in evaluation mode, on the CPU, and what the run's files say.

    ``checkpoint``: ``best`` or ``last``. InputError: no such run, no such checkpoint yet, a damaged checkpoint or one
    that does not fit the run's configuration. Weights only are read: nothing in the file is executed.
    """
    info = read_run(run)
    path = run / CHECKPOINTS / f"{checkpoint}.ckpt"
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint; let 'e2egraph train' finish at least one epoch.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        weights = {
            name.removeprefix(NETWORK_PREFIX): value
            for name, value in content["state_dict"].items()
            if name.startswith(NETWORK_PREFIX)
        }
    except (RuntimeError, OSError, KeyError, TypeError, EOFError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        raise InputError(f"{path}: damaged checkpoint; train again.") from error
    network = build_model(info.model, len(info.data.classes))
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"{path}: does not fit the model in {run / 'config.yaml'}; train again.") from error
    return network.eval(), info
