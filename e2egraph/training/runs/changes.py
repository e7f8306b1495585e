"""Why a run that goes on may not end with the bits of one that was not stopped: code, versions, machine, processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from e2egraph.training.runs.run_folder import ENVIRONMENT, read_json

# Of ``environment.json``: what decides bits, other than the settings. Hosts and commands do not.
_MACHINE = ("processor", "torch_threads", "accelerator")


def changes_since(folder: Path, processes_then: int, processes_now: int) -> list[str]:
    """What differs from the last time run ``folder`` was started, such as "torch_threads 2, before 4".

    The last entry of ``environment.json`` is the present.
    """
    changes = []
    if processes_then != processes_now:
        changes.append(f"processes {processes_now}, before {processes_then}")
    recorded = read_json(folder / ENVIRONMENT)
    starts = [recorded, *recorded.get("resumed", [])]
    if len(starts) < 2:
        return changes
    before, now = _facts(starts[-2]), _facts(starts[-1])
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            changes.append(f"{name} {_short(now.get(name))}, before {_short(before.get(name))}")
    return changes


def _facts(start: dict[str, Any]) -> dict[str, Any]:
    code = start.get("code", {})
    machine = start.get("machine", {})
    return {
        "e2egraph": start.get("e2egraph"),
        "python": start.get("python"),
        **start.get("packages", {}),
        "commit": code.get("commit"),
        "changes to the code": code.get("patch"),
        **{name: machine.get(name) for name in _MACHINE},
    }


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:12]}…"
