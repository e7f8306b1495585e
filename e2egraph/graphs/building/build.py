"""``build-graphs``: input files → a data set folder, the same bytes wherever and however often interrupted it was made.

The work goes on in ``OUTPUT.partial`` next to the output and is renamed once complete; in a folder that is there
already it goes on in place, and the manifest comes last. Either way a data set is there whole or not at all, and the
same command goes on from what a killed build leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from e2egraph import __version__
from e2egraph.config import as_dict, digest
from e2egraph.errors import InputError
from e2egraph.events.samples import Sample
from e2egraph.events.sources.registry import check_planes
from e2egraph.graphs.building.accounting import account
from e2egraph.graphs.building.checks import check_samples, check_task
from e2egraph.graphs.building.inputs import Identified, check_alike, check_classes, check_duplicates, identify
from e2egraph.graphs.building.mapper import open_mapper
from e2egraph.graphs.building.planning import BuildOptions, plan, without
from e2egraph.graphs.building.staging import check_output, clear_up, open_staging
from e2egraph.graphs.building.weights import weighted
from e2egraph.graphs.building.working import Progress, write_shards
from e2egraph.graphs.storage.manifest import MANIFEST_NAME, Manifest, SkippedFile, read_manifest, write_manifest
from e2egraph.graphs.storage.shards import write_error
from e2egraph.graphs.storage.verification import keep_verified, settled_before, sha256_of
from e2egraph.tasks.task import TaskConfig


@dataclass(frozen=True)
class BuildSummary:
    """What a build left: the folder, its manifest, and whether it was there complete before."""

    output: Path
    manifest: Manifest
    already_complete: bool


def build(
    task: TaskConfig,
    samples: Sequence[Sample],
    output: Path,
    *,
    options: BuildOptions | None = None,
    workers: int = 1,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> BuildSummary:
    """Build the data set of ``task`` from ``samples`` (one or more a class) in folder ``output``.

    InputError, with nothing left behind: an unreadable or unsuitable input, events given twice, a class of which no
    object is selected, a target that truth cannot give, or an output folder with other content. UnfinishedError, with
    finished shards left for the same command to go on from: a full disk, a dead worker. UsageError: a sample of no
    class, or planes of images named where no file holds images. ``workers`` stands for ``BuildOptions(workers=…)``;
    ``say`` gets remarks for the user.
    """
    options = options or BuildOptions(workers=workers)
    check_task(task)
    check_samples(task, samples)
    check_output(output)
    with open_mapper(options.workers, options.dask) as run:
        found, skipped = identify(task, samples, options.source, run, skip_bad_files=options.skip_bad_files)
        check_planes(options.source, [entry.file.path for entry in found], [entry.images for entry in found])
        if (manifest := _already_there(output, task, samples, found, skipped, options)) is not None:
            return BuildSummary(output, manifest, already_complete=True)
        check_alike(found)
        with open_staging(output, say) as staging:
            known = staging.skipped_before() if options.skip_bad_files else []
            found, skipped = without(found, skipped, known)
            while True:
                # A file that turns out bad in the middle leaves no trace: all is planned again as if it had not been
                # given.
                check_classes(samples, found, skipped)
                inputs = weighted(samples, found)
                duplicates = check_duplicates(found, options.source, allow=options.allow_duplicates)
                chunks = plan(inputs, task, options.source)
                staging.begin(task, chunks, skipped)
                bad = write_shards(task, chunks, staging, run, progress, tolerant=options.skip_bad_files)
                if not bad:
                    break
                found, skipped = without(found, skipped, bad)
            limit = settled_before(staging.folder)
            manifest = account(task, found, inputs, chunks, skipped, duplicates, staging.folder, options)
            try:
                manifest_sha256 = sha256_of(write_manifest(staging.folder, manifest))
                staging.finish(output)
            except OSError as error:
                raise write_error(output, error) from error
            keep_verified(output, manifest.hashes, manifest_sha256, limit)
    return BuildSummary(output, manifest, already_complete=False)


def _already_there(
    output: Path,
    task: TaskConfig,
    samples: Sequence[Sample],
    found: list[Identified],
    skipped: list[SkippedFile],
    options: BuildOptions,
) -> Manifest | None:
    """The manifest when ``output`` holds exactly this data set; InputError when it holds anything else."""
    if not (output / MANIFEST_NAME).is_file():
        return None
    manifest = read_manifest(output)
    left, all_skipped = without(found, skipped, manifest.skipped if options.skip_bad_files else [])
    same = manifest.configuration_sha256 == digest(task) and manifest.source == as_dict(options.source)
    same = same and {(entry.sample, entry.path) for entry in all_skipped} == {
        (entry.sample, entry.path) for entry in manifest.skipped
    }
    if not same or manifest.software_version != __version__ or manifest.inputs != weighted(samples, left):
        raise InputError(
            f"{output}: holds a data set of another configuration, version or input; choose another --output or "
            "remove that folder."
        )
    clear_up(output)
    return manifest
