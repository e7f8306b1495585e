"""Paired differences in bins of a jet quantity, drawn with their errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from e2egraph.plots.style import figure_style, save

if TYPE_CHECKING:
    from e2egraph.evaluation.compare.binned_paired import PairedBin


def plot_differences(
    bins: Mapping[str, Sequence[PairedBin]], names: Sequence[str], figures: Mapping[str, str], stem: Path, label: str
) -> list[Path]:
    """A panel for each quantity (columns; axis title → bins) and figure (rows): contenders minus the reference.

    ``names``: the contenders drawn; ``figures``: name → title of those drawn; ``label`` as ``style.label_of`` gives it.
    Points stand at the median of the bin's jets, a bar across shows the bin; a bin without a figure has no point.
    """
    with figure_style(15):
        figure = Figure(figsize=(6.0 * len(bins), 4.6 * len(figures)), layout="constrained")
        panels = figure.subplots(len(figures), len(bins), squeeze=False, sharey="row")
        for column, (quantity, parts) in enumerate(bins.items()):
            for row, (name, title) in enumerate(figures.items()):
                axes = panels[row][column]
                for number, contender in enumerate(names):
                    found = [(part, part.difference(contender, name)) for part in parts]
                    drawn = [(part, one) for part, one in found if one is not None]
                    # Contenders stand side by side, not over each other.
                    shift = 0.02 * (number - (len(names) - 1) / 2)
                    place = [part.median + shift * (part.high - part.low) for part, _ in drawn]
                    axes.errorbar(
                        place,
                        [one.difference for _, one in drawn],
                        # An error that could not be said is no bar.
                        yerr=[np.nan if one.error is None else one.error for _, one in drawn],
                        xerr=[
                            [max(x - part.low, 0.0) for x, (part, _) in zip(place, drawn, strict=True)],
                            [max(part.high - x, 0.0) for x, (part, _) in zip(place, drawn, strict=True)],
                        ],
                        fmt="o",
                        label=contender,
                    )
                axes.axhline(0.0, color="grey", linestyle=":", linewidth=1)
                if column == 0:
                    axes.set_ylabel(f"$\\Delta$ {title}", fontsize="small")
                if row == len(figures) - 1:
                    axes.set_xlabel(quantity)
        panels[0][0].legend(fontsize="x-small")
        figure.suptitle(label, x=0.02, horizontalalignment="left", fontsize="small")
        return save(figure, stem)
