"""Plots of a whole data set."""

from dataclasses import replace

import numpy as np
import pytest

from e2egraph.data.padding import pad
from e2egraph.data.table import read_table
from e2egraph.errors import InputError
from e2egraph.graphs.storage.manifest import Manifest
from e2egraph.plots.displays import data_set
from e2egraph.plots.displays.data_set import draw_average_images, draw_spectra, plot_masses, shown_range
from e2egraph.tasks.objects.naming import ObjectName
from e2egraph.tasks.objects.registry import kinds
from tests.toy_dataset import write_toy_dataset


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_toy_dataset(tmp_path_factory.mktemp("toy") / "data", 300, nodes=(0, 12), shards_per_class=5)


@pytest.fixture
def figures(monkeypatch):
    """The figures drawn meanwhile, which are not saved."""
    drawn = []
    for name in ("save", "save_titled"):
        monkeypatch.setattr(data_set, name, lambda figure, *others: drawn.append(figure))
    return drawn


@pytest.mark.parametrize("most", [10, 120, 512])
def test_average_images_are_of_as_many_objects_as_their_title_says(folder, figures, monkeypatch, tmp_path, most):
    table, averaged = read_table(folder), []
    monkeypatch.setattr(data_set, "pad", lambda clouds, inputs: averaged.append(clouds) or pad(clouds, inputs))
    draw_average_images(folder, tmp_path / "average", jets=most)
    labels = np.concatenate([clouds.jets["label"] for clouds in averaged])
    counts = [int((labels == number).sum()) for number in range(2)]
    assert counts == [min(most, int((table.columns["label"] == number).sum())) for number in range(2)]
    (figure,) = figures
    assert figure.get_suptitle().endswith(f": mean of {counts[0]} qcd, {counts[1]} top jets")


def test_plots_of_a_data_set_call_its_objects_by_their_name(folder, figures, monkeypatch, tmp_path):
    monkeypatch.setattr(Manifest, "object_name", ObjectName("event"))
    draw_average_images(folder, tmp_path / "average", jets=10)
    plot_masses(folder, tmp_path / "masses")
    average, masses = figures
    assert average.get_suptitle().endswith("10 top events")
    assert masses.axes[0].get_ylabel() == "Events (normalised)"


def test_legends_tell_what_lies_outside_the_axes(figures, tmp_path):
    folder = write_toy_dataset(tmp_path / "data", 400, nodes=(1, 3))
    table = read_table(folder, extra=("weight", "softdrop_mass", "n_nodes"))
    label, weight = table.columns["label"], table.columns["weight"].astype(np.float64)

    def said(beyond, number):
        share = 100 * weight[beyond & (label == number)].sum() / weight[label == number].sum()
        return f"{table.manifest.classes[number]}" + (f", {share:.1f}% outside" if share > 0.05 else "")

    plot_masses(folder, tmp_path / "masses")
    draw_spectra(folder, tmp_path / "spectra")
    masses, spectra = figures
    heavy = table.columns["softdrop_mass"] > 300.0
    assert heavy.any()
    assert [text.get_text() for text in masses.axes[0].get_legend().get_texts()] == [said(heavy, 0), said(heavy, 1)]
    axes = spectra.axes[2]
    beyond = table.columns["softdrop_mass"] >= shown_range(table.columns["softdrop_mass"].astype(np.float64))[1]
    assert axes.get_xlabel().lower() == "soft-drop mass [gev]" and beyond.any()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [said(beyond, 0), said(beyond, 1)]


def test_without_any_plane_the_average_image_is_refused_in_one_sentence(folder, figures, monkeypatch, tmp_path):
    monkeypatch.setattr(data_set, "PLANES", {"TIB1": "TIB1 hits"})
    with pytest.raises(InputError, match=r"data: holds none of the planes that are averaged \(TIB1\); draw --view"):
        draw_average_images(folder, tmp_path / "average")


def test_spectra_of_clusters_have_transverse_energies(folder, figures, monkeypatch, tmp_path):
    jets = kinds()["jet"]
    spectra = {name: title for name, title in kinds()["cluster"].spectra.items() if name != "r9"}
    monkeypatch.setattr(data_set, "kinds", lambda: {"jet": replace(jets, spectra=spectra)})
    draw_spectra(folder, tmp_path / "spectra")
    titles = [axes.get_xlabel() for axes in figures[0].axes]
    assert titles == [r"$E_\mathrm{T}$ [GeV]", r"$\eta$", "nodes"]


@pytest.mark.parametrize(
    "values", [np.repeat([0.0, 1.0, 2.0], [34, 3, 3]), np.array([5.0, 5.0]), np.linspace(-3.0, 40.0, 150)]
)
def test_the_largest_of_few_values_is_within_the_range_that_is_drawn(values):
    """Jets of 0, 1 and 2 nodes: the percentile is the maximum, and bins end below their upper edge."""
    low, high = shown_range(values)
    assert low == values.min() and high - low >= 1.0
    counts, _ = np.histogram(values, np.linspace(low, high, 51))
    assert counts.sum() >= 0.99 * len(values)
    assert values.max() < high or len(values) > 100
