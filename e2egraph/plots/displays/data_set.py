"""Plots of a whole data set: images averaged over the objects of each class, and spectra of their quantities."""

from __future__ import annotations

from pathlib import Path

import hist
import mplhep
import numpy as np
import torch
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from e2egraph.data.loading.batch import JetBatch
from e2egraph.data.loading.pools import columns_for, read_jets
from e2egraph.data.padding import pad
from e2egraph.data.table import JetTable, read_table
from e2egraph.errors import InputError
from e2egraph.graphs.storage.columns import SPLITS
from e2egraph.graphs.storage.manifest import read_manifest
from e2egraph.models.image.planes import planes_of
from e2egraph.models.image.rasterize import Rasterize
from e2egraph.plots.style import (
    ETA,
    QUANTITY_TITLES,
    draw_by_class,
    figure_style,
    label_of,
    one_panel,
    outside,
    position_titles,
    save,
    save_titled,
)
from e2egraph.tasks.objects.registry import kinds

# Plane → what its mean is called.
PLANES = {"track_pt": r"track $p_\mathrm{T}$ [GeV]", "BPIX1": "BPIX1 hits", "ECAL": "ECAL [GeV]", "HCAL": "HCAL [GeV]"}

# What a kind of object calls a column, where that is not what others call it → title of an axis.
_TITLES = {"E_T [GeV]": r"$E_\mathrm{T}$ [GeV]", "η": ETA}

# Objects of each class that are averaged, so many at a time.
JETS, BATCH = 512, 64

# Colours reach this far below the largest mean.
DYNAMIC_RANGE = 1e-4

MASS_RANGE, MASS_BINS = (0.0, 300.0), 50  # [GeV]


def draw_average_images(data: Path, stem: Path, *, jets: int = JETS) -> list[Path]:
    """Mean image of the first ``jets`` objects of each class, a row a class, a column a plane. InputError: no plane."""
    table = read_table(data)
    classes = table.manifest.classes
    chosen = [np.flatnonzero(table.columns["label"] == number)[:jets] for number in range(len(classes))]
    inputs = table.inputs
    half_eta, half_phi = inputs.region.half_eta, inputs.region.half_phi
    along_eta, along_phi = position_titles(inputs.region)
    planes = {name: title for name, title in PLANES.items() if name in planes_of(inputs)}
    if not planes:
        raise InputError(
            f"{data}: holds none of the planes that are averaged ({', '.join(PLANES)}); draw --view spectra."
        )
    means = [_mean_image(table, members, tuple(planes)) for members in chosen]
    with figure_style(14):
        figure = Figure(figsize=(4.6 * len(planes), 4.2 * len(classes)), layout="constrained")
        grid = figure.subplots(len(classes), len(planes), squeeze=False)
        for row, name in enumerate(classes):
            for column, title in enumerate(planes.values()):
                axes = grid[row, column]
                top = max(float(mean[column].max()) for mean in means) or 1.0
                image = axes.imshow(
                    np.maximum(means[row][column], top * DYNAMIC_RANGE).T,
                    origin="lower",
                    extent=(-half_eta, half_eta, -half_phi, half_phi),
                    norm=LogNorm(top * DYNAMIC_RANGE, top),
                    interpolation="nearest",
                    aspect="auto",
                )
                axes.set(title=f"{name}: {title}", xlabel=along_eta, ylabel=along_phi)
                figure.colorbar(image, ax=axes)
        counts = ", ".join(f"{len(members)} {name}" for members, name in zip(chosen, classes, strict=True))
        title = f"{label_of(table.columns['run'])}: mean of {counts} {table.manifest.object_name.many}"
        figure.suptitle(title, x=0.02, horizontalalignment="left")
        return save(figure, stem)


