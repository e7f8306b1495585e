"""How taggers stand a detector they were not trained on: simulate, build, evaluate, one row a variation.

    python scripts/robustness.py runs/tracks-and-cells runs/resnet15 --output robustness

Every variation but the tune, which has events of its own, has the same hard collisions (same seeds); pile-up and
smearing draw again. Results: OUTPUT/robustness.json and .md. What OUTPUT holds already is used again. Parametric
simulation, not CMS simulation.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from e2egraph.benchmark.report import Record, write_report
from e2egraph.errors import InputError, UsageError
from e2egraph.evaluation.evaluate import METRICS_NAME
from e2egraph.folders import check_folder
from e2egraph.tasks.objectives.classification import Classification
from e2egraph.tasks.objectives.objective import stored
from e2egraph.tasks.task import load_task
from e2egraph.training.runs.run_folder import RunInfo, read_run
from e2egraph.utf8 import use_utf8

# What runs were trained for.
TASK = "top"

# Name → settings of `e2egraph simulate`. Products of the shipped values (configs/detector.yaml), as said.
VARIATIONS: dict[str, list[str]] = {
    "nominal": [],
    "pile-up 0": ["process.pile_up.mean=0"],
    "pile-up 10": ["process.pile_up.mean=10"],
    "pile-up 40": ["process.pile_up.mean=40"],
    "calorimeter noise x2": ["detector.ecal.noise=0.080", "detector.hcal.noise=0.40"],
    "BPIX1 dead": ["detector.hits.layers.BPIX1.efficiency=0.0", "detector.hits.layers.BPIX1.noise=0"],
    "field 3.4 T": ["detector.solenoid.field=3.4"],
    "tune 4C": ["process.generator.tune=5"],
    "2% fewer tracks": ["detector.tracks.plateau=0.9604"],
    "d0, dz resolution +10%": [
        "detector.tracks.d0_asymptotic=0.0011", "detector.tracks.d0_scattering=0.0099",
        "detector.tracks.dz_asymptotic=0.0033", "detector.tracks.dz_scattering=0.0132",
    ],
}  # fmt: skip

# Process → (class, share of --events, seed); the tail of the QCD spectrum has a sample of its own, as in training.
SAMPLES = {"ttbar": ("top", 1.0, 41), "qcd": ("qcd", 0.9, 43), "qcd_600_3000": ("qcd", 0.2, 44)}

METRICS = ("auc", "signal_efficiency_at_1pct_mistag")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="run folders")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--events", type=int, default=3000, help="ttbar events of each variation")
    parser.add_argument("--workers", type=int, default=2, help="samples simulated at a time")
    options = parser.parse_args()
    try:
        check_folder(options.output)
        runs = [read_run(run) for run in options.runs]
        names = [run.resolve().name for run in options.runs]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise InputError(f"two runs are called {twice}; copy them to folders of different names.")
        if min(round(share * options.events) for _, share, _ in SAMPLES.values()) < 1:
            raise UsageError(f"--events {options.events}: some samples would have none; give more.")
        if options.workers < 1:
            raise UsageError(f"--workers {options.workers}: give one at least.")
        for info in runs:
            check_task(info)
        records = [
            record
            for name, settings in VARIATIONS.items()
            for record in measured(name, settings, options.runs, options.output, options.events, options.workers)
        ]
    except (InputError, UsageError) as error:
        parser.exit(1, f"robustness.py: {error}\n")
    command = " ".join(["python", "scripts/robustness.py", *sys.argv[1:]])
    for path in write_report(options.output / "robustness.json", command, records):
        print(f"wrote {path}")


def check_task(info: RunInfo) -> None:
    """InputError for a run of another objective than that of the samples."""
    objective = load_task(TASK).objective
    if not isinstance(info.objective, Classification) or stored(info.objective) != stored(objective):
        raise InputError(
            f"{info.folder}: trained for another objective than that of task {TASK}; give runs of that task."
        )


def measured(name: str, settings: list[str], runs: list[Path], output: Path, events: int, workers: int) -> list[Record]:
    """``METRICS`` of the runs with the variation ``name``; InputError when a command fails."""
    folder = output / name.replace(" ", "_").replace("%", "pc").replace(",", "")
    folder.mkdir(parents=True, exist_ok=True)
    data = make_data(folder, settings, events, workers)
    records = []
    for run in runs:
        report = evaluated(run, data, folder / run.resolve().name)
        for metric in METRICS:
            error = report[f"{metric}_error"]
            note = "no error" if error is None else f"error {error:.4f}"
            records.append(
                Record(f"{run.resolve().name}, {name}", int(report["jets"]), metric, report[metric], "", note)
            )
    return records


def make_data(folder: Path, settings: list[str], events: int, workers: int) -> Path:
    """The data set of a variation, as good as all of it in the split ``test``."""
    data = folder / "data"
    if (data / "manifest.json").is_file():
        return data

    def sample(process: str) -> Path:
        _, share, seed = SAMPLES[process]
        path = folder / f"{process}.root"
        if not path.is_file():
            wanted = [word for setting in settings for word in ("--set", setting)]
            number = ["--events", str(round(share * events)), "--seed", str(seed)]
            e2egraph("simulate", "--process", process, *number, "--no-images", "--output", str(path), *wanted)
        return path

    with ThreadPoolExecutor(workers) as pool:
        paths = dict(zip(SAMPLES, pool.map(sample, SAMPLES), strict=True))
    words = [word for name, path in paths.items() for word in ("--sample", f"{SAMPLES[name][0]}={path}")]
    splits = ["--set", "split.validation=0", "--set", "split.test=0.999"]
    e2egraph("build-graphs", "--task", TASK, *words, *splits, "--output", str(data))
    return data


def evaluated(run: Path, data: Path, output: Path) -> dict[str, Any]:
    """What is written of an evaluation; InputError where it is not what `evaluate` writes."""
    path = output / METRICS_NAME
    if not path.is_file():
        e2egraph("evaluate", str(run), "--data", str(data), "--output", str(output), "--no-report")
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _ = [report[name] for metric in METRICS for name in ("jets", metric, f"{metric}_error")]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: damaged, or not of a classification; remove {output} and run again.") from error
    return report


def e2egraph(*words: str) -> None:
    """Run a command, whose messages are shown; InputError when it fails."""
    print("$ e2egraph", *words, flush=True)
    code = subprocess.run([sys.executable, "-m", "e2egraph", *words], check=False).returncode
    if code:
        raise InputError(f"'e2egraph {shlex.join(words)}' ended with exit code {code}; see its message above.")


if __name__ == "__main__":
    use_utf8()
    main()
