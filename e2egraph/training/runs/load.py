"""A trained run → its network, ready to score jets."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from e2egraph.errors import InputError
from e2egraph.models.registry import build_model
from e2egraph.training.runs.checkpoint import BEST, SUFFIX, DamagedCheckpointError, load_network_state, read_checkpoint
from e2egraph.training.runs.run_folder import CHECKPOINTS, RunInfo, read_run


def load_run(run: Path, checkpoint: str = BEST) -> tuple[nn.Module, RunInfo]:
    """The network of a run in evaluation mode, on the CPU, and what the run's files say.

    ``checkpoint``: ``best`` or ``last``; with ``training.ema_decay`` both hold the averaged weights. InputError: no
    such run, no such checkpoint yet, a damaged checkpoint or one that does not fit the run's configuration. Weights
    only are read: nothing in the file is executed.
    """
    info = read_run(run)
    path = run / CHECKPOINTS / f"{checkpoint}{SUFFIX}"
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint; let 'e2egraph train' finish at least one epoch.")
    content = read_checkpoint(path)
    if not isinstance(content.get("state_dict"), dict):
        raise DamagedCheckpointError(f"{path}: damaged checkpoint; train again.")
    network = build_model(info.model, info.inputs, info.outputs)
    try:
        load_network_state(network, content["state_dict"])
    except RuntimeError as error:
        raise InputError(f"{path}: does not fit the model in {run / 'config.yaml'}; train again.") from error
    return network.eval(), info
