"""The tables of an ablation: figures and costs by inputs, differences between models, and what each input adds."""

from __future__ import annotations

from collections.abc import Sequence

from e2egraph.evaluation.ablation.plan import jets_name
from e2egraph.evaluation.ablation.results import Ablation, Cell, CellFigure, Contrast, InputRow, TrainingJets
from e2egraph.evaluation.ablation.table import Table
from e2egraph.evaluation.compare.comparison import TOO_FEW
from e2egraph.evaluation.markdown import with_error
from e2egraph.evaluation.metrics.figures import AUC, EFFICIENCY
from e2egraph.evaluation.metrics.p_values import PValue

ABSENT = "–"

# Of a pair of cells, as ``_contrast`` fills them.
_CONTRAST = ("ΔAUC", "p", "p jets", "Δ efficiency at 1%", "p", "p jets", "ratio")


def tables(ablation: Ablation) -> tuple[Table, ...]:
    """Those that have something to show."""
    made = (inputs_table(ablation), curve_table(ablation), models_table(ablation), layers_table(ablation))
    return tuple(table for table in made if table is not None)


def inputs_table(ablation: Ablation) -> Table | None:
    """Figures and costs of each model with the inputs of each row, all with the same number of training jets."""
    header = ["inputs", "model", "AUC", "efficiency at 1%"]
    published = any(row.published is not None for row in ablation.rows)
    header += ["published AUC", "published efficiency"] * published
    header += ["parameters", "MFLOPs/jet", "training jets/s", "ONNX ms/jet", "seeds"]
    lines: list[tuple[str, ...]] = []
    rules = []
    for row in ablation.rows:
        rules.append(len(lines))
        for cell in ablation.main_cells(row.name):
            middle = _published(row) if published else []
            lines.append((row.title, cell.model, *_figures(cell), *middle, *_costs(cell), str(len(cell.seeds))))
    if not lines:
        return None
    return Table(
        "inputs",
        f"Inputs by model, {_jets(ablation.training_jets)}",
        tuple(header),
        tuple(lines),
        " ".join([_errors_note(ablation), _published_note(ablation.rows), _costs_note(ablation)]).strip(),
        names=2,
        rules=tuple(rules),
    )


def curve_table(ablation: Ablation) -> Table | None:
    """All inputs by the number of training jets; None where there is a single one."""
    cells = [cell for model in ablation.models for cell in ablation.learning_curve(model)]
    if len({cell.training_jets for cell in cells}) < 2:
        return None
    lines = [(cell.model, f"{cell.jets_learnt:,}", *_figures(cell), str(len(cell.seeds))) for cell in cells]
    models = [cell.model for cell in cells]
    header = ("model", "training jets", "AUC", "efficiency at 1%", "seeds")
    rules = tuple(models.index(model) for model in dict.fromkeys(models))
    return Table("curve", "All inputs by number of training jets", header, tuple(lines), rules=rules)


def models_table(ablation: Ablation) -> Table | None:
    """Each model minus the reference, row by row."""
    grouped = _pairs(ablation.model_differences)
    lines = [
        (ablation.row(first.row).title, first.model, jets_name(first.training_jets), *_contrast(auc, efficiency))
        for first, auc, efficiency in grouped
    ]
    if not lines:
        return None
    header = ("inputs", "model", "training jets", *_CONTRAST)
    return Table("models", f"Minus {ablation.reference}", header, tuple(lines), _paired_note(ablation), names=2)


def layers_table(ablation: Ablation) -> Table | None:
    """One model with more inputs minus itself with fewer."""
    grouped = sorted(_pairs(ablation.layer_differences), key=lambda item: ablation.models.index(item[0].model))
    lines = [
        (
            first.model,
            f"{ablation.row(first.reference_row).title} → {ablation.row(first.row).title}",
            *_contrast(auc, efficiency),
        )
        for first, auc, efficiency in grouped
    ]
    if not lines:
        return None
    models = [line[0] for line in lines]
    return Table(
        "layers",
        f"What further inputs add, {_jets(ablation.training_jets)}",
        ("model", "inputs", *_CONTRAST),
        tuple(lines),
        _paired_note(ablation),
        names=2,
        rules=tuple(models.index(model) for model in dict.fromkeys(models)),
    )


