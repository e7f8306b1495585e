"""What jets of rule-based particle flow do to the variables of jets: soft-drop mass and τ32 of tops against QCD.

    for seed in 41 42; do for kind in shares rules; do for process in ttbar qcd; do
        e2egraph simulate --process $process --events 500 --seed $seed --no-images \
            --output ${process}_${kind}_$seed.root --set detector.candidates.kind=$kind
    done; done; done
    python scripts/jet_candidates.py --top 'ttbar_{kind}_41.root' 'ttbar_{kind}_42.root' \
        --qcd 'qcd_{kind}_41.root' 'qcd_{kind}_42.root' --output exports/results/jet_candidates.json

The same events with either kind of candidates (``{kind}`` stands for shares and rules). The baseline is fitted in five
parts of the events, each scored by a fit on the others; errors and the difference by bootstrap over events, the same
draws for both. Parametric simulation, not CMS simulation.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from e2egraph.benchmark.report import Record, write_report
from e2egraph.data.table import read_table
from e2egraph.detector.geometry import delta_phi
from e2egraph.errors import InputError, UsageError
from e2egraph.evaluation.metrics.baseline import VARIABLES, classifier
from e2egraph.evaluation.metrics.ranked import Ranked
from e2egraph.evaluation.metrics.roc.rows import areas
from e2egraph.events.samples import Sample
from e2egraph.files import check_file
from e2egraph.graphs.building.build import build
from e2egraph.tasks.task import load_task
from e2egraph.utf8 import use_utf8

KINDS = ("shares", "rules")
PARTS, RESAMPLES, SEED = 5, 400, 1
# Soft-drop masses of jets that hold a whole top [GeV].
WINDOW = (105.0, 220.0)


@dataclass(frozen=True)
class _Jets:
    """J selected jets: which ``event`` each is of (sample and number), ``top``, their columns, and the fit's score."""

    event: NDArray[np.int64]
    top: NDArray[np.bool_]
    columns: dict[str, NDArray]
    score: NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("top", "qcd"):
        parser.add_argument(f"--{name}", nargs="+", required=True, metavar="FILE", help="ROOT files with {kind}")
    parser.add_argument("--output", type=Path, required=True, help="JSON file; a table goes next to it")
    options = parser.parse_args()
    try:
        check_file(options.output)
        jets = {kind: selected(kind, options.top, options.qcd) for kind in KINDS}
        records = compared(jets)
    except (InputError, UsageError) as error:
        parser.exit(1, f"jet_candidates.py: {error}\n")
    words = [Path(word).name if word.endswith(".root") else word for word in sys.argv[1:]]
    command = shlex.join(["python", "scripts/jet_candidates.py", *words])
    for path in write_report(options.output, command, records):
        print(f"wrote {path}")


