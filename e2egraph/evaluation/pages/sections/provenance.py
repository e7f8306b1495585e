"""Which data and weights were evaluated, where and with what."""

from __future__ import annotations

from typing import Any

from e2egraph.evaluation.pages.elements import Section
from e2egraph.evaluation.pages.provenance import environment_facts
from e2egraph.evaluation.pages.sections.registry import Evaluated, section
from e2egraph.training.runs.environment import describe_environment


@section("provenance")
def provenance(evaluated: Evaluated) -> Section:
    metrics, info = evaluated.metrics, evaluated.info
    same = metrics["data_set"]["digest"] == metrics["trained_on"]["digest"]
    best = info.objective.best
    made = {
        "evaluated on": f"data set {metrics['data_set']['digest']}, split {metrics['split']}",
        "trained on": "the same data set" if same else f"data set {metrics['trained_on']['digest']}",
        "task configuration": f"{metrics['task']}, SHA-256 {info.data.configuration_sha256}",
        f"training {evaluated.objects.many}": _recorded(metrics["training_jets"]),
        "weights": f"{metrics['checkpoint']}, of epoch {_recorded(metrics['best_epoch'])}",
        f"validation {best.title}": _recorded(metrics[f"validation_{best.name}"]),
        "seed": str(metrics["seed"]),
    }
    facts = {
        "Data and weights": made,
        "Evaluation": environment_facts(describe_environment()),
        "Training": environment_facts(info.environment),
    }
    return Section("Provenance", "details.html.j2", {"tables": [], "facts": facts, "folded": {}})


def _recorded(value: Any) -> str:
    return "not recorded" if value is None else str(value)
