"""The content of ``metrics.json`` as cards and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from e2egraph.evaluation.metrics.figures import AUC, EFFICIENCY, LOW_EFFICIENCY, rejection_name
from e2egraph.evaluation.metrics.registry import FIGURES
from e2egraph.evaluation.pages.elements import ABSENT, Cards, Cell, Table, count_cell, figure_cell, table
from e2egraph.tasks.objects.naming import ObjectName
from e2egraph.tasks.objects.registry import bin_title


def summary_cards(metrics: Mapping[str, Any], objects: ObjectName) -> Cards:
    """The figures that are shown first."""
    shown: Cards = {}
    for name in (AUC, EFFICIENCY, LOW_EFFICIENCY, rejection_name(0.5)):
        figure, value = FIGURES[name], metrics[name]
        text = ABSENT if value is None else f"{value:.{figure.digits}f}"
        error = metrics[f"{name}_error"]
        note = "too little background passes" if value is None else "" if error is None else _plus(error, figure.digits)
        shown[_upper(figure.title)] = (text, note)
    shown["Accuracy"] = (f"{metrics['accuracy']:.4f}", _plus(metrics["accuracy_error"], 4))
    jets = f"{count_cell(metrics['signal_jets']).text} signal, {count_cell(metrics['background_jets']).text} background"
    if metrics["weighted"]:
        signal, background = (metrics[f"effective_{what}_jets"] for what in ("signal", "background"))
        jets += f", weighted: as good as {signal:,.0f} and {background:,.0f} of one weight"
    shown[_upper(objects.many)] = (count_cell(metrics["jets"]).text, jets)
    shown["Parameters"] = (count_cell(metrics["parameters"]).text, f"network {metrics['model']}")
    return shown


def figures_table(metrics: Mapping[str, Any], objects: ObjectName) -> Table:
    """All figures of the tagger with their errors."""
    rows: list[list[Cell | str]] = [
        [_upper(figure.title), figure_cell(metrics[name], None, figure.digits), _error(metrics, name, figure.digits)]
        for name, figure in FIGURES.items()
    ]
    calibration = metrics["calibration"]
    error = "expected_calibration_error"
    rows += [
        ["Accuracy", figure_cell(metrics["accuracy"]), figure_cell(metrics["accuracy_error"])],
        ["Expected calibration error", figure_cell(calibration[error]), figure_cell(calibration[f"{error}_error"])],
        ["Expected calibration error if calibrated", figure_cell(calibration[f"{error}_if_calibrated"]), Cell(ABSENT)],
    ]
    for name, one in metrics["mass_sculpting"].items():
        title = f"Jensen–Shannon divergence of background {name} [bits]"
        rows.append(
            [title, *(figure_cell(one[f"jensen_shannon_bits{end}"], None, 3) for end in ("", "_error"))],
        )
    resamples = metrics["bootstrap"]["resamples"]
    caption = f"Figures; errors by {resamples} bootstrap resamples of the {objects.many}"
    return table(caption, ["figure", "value", "error"], rows)


def bin_tables(metrics: Mapping[str, Any], objects: ObjectName) -> list[Table]:
    """One table a quantity."""
    return [_bin_table(name, bins, objects) for name, bins in metrics["bins"].items()]


def reliability_table(metrics: Mapping[str, Any], objects: ObjectName) -> Table:
    """Whether scores can be read as probabilities."""
    rows = [
        [
            _range(one, 3),
            count_cell(one["jets"]),
            figure_cell(one["mean_score"], None, 3),
            figure_cell(one["signal_fraction"], one["signal_fraction_error"], 3),
        ]
        for one in metrics["calibration"]["reliability"]
    ]
    caption = f"Calibration: share of signal among {objects.many} by score"
    return table(caption, ["score", objects.many, "mean", "signal share"], rows)


def class_tables(metrics: Mapping[str, Any]) -> list[Table]:
    """One against the rest, and pairs; none for a task of two classes."""
    titles = {"one_vs_rest": "Each class against the rest", "pairwise": "Pairs of classes"}
    header = ["class", "AUC", "signal efficiency at 1% mistag"]
    return [
        table(
            title,
            header,
            [
                [name, *(figure_cell(one[key], one[f"{key}_error"], FIGURES[key].digits) for key in (AUC, EFFICIENCY))]
                for name, one in metrics[key].items()
            ],
        )
        for key, title in titles.items()
        if key in metrics
    ]


def _bin_table(name: str, bins: Sequence[Mapping[str, Any]], objects: ObjectName) -> Table:
    title, digits = bin_title(name)
    limited = any(one["limit"] for one in bins)
    header = [
        title,
        objects.many,
        "AUC",
        "efficiency at 1% mistag in the bin",
        "efficiency at the common cut",
        "mistag at the common cut",
        *(["limit"] if limited else []),
    ]
    rows = [
        [
            _range(one, digits),
            count_cell(one["jets"]),
            figure_cell(one["auc"], one["auc_error"]),
            *(
                figure_cell(one[key], one[f"{key}_error"], places)
                for key, places in (
                    ("signal_efficiency_at_1pct_mistag", 3),
                    ("signal_efficiency", 3),
                    ("mistag", 4),
                )
            ),
            *([one["limit"] or ""] if limited else []),
        ]
        for one in bins
    ]
    caption = (
        f"In bins of {title}; the common cut gives 1% mistag over all {objects.many}; errors by bootstrap resamples, "
        "the common cut made again in each"
    )
    return table(caption, header, rows)


def _error(metrics: Mapping[str, Any], name: str, digits: int) -> Cell:
    return figure_cell(metrics[f"{name}_error"], None, digits)


def _range(one: Mapping[str, Any], digits: int) -> Cell:
    return Cell(f"{one['low']:.{digits}f} – {one['high']:.{digits}f}", float(one["low"]))


def _plus(error: float, digits: int) -> str:
    return f"± {error:.{digits}f}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
