"""The tables of an ablation: figures and costs by inputs, differences between models, and what each input adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from e2egraph.evaluation.ablation.plan import jets_name
from e2egraph.evaluation.ablation.results import Ablation, Cell, Contrast, InputRow, TrainingJets
from e2egraph.evaluation.ablation.table import Table
from e2egraph.evaluation.compare.comparison import TOO_FEW
from e2egraph.evaluation.compare.over_seeds import MeanFigure
from e2egraph.evaluation.markdown import with_error
from e2egraph.evaluation.metrics.p_values import PValue
from e2egraph.evaluation.objectives.evaluation import ComparedFigure

ABSENT = "–"


def tables(ablation: Ablation) -> tuple[Table, ...]:
    """Those that have something to show."""
    made = (inputs_table(ablation), curve_table(ablation), models_table(ablation), layers_table(ablation))
    return tuple(table for table in made if table is not None)


def inputs_table(ablation: Ablation) -> Table | None:
    """Figures and costs of each model with the inputs of each row, all with the same number of training jets."""
    header = ["inputs", "model", *(figure.head for figure in ablation.figures)]
    published = any(row.published is not None for row in ablation.rows)
    header += [f"published {figure.title}" for figure in ablation.figures] if published else []
    one, many = ablation.objects.one, ablation.objects.many
    header += _jets_head(ablation)
    header += ["parameters", f"MFLOPs/{one}", f"training {many}/s", f"ONNX ms/{one}", "seeds"]
    lines: list[tuple[str, ...]] = []
    rules = []
    for row in ablation.rows:
        rules.append(len(lines))
        for cell in ablation.main_cells(row.name):
            middle = _published(row, ablation.figures) if published else []
            figures = _figures(cell, ablation.figures)
            jets = _jets(cell, ablation)
            lines.append((row.title, cell.model, *figures, *middle, *jets, *_costs(cell), str(len(cell.seeds))))
    if not lines:
        return None
    return Table(
        "inputs",
        f"Inputs by model, {training_jets(ablation, ablation.training_jets)}",
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
    lines = [
        (
            cell.model,
            f"{cell.jets_learnt:,}",
            *_figures(cell, ablation.figures),
            *_jets(cell, ablation),
            str(len(cell.seeds)),
        )
        for cell in cells
    ]
    models = [cell.model for cell in cells]
    many = ablation.objects.many
    header = (
        "model",
        f"training {many}",
        *(figure.head for figure in ablation.figures),
        *_jets_head(ablation),
        "seeds",
    )
    rules = tuple(models.index(model) for model in dict.fromkeys(models))
    return Table("curve", f"All inputs by number of training {many}", header, tuple(lines), rules=rules)


def models_table(ablation: Ablation) -> Table | None:
    """Each model minus the reference, row by row."""
    grouped = _pairs(ablation.model_differences)
    lines = [
        (ablation.row(first.row).title, first.model, jets_name(first.training_jets), *_contrasts(of, ablation.figures))
        for first, of in grouped
    ]
    if not lines:
        return None
    header = ("inputs", "model", f"training {ablation.objects.many}", *_contrast_heads(ablation))
    return Table("models", f"Minus {ablation.reference}", header, tuple(lines), _paired_note(ablation), names=2)


def layers_table(ablation: Ablation) -> Table | None:
    """One model with more inputs minus itself with fewer."""
    grouped = sorted(_pairs(ablation.layer_differences), key=lambda item: ablation.models.index(item[0].model))
    lines = [
        (
            first.model,
            f"{ablation.row(first.reference_row).title} → {ablation.row(first.row).title}",
            *_contrasts(of, ablation.figures),
        )
        for first, of in grouped
    ]
    if not lines:
        return None
    models = [line[0] for line in lines]
    return Table(
        "layers",
        f"What further inputs add, {training_jets(ablation, ablation.training_jets)}",
        ("model", "inputs", *_contrast_heads(ablation)),
        tuple(lines),
        _paired_note(ablation),
        names=2,
        rules=tuple(models.index(model) for model in dict.fromkeys(models)),
    )


def _pairs(contrasts: Sequence[Contrast]) -> list[tuple[Contrast, dict[str, Contrast]]]:
    """Differences of one pair of cells together: any of them, and all by their figures."""
    found: dict[tuple[object, ...], dict[str, Contrast]] = {}
    for one in contrasts:
        key = (one.row, one.model, one.training_jets, one.reference_row, one.reference_training_jets)
        found.setdefault(key, {})[one.figure] = one
    return [(next(iter(of.values())), of) for of in found.values()]


def _figures(cell: Cell, shown: Sequence[ComparedFigure]) -> list[str]:
    return [_figure(cell.figures[figure.name], figure.digits) for figure in shown]


def _figure(figure: MeanFigure, digits: int) -> str:
    return TOO_FEW if figure.mean is None else with_error(figure.mean, figure.error, digits)


def _jets_head(ablation: Ablation) -> list[str]:
    """The column of the number of test jets, where figures are of different ones."""
    return [f"test {ablation.objects.many}"] if ablation.same_test_jets is False else []


def _jets(cell: Cell, ablation: Ablation) -> list[str]:
    number = ABSENT if cell.test_jets is None else f"{cell.test_jets:,}"
    return [number] * len(_jets_head(ablation))


def _costs(cell: Cell) -> list[str]:
    cost = cell.cost
    latency = None if cost is None else cost.onnx_ms_per_jet
    return [
        f"{cell.parameters:,}",
        ABSENT if cost is None else f"{cost.flops / 1e6:.3g}",
        f"{cell.training_jets_per_second:.0f}",
        ABSENT if latency is None else f"{latency:.3g}",
    ]


def _published(row: InputRow, shown: Sequence[ComparedFigure]) -> list[str]:
    values = [getattr(row.published, figure.name, None) for figure in shown]
    return [ABSENT if value is None else f"{value:g}" for value in values]


def _contrast_heads(ablation: Ablation) -> list[str]:
    """Of a pair of cells, as ``_contrasts`` fills them."""
    heads = []
    for figure in ablation.figures:
        heads += [f"Δ {figure.head}", "p", f"p {ablation.objects.many}"] + ["ratio"] * figure.ratio
    return heads


def _contrasts(of: Mapping[str, Contrast], shown: Sequence[ComparedFigure]) -> list[str]:
    texts = []
    for figure in shown:
        one = of.get(figure.name)
        texts += _difference(one, figure.digits)
        if figure.ratio:
            ratio = None if one is None else one.ratio
            texts.append(ABSENT if one is None or ratio is None else with_error(ratio, one.ratio_error, 2))
    return texts


def _difference(one: Contrast | None, digits: int) -> list[str]:
    if one is None:
        return [TOO_FEW, ABSENT, ABSENT]
    value = with_error(one.difference, one.error, digits).replace("-", "−", 1)
    p_values = [_p(one.p_value, one.log10_p_value), _p(one.p_value_jets, one.log10_p_value_jets)]
    return [("+" if one.difference > 0 else "") + value, *p_values]


def _p(value: float | None, log10: float | None) -> str:
    return ABSENT if value is None or log10 is None else str(PValue(value, log10))


def training_jets(ablation: Ablation, jets: TrainingJets) -> str:
    """A number of training jets in words: "all training jets", "4,000 training clusters"."""
    return f"{'all' if jets is None else f'{jets:,}'} training {ablation.objects.many}"


def _errors_note(ablation: Ablation) -> str:
    many, jets = ablation.objects.many, f"{ablation.test_data.jets:,} test {ablation.objects.many}"
    numbers = {cell.test_jets for cell in ablation.cells}
    if ablation.same_test_jets is False:
        jets = f"Figures are of different {many}: of {jets}, those with nodes for the inputs of their row"
    elif ablation.same_test_jets and len(numbers) == 1 and numbers != {ablation.test_data.jets}:
        jets = f"{numbers.pop():,} of {jets}, those with nodes"
    return f"{jets}. ± of one seed: bootstrap over the test {many}; of several: that and the spread over seeds."


def _published_note(rows: Sequence[InputRow]) -> str:
    said = dict.fromkeys(
        f"Published: {row.published.source} ({row.published.sample}), another sample than ours: not "
        "directly comparable."
        for row in rows
        if row.published is not None
    )
    return " ".join(said)


def _costs_note(ablation: Ablation) -> str:
    jets = {cell.cost.jets for cell in ablation.cells if cell.cost is not None}
    if not jets:
        return ""
    one, many = ablation.objects.one, ablation.objects.many
    return (
        f"ONNX Runtime: median over {max(jets)} test {many} one at a time, one thread; FLOPs: forward pass of the "
        f"{one} with the median number of nodes; training {many}/s: as trained, whatever else the machine did."
    )


def _paired_note(ablation: Ablation) -> str:
    methods = {one.figure: one.method for one in (*ablation.model_differences, *ablation.layer_differences)}
    special = [
        f"{methods[one.name]} for Δ {one.title}, "
        for one in ablation.figures
        if methods.get(one.name, "bootstrap") != "bootstrap"
    ]
    many = ablation.objects.many
    common = ", those with nodes for all networks compared" if ablation.same_test_jets is False else ""
    return (
        f"Paired on the same test {many}{common}: {''.join(special)}{ablation.resamples} paired resamples"
        f"{' for all else' if special else ''}. Errors and p: {many} and, with several seeds on both sides, seeds "
        f"(Student’s t); p {many}: from the {many} alone, which holds for these networks only."
    )
