"""Records as a table to read: a row for each case and size, a column for each metric."""

from __future__ import annotations

from collections.abc import Sequence

from e2egraph.benchmark.report import Record


def pivot(records: Sequence[Record]) -> str:
    """A Markdown table in the order of the records; – where a case has no such metric."""
    metrics = list(dict.fromkeys(record.metric for record in records))
    rows = list(dict.fromkeys((record.case, record.n) for record in records))
    values = {(record.case, record.n, record.metric): f"{record.value:.4g}" for record in records}
    lines = [f"| case | n | {' | '.join(metrics)} |", "|---|" + "---:|" * (1 + len(metrics))]
    for case, n in rows:
        cells = " | ".join(values.get((case, n, metric), "–") for metric in metrics)
        lines.append(f"| {case} | {n} | {cells} |")
    return "\n".join(lines) + "\n"
