"""``e2egraph.evaluate``."""

from __future__ import annotations

from pathlib import Path

from e2egraph.api.run import Run
from e2egraph.api.settings import Settings, as_texts
from e2egraph.evaluation.evaluate import EvaluationSummary
from e2egraph.evaluation.evaluate import evaluate as run_evaluation
from e2egraph.folders import user_path
from e2egraph.models.given import lent


def evaluate(
    run: Run | str | Path,
    data: str | Path | None = None,
    output: str | Path | None = None,
    *,
    split: str = "test",
    analysis: str | Path | None = None,
    plots: bool = True,
    report: bool = True,
    settings: Settings | None = None,
) -> EvaluationSummary:
    """Score a split with a run's best weights; write metrics, scores, plots and a report next to the run.

    This process scores all jets; ``e2egraph evaluate`` shares them where several processes are started.

    Args:
        run: What ``train`` or ``load`` gave, or the run's folder.
        data: Folder of the data set; by default the one that the run was trained on.
        output: Folder for ``metrics.json``, ``scores.parquet``, plots and ``report.html``; the run's own by default.
        split: ``train``, ``validation`` or ``test``.
        analysis: A counting experiment whose expected significance to add: a name in ``configs/analyses`` or a YAML
            file.
        plots: Draw the plots.
        report: Write ``report.html`` as well, a page of all of it.
        settings: How objects are read, such as ``{"data.evaluation_batch_size": 16}`` for less memory.

    Returns:
        ``metrics`` (name → figure, as in ``metrics.json``; targets in their units), ``line`` (the main ones in words),
        ``limits``, ``jets``, ``output`` and, with an analysis, ``significance``.

    Raises:
        UsageError: Unknown split or analysis, or a setting that cannot be changed of a trained run.
        InputError: Not a run, data set missing, damaged or of another task, an empty split, a class missing from it,
            or an output folder with other content.

    Example:
        >>> 0.0 <= e2e.evaluate("runs/g").metrics["auc"] <= 1.0
        True
    """
    run = run if isinstance(run, Run) else Run(user_path(run))
    with lent(run.given):
        summary = run_evaluation(
            run.folder,
            None if data is None else user_path(data),
            None if output is None else user_path(output),
            split=split,
            plots=plots,
            report=report,
            analysis=None if analysis is None else str(analysis),
            settings=as_texts(settings),
        )
    assert summary is not None  # as no other process shares the jets
    return summary
