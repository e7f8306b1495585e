"""Any input file → its reader: the one place that knows which formats there are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from e2egraph.config import configuration
from e2egraph.detector.channels import AS_KNOWN, Channel
from e2egraph.errors import InputError, UsageError
from e2egraph.events import locations
from e2egraph.events.schema import EventSource, PointSource
from e2egraph.events.sources.images.layout import ImageLayout, image_layout

Source = EventSource | PointSource

# First bytes of each format (ROOT: TFile header; Parquet, HDF5 and gzip: their specifications).
_MAGIC = {b"root": "ROOT", b"PAR1": "Parquet", b"\x89HDF\r\n\x1a\n": "HDF5", b"\x1f\x8b": "gzip"}
# What names files of events → their format.
SUFFIXES = {
    ".root": "ROOT", ".parquet": "Parquet", ".h5": "HDF5", ".hdf5": "HDF5", ".tfrecord": "TFRecord", ".gz": "gzip",
}  # fmt: skip


@configuration
class SourceOptions:
    """What a file cannot say of itself. ``image``: the planes of image files, in order."""

    image: ImageLayout | None = None


def image_options(channels: str | None, preset: str | None, settings: Sequence[str] = ()) -> SourceOptions:
    """Options from ``--image-channels`` or ``--image-preset``; UsageError for both or an unknown name."""
    return SourceOptions(image=image_layout(channels, preset, settings))


def check_planes(options: SourceOptions, paths: Sequence[str], images: Iterable[bool]) -> None:
    """UsageError when planes of images are named and none of the files ``paths`` is one of ``images``."""
    if options.image is not None and paths and not any(images):
        raise UsageError(
            f"{paths[0]}{', …' if len(paths) > 1 else ''}: no file of images, whose planes alone --image-channels and "
            "--image-preset name; leave them out."
        )


def holds_images(path: str | Path, options: SourceOptions) -> bool:
    """Whether a file is read as images; InputError as ``open_source``."""
    with opened(path, options) as source:
        return isinstance(source, PointSource)


def open_source(
    path: str | Path, options: SourceOptions | None = None, radii: Mapping[str, float] = AS_KNOWN
) -> Source:
    """The reader for a local path or URL, chosen by the file's first bytes; InputError when it is of no known format.

    ROOT: ``RHTree`` ntuples, ``hits_tree`` of Open Data record 12220, trees of Delphes. Parquet, HDF5 and (GZIP)
    TFRecord: jet images, whose planes ``options.image`` must name; HDF5: images of whole events too. With it, ntuples
    of the SCRegressor vintage are read as crops around photons, not as events. ``radii``: name of a layer → distance to
    the beam line [cm] of hits that an ntuple holds as images, the layer's own where not given.
    """
    location = str(path)
    layout = (options or SourceOptions()).image
    kind = _format(location)
    if kind == "ROOT":
        from e2egraph.events.sources.images.croptree import holds_crops

        if layout is None or not holds_crops(location):
            return _tree_reader(location, radii)
    if layout is None:
        if kind == "Parquet":
            _check_images(location)
        raise InputError(
            f"{location}: holds images, and only you know what their planes are; add --image-channels NAME,NAME,… or "
            "--image-preset NAME."
        )
    if layout.events_abs_eta_max is not None:
        if kind != "HDF5":
            raise InputError(f"{location}: images of whole events are read from HDF5, not {kind}; give such a file.")
        from e2egraph.events.sources.images.eventimages import EventImageFile

        return EventImageFile(location, layout)
    from e2egraph.events.sources.images.imagefile import ImageFile

    return ImageFile(location, layout, kind)


@contextmanager
def opened(
    path: str | Path, options: SourceOptions | None = None, radii: Mapping[str, float] = AS_KNOWN
) -> Iterator[Source]:
    """The reader of ``open_source`` for a ``with`` block, at whose end the file is closed."""
    source = open_source(path, options, radii)
    try:
        yield source
    finally:
        source.close()


def node_form(source: Source, channels: Collection[Channel]) -> dict[str, str]:
    """What the nodes of ``channels`` look like in a file: how each collection is read, and each variable it lacks."""
    collections = {channel.collection for channel in channels}
    names = {f"hits.{channel.name}" for channel in channels}
    absent = {
        name: "missing"
        for name in source.missing.branches
        if name.partition(".")[0] in collections and (name.partition(".")[0] != "hits" or name in names)
    }
    how = {name: kind for name, kind in source.kinds.items() if name in collections or name == "images"}
    return how | absent


def check_alike(forms: Sequence[tuple[str, dict[str, str]]]) -> None:
    """InputError, naming two files, unless all files (path, ``node_form``) of a data set make nodes of one form.

    Files that lack a variable others have, whose nodes are pixels where others have tracks, or whose calorimeter ends
    with the barrel where that of others goes on, would teach a network which file a jet is from.
    """
    for path, form in forms[1:]:
        other, first = forms[0]
        differing = sorted(name for name in first.keys() | form.keys() if first.get(name) != form.get(name))
        if differing:
            what = "; ".join(f"{n}: {first.get(n, 'there')} and {form.get(n, 'there')}" for n in differing[:3])
            raise InputError(
                f"{other} and {path} hold different things ({what}); build a data set from files of one kind, or make "
                "them again alike."
            )


def _tree_reader(location: str, radii: Mapping[str, float]) -> EventSource:
    """The reader for the tree that a ROOT file holds; InputError when it holds none of the known ones."""
    from e2egraph.events.sources.delphes import DelphesFile
    from e2egraph.events.sources.hitstree import HitsTreeFile
    from e2egraph.events.sources.rhtree import RHTreeFile
    from e2egraph.events.sources.rhtree_branches import TREES
    from e2egraph.events.sources.roottree import DELPHES_TREE, HITS_TREE, find_tree

    tree = find_tree(location, (*TREES, HITS_TREE, DELPHES_TREE), "an MLAnalyzer ntuple")
    with locations.closed_on_error(tree.file):
        if tree.name == HITS_TREE:
            return HitsTreeFile(location, tree)
        return DelphesFile(location, tree) if tree.name == DELPHES_TREE else RHTreeFile(location, tree, radii)


def _check_images(location: str) -> None:
    """InputError unless a Parquet file has a column of lists, as images are."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with locations.open_binary(location) as file:
            schema = pq.read_schema(file)
    except (OSError, pa.ArrowException):
        return  # told when it is read
    kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(is_kind(column.type) for column in schema for is_kind in kinds):
        raise InputError(
            f"{location}: holds neither events nor images (columns {', '.join(schema.names[:5])}, …); give an ntuple, "
            "or a file of images."
        )


def _format(location: str) -> str:
    with locations.open_binary(location) as file:
        try:
            head = file.read(8)
        except Exception as error:
            raise locations.unreadable(location, error) from error
    for magic, name in _MAGIC.items():
        if head.startswith(magic):
            return "TFRecord" if name == "gzip" else name
    suffix = Path(location.partition("?")[0]).suffix.lower()
    expected = SUFFIXES.get(suffix, "ROOT")
    if expected == "TFRecord":
        return expected
    seen = "it is empty" if not head else f"it begins with {head!r}"
    raise InputError(
        f"{location}: not a readable {expected} file ({seen}); it may be truncated, an error page or of another "
        "format: copy it again."
    )
