"""The runs of a plan: which are there, which are missing, and how the missing ones come to be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2egraph.data import fit
from e2egraph.data.table import JetTable
from e2egraph.data.training_jets import training_jets
from e2egraph.errors import InputError, Stopped
from e2egraph.evaluation.ablation.plan import Plan, PlannedRun
from e2egraph.evaluation.ablation.results import Failure
from e2egraph.evaluation.compare.evaluated_run import EvaluatedRun, read_evaluated
from e2egraph.evaluation.evaluate import METRICS_NAME, evaluate
from e2egraph.evaluation.objectives.evaluation import evaluation_of
from e2egraph.graphs.making.nodeselection import check_available
from e2egraph.graphs.storage.manifest import Manifest
from e2egraph.tasks.objectives.description import difference
from e2egraph.tasks.objectives.objective import stored
from e2egraph.training.runs.history import VALIDATION
from e2egraph.training.runs.reading import of_reading
from e2egraph.training.runs.resume import RunIdentity, find_beginning, other_setting
from e2egraph.training.runs.run_folder import CONFIG, SUMMARY, DataIdentity, RunInfo, read_run
from e2egraph.training.train import train

SPLIT = "test"

Say = Callable[[str], None]


@dataclass(frozen=True)
class FinishedRun:
    """A run of the plan that is trained and evaluated on the ablation's test jets."""

    plan: PlannedRun
    info: RunInfo
    evaluated: EvaluatedRun


def check_inputs(plan: Plan, training: JetTable, test: JetTable) -> None:
    """InputError unless the data sets serve every run: objective, inputs, numbers of jets, test jets to judge by.

    Before anything is trained, so that no night is lost for the last run.
    """
    objective = training.manifest.objective
    differing = difference(stored(test.manifest.objective), stored(objective))
    if differing is not None:
        theirs, own = differing
        raise InputError(
            f"{test.folder}: objective {theirs}, but {training.folder} has {own}; give data sets of one task."
        )
    few = evaluation_of(objective, objects=test.manifest.object_name).too_few(
        test.columns["label"][test.jets_of(SPLIT)]
    )
    if few is not None:
        raise InputError(
            f"{test.folder}: {few} in split '{SPLIT}', but errors need two; give a --test-data that has more."
        )
    seen = set()
    for run in plan.runs:
        key = (run.row.name, run.training_jets)
        if key not in seen:
            seen.add(key)
            training_jets(training, run.recipe.data)
            nodes = run.recipe.data.nodes
            for table in (training, test):
                check_available(table.folder, table.manifest, nodes)
            of_training = training.manifest.configuration
            lacked = training.manifest.lacking
            fit.check_inputs(test.folder, test.manifest, training.inputs, of_training, nodes, lacked, training.folder)


def check_folders(output: Path, plan: Plan, data: Path, manifest: Manifest, *, unfinished: bool = True) -> None:
    """InputError when a run that is there was made otherwise than planned (what differs is named).

    ``unfinished``: check runs that are to go on, too.
    """
    for run in plan.runs:
        folder = output / run.folder
        wanted = identity_of(run, data, manifest)
        if (folder / SUMMARY).is_file():
            _refuse_another(folder, read_run(folder), wanted)
        elif unfinished and (folder / CONFIG).is_file():
            find_beginning(folder, wanted, restart=False)


def identity_of(run: PlannedRun, data: Path, manifest: Manifest) -> RunIdentity:
    """What the run will be, or must have been, trained as."""
    return RunIdentity(run.config, run.recipe, run.seed, DataIdentity.of(data, manifest))


def make_runs(
    output: Path, plan: Plan, data: Path, test_data: Path, test_digest: str, say: Say
) -> tuple[list[FinishedRun], list[Failure]]:
    """Train and evaluate what is missing, in the plan's order; a run that fails is noted and the others go on.

    What is finished is kept, what is unfinished goes on where it stopped. Stopped (and a second Ctrl-C) pass through;
    the same call then goes on.
    """
    finished, failures = [], []
    for number, run in enumerate(plan.runs, 1):
        folder, title = output / run.folder, f"[{number}/{len(plan.runs)}] {run}"
        try:
            if (folder / SUMMARY).is_file():
                say(f"{title}: trained before")
            else:
                say(f"{title}: training")
                train(run.model, data, folder, settings=run.settings, seed=run.seed, recipe=plan.request.recipe)
            if _evaluation(folder, test_digest) is None:
                say(f"{title}: scoring the test objects")
                evaluate(folder, test_data, split=SPLIT, plots=False, report=False, settings=of_reading(run.settings))
            finished.append(_finished(output, run, test_digest))
        except Stopped:
            raise
        except Exception as error:  # whatever it is, it must not cost the other runs
            reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
            failures.append(_failure(run, " ".join(reason.split())))
            say(f"{title}: failed ({failures[-1].reason})")
    return finished, failures


def find_runs(output: Path, plan: Plan, test_digest: str) -> tuple[list[FinishedRun], list[Failure]]:
    """What is trained and evaluated already; what is not is named as missing."""
    finished, missing = [], []
    for run in plan.runs:
        folder = output / run.folder
        if not (folder / SUMMARY).is_file():
            missing.append(_failure(run, "not trained"))
        elif _evaluation(folder, test_digest) is None:
            missing.append(_failure(run, "not evaluated on these test objects"))
        else:
            finished.append(_finished(output, run, test_digest))
    return finished, missing


def _evaluation(folder: Path, test_digest: str) -> EvaluatedRun | None:
    """The run's evaluation, where it is one of these jets and of the finished training."""
    if not (folder / METRICS_NAME).is_file():
        return None
    try:
        (evaluated,) = read_evaluated([folder])
    except InputError:
        return None
    report, summary = evaluated.report, read_run(folder).summary
    validation = VALIDATION + evaluated.objective.best.name
    of_the_end = all(report.get(name) == summary.get(name) for name in ("best_epoch", validation))
    of_these_jets = report["data_set"]["digest"] == test_digest and report["split"] == SPLIT
    return evaluated if of_these_jets and of_the_end and evaluated.has_scores else None


def _finished(output: Path, run: PlannedRun, test_digest: str) -> FinishedRun:
    evaluated = _evaluation(output / run.folder, test_digest)
    assert evaluated is not None
    return FinishedRun(run, read_run(output / run.folder), evaluated)


def _refuse_another(folder: Path, info: RunInfo, wanted: RunIdentity) -> None:
    if other := other_setting(info, wanted):
        raise InputError(
            f"{folder}: holds a run with another {other}; give its settings, choose another --output, or remove the "
            "folder."
        )


def _failure(run: PlannedRun, reason: str) -> Failure:
    return Failure(run.row.name, run.name, run.training_jets, run.seed, reason)


def by_cell(runs: Sequence[FinishedRun]) -> dict[tuple[str, str, int | None], list[FinishedRun]]:
    """Runs that differ by the seed alone, by rising seed: (row, model, training jets) → runs."""
    cells: dict[tuple[str, str, int | None], list[FinishedRun]] = {}
    for run in runs:
        cells.setdefault((run.plan.row.name, run.plan.name, run.plan.training_jets), []).append(run)
    return {key: sorted(members, key=lambda run: run.plan.seed) for key, members in cells.items()}
