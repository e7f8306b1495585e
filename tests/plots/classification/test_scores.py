from dataclasses import asdict

import numpy as np
import pytest
from matplotlib.image import imread

from e2egraph.errors import InputError
from e2egraph.evaluation.metrics.bins import binned_metrics
from e2egraph.evaluation.metrics.roc.band import roc_band
from e2egraph.plots.classification.bins import plot_bins
from e2egraph.plots.classification.roc import plot_roc
from e2egraph.plots.classification.scores import plot_scores
from e2egraph.plots.displays.data_set import plot_masses
from e2egraph.plots.displays.jet_display import draw_jet
from e2egraph.plots.style import label_of
from tests.toy_dataset import write_toy_dataset


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_toy_dataset(tmp_path_factory.mktemp("toy") / "data", 60, nodes=(0, 200))


def draw_everything(data, folder):
    rng = np.random.default_rng(0)
    is_signal, score = rng.random(300) < 0.5, rng.random(300)
    names = np.where(is_signal, "top", "qcd")
    return [
        *plot_roc(roc_band(is_signal, score), "one", folder / "roc", "label", marked=0.01),
        *plot_scores(score, names, ["qcd", "top", "absent"], "top", folder / "scores", "label"),
        *plot_masses(data, folder / "mass"),
        *draw_jet(data, folder / "jet"),
    ]


def test_every_plot_is_drawn_as_png_and_pdf_and_again_with_the_same_bytes(data, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    paths = draw_everything(data, first)
    assert sorted(path.name for path in first.iterdir()) == sorted(path.name for path in paths)
    assert len(paths) == 8
    for path, again in zip(paths, draw_everything(data, second), strict=True):
        assert path.read_bytes() == again.read_bytes(), path.name
        if path.suffix == ".png":
            assert imread(path)[..., :3].std() > 0.05


def test_scores_that_tell_nothing_everything_or_leave_a_class_out_can_be_drawn(tmp_path):
    is_signal = np.arange(40) < 15
    names = np.where(is_signal, "top", "qcd")
    weight = np.linspace(0.0, 2.0, 40)
    for name, score in {"constant": np.full(40, 0.5), "perfect": is_signal.astype(float)}.items():
        plot_roc(roc_band(is_signal, score, weight), name, tmp_path / f"roc_{name}", "label", marked=0.01)
        plot_scores(score, names, ["qcd", "top"], "top", tmp_path / f"scores_{name}", "label", weight)
    plot_scores(np.linspace(0, 1, 40), names, ["qcd", "w", "top"], "w", tmp_path / "scores_absent", "label")
    assert len(list(tmp_path.glob("*.png"))) == 5


def test_figures_in_bins_are_drawn_where_they_are_known(tmp_path):
    rng = np.random.default_rng(1)
    is_signal, pt, n_pv = rng.random(900) < 0.5, rng.uniform(400, 900, 900), rng.integers(1, 3, 900)
    score = rng.normal(is_signal, 1.0)
    bins = {
        "jet_pt": binned_metrics(is_signal, score, pt, edges=np.array([400.0, 410.0, 600.0, 900.0])),
        "n_pv": binned_metrics(is_signal, score, n_pv),
    }
    assert bins["jet_pt"][0].auc is None
    content = {name: [asdict(one) for one in of_quantity] for name, of_quantity in bins.items()}
    png, pdf = plot_bins(content, tmp_path / "bins", "label", mistag=0.01)
    assert imread(png)[..., :3].std() > 0.03
    assert pdf.read_bytes().startswith(b"%PDF")
    plot_bins({"jet_pt": content["jet_pt"][:1]}, tmp_path / "unknown", "label", mistag=0.01)
    assert imread(tmp_path / "unknown.png").ndim == 3


def test_plots_say_simulation_only_where_the_run_number_does():
    assert "simulation" in label_of(np.ones(3))
    assert "simulation" not in label_of(np.array([1, 320_000]))


def test_a_jet_is_chosen_by_number_or_class_and_an_empty_one_can_be_drawn(tmp_path):
    data = write_toy_dataset(tmp_path / "data", 6, nodes=(0, 0))
    draw_jet(data, tmp_path / "empty", number=5)
    draw_jet(data, tmp_path / "qcd", label="qcd")
    assert (tmp_path / "empty.png").is_file()
    with pytest.raises(InputError, match="no jet number 6; give a number from 0 to 5"):
        draw_jet(data, tmp_path / "jet", number=6)
    with pytest.raises(InputError, match="no class 'w'"):
        draw_jet(data, tmp_path / "jet", label="w")
