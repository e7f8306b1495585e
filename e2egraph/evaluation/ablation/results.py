"""``ablation.json``: what an ablation found, as frozen values, with their writer and reader."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from e2egraph.errors import InputError
from e2egraph.evaluation.compare.over_seeds import MeanFigure
from e2egraph.evaluation.objectives.evaluation import ComparedFigure
from e2egraph.files import write_text
from e2egraph.tasks.objects.naming import ANY_OBJECT, ObjectName

ABLATION_NAME = "ablation.json"
SCHEMA_VERSION = 2

# Where it is a number of training jets, None stands for all jets of the training split.
TrainingJets = int | None


@dataclass(frozen=True)
class Published:
    """Figures of the same inputs by others: ``source`` says whose, ``sample`` on what jets. None: not published."""

    auc: float | None
    signal_efficiency_at_1pct_mistag: float | None
    source: str
    sample: str


@dataclass(frozen=True)
class InputRow:
    """One combination of inputs.

    ``nodes``: detector layers that point-cloud networks see; ``image``: planes that image networks see; both None for
    all there are. ``hide``: node variables that point-cloud networks see as zero.
    """

    name: str
    title: str
    nodes: tuple[str, ...] | None
    image: tuple[str, ...] | None
    hide: tuple[str, ...]
    published: Published | None

    @property
    def full(self) -> bool:
        """Whether nothing is left out."""
        return self.nodes is None


@dataclass(frozen=True)
class RunEntry:
    """One trained and evaluated network.

    ``folder``: relative to that of ``ablation.json``, or to where it was when the file is copied elsewhere.
    ``training_jets``: as asked for (None: all), ``jets_learnt``: as used. ``settings``: ``--set`` values on top of
    the recipe. ``figures``: those of ``metrics.json`` by name, ``errors``: their bootstrap errors; None where one
    cannot be quoted. ``validation``: the best value of the figure that decides which epoch is kept. ``test_jets``: what
    the figures are of; ``jets_without_nodes``: others of the split, which have no nodes for the run's inputs.
    """

    row: str
    model: str
    training_jets: TrainingJets
    seed: int
    folder: str
    settings: tuple[str, ...]
    figures: dict[str, float | None]
    errors: dict[str, float | None]
    parameters: int
    jets_learnt: int
    epochs: int
    best_epoch: int
    validation: float
    training_jets_per_second: float
    training_seconds: float
    device: str
    test_jets: int | None = None
    jets_without_nodes: int | None = None


@dataclass(frozen=True)
class Cost:
    """What the network of one model costs with the inputs of one row, measured on ``jets`` test jets.

    ``flops``: floating-point operations of a forward pass for one jet, as ``models.cost`` counts them.
    ``onnx_ms_per_jet``: median by the clock of ONNX Runtime, one jet at a time, one thread; None where the network
    cannot be exported, for the reason in ``limit``. ``nodes``: median number of nodes of these jets.
    """

    row: str
    model: str
    parameters: int
    flops: float
    onnx_ms_per_jet: float | None
    jets: int
    nodes: float
    limit: str = ""


@dataclass(frozen=True)
class Cell:
    """All seeds of a model with the inputs of a row and this many training jets.

    ``figures``: by name, of ``test_jets`` jets. ``training_jets_per_second``: mean over seeds; ``cost``: None where
    costs were not measured.
    """

    row: str
    model: str
    training_jets: TrainingJets
    jets_learnt: int
    seeds: tuple[int, ...]
    figures: dict[str, MeanFigure]
    parameters: int
    training_jets_per_second: float
    cost: Cost | None
    test_jets: int | None = None


@dataclass(frozen=True)
class Contrast:
    """One figure of a cell minus that of a reference cell on the same test jets (``paired.Difference``).

    ``error``: jets and, where both have several seeds, seeds; ``p_value``: two-sided, by ``error``; ``p_value_jets`` by
    ``error_jets`` alone (what it says holds for these networks). ``ratio``: the figure divided by the reference's.
    None: cannot be said, for a reason among ``Ablation.limits``.
    """

    row: str
    model: str
    training_jets: TrainingJets
    seeds: tuple[int, ...]
    reference_row: str
    reference_model: str
    reference_training_jets: TrainingJets
    reference_seeds: tuple[int, ...]
    figure: str
    difference: float
    error: float | None
    error_jets: float | None
    error_seeds: float | None
    method: str
    p_value: float | None
    log10_p_value: float | None
    p_value_jets: float | None
    log10_p_value_jets: float | None
    ratio: float | None
    ratio_error: float | None
    test_jets: int | None = None


@dataclass(frozen=True)
class DataSet:
    """``name``: of its folder; ``digest``: of its manifest; ``jets``: those used."""

    name: str
    digest: str
    jets: int


@dataclass(frozen=True)
class Failure:
    """A run that is asked for and not there, and why."""

    row: str
    model: str
    training_jets: TrainingJets
    seed: int
    reason: str


@dataclass(frozen=True)
class Ablation:
    """Everything in ``ablation.json``.

    ``objective``: what was learnt, in words, of objects of ``classes``; ``signal``, ``signal_jets`` and
    ``background_jets``: None where classes are not told apart. ``figures``: those that tables and pictures show, the
    main one first; ``best``: title of the validation figure by which an epoch was kept.
    ``models``: in the order given; differences are to ``reference``, one of them. ``training_jets``: of every row;
    the row of all inputs may have been trained with other numbers too (the learning curve).
    ``model_differences``: models in the same row and with as many training jets; ``layer_differences``: what inputs
    add, one model in two rows. ``simulation``: whether all test jets are simulated by ``e2egraph simulate``.
    ``machine``: where costs were measured. ``object``: what one of the objects is called. ``same_test_jets``: whether
    the figures of all cells are of the same jets, those that have nodes for the inputs. In it and in all parts, numbers
    of test jets and this are None where an earlier version wrote the file.
    """

    schema_version: int
    e2egraph: str
    command: str
    task: str
    objective: str
    classes: tuple[str, ...]
    signal: str | None
    figures: tuple[ComparedFigure, ...]
    best: str
    recipe: str
    recipe_settings: dict[str, Any]
    settings: tuple[str, ...]
    models: tuple[str, ...]
    reference: str
    rows: tuple[InputRow, ...]
    training_jets: TrainingJets
    training_data: DataSet
    test_data: DataSet
    split: str
    signal_jets: int | None
    background_jets: int | None
    weighted: bool
    simulation: bool
    resamples: int
    runs: tuple[RunEntry, ...]
    cells: tuple[Cell, ...]
    model_differences: tuple[Contrast, ...]
    layer_differences: tuple[Contrast, ...]
    failures: tuple[Failure, ...]
    limits: tuple[str, ...]
    machine: dict[str, Any]
    object: str = ANY_OBJECT.one
    same_test_jets: bool | None = None

    @property
    def objects(self) -> ObjectName:
        """What the objects are called."""
        return ObjectName(self.object)

    @property
    def full_row(self) -> InputRow | None:
        """The row of all inputs, if it was asked for."""
        return next((row for row in self.rows if row.full), None)

    def row(self, name: str) -> InputRow:
        """InputError: no such row."""
        found = next((row for row in self.rows if row.name == name), None)
        if found is None:
            raise InputError(f"{ABLATION_NAME}: no row '{name}'; it holds {', '.join(row.name for row in self.rows)}.")
        return found

    def cell(self, row: str, model: str, training_jets: TrainingJets) -> Cell | None:
        """None where no run of it is there."""
        wanted = (row, model, training_jets)
        return next((cell for cell in self.cells if (cell.row, cell.model, cell.training_jets) == wanted), None)

    def main_cells(self, row: str) -> tuple[Cell, ...]:
        """Those of a row with the number of training jets that all rows have, in the order of the models."""
        cells = (self.cell(row, model, self.training_jets) for model in self.models)
        return tuple(cell for cell in cells if cell is not None)

    def learning_curve(self, model: str) -> tuple[Cell, ...]:
        """Cells of all inputs by rising number of training jets."""
        full = self.full_row
        cells = [cell for cell in self.cells if full is not None and (cell.row, cell.model) == (full.name, model)]
        return tuple(sorted(cells, key=lambda cell: cell.jets_learnt))

    def best_full_size(self) -> TrainingJets:
        """The largest number of training jets with which every model was trained on all inputs."""
        full = self.full_row
        shared: TrainingJets = self.training_jets
        largest = -1
        for cell in self.cells:
            if full is None or cell.row != full.name or cell.jets_learnt <= largest:
                continue
            if all(self.cell(full.name, model, cell.training_jets) is not None for model in self.models):
                largest, shared = cell.jets_learnt, cell.training_jets
        return shared

    def runs_of(self, row: str, model: str, training_jets: TrainingJets) -> tuple[RunEntry, ...]:
        """By rising seed."""
        wanted = (row, model, training_jets)
        runs = [run for run in self.runs if (run.row, run.model, run.training_jets) == wanted]
        return tuple(sorted(runs, key=lambda run: run.seed))

    def model_difference(self, row: str, model: str, figure: str, training_jets: TrainingJets) -> Contrast | None:
        """Of ``model`` to the reference in one row; None for the reference itself and where it could not be taken."""
        wanted = (row, model, figure, training_jets)
        found = (c for c in self.model_differences if (c.row, c.model, c.figure, c.training_jets) == wanted)
        return next(found, None)


def write_ablation(folder: Path, ablation: Ablation) -> Path:
    """Write ``ablation.json`` in ``folder``, whole or not at all."""
    path = folder / ABLATION_NAME
    write_text(path, json.dumps(asdict(ablation), indent=1, allow_nan=False) + "\n")
    return path


def read_ablation(path: Path) -> Ablation:
    """The content of ``ablation.json``, given itself or its folder; InputError: missing, damaged, of another schema."""
    file = path / ABLATION_NAME if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{file}: not there; make it with 'e2egraph ablate'.")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        version = content["schema_version"]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise InputError(f"{file}: not what 'e2egraph ablate' writes; run it again with --report-only.") from error
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{file}: schema version {version}, but this version reads {SCHEMA_VERSION}; write it again with "
            "'e2egraph ablate --report-only'."
        )
    try:
        result: Ablation = TypeAdapter(Ablation).validate_python(content)
    except ValidationError as error:
        key = ".".join(map(str, error.errors()[0]["loc"]))
        raise InputError(f"{file}: damaged at '{key}'; run 'e2egraph ablate' again with --report-only.") from error
    return result