def draw_spectra(data: Path, stem: Path) -> list[Path]:
    """The columns that the kind of object shows (``ObjectKind.spectra``) and the number of nodes, of the objects of
    each class, weighted and normalised to one."""
    manifest = read_manifest(data)
    kind, objects = manifest.configuration["object"]["kind"], manifest.object_name
    spectra = {**kinds()[kind].spectra, "n_nodes": "nodes"}
    spectra = {name: _TITLES.get(title) or QUANTITY_TITLES.get(name, title) for name, title in spectra.items()}
    table = read_table(data, extra=("weight", *spectra))
    classes = table.manifest.classes
    with figure_style(16):
        figure = Figure(figsize=(7 * len(spectra), 6.5), layout="constrained")
        for axes, (name, title) in zip(figure.subplots(1, len(spectra)), spectra.items(), strict=True):
            values = table.columns[name].astype(np.float64)
            low, high = shown_range(values)
            for number, label in enumerate(classes):
                members = table.columns["label"] == number
                counts = hist.Hist(
                    hist.axis.Regular(50, low, high, underflow=True, overflow=True),
                    storage=hist.storage.Weight(),
                )
                counts.fill(values[members], weight=table.columns["weight"][members])
                total = counts.sum(flow=True).value
                if total > 0:
                    said = label + outside(1.0 - float(counts.sum().value / total))
                    mplhep.histplot(counts / total, ax=axes, label=said, linewidth=2, yerr=True, flow="none")
            axes.set(xlabel=title, ylabel=f"{objects.many.capitalize()} (normalised)")
            axes.set_ylim(bottom=0.0)
            axes.legend()
        figure.suptitle(label_of(table.columns["run"]), x=0.02, horizontalalignment="left")
        splits = {split: int((table.columns["split"] == split).sum()) for split in SPLITS}
        figure.supxlabel(
            ", ".join(f"{split}: {objects.count(number)}" for split, number in splits.items()), fontsize="small"
        )
        return save(figure, stem)


def shown_range(values: NDArray[np.float64]) -> tuple[float, float]:
    """From the least of ``values`` to just above the 99.5th percentile, since bins end below their upper edge; of a
    width of 1 at least."""
    low, high = float(values.min()), float(np.percentile(values, 99.5))
    return low, float(np.nextafter(max(high, low + 1.0), np.inf))


def plot_masses(data: Path, stem: Path) -> list[Path]:
    """Soft-drop mass of every class of a data set, normalised to one; InputError when the data set holds none."""
    manifest = read_manifest(data)
    held = "softdrop_mass" in manifest.object_columns
    table = read_table(data, extra=("softdrop_mass",) if held else ())
    if not held or not table.columns["softdrop_mass"].any():
        raise InputError(f"{data}: no soft-drop mass (its inputs did not hold it); build from inputs that have it.")
    mass, weight = table.columns["softdrop_mass"], table.columns["weight"]
    classes = table.manifest.classes
    with one_panel() as (figure, axes):
        class_of, edges = np.array(classes)[table.columns["label"]], np.linspace(*MASS_RANGE, MASS_BINS + 1)
        draw_by_class(axes, mass, class_of, classes, edges, weight)
        axes.set(
            xlabel="Soft-drop mass [GeV]",
            ylabel=f"{manifest.object_name.many.capitalize()} (normalised)",
            xlim=MASS_RANGE,
        )
        axes.set_ylim(bottom=0.0)
        axes.legend()
        return save_titled(figure, axes, stem, label_of(table.columns["run"]))


def _mean_image(table: JetTable, members: NDArray[np.int64], planes: tuple[str, ...]) -> NDArray[np.float64]:
    """Mean over the objects ``members`` (rising numbers) of each of ``planes``, [planes, rows, columns]; 0 of none."""
    rasterize = Rasterize(table.inputs, planes)
    total = np.zeros((len(planes), rasterize.height, rasterize.width))
    for start in range(0, len(members), BATCH):
        wanted = members[start : start + BATCH]
        _, clouds = read_jets(table, np.unique(table.group_of(wanted)), wanted, columns_for(table.inputs))
        batch = JetBatch.from_arrays(pad(clouds, table.inputs))
        with torch.inference_mode():
            total += rasterize(batch.points, batch.features, batch.mask).numpy().sum(axis=0, dtype=np.float64)
    return total / max(len(members), 1)
