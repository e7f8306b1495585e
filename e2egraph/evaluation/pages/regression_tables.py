"""The content of ``metrics.json`` of a regression as cards and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from e2egraph.evaluation.pages.elements import Cell, cards, count_cell, figure_cell, table

# Figure → (title, whether it has the target's unit).
_FIGURES = {
    "mae": ("Mean absolute error", True),
    "resolution": ("Relative resolution", False),
    "response": ("Response (median of predicted/true)", False),
    "bias": ("Bias", True),
    "mean_relative_error": ("Mean relative error", False),
}

_QUANTITIES = {"jet_pt": ("jet pT [GeV]", 0), "jet_abs_eta": ("jet |η|", 2)}


def summary_cards(metrics: Mapping[str, Any], digits: Mapping[str, int]) -> str:
    """The figures that are looked at first; ``digits``: after the point, by target."""
    shown = {}
    for name, found in metrics["targets"].items():
        unit = f" {found['unit']}" if found["unit"] else ""
        mae, resolution = (
            f"{found[key]:.{places}f}{suffix}"
            for key, places, suffix in (("mae", digits[name], unit), ("resolution", 4, ""))
        )
        shown[f"Mean absolute error of {name}"] = (mae, f"± {found['mae_error']:.{digits[name]}f}")
        shown[f"Relative resolution of {name}"] = (resolution, f"± {found['resolution_error']:.4f}")
    shown["Jets"] = (count_cell(metrics["jets"]).text, "weighted" if metrics["weighted"] else "")
    shown["Parameters"] = (count_cell(metrics["parameters"]).text, f"network {metrics['model']}")
    return cards(shown)


def figures_table(metrics: Mapping[str, Any], digits: Mapping[str, int]) -> str:
    """All figures of all targets with their errors."""
    rows: list[list[Cell | str]] = []
    for name, found in metrics["targets"].items():
        for key, (title, has_unit) in _FIGURES.items():
            unit = f" [{found['unit']}]" if has_unit and found["unit"] else ""
            places = digits[name] if has_unit else 4
            value, error = (figure_cell(found[one], None, places) for one in (key, f"{key}_error"))
            rows.append([name, title + unit, value, error])
    resamples = metrics["bootstrap"]["resamples"]
    caption = f"Figures; errors by {resamples} bootstrap resamples of the jets"
    return table(caption, ["target", "figure", "value", "error"], rows)


def bin_tables(metrics: Mapping[str, Any], digits: Mapping[str, int]) -> list[str]:
    """One table for each target and quantity."""
    return [
        _bin_table(name, found, quantity, digits[name])
        for name, found in metrics["targets"].items()
        for quantity in found["bins"]
    ]


def _bin_table(name: str, found: Mapping[str, Any], quantity: str, digits: int) -> str:
    unit = f" [{found['unit']}]" if found["unit"] else ""
    title, places = _QUANTITIES.get(quantity, (f"true {quantity}{unit}", digits))
    bins = found["bins"][quantity]
    limited = any(one["limit"] for one in bins)
    header = [
        title,
        "jets",
        *(text + (unit if has_unit else "") for text, has_unit in _FIGURES.values()),
        *(["limit"] if limited else []),
    ]
    rows = []
    for one in bins:
        figures = [
            Cell("–")
            if one["figures"] is None
            else figure_cell(one["figures"][key], one["errors"][key], digits if has_unit else 4)
            for key, (_, has_unit) in _FIGURES.items()
        ]
        span = Cell(f"{one['low']:.{places}f} – {one['high']:.{places}f}", float(one["low"]))
        rows.append([span, count_cell(one["jets"]), *figures, *([one["limit"] or ""] if limited else [])])
    return table(f"{name} in bins of {title}", header, rows)
