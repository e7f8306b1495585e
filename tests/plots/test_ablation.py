from e2egraph.evaluation.ablation.cost_panels import cost_panels
from e2egraph.plots.ablation import plot_costs, plot_inputs, plot_learning_curve
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


def test_the_front_of_the_costs_is_of_cells_that_none_of_lower_cost_beats():
    ablation = made_ablation()
    for panel in cost_panels(ablation, AUC):
        points = [(cost, cell.figures["auc"].mean) for cost, cell in panel.points]
        assert panel.front
        for cost, auc in points:
            beaten = any(other <= cost and better >= auc and (other, better) != (cost, auc) for other, better in points)
            assert ((cost, auc) in panel.front) == (not beaten)
