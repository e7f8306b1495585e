"""``e2egraph.compare``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2egraph.api.run import Run
from e2egraph.api.settings import check_resamples
from e2egraph.config import as_dict
from e2egraph.errors import InputError, UsageError
from e2egraph.evaluation.compare.binned_paired import PairedBin, binned_table
from e2egraph.evaluation.compare.binned_runs import Binning, bins_as_json, compare_binned, parse_binning
from e2egraph.evaluation.compare.comparison import Comparison, ComparisonRow, data_of, markdown_table, row_as_json
from e2egraph.evaluation.compare.comparison import compare as rows_of
from e2egraph.evaluation.compare.evaluated_run import read_evaluated
from e2egraph.evaluation.compare.paired import RESAMPLES
from e2egraph.evaluation.compare.paired_result import PairedResult
from e2egraph.evaluation.compare.paired_runs import as_json, compare_paired, paired_note, paired_table
from e2egraph.export.bundle import read_metadata
from e2egraph.folders import user_path
from e2egraph.graphs.storage.shards import first_jets
from e2egraph.inference.latency import latency
from e2egraph.training.runs.run_folder import read_run

# Jets of each class that a bundle is timed on.
JETS_TIMED = 64


@dataclass(frozen=True)
class Compared:
    """``runs``: folder, model and seed of each; ``table``: a row for each run (of each model, if ``grouped``);
    ``paired``: differences to the reference, None where there is one contender or ``without_scores`` lists runs that
    have none; ``bins``: quantity → bins."""

    runs: tuple[Mapping[str, Any], ...]
    table: Comparison
    paired: PairedResult | None
    bins: dict[str, list[PairedBin]]
    grouped: bool
    without_scores: tuple[str, ...]

    @property
    def rows(self) -> tuple[ComparisonRow, ...]:
        """A row for each run (of each model, if ``grouped``), then the baseline: ``model``, ``figures`` and ``errors``
        by name, and ``jets``, the number of objects that they are of."""
        return self.table.rows

    def tables(self) -> tuple[str, ...]:
        """The Markdown tables with what is to be said of each: figures, then differences, then bins."""
        found = ["\n\n".join([markdown_table(self.table), "\n".join(self.table.notes)])]
        if self.paired is not None:
            found.append(
                f"{paired_table(self.paired, self.table.figures)}\n\n{paired_note(self.paired, self.table.objects)}"
            )
        if self.bins:
            found.append(binned_table(self.bins))
        return tuple(found)

    def as_json(self) -> dict[str, Any]:
        """Everything, for ``json.dumps``."""
        content: dict[str, Any] = {
            "runs": [dict(run) for run in self.runs],
            "grouped": self.grouped,
            "rows": [row_as_json(row) for row in self.rows],
            "different_objects": self.table.different_objects,
            "notes": list(self.table.notes),
        }
        if self.paired is not None:
            content["paired"] = as_json(self.paired)
        if self.bins:
            content["bins"] = bins_as_json(self.bins)
        return content


def compare(
    runs: Iterable[Run | str | Path] | Run | str | Path,
    data: str | Path | None = None,
    *,
    bundles: str | Path | None = None,
    reference: str | None = None,
    group: bool = False,
    bins: Mapping[str, Sequence[float]] | Sequence[str] = (),
    resamples: int = RESAMPLES,
    paired: bool = True,
) -> Compared:
    """Compare evaluated runs on the same objects: figures, then paired differences with errors and p-values.

    Args:
        runs: Evaluated runs, or their folders; a single one is compared with the baseline of its task.
        data: Folder of the data set they were evaluated on; taken from the runs by default.
        bundles: Folder with a bundle NAME for each run NAME, to be timed in ONNX Runtime on one thread.
        reference: Run or model that differences are taken to; the first one by default.
        group: One row per model, the mean over its runs of different seeds, with the error of objects and seeds.
        bins: Quantity → rising edges, such as ``{"jet_pt": [20, 35, 60]}``: differences in bins as well.
        resamples: Paired bootstrap resamples, 100 or more.
        paired: Whether runs without ``scores.parquet`` are refused; if not, there are no differences with them.

    Returns:
        ``rows`` (the figures of each run, and of the baseline where the task has one), ``paired``, ``bins``, and
        ``tables()`` and ``as_json()`` of all of it. ``table.notes`` say what the errors are, and which objects figures
        are of, where rows are of different ones: those without nodes for a run's inputs are in none of its figures.

    Raises:
        InputError: A run that was not evaluated, or runs of different objects or objectives.
        UsageError: An unknown reference, bins that do not rise, or fewer than 100 resamples.

    Example:
        >>> _ = e2e.evaluate("runs/g", report=False, plots=False)
        >>> [row.model for row in e2e.compare(["runs/g"]).rows]
        ['gravnet', 'soft-drop mass + τ32 (logistic regression)']
    """
    check_resamples(resamples)
    runs = [runs] if isinstance(runs, Run | str | Path) else runs
    folders = [run.folder if isinstance(run, Run) else user_path(run) for run in runs]
    folder = None if data is None else user_path(data)
    wanted = (
        [parse_binning(f"{quantity}={','.join(map(str, edges))}") for quantity, edges in bins.items()]
        if isinstance(bins, Mapping)
        else [parse_binning(text) for text in bins]
    )
    times = {} if bundles is None else _latencies(folders, user_path(bundles), folder)
    evaluated = read_evaluated(folders)
    _, objects = data_of(evaluated, folder)
    without = tuple(str(run.folder) for run in evaluated if not run.has_scores)
    contenders = len({run.model for run in evaluated}) if group else len(evaluated)
    result = None
    if (contenders > 1 or reference is not None) and (paired or not without):
        result, _ = compare_paired(folders, reference, group=group, resamples=resamples, objects=objects)
    table = rows_of(folders, folder, times, group=group, resamples=resamples, paired=result)
    return Compared(
        runs=tuple(
            {"folder": str(run.folder), "model": run.model, "seed": run.report.get("seed")} for run in evaluated
        ),
        table=table,
        paired=result,
        bins=_binned(folders, wanted, folder, reference, group, resamples),
        grouped=group,
        without_scores=without if contenders > 1 and result is None else (),
    )


def _latencies(runs: Sequence[Path], bundles: Path, data: Path | None) -> dict[str, float]:
    """Name of a run → milliseconds an object of its bundle, the median over objects one at a time. UsageError: two runs
    of one name; InputError: a bundle that is of another network."""
    jets = first_jets(data or Path(read_run(runs[0]).data.folder), JETS_TIMED)
    times = {}
    for run in runs:
        name, about = run.resolve().name, read_run(run)
        bundle = bundles / name
        if name in times:
            raise UsageError(f"--bundles: two runs are called {name}, which has one bundle; rename one of them.")
        info = read_metadata(bundle).info
        if (info.model_config, info.dataset_sha256) != (as_dict(about.model), about.data.digest):
            raise InputError(
                f"{bundle}: a bundle of {info.model}, which is not the network of {run}; give that by e2egraph export "
                f"{run} --output {bundle}."
            )
        times[name] = latency(bundle, jets, batch_sizes=(1,), repeats=2 * JETS_TIMED)[1]
    return times


def _binned(
    runs: Sequence[Path],
    binnings: Sequence[Binning],
    data: Path | None,
    reference: str | None,
    group: bool,
    resamples: int,
) -> dict[str, list[PairedBin]]:
    if not binnings:
        return {}
    return compare_binned(runs, binnings, data, reference, group=group, resamples=resamples)
