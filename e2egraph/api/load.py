"""``e2egraph.load``: a run or a bundle, whichever a folder holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from e2egraph.errors import InputError, UsageError
from e2egraph.folders import user_path
from e2egraph.tasks.outputs import Level

if TYPE_CHECKING:
    from torch import nn

    from e2egraph.api.run import Run
    from e2egraph.api.tagger import Tagger

# The file that every run has, from its first moment, and no bundle.
_OF_RUNS = "config.yaml"


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run; if not, it may be a bundle."""
    return (folder / _OF_RUNS).is_file()


def check_network(folder: Path) -> None:
    """InputError where a folder is neither a run nor a bundle."""
    from e2egraph.export.bundle import METADATA_FILE

    if not is_run(folder) and not (folder / METADATA_FILE).is_file():
        fault = "neither a run nor a bundle" if folder.exists() else "no such run or bundle"
        raise InputError(f"{folder}: {fault}; give a folder made by 'e2egraph train' or 'e2egraph export'.")


def level_of(folder: Path) -> Level:
    """What the network of a run or a bundle gives rows of: objects or their nodes; objects of a folder that is neither,
    which whoever opens it refuses."""
    try:
        if not is_run(folder):
            from e2egraph.export.bundle import read_metadata

            return read_metadata(folder).outputs.level
        from e2egraph.training.runs.run_folder import read_run

        return read_run(folder).outputs.level
    except (InputError, UsageError):
        return "object"


def load(
    folder: str | Path, *, network: nn.Module | None = None, threads: int = 0, variant: str | None = None
) -> Run | Tagger:
    """Open a run or a bundle; both have ``predict``. Torch is imported for runs alone.

    Args:
        folder: What ``train`` or ``Run.export`` made.
        network: Of a run that was trained from a network object of another program: one like it.
        threads: Of ONNX Runtime, for bundles; 0: one a core.
        variant: ``fp16`` or ``int8``, of a bundle.

    Returns:
        A ``Run``, or a ``Tagger`` of a bundle.

    Raises:
        InputError: Neither run nor bundle, or damaged.
        UsageError: A variant or threads of a run, a network for a bundle, or fewer threads than 0.

    Example:
        >>> e2e.load("runs/g").predict("data/top", split="test").columns
        ('score_qcd', 'score_top')
    """
    folder = user_path(folder)
    if threads < 0:
        raise UsageError(f"threads={threads}: give a number from 1, or 0 for one a core.")
    if not is_run(folder):
        from e2egraph.api.tagger import Tagger

        check_network(folder)
        if network is not None:
            raise UsageError(f"{folder}: not a run, so that no network object belongs to it; leave network out.")
        return Tagger(folder, threads=threads, variant=variant)
    if variant is not None:
        raise UsageError(f"{folder}: a run has no variants; export it with fp16 or int8, and load the bundle.")
    if threads:
        raise UsageError(
            f"{folder}: a run is scored by torch; say torch.set_num_threads({threads}), and leave threads out."
        )
    from e2egraph.api.run import Run

    run = Run(folder, network)
    _ = run.info  # refuses what is damaged
    return run
