"""``e2egraph.build``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from e2egraph.api.settings import Settings, as_texts
from e2egraph.config import override
from e2egraph.errors import UsageError
from e2egraph.events.samples import Sample, parse_samples, read_samples
from e2egraph.events.sources.registry import SUFFIXES, image_options
from e2egraph.folders import user_path
from e2egraph.graphs.building.build import BuildOptions, BuildSummary
from e2egraph.graphs.building.build import build as run
from e2egraph.graphs.building.working import Progress
from e2egraph.tasks.task import TaskConfig, load_task, make_task

Files = str | Path | Sequence[str | Path]


def build(
    task: str | Path | Mapping[str, Any],
    samples: Mapping[str, Files] | Sequence[str] | str | Path,
    output: str | Path,
    *,
    workers: int = 1,
    dask: str | None = None,
    skip_bad_files: bool = False,
    allow_duplicate_events: bool = False,
    trust_sample_names: bool = False,
    image_channels: str | None = None,
    image_preset: str | Path | None = None,
    settings: Settings | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> BuildSummary:
    """Turn event files into a data set of point clouds, one for each jet, cluster or event that the task selects.

    The same inputs and task give the same bytes with any number of workers; an interrupted build goes on where it
    stopped when it is called again.

    Args:
        task: Name in ``configs/tasks``, such as ``top``, a YAML file, or what such a file holds, as a dictionary.
        samples: Class → its files: a path, glob, URL, ``@LIST`` (a text file of these), or several of them. Or a YAML
            file of samples with cross-sections, or ``NAME=GLOB`` texts as after ``--sample``.
        output: Folder of the data set to make.
        workers: Processes.
        dask: Address of a Dask scheduler (or of its scheduler file) to use instead.
        skip_bad_files: Leave damaged or unsuitable files out, and list them in the manifest.
        allow_duplicate_events: Take events that occur more than once in a sample.
        trust_sample_names: Label every object by its sample, without truth matching.
        image_channels: Planes of image files, in the files' order, such as ``"track_pt,ECAL"``.
        image_preset: The same as a name in ``configs/images`` or a YAML file.
        settings: Other settings of the task, such as ``{"object.pt_min": 450}``.
        progress: Called with (steps done, steps in all).
        say: Gets remarks for the user, a line each.

    Returns:
        ``output``, ``manifest`` (inputs, cutflow, counts by class and split) and ``already_complete``.

    Raises:
        UsageError: Unknown task, setting or class, a class without files, no workers, or workers
            as well as a Dask scheduler.
        InputError: A file is unreadable or does not serve the task, no object is selected, or ``output`` holds
            something else.

    Example:
        >>> built = e2e.build(task="top", samples={"top": "ttbar.root", "qcd": ["qcd.root"]}, output="data/top")
        >>> sorted(built.manifest.counts)
        ['qcd', 'top']
    """
    if workers < 1:
        raise UsageError(f"workers={workers}: give a number from 1.")
    if workers > 1 and dask is not None:
        raise UsageError(
            f"workers={workers}: those of the Dask scheduler {dask} do the work; leave workers out, or dask."
        )
    texts = as_texts(settings) + (["truth.source=sample_name"] if trust_sample_names else [])
    made = make_task(override(task, texts), "task") if isinstance(task, Mapping) else load_task(str(task), texts)
    options = BuildOptions(
        workers=workers,
        dask=dask,
        source=image_options(image_channels, None if image_preset is None else str(image_preset)),
        skip_bad_files=skip_bad_files,
        allow_duplicates=allow_duplicate_events,
    )
    return run(
        made,
        samples_for(made, samples),
        user_path(output),
        options=options,
        progress=progress,
        say=say,
    )


def samples_for(task: TaskConfig, samples: Mapping[str, Files] | Sequence[str] | str | Path) -> list[Sample]:
    """What ``build`` takes as ``samples``, for a task; errors as there."""
    by_particle = task.truth.class_by == "particle"
    # A file whose objects are labelled may serve several classes; whether they are is seen when it is opened.
    may_share = not by_particle
    if isinstance(samples, str | Path):
        if Path(samples).suffix in SUFFIXES:
            raise UsageError(f"samples {samples}: give {{class: files}}, NAME=FILES texts in a list, or a YAML file.")
        return read_samples(user_path(samples), task.classes, may_share=may_share, by_particle=by_particle)
    if isinstance(samples, Mapping):
        given = {name: [files] if isinstance(files, str | Path) else files for name, files in samples.items()}
        samples = [f"{name}={file}" for name, files in given.items() for file in files]
    return parse_samples(samples, task.classes, may_share=may_share, by_particle=by_particle)
