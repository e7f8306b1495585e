"""Image against graph for every task: one table and one picture of the results that are stored.

    python scripts/image_against_graph.py exports/results --output exports/figures

FOLDER holds `image_against_graph.yaml`, which names the lines, and the files of `e2egraph ablate` and
`e2egraph compare --json` that these are read from; nothing is measured here. Writes
OUTPUT/image_against_graph.md, .png and .pdf. All results are of parametric simulation, not of CMS simulation.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.figure import Figure

from e2egraph.config import configuration, validate
from e2egraph.errors import InputError, UsageError
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


# A value with its error, None where the stored result has none.
Value = tuple[float, float | None]


@configuration
class Wanted:
    """An entry of ``LINES_NAME``: which comparison of which file is one line of the table.

    ``task``, ``inputs``: in words. ``file``: of `e2egraph ablate` or `e2egraph compare --json`. ``image``, ``graph``:
    the models. ``figure``: a key of ``FIGURES``. ``row``, ``training_jets``: of an ablation (all, where not given).
    """

    task: str
    inputs: str
    file: str
    image: str
    graph: str
    figure: Literal["auc", "mae"] = "auc"
    row: str | None = None
    training_jets: int | None = None


@dataclass(frozen=True)
class Line:
    """One comparison on the same test objects.

    ``task``, ``inputs``, ``image``, ``graph``: in words; ``figure``: a key of ``FIGURES``; ``of_image``, ``of_graph``,
    ``difference``: its values and the graph's minus the image's, each with its error; ``log10_p``: of that difference,
    two-sided, None where the result has none; ``seeds``: of the network that has fewer.
    """

    task: str
    inputs: str
    image: str
    graph: str
    figure: str
    of_image: Value
    of_graph: Value
    difference: Value
    log10_p: float | None
    seeds: int

    @property
    def lost(self) -> tuple[float, float]:
        """What image and graph lack to a perfect classifier (1 − AUC), or their error of a mass."""
        (image, _), (graph, _) = self.of_image, self.of_graph
        return (1.0 - image, 1.0 - graph) if FIGURES[self.figure][2] else (image, graph)

    @property
    def better(self) -> float:
        """By which factor the graph is better: of what a perfect classifier lacks, or of the error."""
        image, graph = self.lost
        return image / graph

    @property
    def better_error(self) -> float | None:
        """Error of ``better`` to first order; None where the result lacks one of the three errors.

        σ_f² = f² [(σ_i/i)² + (σ_g/g)² − 2 cov/(i g)] for f = i/g, with the covariance that the error of the paired
        difference says: cov = (σ_i² + σ_g² − σ_Δ²)/2, no more than σ_i σ_g.
        """
        of_image, of_graph, of_difference = (value[1] for value in (self.of_image, self.of_graph, self.difference))
        if of_image is None or of_graph is None or of_difference is None:
            return None
        image, graph = self.lost
        most = of_image * of_graph
        covariance = min(max((of_image**2 + of_graph**2 - of_difference**2) / 2.0, -most), most)
        square = (of_image / image) ** 2 + (of_graph / graph) ** 2 - 2.0 * covariance / (image * graph)
        return self.better * math.sqrt(max(square, 0.0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, metavar="FOLDER", help="stored results")
    parser.add_argument("--output", type=Path, required=True, help="folder for the table and the picture")
    options = parser.parse_args()
    try:
        check_folder(options.output)
        lines = read_lines(options.results)
    except (InputError, UsageError) as error:
        parser.exit(1, f"image_against_graph.py: {error}\n")
    make_folder(options.output)
    stem = options.output / NAME
    write_text(stem.with_suffix(".md"), table(lines))
    for path in [stem.with_suffix(".md"), *draw(lines, stem)]:
        print(f"wrote {path}")


def read_lines(folder: Path) -> list[Line]:
    """The lines that ``folder`` names. InputError for one that its file does not hold, or a file that is missing or
    damaged; UsageError for a list that is wrong."""
    path = folder / LINES_NAME
    try:
        entries = read_yaml(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give the folder of stored results.") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UsageError(f"{path}: expected a list of lines, each of 'key: value'; correct the file.")
    return [_line(folder, validate(Wanted, entry, f"{path}: line {n}")) for n, entry in enumerate(entries, 1)]


def _line(folder: Path, wanted: Wanted) -> Line:
    path = folder / wanted.file
    try:
        return _found(json.loads(path.read_text(encoding="utf-8")), wanted)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); correct {LINES_NAME}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: damaged, or not what 'e2egraph ablate' or 'e2egraph compare --json' writes; make it again."
        ) from error


def _found(stored: dict[str, Any], wanted: Wanted) -> Line:
    image, graph, figure, file = wanted.image, wanted.graph, wanted.figure, wanted.file
    values: dict[str, Value]
    if "cells" in stored:
        place = {"row": wanted.row, "training_jets": wanted.training_jets or stored["training_jets"]}
        cells = {name: _only(stored["cells"], f"{file}: {name}", model=name, **place) for name in (image, graph)}
        values = {name: _value(cell["figures"][figure]) for name, cell in cells.items()}
        seeds = min(len(cell["seeds"]) for cell in cells.values())
        place |= {"reference_row": wanted.row, "reference_training_jets": place["training_jets"]}
        found = _only(stored["model_differences"], file, model=graph, reference_model=image, figure=figure, **place)
    else:
        rows = {name: _only(stored["rows"], f"{file}: {name}", model=name) for name in (image, graph)}
        values = {name: (one[figure], one.get(f"{figure}_error")) for name, one in rows.items()}
        for standing in stored["paired"]["standings"]:
            if standing["name"] in values and standing["figure"] == figure and standing["spread"] is not None:
                values[standing["name"]] = standing["mean"], _of_objects_and_seeds(standing)
        seeds = min(one["seeds"] or 1 for one in rows.values())
        found = _only(stored["paired"]["differences"], file, name=graph, reference=image, figure=figure)
    return Line(
        wanted.task,
        wanted.inputs,
        image,
        graph,
        figure,
        values[image],
        values[graph],
        (found["difference"], found["error"]),
        found["log10_p_value"],
        seeds,
    )


def _of_objects_and_seeds(standing: dict[str, Any]) -> float | None:
    """Error of a mean over seeds, as in ablations; rows of older files have the spread of the seeds alone."""
    if standing["error"] is None:
        return None
    part = seeds_part(standing["seeds"])
    return float(standing["error"] if part is None else whole_error(standing["error"], [part])[0])


def _only(entries: list[dict[str, Any]], what: str, **wanted: Any) -> dict[str, Any]:
    found = [entry for entry in entries if all(entry.get(key) == value for key, value in wanted.items())]
    if len(found) != 1:
        keys = ", ".join(f"{key} {value}" for key, value in wanted.items())
        raise InputError(f"{what} has {len(found)} entries of {keys}, not one; correct {LINES_NAME}.")
    return found[0]


def _value(figure: dict[str, float]) -> Value:
    return figure["mean"], figure["error"]


def table(lines: list[Line]) -> str:
    """The lines in Markdown, with what holds for all of them."""
    return (
        aligned([["task", "inputs", "figure", "image", "graph", "graph minus image", "seeds"], *_cells(lines)], words=3)
        + "\n\nParametric simulation, not CMS simulation. Each line: the same test objects; ± of these and, where "
        "there are several, of the seeds"
        + (" (none: the stored result has no error)" if any(line.better_error is None for line in lines) else "")
        + ".\n"
    )


def _cells(lines: list[Line]) -> Iterator[list[str]]:
    for line in lines:
        title, digits, _ = FIGURES[line.figure]
        values = [with_error(*value, digits) for value in (line.of_image, line.of_graph)]
        value, error = line.difference
        difference = f"{'−' if value < 0 else '+'}{with_error(abs(value), error, digits)} ({p_value(line.log10_p)})"
        yield [line.task, line.inputs, title, *values, difference, str(line.seeds)]


def p_value(log10: float | None) -> str:
    """10 to the power of ``log10``, also where no float is so small."""
    if log10 is None:
        return "no p"
    power = int(np.floor(log10))
    if power > -4:
        return f"p = {10.0**log10:.2g}"
    digit = f"{10.0 ** (log10 - power):.0f}"
    return f"p = 1e{power + 1}" if digit == "10" else f"p = {digit}e{power}"


def draw(lines: list[Line], stem: Path) -> list[Path]:
    """By which factor the graph is better in each line, with its error, which knows that both saw the same objects."""
    with figure_style(13):
        figure = Figure(figsize=(9.0, 0.4 * len(lines) + 1.5), layout="constrained")
        axes = figure.add_subplot()
        places = np.arange(len(lines))[::-1]
        error = np.array([np.nan if line.better_error is None else line.better_error for line in lines])
        axes.errorbar([line.better for line in lines], places, xerr=error, fmt="o", capsize=3)
        axes.axvline(1.0, color="grey", linestyle="--", linewidth=1)
        axes.set_yticks(places, [f"{line.task}: {line.inputs}" for line in lines])
        axes.set_ylim(-0.7, len(lines) - 0.3)
        without = "; no bar: no error stored" if np.isnan(error).any() else ""
        axes.set_xlabel(f"1 − AUC, or mass error: image / graph (above 1 the graph is better{without})")
        axes.tick_params(axis="y", which="minor", left=False, right=False)
        return save_titled(figure, axes, stem, "Parametric simulation, not CMS simulation")


if __name__ == "__main__":
    use_utf8()
    main()
