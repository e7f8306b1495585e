import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from e2egraph.evaluation.ablation.cost_panels import cost_panels
from e2egraph.evaluation.ablation.results import Cell
from e2egraph.evaluation.compare.over_seeds import MeanFigure
from e2egraph.plots import ablation as ablation_plots
from e2egraph.plots.ablation import CostPanel, plot_costs, plot_inputs, plot_learning_curve
from tests.evaluation.ablation.made import FIGURES_SHOWN, made_ablation

(AUC, _) = FIGURES_SHOWN
TITLES = {"auc": "AUC", "signal_efficiency_at_1pct_mistag": "signal efficiency at 1% mistag"}


def test_every_picture_is_drawn_as_png_and_pdf(tmp_path):
    ablation = made_ablation()
    drawn = {
        "inputs": plot_inputs(ablation, TITLES, tmp_path / "inputs", "simulation"),
        "costs": plot_costs(ablation, cost_panels(ablation, AUC), "auc", "AUC", tmp_path / "costs", "simulation"),
        "curve": plot_learning_curve(ablation, TITLES, tmp_path / "curve", "simulation"),
    }
    for name, paths in drawn.items():
        assert [path.name for path in paths] == [f"{name}.png", f"{name}.pdf"]
        assert paths[0].read_bytes().startswith(b"\x89PNG")
        assert paths[1].read_bytes().startswith(b"%PDF")


def test_nothing_is_drawn_of_what_was_not_measured(tmp_path):
    ablation = made_ablation()
    without = [cell.__class__(**{**vars(cell), "cost": None}) for cell in ablation.cells]
    unknown = made_ablation(cells=tuple(without))
    assert cost_panels(unknown, AUC) == []
    assert plot_costs(unknown, [], "auc", "AUC", tmp_path / "costs", "") is None
    single = tuple(cell for cell in ablation.cells if cell.training_jets == 10_000)
    assert plot_learning_curve(made_ablation(cells=single), TITLES, tmp_path / "curve", "") is None
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def figures(monkeypatch):
    """The figures drawn, in place of the files."""
    drawn = []
    monkeypatch.setattr(ablation_plots, "save", lambda figure, stem: drawn.append(figure) or [])
    return drawn


def made_cells(models, value, error=0.01):
    """A cell for every row and model, and for numbers of training jets of the row of all inputs."""
    rows = made_ablation().rows
    sizes = [*((row, 10_000) for row in rows), *((rows[-1], jets) for jets in (1000, 2500, 5000, 20_000))]
    return tuple(
        Cell(row.name, model, jets, jets, (1,), {AUC.name: MeanFigure(value(jets), error, error, None)}, 1, 1.0, None)
        for row, jets in sizes
        for model in models
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_the_legend_of_a_learning_curve_covers_no_point(figures, tmp_path, sign):
    """Of errors, which fall, the points of most jets stand where those of an AUC leave room."""
    cells = made_cells(("a", "b"), lambda jets: sign * np.log(jets))
    plot_learning_curve(made_ablation(cells=cells, models=("a", "b")), {AUC.name: "AUC"}, tmp_path / "curve", "")
    (axes,) = figures[0].axes
    FigureCanvasAgg(figures[0]).draw()
    legend = axes.get_legend().get_window_extent()
    points = [axes.transData.transform(bars.lines[0].get_xydata()) for bars in axes.containers]
    assert len(points) == 2 and not any(legend.contains(*point) for point in np.concatenate(points))


def test_legends_of_many_models_are_whole(figures, tmp_path):
    models = tuple(f"tracks-and-cells-{number}" for number in range(12))
    many = made_ablation(cells=made_cells(models, lambda jets: 0.9), models=models)
    plot_inputs(many, {AUC.name: "AUC"}, tmp_path / "inputs", "")
    panel = CostPanel("ms", tuple((1.0 + place, cell) for place, cell in enumerate(many.cells)), ((1.0, 0.9),))
    plot_costs(many, [panel], AUC.name, "AUC", tmp_path / "costs", "")
    for figure in figures:
        FigureCanvasAgg(figure).draw()
        (legend,) = figure.legends
        names = {text.get_text().split(" ")[0] for text in legend.get_texts()}
        assert names > set(models)
        box = legend.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y0 >= 0


def test_an_error_that_is_not_known_is_no_bar(figures, tmp_path):
    for error in (None, 0.01):
        cells = made_cells(("a",), lambda jets: 0.9, error)
        ablation = made_ablation(cells=cells, models=("a",))
        plot_inputs(ablation, {AUC.name: "AUC"}, tmp_path / "inputs", "")
        plot_learning_curve(ablation, {AUC.name: "AUC"}, tmp_path / "curve", "")
    for figure, known in zip(figures, (False, False, True, True), strict=True):
        (bars,) = figure.axes[0].containers[0].lines[2]
        drawn = np.concatenate(bars.get_segments())
        assert bool(len(drawn) and np.isfinite(drawn).all()) == known


def test_the_front_of_the_costs_is_of_cells_that_none_of_lower_cost_beats():
    ablation = made_ablation()
    for panel in cost_panels(ablation, AUC):
        points = [(cost, cell.figures["auc"].mean) for cost, cell in panel.points]
        assert panel.front
        for cost, auc in points:
            beaten = any(other <= cost and better >= auc and (other, better) != (cost, auc) for other, better in points)
            assert ((cost, auc) in panel.front) == (not beaten)
