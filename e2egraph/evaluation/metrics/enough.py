"""How many jets a figure needs to be quoted."""

from __future__ import annotations

import math
from collections.abc import Mapping

from e2egraph.tasks.objects.naming import ANY_OBJECT, ObjectName

# With fewer background jets than this beyond a cut, what is measured there is one fluctuation: an efficiency at 0.1%
# mistag or a background rejection is then not quoted. Nor is a p-value with fewer jets in one of the classes.
ENOUGH_PASSING = 10

# With fewer jets than this in all, no p-value is quoted: its normal approximation has nothing to stand on.
ENOUGH_JETS = 100


def enough_pass(background: float) -> bool:
    """Whether this many (effective) background jets beyond a cut allow a figure that depends on it."""
    return math.isinf(background) or round(background) >= ENOUGH_PASSING


def too_few(title: str, passing: Mapping[str, float], objects: ObjectName = ANY_OBJECT) -> str:
    """The limit to state of the figure ``title`` where ``enough_pass`` says no; ``passing``: tagger (empty for the only
    one) → jets."""
    counts = ", ".join(f"{name} {number:.1f}".strip() for name, number in passing.items())
    return f"fewer than {ENOUGH_PASSING} background {objects.many} pass for the {title} ({counts})"
