"""Whether an input file serves a task: all that can be said before any work."""

from __future__ import annotations

from collections.abc import Sequence

from e2egraph.errors import InputError, UsageError
from e2egraph.events.samples import Sample
from e2egraph.events.schema import COLLECTIONS, EventSource, PointSource
from e2egraph.events.sources.registry import Source
from e2egraph.graphs.building.layers import check_layers
from e2egraph.graphs.making.imagepoints import check_image_source
from e2egraph.graphs.making.nodes import COLLECTIONS_OF_NODES, collections_needed
from e2egraph.tasks.objectives.nodes import CLASSES
from e2egraph.tasks.task import TaskConfig
from e2egraph.tasks.truth import PARTICLE_COLUMNS, TruthSource, given_columns
from e2egraph.tasks.variables import variables


def check_task(task: TaskConfig) -> None:
    """InputError when nothing in this e2egraph can make what the task asks for, whatever the files."""
    if task.objective.node_columns and task.elements is None:
        raise InputError(
            f"task '{task.name}': objective {task.objective.kind} learns what elements are; add the group elements."
        )
    if task.elements is not None and not task.objective.node_columns:
        raise InputError(
            f"task '{task.name}': elements are there to be learnt (objective nodes), not for objective "
            f"{task.objective.kind}; leave out the group elements."
        )
    if task.elements is not None and tuple(task.objective.classes) != CLASSES:
        raise InputError(
            f"task '{task.name}': truth makes particles of classes {', '.join(CLASSES)}; give objective.classes these, "
            "in this order."
        )
    for channel in task.network_inputs.channels:
        if channel.collection not in COLLECTIONS_OF_NODES:
            raise InputError(
                f"task '{task.name}': nothing makes nodes of channel {channel.name} (collection "
                f"'{channel.collection}'); take it out of inputs.channels."
            )
        alike = [other.name for other in task.network_inputs.channels if other.collection == channel.collection]
        if channel.collection != "hits" and len(alike) > 1:
            raise InputError(
                f"task '{task.name}': channels {', '.join(alike)} would be made of the same deposits; keep one of them "
                "in inputs.channels."
            )
    made_of = collections_needed(task)
    for name in task.network_inputs.variable_names:
        origin = variables()[name].origin
        for collection, field in origin.items():
            if collection in made_of and isinstance(field, str) and field not in COLLECTIONS[collection]:
                raise InputError(
                    f"task '{task.name}': variable {name} needs the field {collection}.{field}, which the event record "
                    "does not have; take it out of inputs.variables."
                )


def check_samples(task: TaskConfig, samples: Sequence[Sample]) -> None:
    """UsageError when a sample is given for no class of the task, or for one where particles decide."""
    by_particle = task.truth.class_by == "particle"
    for sample in samples:
        if by_particle and sample.of_class is not None:
            raise UsageError(
                f"sample '{sample.name}': given for class '{sample.of_class}', but in task '{task.name}' particles "
                "decide the class of each object; give it for none."
            )
        if not by_particle and sample.of_class not in task.classes:
            raise UsageError(
                f"sample '{sample.name}': given for '{sample.of_class}', which is no class of task '{task.name}'; use "
                f"one of {', '.join(task.classes)}."
            )


def check_source(source: Source, task: TaskConfig, of_class: str | None) -> None:
    """Fail at once, naming file and branch, when the file lacks what the task needs or holds no event.

    ``of_class``: the class that the file is given for, None where particles decide.
    """
    if isinstance(source, PointSource):
        check_image_source(source, task)
    else:
        _check_events(source, task)
    truth = task.truth_in(source, of_class)
    here = task.classes if of_class is None else (of_class,)
    for name in task.target_names:
        _check_column(source, task, name, [each for each in task.objective.classes_with(name) if each in here], truth)
    for name in task.resampling.edges if task.resampling else ():
        # Objects whose target is drawn have none of their own, and stand in one bin of it.
        drawn = task.objective.drawn.get(name, {})
        _check_column(source, task, name, [each for each in here if each not in drawn], truth)


def quantities_lacking(source: Source, task: TaskConfig) -> frozenset[str]:
    """Quantities of objects that networks read, and cuts (``cut on …``), that the file cannot fill."""
    kind = task.object_kind
    needs = {name: kind.column_needs.get(name, ()) for name in task.network_inputs.object_names}
    needs |= {f"cut on {name}": (needed,) for name, needed in kind.cut_needs.items()}
    return frozenset(name for name, needed in needs.items() if any(each in source.missing for each in needed))


def _check_events(source: EventSource, task: TaskConfig) -> None:
    if source.n_events == 0:
        raise InputError(f"{source.path}: holds no events; leave it out.")
    needed = ["id", *task.object_kind.collections, *collections_needed(task)]
    needed += [f"hits.{channel.name}" for channel in task.network_inputs.channels if channel.collection == "hits"]
    for name in needed:
        if name in source.missing:
            advice = "or change inputs.channels" if task.elements is None else "made by simulate --particle-flow"
            raise InputError(
                f"{source.path}: no branch for {name} (looked for {source.missing.branches[name]}), "
                f"which task '{task.name}' needs; give a file that has it, {advice}."
            )
    for name, option in task.object_kind.needs(task.object).items():
        if name in source.missing:
            raise InputError(
                f"{source.path}: no branch for {name} (looked for {source.missing.branches[name]}), which {option} of "
                f"task '{task.name}' needs; give a file that has it, or do without {option}."
            )
    check_layers(source, task)


def _check_column(source: Source, task: TaskConfig, name: str, classes: Sequence[str], truth: TruthSource) -> None:
    """InputError unless the object column ``name`` will say something for objects of ``classes`` in the file."""
    kind = task.object_kind
    if name in kind.columns:
        absent = [needed for needed in kind.column_needs.get(name, ()) if needed in source.missing]
        if absent:
            raise InputError(
                f"{source.path}: no branch for {absent[0]} (looked for {source.missing.branches[absent[0]]}), which "
                f"column '{name}' of task '{task.name}' is made of; give a file that has it, or change the task."
            )
        return
    if isinstance(source, PointSource) and name in source.recognised:
        return
    if name not in PARTICLE_COLUMNS:
        known = ", ".join([*kind.columns, *PARTICLE_COLUMNS])
        raise InputError(f"task '{task.name}': no object column '{name}'; choose one of {known}.")
    lacking = [each for each in classes if name not in given_columns(task.truth, each, truth)]
    if lacking:
        raise InputError(
            f"{source.path}: truth cannot give '{name}' for class {', '.join(lacking)} (labels come from "
            f"{truth.replace('_', ' ')}); give truth.decays of that class and files with a generator record."
        )
    if classes and name == "gen_mass" and "gen.mass" in source.missing:
        raise InputError(
            f"{source.path}: no branch for gen.mass (looked for {source.missing.branches['gen.mass']}), which task "
            f"'{task.name}' learns or resamples; give a file that has it."
        )