def selected(kind: str, top: list[str], qcd: list[str]) -> _Jets:
    """The jets of task ``top``, without resampling, of files with candidates of this kind."""
    samples = [
        Sample(name, name, tuple(Path(path.format(kind=kind)) for path in paths))
        for name, paths in (("top", top), ("qcd", qcd))
    ]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "jets"
        build(load_task("top", ["resampling=null", "inputs.cap=1"]), samples, data)
        table = read_table(data, extra=("jet_pt", "jet_eta", "jet_phi", *VARIABLES))
        columns = {name: np.asarray(values) for name, values in table.columns.items()}
    is_top = columns["label"] == 1
    event = 2 * (columns["lumi"].astype(np.int64) * 1_000_000 + columns["event"].astype(np.int64)) + is_top
    features = np.stack([columns[name] for name in VARIABLES], axis=1).astype(np.float64)
    # Jets of one event are fitted or scored together.
    part = (event // 2) % PARTS
    score = np.zeros(len(event))
    for number in range(PARTS):
        score[part == number] = (
            classifier()
            .fit(features[part != number], is_top[part != number])
            .decision_function(features[part == number])
        )
    return _Jets(event, is_top, columns, score)


def compared(jets: dict[str, _Jets]) -> list[Record]:
    """Figures of both kinds and their differences, with errors."""
    every = np.unique(np.concatenate([part.event for part in jets.values()]))
    rng = np.random.default_rng(SEED)
    draws = np.ones((1 + RESAMPLES, len(every)), np.int64)
    # Tops and QCD are drawn apart: how many there are of each was chosen.
    for members in (np.flatnonzero(every % 2 == 0), np.flatnonzero(every % 2 == 1)):
        for row in draws[1:]:
            row[members] = np.bincount(rng.integers(0, len(members), len(members)), minlength=len(members))
    found: dict[str, dict[str, tuple[NDArray[np.float64], int]]] = {}
    for kind, part in jets.items():
        weight = draws[:, np.searchsorted(every, part.event)]
        auc = areas_of(part.score, part.top, weight)
        mass = part.columns["softdrop_mass"].astype(np.float64)
        inside = part.top & (mass > WINDOW[0]) & (mass < WINDOW[1])
        widths = np.array([_width(mass[inside], row) for row in weight[:, inside]])
        found.setdefault("AUC of soft-drop mass + τ32", {})[kind] = auc, len(part.top)
        found.setdefault("soft-drop mass of tops, median [GeV]", {})[kind] = widths[:, 0], int(inside.sum())
        found.setdefault("soft-drop mass of tops, half the central 68% [GeV]", {})[kind] = (
            widths[:, 1],
            int(inside.sum()),
        )
    records = []
    for name, of_kind in found.items():
        for kind, (values, number) in of_kind.items():
            records.append(Record(name, number, kind, float(values[0]), "", f"± {values[1:].std(ddof=1):.4f}"))
        difference = of_kind["rules"][0] - of_kind["shares"][0]
        note = f"± {difference[1:].std(ddof=1):.4f}, paired"
        records.append(Record(name, of_kind["rules"][1], "rules − shares", float(difference[0]), "", note))
    ratio = _ratios(jets["shares"], jets["rules"])
    middle, width = _width(ratio, np.ones(len(ratio), np.int64))
    records.append(Record("jet pT, rules over shares", len(ratio), "median", middle, "", "the same jets"))
    records.append(Record("jet pT, rules over shares", len(ratio), "half the central 68%", width, "", "the same jets"))
    return records


def _ratios(one: _Jets, two: _Jets) -> NDArray[np.float64]:
    """pT of the jets of ``two`` over those of ``one`` that are the same: of one event, nearest, within 0.2."""
    found = []
    for event in np.intersect1d(one.event, two.event):
        mine, other = np.flatnonzero(one.event == event), np.flatnonzero(two.event == event)
        eta = one.columns["jet_eta"][mine, None] - two.columns["jet_eta"][None, other]
        phi = delta_phi(one.columns["jet_phi"][mine, None], two.columns["jet_phi"][None, other])
        apart = np.hypot(eta, phi)
        for place in range(len(mine)):
            nearest = int(apart[place].argmin())
            if apart[place, nearest] < 0.2:
                found.append(two.columns["jet_pt"][other[nearest]] / one.columns["jet_pt"][mine[place]])
    return np.asarray(found, np.float64)


def areas_of(score: NDArray, top: NDArray[np.bool_], weights: NDArray) -> NDArray[np.float64]:
    """Area under the ROC curve of tops with each of R rows of ``weights`` [R, J]; scores that tie count half."""
    return areas(*Ranked.of(score).curves(top, weights.astype(np.float64)))


def _width(values: NDArray[np.float64], weight: NDArray) -> tuple[float, float]:
    low, middle, high = np.quantile(np.repeat(values, weight), [0.16, 0.5, 0.84])
    return float(middle), float(0.5 * (high - low))


if __name__ == "__main__":
    use_utf8()
    main()
