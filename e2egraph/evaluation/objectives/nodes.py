"""Particle flow has no scores of objects for ``evaluate``, ``compare`` and ``ablate`` to work with."""

from __future__ import annotations

from typing import NoReturn

from e2egraph.errors import UsageError
from e2egraph.tasks.objectives.objective import Objective


def no_evaluation(objective: Objective) -> NoReturn:
    """In the place of an ``Evaluation``: UsageError that says what to do."""
    raise UsageError(
        f"objective {objective.kind}: finds particles, which have no scores of objects that evaluate, compare and "
        "ablate work with; write them with 'e2egraph predict RUN --data DATA --output candidates.parquet' and give "
        "them to 'e2egraph compare-particles'."
    )
