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
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from e2egraph.benchmark.report import Record, write_report
from e2egraph.data.scores import Scores, read_scores
from e2egraph.errors import InputError, UsageError
from e2egraph.evaluation.metrics.bootstrap import draws
from e2egraph.evaluation.metrics.regression.residuals import quantile
from e2egraph.evaluation.metrics.roc.curve import effective_number
from e2egraph.folders import check_folder, make_folder
from e2egraph.graphs.storage.columns import TARGET_PREFIX
from e2egraph.plots.style import label_of, one_panel, save_titled
from e2egraph.utf8 import use_utf8

Floats = NDArray[np.float64]

RESAMPLES, SEED = 400, 1

# Quantiles that 68% lie between.
LOW, HIGH = 0.15865, 0.84135

# Of a Poisson number of which none was seen, the upper limit at 68.27%, −ln(1 − 0.6827).
NONE_SEEN = 1.148

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
        if options.bins < 1:
            raise UsageError(f"--bins {options.bins}: give one at least.")
        found = {}
        for word in options.scores:
            name, _, path = word.rpartition("=")
            name = name or Path(path).stem
            if name in found:
                raise InputError(f"{word}: another file is called {name}; give each a name of its own, NAME=FILE.")
            found[name] = read_scores(Path(path))
        spectra = {name: spectrum(scores, options.column, name) for name, scores in found.items()}
    except (InputError, UsageError) as error:
        parser.exit(1, f"mass_spectrum.py: {error}\n")
    for name, shown in spectra.items():
        if shown.left_out:
            print(f"{name}: {shown.left_out} objects have no nodes, hence no prediction; left out", file=sys.stderr)
    records = [record for name, shown in spectra.items() for record in figures(name, shown)]
    make_folder(options.output)
    command = " ".join(["python", "scripts/mass_spectrum.py", *sys.argv[1:]])
    for path in write_report(options.output / "mass_spectrum.json", command, records):
        print(f"wrote {path}")
    run = np.concatenate([scores.jets["run"] for scores in found.values()])
    for path in draw(spectra, options.column, options.bins, options.output / "mass_spectrum", label_of(run)):
        print(f"wrote {path}")


@dataclass(frozen=True)
class Spectrum:
    """Predicted ``values`` [J], rising, with the objects' ``weight`` [J]; ``true``: the one true value that all have,
    where it is above zero. ``left_out``: objects without a prediction, since they have no nodes."""

    values: Floats
    weight: Floats
    true: float | None
    left_out: int


def spectrum(scores: Scores, column: str, name: str) -> Spectrum:
    """The predictions of ``column``; InputError, naming the file by ``name``, where there are fewer than two."""
    if column not in scores.targets:
        held = ", ".join(scores.targets) or "no quantities"
        raise InputError(f"{name}: its scores hold {held}, not {column}; give --column or other files.")
    values = scores.predictions[:, scores.targets.index(column)].astype(np.float64)
    weight = scores.jets.get("weight", np.ones(len(values))).astype(np.float64)
    some = np.isfinite(values)
    if some.sum() < 2 or not weight[some].sum() > 0 or (weight[some] < 0).any():
        raise InputError(
            f"{name}: fewer than two predictions of {column}, a negative weight or none at all; give a file with more "
            "objects, or of a data set with other weights."
        )
    order = np.flatnonzero(some)[np.argsort(values[some], kind="stable")]
    true = scores.jets.get(TARGET_PREFIX + column, np.zeros(len(values)))[order]
    first = float(true[0])
    one = first > 0 and np.ptp(true) <= 1e-6 * first
    return Spectrum(values[order], weight[order], first if one else None, int((~some).sum()))


def figures(name: str, shown: Spectrum) -> list[Record]:
    """``METRICS`` of a spectrum and their errors, and the response where the true value is one."""
    size = len(shown.values)
    own = _described(shown.values, shown.weight[None])[:, 0]
    of_samples = np.concatenate(
        [
            _described(shown.values, np.multiply(counts, shown.weight, dtype=np.float64))
            for counts in draws(np.zeros(size, bool), RESAMPLES, SEED)
        ],
        axis=1,
    )
    errors = [f"± {samples.std(ddof=1):.4f}" for samples in of_samples]
    below = own[METRICS.index("below_zero")]
    if below in (0.0, 1.0):
        limit = NONE_SEEN / effective_number(shown.weight)
        errors[METRICS.index("below_zero")] = f"< {limit:.4f}" if below == 0.0 else f"> {1.0 - limit:.4f}"
    records = [
        Record(name, size, metric, float(value), "", error)
        for metric, value, error in zip(METRICS, own, errors, strict=True)
    ]
    if shown.true is not None:
        error = f"± {of_samples[0].std(ddof=1) / shown.true:.4f}; true {shown.true:g}"
        records.append(Record(name, size, "response", float(own[0]) / shown.true, "", error))
    return records


def _described(values: Floats, weight: Floats) -> Floats:
    """``METRICS`` of ``values`` [J], rising, for each row of ``weight`` [R, J]: [metrics, R]."""
    total = weight.sum(axis=1, keepdims=True)
    position = (np.cumsum(weight, axis=1) - weight / 2.0) / total
    low, middle, high = (quantile(q, position, values) for q in (LOW, 0.5, HIGH))
    return np.stack([middle, 0.5 * (high - low), weight @ (values < 0) / total[:, 0]])


def draw(spectra: dict[str, Spectrum], column: str, bins: int, output: Path, label: str) -> list[Path]:
    """All spectra in one picture, each normalised to one."""
    low = min(float(np.quantile(one.values, 0.002)) for one in spectra.values())
    high = max(float(np.quantile(one.values, 0.998)) for one in spectra.values())
    edges = np.linspace(low, high, bins + 1)
    with one_panel() as (figure, axes):
        for name, one in spectra.items():
            counts, _ = np.histogram(one.values, edges, weights=one.weight)
            axes.stairs(counts / one.weight.sum(), edges, label=name, linewidth=2)
        axes.set(xlabel=f"predicted {column}", ylabel="objects (normalised)", xlim=(low, high))
        axes.set_ylim(bottom=0.0)
        axes.legend()
        return save_titled(figure, axes, output, label)


if __name__ == "__main__":
    use_utf8()
    main()
