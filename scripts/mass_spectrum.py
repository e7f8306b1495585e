"""Spectra of predicted masses, one for each file of scores: medians, widths and what lies below zero, with errors.

    python scripts/mass_spectrum.py h_aa_100=scores_100.parquet h_aa_400=scores_400.parquet photon=photon.parquet \
        --column gen_mass --output spectrum

Files are those of `e2egraph predict` or `evaluate`; NAME=FILE gives the word in the legend. Where all objects of a file
have one true value, the response (predicted median over it) is told too. Errors: bootstrap of the objects. Writes
OUTPUT/mass_spectrum.json, .md, .png and .pdf. Where the scores come from the parametric simulation, so do the figures:
it is not CMS simulation.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from e2egraph.benchmark.report import Record, write_report
from e2egraph.data.scores import Scores, read_scores
from e2egraph.errors import InputError
from e2egraph.folders import check_folder, make_folder
from e2egraph.graphs.storage.columns import TARGET_PREFIX
from e2egraph.plots.style import label_of, one_panel, save_titled
from e2egraph.utf8 import use_utf8

Floats = NDArray[np.float64]

RESAMPLES, SEED = 400, 1

# Quantiles that 68% lie between.
LOW, HIGH = 0.15865, 0.84135

# Median, half of what 68% lie within, and the share below zero.
METRICS = ("median", "width", "below_zero")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scores", nargs="+", metavar="NAME=FILE", help="files of scores")
    parser.add_argument("--column", default="gen_mass", help="target whose predictions are shown")
    parser.add_argument("--output", type=Path, required=True, help="folder for the results")
    parser.add_argument("--bins", type=int, default=80)
    options = parser.parse_args()
    try:
        check_folder(options.output)
        found = {}
        for word in options.scores:
            name, _, path = word.rpartition("=")
            name = name or Path(path).stem
            if name in found:
                raise InputError(f"{word}: another file is called {name}; give each a name of its own, NAME=FILE.")
            found[name] = read_scores(Path(path))
        values = {name: predictions(scores, options.column, name) for name, scores in found.items()}
    except InputError as error:
        parser.exit(1, f"mass_spectrum.py: {error}\n")
    records = [record for name, scores in found.items() for record in figures(name, scores, options.column)]
    make_folder(options.output)
    command = " ".join(["python", "scripts/mass_spectrum.py", *sys.argv[1:]])
    for path in write_report(options.output / "mass_spectrum.json", command, records):
        print(f"wrote {path}")
    run = np.concatenate([scores.jets["run"] for scores in found.values()])
    for path in draw(values, options.column, options.bins, options.output / "mass_spectrum", label_of(run)):
        print(f"wrote {path}")


def predictions(scores: Scores, column: str, name: str) -> Floats:
    """Predicted values of ``column``, finite ones; InputError, naming the file by ``name``, where there are none."""
    if column not in scores.targets:
        held = ", ".join(scores.targets) or "no quantities"
        raise InputError(f"{name}: its scores hold {held}, not {column}; give --column or other files.")
    values = scores.predictions[:, scores.targets.index(column)].astype(np.float64)
    values = values[np.isfinite(values)]
    if len(values) < 2:
        raise InputError(f"{name}: fewer than two predictions of {column}; give a file with more objects.")
    return values


def figures(name: str, scores: Scores, column: str) -> list[Record]:
    """``METRICS`` of a spectrum and their errors, and the response where the true value is one."""
    values = predictions(scores, column, name)
    drawn = np.random.default_rng(SEED).integers(len(values), size=(RESAMPLES, len(values)))
    of_samples = _described(values[drawn])
    records = [
        Record(name, len(values), metric, float(value), "", f"± {samples.std():.4f}")
        for metric, value, samples in zip(METRICS, _described(values[None])[:, 0], of_samples, strict=True)
    ]
    true = scores.jets.get(TARGET_PREFIX + column)
    if true is not None and len(true) and np.ptp(true) <= 1e-6 * abs(float(true[0])) and true[0] > 0:
        error = f"± {of_samples[0].std() / float(true[0]):.4f}; true {float(true[0]):g}"
        records.append(Record(name, len(values), "response", float(np.median(values)) / float(true[0]), "", error))
    return records


def _described(values: Floats) -> Floats:
    """``METRICS`` of each row of ``values`` [R, J]: [metrics, R]."""
    low, middle, high = np.quantile(values, [LOW, 0.5, HIGH], axis=1)
    return np.stack([middle, 0.5 * (high - low), (values < 0).mean(axis=1)])


def draw(values: dict[str, Floats], column: str, bins: int, output: Path, label: str) -> list[Path]:
    """All spectra in one picture, each normalised to one."""
    low = min(float(np.quantile(one, 0.002)) for one in values.values())
    high = max(float(np.quantile(one, 0.998)) for one in values.values())
    edges = np.linspace(low, high, bins + 1)
    with one_panel() as (figure, axes):
        for name, one in values.items():
            counts, _ = np.histogram(one, edges)
            axes.stairs(counts / len(one), edges, label=name, linewidth=2)
        axes.set(xlabel=f"predicted {column}", ylabel="objects (normalised)", xlim=(low, high))
        axes.set_ylim(bottom=0.0)
        axes.legend()
        return save_titled(figure, axes, output, label)


if __name__ == "__main__":
    use_utf8()
    main()
