import numpy as np
import pytest
from matplotlib.image import imread

from e2egraph.errors import InputError
from e2egraph.evaluation.jet_display import draw_jet
from e2egraph.evaluation.metrics import roc_curve
from e2egraph.evaluation.plots import label_of, plot_masses, plot_roc, plot_scores
from tests.toy_dataset import write_toy_dataset


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_toy_dataset(tmp_path_factory.mktemp("toy") / "data", 60, nodes=(0, 200))


def draw_everything(data, folder):
    rng = np.random.default_rng(0)
    is_signal, score = rng.random(300) < 0.5, rng.random(300)
    names = np.where(is_signal, "top", "qcd")
    return [
        *plot_roc({"one": roc_curve(is_signal, score), "two": roc_curve(is_signal, -score)}, folder / "roc", "label"),
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
