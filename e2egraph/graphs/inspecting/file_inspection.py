"""What one input file holds: tree, branches, which of them are recognised, and what is missing for which task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from e2egraph.config import config_names
from e2egraph.errors import InputError
from e2egraph.events import locations
from e2egraph.events.schema import COLLECTIONS, PointSource, Remarking
from e2egraph.events.sources import roottree
from e2egraph.events.sources.registry import Source, SourceOptions, check_planes, opened
from e2egraph.events.sources.rhtree_branches import TREES
from e2egraph.graphs.building.checks import check_source
from e2egraph.graphs.making.chunk import entries
from e2egraph.tasks.task import TaskConfig, load_task

ROOT_MAGIC = b"root"


@dataclass(frozen=True)
class FileInspection:
    """``contents``: tree and branch → type, of ROOT files; ``recognised``: field → branches it is read from; ``kinds``:
    collection → what its nodes are made from; ``missing``: field → branches looked for; ``verdicts``: (task, class) →
    why the file cannot serve it, empty if it can; ``remarks``: what is mended in it, or cannot be."""

    path: str
    reader: str
    entries: int
    tree: str
    contents: dict[str, str]
    recognised: dict[str, str]
    kinds: dict[str, str]
    missing: dict[str, str]
    verdicts: dict[tuple[str, str], str]
    remarks: tuple[str, ...] = ()

    @property
    def unrecognised(self) -> list[str]:
        """Branches that nothing is read from."""
        used = {name for branches in self.recognised.values() for name in branches.split(" and ")}
        return [name for name in self.contents if name not in used]


def inspect_file(
    path: str, options: SourceOptions | None = None, tasks: Sequence[TaskConfig] | None = None
) -> FileInspection:
    """Open a file as a build would; ``tasks``: the shipped ones by default. InputError when it cannot be read;
    UsageError for planes of images where it holds events."""
    options = options or SourceOptions()
    tasks = [load_task(name) for name in config_names("tasks")] if tasks is None else tasks
    with opened(path, options) as source:
        check_planes(options, [path], [isinstance(source, PointSource)])
        tree, contents = _contents(path)
        verdicts = {}
        for task in tasks:
            for name in task.classes:
                try:
                    check_source(source, task, None if task.truth.class_by == "particle" else name)
                    verdicts[task.name, name] = ""
                except InputError as error:
                    verdicts[task.name, name] = str(error).removeprefix(f"{path}: ")
        reader = type(source).__name__
        if isinstance(source, PointSource):
            of = "images of whole events" if source.of_events else "images of single objects"
            reader += f", {of} of {', '.join(channel.name for channel in sorted(source.channels))}"
        return FileInspection(
            path=path,
            reader=reader,
            entries=entries(source),
            tree=tree,
            contents=contents,
            recognised=dict(source.recognised),
            kinds=dict(source.kinds),
            missing=dict(source.missing.branches),
            verdicts=verdicts,
            remarks=_remarks(source),
        )


def _remarks(source: Source) -> tuple[str, ...]:
    if isinstance(source, PointSource) or not isinstance(source, Remarking):
        return ()
    try:
        return tuple(source.remarks(tuple(COLLECTIONS)))
    except InputError as error:
        return (str(error).removeprefix(f"{source.path}: "),)


def describe_file(inspection: FileInspection) -> str:
    """The inspection as text."""
    found = inspection
    where = f" in tree {found.tree}" if found.tree else ""
    lines = [f"{found.path}: {found.entries} entries{where}, read by {found.reader}"]
    lines += ["", "recognised", "| field | read from |", "|---|---|"]
    lines += [f"| {field} | {branch} |" for field, branch in found.recognised.items()]
    if found.kinds:
        lines += ["", "nodes are made from: " + ", ".join(f"{name}: {how}" for name, how in found.kinds.items())]
    lines += ["", "missing" if found.missing else "nothing is missing"]
    lines += [f"  {field} (looked for {branches})" for field, branches in found.missing.items()]
    if found.remarks:
        lines += ["", "faults of the file", *(f"  {remark}" for remark in found.remarks)]
    if found.unrecognised:
        lines += ["", f"{len(found.unrecognised)} branches that are not read"]
        lines += [f"  {name}: {found.contents[name]}" for name in found.unrecognised]
    usable: dict[str, list[str]] = {}
    for (task, name), reason in found.verdicts.items():
        if not reason:
            usable.setdefault(task, []).append(name)
    lines += ["", "usable for" if usable else "usable for no task"]
    lines += [f"  task {task}, class {' and '.join(names)}" for task, names in usable.items()]
    refused = {place: reason for place, reason in found.verdicts.items() if reason}
    lines += ["", "not usable for"] if refused else []
    lines += [f"  task {task}, class {name}: {reason}" for (task, name), reason in refused.items()]
    return "\n".join(lines)


def _contents(path: str) -> tuple[str, dict[str, str]]:
    """Name of the tree and its branches with their types; nothing for files other than ROOT."""
    with locations.open_binary(path) as file:
        if file.read(len(ROOT_MAGIC)) != ROOT_MAGIC:
            return "", {}
    names = (*TREES, roottree.HITS_TREE, roottree.DELPHES_TREE)
    tree = roottree.find_tree(path, names, "an MLAnalyzer ntuple, a file of Open Data record 12220 or of Delphes")
    return tree.object_path.strip("/").partition(";")[0], {
        branch.name: str(branch.typename) for branch in tree.branches
    }
