"""``significance.json``, ``significance.md`` and the plot of a scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from e2egraph.config import as_dict
from e2egraph.data.simulated import SIMULATION_NOTE, all_simulated
from e2egraph.evaluation.markdown import aligned
from e2egraph.evaluation.significance.analysis import Analysis
from e2egraph.evaluation.significance.formulas import FIVE_SIGMA, asimov_z
from e2egraph.evaluation.significance.results import Counting, Discovery, Scan, Significance
from e2egraph.files import remove, write_json, write_text

SCHEMA_VERSION = 1
STEM = "significance"

_HEADER = (
    "selection",
    "Z (exact)",
    "Z (Asimov)",
    "without uncertainty",
    "signal",
    "background",
    "signal efficiency",
    "mistag",
    "5σ at [/fb]",
)


def write_significance(
    result: Significance, analysis: Analysis, folder: Path, about: Mapping[str, Any], runs: NDArray, *, plots: bool
) -> None:
    """Write JSON, Markdown and, with ``plots``, PNG and PDF into ``folder``; ``about``: what was evaluated.

    ``runs`` [J]: run numbers of the jets, which tell whether they are simulated.
    """
    write_text(folder / f"{STEM}.md", markdown(result, analysis, simulated=all_simulated(runs)))
    if plots:
        from e2egraph.plots.classification.significance import plot_significance
        from e2egraph.plots.style import label_of

        plot_significance(result, statistical_z(result.scan), FIVE_SIGMA, folder / STEM, label_of(runs))
    content = {"schema_version": SCHEMA_VERSION, **about, "analysis": as_dict(analysis), **asdict(result)}
    write_json(folder / f"{STEM}.json", content)


def statistical_z(scan: Scan) -> NDArray[np.float64]:
    """Z (Asimov) at each threshold [K] without the background's uncertainty; NaN where too few background jets pass."""
    signal, background = np.array(scan.signal), np.array(scan.background)
    used = np.array([z is not None for z in scan.z_asimov])
    result = np.full(len(used), np.nan)
    result[used] = asimov_z(signal[used], background[used])
    return result


def remove_significance(folder: Path) -> None:
    """Remove what an earlier evaluation wrote: it would belong to other scores than those next to it."""
    for suffix in (".json", ".md", ".png", ".pdf"):
        remove(folder / (STEM + suffix))


def summary(result: Significance) -> str:
    """One line: the optimum, the cuts next to it, and the ratio of efficiencies."""
    best = result.optimum
    error = "" if result.optimum_error is None else f" ± {result.optimum_error:.2f}"
    text = (
        f"Expected significance at {result.luminosity:g}/fb: Z = {best.z_asimov:.2f}{error} (Asimov; exact "
        f"{best.z_exact:.2f}) for score ≥ {best.threshold:.4f}, {_count(best.signal)} signal over "
        f"{_count(best.background)} background {result.counted}"
    )
    cuts = result.cuts
    if cuts is None or cuts.counting.z_asimov is None:
        return text
    text += f"; Z = {cuts.counting.z_asimov:.2f} for the cuts"
    if cuts.ratio is not None:
        spread = "" if cuts.ratio_error is None else f" ± {cuts.ratio_error:.3f}"
        text += f", whose signal efficiency the score has {cuts.ratio:.3f}{spread} times at their mistag rate"
    return text


def markdown(result: Significance, analysis: Analysis, *, simulated: bool) -> str:
    """Title, table of score and cuts, summary and limits; the first of those says if all jets are ``simulated``."""
    rows = [_HEADER, _row(f"score ≥ {result.optimum.threshold:.4f}", result.optimum, result.discovery)]
    if result.cuts is not None:
        name = result.cuts.expression.replace("|", "\\|")
        rows.append(_row(f"`{name}`", result.cuts.counting, result.cuts.discovery))
    said = (SIMULATION_NOTE if simulated else "", analysis.note, *result.limits)
    limits = "\n".join(f"- {limit}" for limit in said if limit)
    return f"# {analysis.title}\n\n{aligned(rows)}\n\n{summary(result)}.\n\n{limits}\n"


def _row(name: str, counting: Counting, discovery: Discovery | None) -> tuple[str, ...]:
    zs = (counting.z_exact, counting.z_asimov, counting.z_asimov_statistical)
    return (
        name,
        *("–" if z is None else f"{z:.2f}" for z in zs),
        _count(counting.signal),
        _count(counting.background),
        f"{counting.signal_efficiency:.3f}",
        f"{counting.mistag:.2g}",
        "–" if discovery is None else f"{discovery.luminosity:.3g}",
    )


def _count(jets: float) -> str:
    return f"{jets:,.0f}" if jets >= 100 else f"{jets:.3g}"
