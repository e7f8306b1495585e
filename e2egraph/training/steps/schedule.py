"""The learning rate as a function of the step: nothing to save, nothing to restore."""

from __future__ import annotations

import math

from e2egraph.training.recipe import TrainingOptions


def learning_rate(options: TrainingOptions, step: int, steps_per_epoch: int) -> float:
    """Learning rate of step ``step`` (from 0).

    Linear warm-up over the first W = ``warmup_epochs`` · S steps: η (t + 1) / W. Then ``step``: η · factor^⌊epoch /
    step_epochs⌋; ``cosine``: η (1 + cos(π (t − W) / (T − W))) / 2 over the T steps of the run (Loshchilov and Hutter,
    arXiv:1608.03983, eq. 5 without restarts); ``constant``: η.
    """
    warm_up = min(round(options.warmup_epochs * steps_per_epoch), options.epochs * steps_per_epoch)
    if step < warm_up:
        return options.learning_rate * (step + 1) / warm_up
    if options.schedule == "step":
        return float(options.learning_rate * options.step_factor ** (step // steps_per_epoch // options.step_epochs))
    if options.schedule == "cosine":
        done = (step - warm_up) / (options.epochs * steps_per_epoch - warm_up)
        return options.learning_rate * (1 + math.cos(math.pi * done)) / 2
    return options.learning_rate
