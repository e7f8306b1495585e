"""What a figure costs: the panels of the picture of an ablation's figures against cost."""

from __future__ import annotations

from e2egraph.evaluation.ablation.results import Ablation
from e2egraph.evaluation.metrics.pareto_front import pareto_front
from e2egraph.evaluation.objectives.evaluation import ComparedFigure
from e2egraph.plots.ablation import CostPanel


def cost_panels(ablation: Ablation, figure: ComparedFigure) -> list[CostPanel]:
    """``figure`` of every cell against ONNX Runtime's time and against FLOPs; none where no cost is known."""
    cells = [
        (cell, cell.cost, cell.figures[figure.name].mean)
        for row in ablation.rows
        for cell in ablation.main_cells(row.name)
        if cell.cost is not None
    ]
    known = [(cell, cost, mean) for cell, cost, mean in cells if mean is not None]
    timed = [(cost.onnx_ms_per_jet, cell, mean) for cell, cost, mean in known if cost.onnx_ms_per_jet]
    counted = [(cost.flops / 1e6, cell, mean) for cell, cost, mean in known]
    panels = []
    one = ablation.objects.one
    for title, points in ((f"ONNX Runtime, one thread [ms/{one}]", timed), (f"Forward pass [MFLOPs/{one}]", counted)):
        if points:
            values = [(cost, mean) for cost, _, mean in points]
            front = tuple(values[place] for place in pareto_front(values, highest=figure.highest))
            panels.append(CostPanel(title, tuple((cost, cell) for cost, cell, _ in points), front))
    return panels
