from e2egraph.plots.ablation import plot_costs, plot_inputs, plot_learning_curve
from tests.evaluation.ablation.made import made_ablation


def test_every_picture_is_drawn_as_png_and_pdf(tmp_path):
    ablation = made_ablation()
    for draw, name in ((plot_inputs, "inputs"), (plot_costs, "costs"), (plot_learning_curve, "curve")):
        paths = draw(ablation, tmp_path / name, "simulation")
        assert [path.name for path in paths] == [f"{name}.png", f"{name}.pdf"]
        assert paths[0].read_bytes().startswith(b"\x89PNG")
        assert paths[1].read_bytes().startswith(b"%PDF")


def test_nothing_is_drawn_of_what_was_not_measured(tmp_path):
    ablation = made_ablation()
    without = [cell.__class__(**{**vars(cell), "cost": None}) for cell in ablation.cells]
    assert plot_costs(made_ablation(cells=tuple(without)), tmp_path / "costs", "") is None
    single = tuple(cell for cell in ablation.cells if cell.training_jets == 10_000)
    assert plot_learning_curve(made_ablation(cells=single), tmp_path / "curve", "") is None
    assert list(tmp_path.iterdir()) == []