def _pairs(contrasts: Sequence[Contrast]) -> list[tuple[Contrast, Contrast | None, Contrast | None]]:
    """Differences of one pair of cells together: any of them, that of the AUC, that of the efficiency at 1% mistag."""
    found: dict[tuple[object, ...], dict[str, Contrast]] = {}
    for one in contrasts:
        key = (one.row, one.model, one.training_jets, one.reference_row, one.reference_training_jets)
        found.setdefault(key, {})[one.figure] = one
    return [(next(iter(of.values())), of.get(AUC), of.get(EFFICIENCY)) for of in found.values()]


def _figures(cell: Cell) -> list[str]:
    return [_figure(cell.figures[AUC], 4), _figure(cell.figures[EFFICIENCY], 3)]


def _figure(figure: CellFigure, digits: int) -> str:
    return TOO_FEW if figure.mean is None else with_error(figure.mean, figure.error, digits)


def _costs(cell: Cell) -> list[str]:
    cost = cell.cost
    latency = None if cost is None else cost.onnx_ms_per_jet
    return [
        f"{cell.parameters:,}",
        ABSENT if cost is None else f"{cost.flops / 1e6:.3g}",
        f"{cell.training_jets_per_second:.0f}",
        ABSENT if latency is None else f"{latency:.3g}",
    ]


def _published(row: InputRow) -> list[str]:
    figures = row.published
    if figures is None:
        return [ABSENT, ABSENT]
    efficiency = figures.signal_efficiency_at_1pct_mistag
    return [ABSENT if figures.auc is None else f"{figures.auc:g}", ABSENT if efficiency is None else f"{efficiency:g}"]


def _contrast(auc: Contrast | None, efficiency: Contrast | None) -> list[str]:
    ratio = ABSENT
    if efficiency is not None and efficiency.ratio is not None:
        ratio = with_error(efficiency.ratio, efficiency.ratio_error, 2)
    return [*_difference(auc, 4), *_difference(efficiency, 3), ratio]


def _difference(one: Contrast | None, digits: int) -> list[str]:
    if one is None:
        return [TOO_FEW, ABSENT, ABSENT]
    value = with_error(one.difference, one.error, digits).replace("-", "−", 1)
    p_values = [_p(one.p_value, one.log10_p_value), _p(one.p_value_jets, one.log10_p_value_jets)]
    return [("+" if one.difference > 0 else "") + value, *p_values]


def _p(value: float | None, log10: float | None) -> str:
    return ABSENT if value is None or log10 is None else str(PValue(value, log10))


def _jets(training_jets: TrainingJets) -> str:
    return "all training jets" if training_jets is None else f"{training_jets:,} training jets"


def _errors_note(ablation: Ablation) -> str:
    return (
        f"{ablation.signal_jets + ablation.background_jets:,} test jets. ± of one seed: bootstrap over the test jets; "
        "of several: that and the spread over seeds."
    )


def _published_note(rows: Sequence[InputRow]) -> str:
    said = dict.fromkeys(
        f"Published: {row.published.source} ({row.published.sample}), another sample than ours: no comparison of like "
        "with like."
        for row in rows
        if row.published is not None
    )
    return " ".join(said)


def _costs_note(ablation: Ablation) -> str:
    jets = {cell.cost.jets for cell in ablation.cells if cell.cost is not None}
    if not jets:
        return ""
    return (
        f"ONNX Runtime: median over {max(jets)} test jets one at a time, one thread; FLOPs: forward pass of the jet of "
        "median number of nodes; training jets/s: as trained, whatever else the machine did."
    )


def _paired_note(ablation: Ablation) -> str:
    return (
        "Paired on the same test jets: "
        + ("bootstrap" if ablation.weighted else "DeLong")
        + f" for ΔAUC, {ablation.resamples} paired resamples for the efficiency. Errors and p: jets and, with several "
        "seeds on both sides, seeds (Student’s t); p jets: from the jets alone, which speaks of these networks only."
    )
