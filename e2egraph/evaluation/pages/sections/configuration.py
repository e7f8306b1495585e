"""How the network was made and trained, and the task it was trained for."""

from __future__ import annotations

from e2egraph.config import as_dict
from e2egraph.evaluation.pages.elements import Section
from e2egraph.evaluation.pages.provenance import as_yaml
from e2egraph.evaluation.pages.sections.registry import Evaluated, section


@section("configuration")
def configuration(evaluated: Evaluated) -> Section:
    info = evaluated.info
    content = {"model": as_dict(info.model), **as_dict(info.recipe), "seed": info.seed}
    folded = {"Network and training": as_yaml(content), "Task": as_yaml(info.data.configuration)}
    return Section("Configuration", "details.html.j2", {"tables": [], "facts": {}, "folded": folded})
