"""The C++ runner (exports/cpp) on an event file: deposits → nodes → tensors → ONNX Runtime, timed by itself."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from e2egraph.benchmark.report import Record
from e2egraph.errors import InputError

# The runner's names for what it times, and the figures it gives of each, all in ms per jet.
STEPS = ("nodes", "tensors", "onnx_runtime")
FIGURES = ("mean", "p50", "p90", "p99")


def benchmark_runner(
    runner: Path, bundles: Sequence[Path], events: Path, *, batch_sizes: Sequence[int], rounds: int
) -> list[Record]:
    """Each bundle in turn, ``rounds`` times; the median over the rounds counts. ``case`` is the bundle's name.

    The steps' means are summed as ``cpp_ms_per_jet_mean``. InputError: the runner does not run or fails.
    """
    records = []
    for size in batch_sizes:
        timings: dict[str, list[dict[str, Any]]] = {bundle.resolve().name: [] for bundle in bundles}
        for _ in range(rounds):
            for bundle in bundles:
                timings[bundle.resolve().name].append(_timing(runner, bundle, events, size))
        for name, found in timings.items():
            note = f"{runner.name}, {found[0]['nodes']['jets']} jets of {events.name}, one thread, batches of {size}"
            medians = {
                (step, figure): float(np.median([timing[step][figure] for timing in found]))
                for step in STEPS
                for figure in FIGURES
            }
            for (step, figure), value in medians.items():
                records.append(Record(name, size, f"cpp_{step}_ms_per_jet_{figure}", value, "ms", note))
            whole = sum(medians[step, "mean"] for step in STEPS)
            records.append(Record(name, size, "cpp_ms_per_jet_mean", whole, "ms", f"all steps; {note}"))
    return records


def _timing(runner: Path, bundle: Path, events: Path, batch_size: int) -> dict[str, Any]:
    """``timing`` of the runner's JSON."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "scores.json"
        words = [str(runner.resolve()), str(bundle), str(events), "--batch", str(batch_size), "--threads", "1"]
        words += ["--format", "json", "--output", str(output)]
        try:
            subprocess.run(words, check=True, capture_output=True, text=True, encoding="utf-8", errors="replace")
            timing: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))["timing"]
            _ = [timing[step][figure] for step in STEPS for figure in (*FIGURES, "jets")]
        except OSError as error:
            raise InputError(f"{runner}: cannot be run ({error.strerror}); build it as exports/cpp says.") from error
        except subprocess.CalledProcessError as error:
            reason = (error.stderr.strip().splitlines() or [f"exit code {error.returncode}"])[-1]
            raise InputError(
                f"{runner}: fails on {bundle} and {events} ({reason.rstrip('.')}); correct that."
            ) from error
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{runner}: its output has no timing; build it from this e2egraph's exports/cpp."
            ) from error
    return timing
