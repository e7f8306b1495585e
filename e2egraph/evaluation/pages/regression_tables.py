"""The content of ``metrics.json`` of a regression as cards and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from e2egraph.evaluation.metrics.figure import ResidualFigure
from e2egraph.evaluation.metrics.registry import residual_figures
from e2egraph.evaluation.pages.elements import ABSENT, Cards, Cell, Table, count_cell, figure_cell, table
from e2egraph.tasks.objects.naming import ObjectName
from e2egraph.tasks.objects.registry import bin_title

# Figures that are shown first.
_CARDS = ("mae", "resolution")


def summary_cards(metrics: Mapping[str, Any], objects: ObjectName) -> Cards:
    """The figures that are shown first, of every target."""
    shown: Cards = {}
    for name, found in metrics["targets"].items():
        for figure in (residual_figures()[key] for key in _CARDS):
            value, error = found[figure.name], found[f"{figure.name}_error"]
            digits, unit = _digits(figure, found), f" {found['unit']}" if figure.has_unit and found["unit"] else ""
            text = ABSENT if value is None else f"{value:.{digits}f}{unit}"
            shown[f"{_upper(figure.title)} of {name}"] = (text, "" if error is None else f"± {error:.{digits}f}")
    shown[_upper(objects.many)] = (count_cell(metrics["jets"]).text, "weighted" if metrics["weighted"] else "")
    shown["Parameters"] = (count_cell(metrics["parameters"]).text, f"network {metrics['model']}")
    return shown


def figures_table(metrics: Mapping[str, Any], objects: ObjectName) -> Table:
    """All figures of all targets with their errors."""
    rows: list[list[Cell | str]] = []
    for name, found in metrics["targets"].items():
        for key, figure in residual_figures().items():
            cells = (figure_cell(found.get(one), None, _digits(figure, found)) for one in (key, f"{key}_error"))
            rows.append([name, _title(figure, found["unit"]), *cells])
    resamples = metrics["bootstrap"]["resamples"]
    caption = f"Figures; errors by {resamples} bootstrap resamples of the {objects.many}"
    return table(caption, ["target", "figure", "value", "error"], rows)


def bin_tables(name: str, found: Mapping[str, Any], objects: ObjectName) -> list[Table]:
    """One table a quantity; ``found``: of the target ``name`` in ``metrics.json``."""
    return [_bin_table(name, found, quantity, objects) for quantity in found["bins"]]


def _bin_table(name: str, found: Mapping[str, Any], quantity: str, objects: ObjectName) -> Table:
    if quantity == name:
        title, places = f"true {quantity}" + (f" [{found['unit']}]" if found["unit"] else ""), found["digits"]
    else:
        title, places = bin_title(quantity)
    bins, figures = found["bins"][quantity], residual_figures()
    limited = any(one["limit"] for one in bins)
    header = [title, objects.many, *(_title(figure, found["unit"]) for figure in figures.values())]
    rows = []
    for one in bins:
        values, errors = one["figures"] or {}, one["errors"] or {}
        span = Cell(f"{one['low']:.{places}f} – {one['high']:.{places}f}", float(one["low"]))
        cells = [figure_cell(values.get(key), errors.get(key), _digits(of, found)) for key, of in figures.items()]
        rows.append([span, count_cell(one["jets"]), *cells, *([one["limit"] or ""] if limited else [])])
    return table(f"{name} in bins of {title}", [*header, *(["limit"] if limited else [])], rows)


def _digits(figure: ResidualFigure, found: Mapping[str, Any]) -> int:
    return int(found["digits"]) if figure.has_unit else figure.digits


def _title(figure: ResidualFigure, unit: str) -> str:
    return _upper(figure.title) + (f" [{unit}]" if figure.has_unit and unit else "")


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
