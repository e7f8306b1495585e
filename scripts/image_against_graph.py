"""Image against graph for every task: one table and one picture of the results that are stored.

    python scripts/image_against_graph.py exports/results --output exports/figures

FOLDER holds `image_against_graph.yaml`, which names the lines, and the files of `e2egraph ablate` and
`e2egraph compare --json` that these are read from; nothing is measured here. Writes
OUTPUT/image_against_graph.md, .png and .pdf. All results are of parametric simulation, not of CMS simulation.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from e2egraph.errors import InputError
from e2egraph.evaluation.markdown import aligned, with_error
from e2egraph.evaluation.metrics.seeds import seeds_part, whole_error
from e2egraph.files import write_text
from e2egraph.folders import check_folder, make_folder
from e2egraph.plots.style import figure_style, save_titled
from e2egraph.utf8 import use_utf8
from e2egraph.yamlfile import read as read_yaml

NAME = "image_against_graph"
LINES_NAME = f"{NAME}.yaml"

# How a figure is written: its title, its digits, and whether more of it is better.
FIGURES = {"auc": ("AUC", 4, True), "mae": ("mean absolute error [GeV]", 3, False)}


@dataclass(frozen=True)
class Line:
    """One comparison on the same test objects.

    ``task``, ``inputs``, ``image``, ``graph``: in words; ``figure``: a key of ``FIGURES``; ``of_image``, ``of_graph``,
    ``difference``: its values and the graph's minus the image's, each with its error; ``log10_p``: of that difference,
    two-sided; ``seeds``: of the network that has fewer.
    """

    task: str
    inputs: str
    image: str
    graph: str
    figure: str
    of_image: tuple[float, float]
    of_graph: tuple[float, float]
    difference: tuple[float, float]
    log10_p: float
    seeds: int

    @property
    def better(self) -> float:
        """By which factor the graph is better: of what a perfect classifier lacks, or of the error."""
        (image, _), (graph, _) = self.of_image, self.of_graph
        return (1.0 - image) / (1.0 - graph) if FIGURES[self.figure][2] else image / graph


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, metavar="FOLDER", help="stored results")
    parser.add_argument("--output", type=Path, required=True, help="folder for the table and the picture")
    options = parser.parse_args()
    try:
        check_folder(options.output)
        lines = read_lines(options.results)
    except (InputError, OSError) as error:
        parser.exit(1, f"image_against_graph.py: {error}\n")
    make_folder(options.output)
    stem = options.output / NAME
    write_text(stem.with_suffix(".md"), table(lines))
    for path in [stem.with_suffix(".md"), *draw(lines, stem)]:
        print(f"wrote {path}")


def read_lines(folder: Path) -> list[Line]:
    """The lines that ``folder`` names; InputError for one that its file does not hold."""
    return [_line(folder, **wanted) for wanted in read_yaml(folder / LINES_NAME)]


def _line(
    folder: Path,
    *,
    task: str,
    inputs: str,
    file: str,
    image: str,
    graph: str,
    figure: str = "auc",
    row: str | None = None,
    training_jets: int | None = None,
) -> Line:
    stored = json.loads((folder / file).read_text(encoding="utf-8"))
    if "cells" in stored:
        place = {"row": row, "training_jets": training_jets or stored["training_jets"]}
        cells = {name: _only(stored["cells"], f"{file}: {name}", model=name, **place) for name in (image, graph)}
        values = {name: _value(cell["figures"][figure]) for name, cell in cells.items()}
        seeds = min(len(cell["seeds"]) for cell in cells.values())
        place |= {"reference_row": row, "reference_training_jets": place["training_jets"]}
        found = _only(stored["model_differences"], file, model=graph, reference_model=image, figure=figure, **place)
    else:
        rows = {name: _only(stored["rows"], f"{file}: {name}", model=name) for name in (image, graph)}
        values = {name: (one[figure], one[f"{figure}_error"]) for name, one in rows.items()}
        for standing in stored["paired"]["standings"]:
            if standing["name"] in values and standing["figure"] == figure and standing["spread"] is not None:
                values[standing["name"]] = standing["mean"], _of_objects_and_seeds(standing)
        seeds = min(one["seeds"] or 1 for one in rows.values())
        found = _only(stored["paired"]["differences"], file, name=graph, reference=image, figure=figure)
    difference = found["difference"], found["error"]
    return Line(
        task, inputs, image, graph, figure, values[image], values[graph], difference, found["log10_p_value"], seeds
    )


def _of_objects_and_seeds(standing: dict[str, Any]) -> float:
    """Error of a mean over seeds, as in ablations; rows of older files have the spread of the seeds alone."""
    part = seeds_part(standing["seeds"])
    return standing["error"] if part is None else whole_error(standing["error"], [part])[0]


def _only(entries: list[dict[str, Any]], what: str, **wanted: Any) -> dict[str, Any]:
    found = [entry for entry in entries if all(entry.get(key) == value for key, value in wanted.items())]
    if len(found) != 1:
        keys = ", ".join(f"{key} {value}" for key, value in wanted.items())
        raise InputError(f"{what} has {len(found)} entries of {keys}, not one; correct {LINES_NAME}.")
    return found[0]


def _value(figure: dict[str, float]) -> tuple[float, float]:
    return figure["mean"], figure["error"]


def table(lines: list[Line]) -> str:
    """The lines in Markdown, with what holds for all of them."""
    return (
        aligned([["task", "inputs", "figure", "image", "graph", "graph minus image", "seeds"], *_cells(lines)], words=3)
        + "\n\nParametric simulation, not CMS simulation. Each line: the same test objects; ± of these and, where "
        "there are several, of the seeds.\n"
    )


def _cells(lines: list[Line]) -> Iterator[list[str]]:
    for line in lines:
        title, digits, _ = FIGURES[line.figure]
        values = [with_error(*value, digits) for value in (line.of_image, line.of_graph)]
        value, error = line.difference
        signed = f"{value:+.{digits}f}".replace("-", "−")
        difference = f"{signed} ± {error:.{digits}f} (p = {p_value(line.log10_p)})"
        yield [line.task, line.inputs, title, *values, difference, str(line.seeds)]


def p_value(log10: float) -> str:
    """10 to the power of ``log10``, also where no float is so small."""
    power = int(np.floor(log10))
    return f"{10.0**log10:.2g}" if power > -4 else f"{10.0 ** (log10 - power):.0f}e{power}"


def draw(lines: list[Line], stem: Path) -> list[Path]:
    """By which factor the graph is better in each line: errors of the difference alone."""
    with figure_style(13):
        figure = Figure(figsize=(9.0, 0.4 * len(lines) + 1.5), layout="constrained")
        axes = figure.add_subplot()
        places = np.arange(len(lines))[::-1]
        factor = np.array([line.better for line in lines])
        # To first order the factor's relative error is that of what is left.
        left = np.array([1.0 - line.of_graph[0] if FIGURES[line.figure][2] else line.of_graph[0] for line in lines])
        error = factor * np.array([line.difference[1] for line in lines]) / left
        axes.errorbar(factor, places, xerr=error, fmt="o", capsize=3)
        axes.axvline(1.0, color="grey", linestyle="--", linewidth=1)
        axes.set_yticks(places, [f"{line.task}: {line.inputs}" for line in lines])
        axes.set_ylim(-0.7, len(lines) - 0.3)
        axes.set_xlabel("1 − AUC, or mass error: image / graph (above 1 the graph is better)")
        axes.tick_params(axis="y", which="minor", left=False, right=False)
        return save_titled(figure, axes, stem, "Parametric simulation, not CMS simulation")


if __name__ == "__main__":
    use_utf8()
    main()
