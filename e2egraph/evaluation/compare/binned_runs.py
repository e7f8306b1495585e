"""Evaluated runs, or their means over seeds, against a reference in bins of a quantity: from run folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from e2egraph.config import did_you_mean
from e2egraph.data.scores import IDENTITY
from e2egraph.data.table import read_table
from e2egraph.errors import InputError, UsageError
from e2egraph.evaluation.compare.binned_paired import PairedBin, binned_paired, quantity_of
from e2egraph.evaluation.compare.evaluated_run import read_evaluated
from e2egraph.evaluation.compare.joined import join
from e2egraph.evaluation.compare.paired import RESAMPLES
from e2egraph.evaluation.compare.paired_runs import as_json, choose
from e2egraph.tasks.objectives.classification import Classification


@dataclass(frozen=True)
class Binning:
    """Bins of a column of the data set's objects: ``edges`` rise."""

    quantity: str
    edges: tuple[float, ...]


def parse_binning(text: str) -> Binning:
    """``QUANTITY=LOW,…,HIGH``; UsageError where it is not that, or the edges do not rise."""
    quantity, _, numbers = text.partition("=")
    try:
        edges = tuple(float(number) for number in numbers.split(","))
    except ValueError:
        edges = ()
    if not quantity.strip() or len(edges) < 2 or not all(high > low for low, high in pairwise(edges)):
        raise UsageError(f"--bins {text}: give a quantity and rising edges, such as jet_pt=20,35,60,120.")
    return Binning(quantity.strip(), edges)


def compare_binned(
    runs: Sequence[Path],
    binnings: Sequence[Binning],
    data: Path | None = None,
    reference: str | None = None,
    *,
    group: bool = False,
    resamples: int = RESAMPLES,
) -> dict[str, list[PairedBin]]:
    """Quantity → its bins, each with every figure of every run, as ``paired_runs.compare_paired`` gives them for all.

    ``data``: the data set they were evaluated on; taken from the runs when not given. InputError as ``compare_paired``,
    or when the runs do not classify; UsageError: the objects have no such quantity.
    """
    evaluated = read_evaluated(runs)
    objective = evaluated[0].objective
    if not isinstance(objective, Classification):
        raise InputError(f"{runs[0]}: --bins compares classifications, not a {objective.kind}; leave it out.")
    contenders, chosen = choose(evaluated, reference, group=group)
    report = evaluated[0].report
    folder = Path(report["data_set"]["folder"]) if data is None else data
    manifest = read_table(folder).manifest
    known = [name for name in manifest.object_columns if name not in (*IDENTITY, "label", "weight", "split")]
    names = [binning.quantity for binning in binnings]
    for binning in binnings:
        if names.count(binning.quantity) > 1:
            raise UsageError(f"--bins {binning.quantity}: given twice; give all its edges at once.")
        if binning.quantity not in known:
            meant = did_you_mean(binning.quantity, known)
            raise UsageError(
                f"--bins {binning.quantity}: no quantity of the objects in {folder}{meant}; choose one of "
                f"{', '.join(known)}."
            )
    table = read_table(folder, extra=tuple(names))
    scores = [run.scores() for run in evaluated]
    joined = join(scores, [str(run.folder) for run in evaluated], objective.signal)
    places = slice(None) if joined.places is None else joined.places
    return {
        binning.quantity: binned_paired(
            joined,
            contenders,
            quantity_of(scores[0], table, binning.quantity, report["split"])[places],
            chosen,
            edges=np.array(binning.edges),
            resamples=resamples,
            objects=manifest.object_name,
        )
        for binning in binnings
    }


def bins_as_json(bins: dict[str, list[PairedBin]]) -> dict[str, Any]:
    """Everything, for ``json.dumps``."""
    return {
        quantity: [{**asdict(part), "result": None if part.result is None else as_json(part.result)} for part in parts]
        for quantity, parts in bins.items()
    }
