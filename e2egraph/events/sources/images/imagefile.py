"""Files of jet images → points: one node for every non-zero pixel of a crystal, tower or track, one for every hit.

The images are the windows of ``graphs`` already: 125×125 crystals around the seed tower's centre crystal (or a smaller
crop about the same crystal). Every plane of ``ImageLayout`` comes back exactly, in float32, when the points are drawn
as an image again (``Rasterize``): tracks take pT, d0, dz and significances of their pixel together, also where pT is 0;
crystals energy and time; an HCAL plane becomes one node a tower, so it must be constant over each 5×5 crystals.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from e2egraph.detector import geometry
from e2egraph.detector.channels import Channel, channels, hit_channels
from e2egraph.detector.geometry import CRYSTALS_PER_TOWER, WINDOW_SIZE
from e2egraph.errors import InputError
from e2egraph.events.locations import closed_on_error
from e2egraph.events.schema import COLLECTIONS, ImagePoints, Missing
from e2egraph.events.sources.dense import MOST_HITS, not_counts
from e2egraph.events.sources.images.formats import open_container
from e2egraph.events.sources.images.layout import IGNORED, JET_COLUMNS, ImageLayout
from e2egraph.events.sources.images.layout import planes as known_planes
from e2egraph.events.sources.images.pixelnodes import (
    VARIABLES,
    Nodes,
    cells,
    hashes,
    no_nodes,
    nodes_at,
    tower_energy,
)
from e2egraph.events.sources.images.seedcrops import SEED_HIGHEST, check_seeds, cluster_columns
from e2egraph.events.whole import limits, not_whole

# Jet quantities that are whole numbers → their type.
_WHOLE = {
    "seed_ieta": "int64", "seed_iphi": "int64", "seed_row": "int64", "seed_column": "int64", "truth_label": "int64",
    "run": "uint32", "lumi": "uint32", "event": "uint64", "jet": "uint16",
}  # fmt: skip
# Quantity of a seed → how many there are to choose from.
_SEEDS = {
    "seed_ieta": geometry.HCAL_ROWS, "seed_iphi": geometry.HCAL_COLUMNS, "seed_row": geometry.BARREL_ROWS,
    "seed_column": geometry.ECAL_COLUMNS,
}  # fmt: skip


class ImageFile:
    """One file of jet images, opened. ``recognised``: jet quantity or plane → column; ``missing`` as for events.

    Reading goes forward: ``read`` is cheap where the last one stopped, and reads from the beginning elsewhere.
    """

    of_events = False

    def __init__(self, path: str | Path, layout: ImageLayout, kind: str) -> None:
        self.path = str(path)
        self.layout = layout
        self.channels = layout.channels
        self._container, self._image = open_container(self.path, kind)
        with closed_on_error(self._container):
            self._recognise()
        self._cursor: tuple[int, Iterator[NDArray], NDArray] | None = None

    def _recognise(self) -> None:
        layout = self.layout
        self._quantities = {
            quantity: name
            for quantity in JET_COLUMNS
            for name in [next((n for n in layout.column_names(quantity) if n in self._container.names), None)]
            if name is not None
        }
        wrong = [name for name in layout.columns.values() if name not in self._container.names]
        if wrong:
            there = ", ".join(sorted(self._container.names))
            raise InputError(f"{self.path}: no column {wrong[0]} (found {there}); correct columns of the image preset.")
        self.recognised = dict(self._quantities)
        self.recognised |= {name: f"{self._image}[{i}]" for i, name in enumerate(layout.planes) if name != IGNORED}
        self.kinds = {"images": ", ".join(layout.planes)}
        self.missing = Missing(dict(self._lacking()))

    def close(self) -> None:
        """Close the file; nothing is read from it afterwards."""
        self._cursor = None
        self._container.close()

    @property
    def n_jets(self) -> int:
        """Number of jets; a TFRecord file is read through for it once."""
        return self._container.n_jets

    def weights(self, start: int, stop: int) -> NDArray[np.float64]:
        """1 for each jet: no such file gives weights."""
        return np.ones(stop - start)

    def read_jets(self, start: int, stop: int) -> dict[str, NDArray]:
        """The file's jet quantities; η and φ of the window's centre where it has a seed but no axis; of crops around
        seeds also ``seed_highest`` and the shapes of clusters, for which pixels are read."""
        columns = self._columns(start, stop)
        if self.layout.seed_crystal:
            columns |= self._clusters([self._cluster(batch) for batch, _ in self._batches(start, stop)], start)
        return columns

    def _columns(self, start: int, stop: int) -> dict[str, NDArray]:
        columns: dict[str, NDArray] = {}
        for quantity, name in self._quantities.items():
            values = self._container.column(name)[start:stop]
            columns[quantity] = self._typed(quantity, name, values, start)
        for axis, seed, centre in (
            ("jet_eta", "seed_ieta", geometry.ecal_eta),
            ("jet_phi", "seed_iphi", geometry.ecal_phi),
        ):
            if axis not in columns and seed in columns:
                columns[axis] = centre(geometry.centre_crystal(columns[seed])).astype(np.float32)
        return columns

    def read(self, start: int, stop: int) -> ImagePoints:
        """Points of jets ``start:stop``; InputError names the jet and plane whose pixels cannot be what they should.

        ``event`` is the file's own number, if it has run and luminosity section as well, else a hash of the jet.
        """
        jets = self._columns(start, stop)
        parts, clusters = [], []
        for batch, first in self._batches(start, stop):
            parts.append(self._points(batch, first))
            if self.layout.seed_crystal:
                clusters.append(self._cluster(batch))
        if self.layout.seed_crystal:
            jets |= self._clusters(clusters, start)
        counts = np.concatenate([part[1] for part in parts]) if parts else np.zeros(0, np.int64)
        names = ("rows", "columns", "channel", *VARIABLES)
        nodes = {name: np.concatenate([part[0][name] for part in parts]) for name in names} if parts else no_nodes()
        if not {"run", "lumi", "event"} <= jets.keys():
            jets |= {"run": np.zeros(len(counts), np.int64), "lumi": np.zeros(len(counts), np.int64)}
            jets["event"] = hashes(nodes, counts, jets)
        return ImagePoints(
            jets=jets,
            counts=counts,
            rows=nodes["rows"],
            columns=nodes["columns"],
            channel=nodes["channel"],
            variables={name: nodes[name] for name in VARIABLES},
        )

    def _lacking(self) -> Iterator[tuple[str, str]]:
        for field in COLLECTIONS["jets"]:
            quantity = field if field.startswith("seed") or field == "truth_label" else f"jet_{field}"
            seed = {"eta": "seed_ieta", "phi": "seed_iphi"}.get(field)
            if quantity not in self._quantities and seed not in self._quantities:
                names = JET_COLUMNS.get(quantity, ())
                yield f"jets.{field}", " or ".join(names) or "no image file holds it"
        if self.layout.size < WINDOW_SIZE and "seed_row" not in self._quantities:
            yield "jets.seed_row", " or ".join(JET_COLUMNS["seed_row"])
        yield "gen", "no image file holds it"
        for channel in channels().values():
            if channel not in self.channels:
                name = f"hits.{channel.name}" if channel in hit_channels() else channel.collection
                yield name, f"plane {'track_pt' if channel == Channel.TRACK else channel.name}"
        if Channel.TRACK in self.channels:
            for name in ("d0", "dz", "d0_sig", "dz_sig"):
                if f"track_{name}" not in self.layout.planes:
                    yield f"tracks.{name}", f"plane track_{name}"
            yield "tracks.charge", "no image file holds it"
        if Channel.ECAL in self.channels and "ECAL_time" not in self.layout.planes:
            yield "ecal.time", "plane ECAL_time"

    def _typed(self, quantity: str, name: str, values: NDArray, start: int) -> NDArray:
        if quantity not in _WHOLE:
            with np.errstate(over="ignore"):
                single = values.astype(np.float32)
            self._refuse(name, values, start, ~np.isfinite(single), "beyond single precision")
            return single
        kind = _WHOLE[quantity]
        low, high = limits(values.dtype, kind)
        self._refuse(name, values, start, not_whole(values, kind), f"no whole number from {low} to {high}")
        whole = values.astype(kind)
        size = _SEEDS.get(quantity)
        if size is None:
            return whole
        towers = quantity in ("seed_ieta", "seed_iphi")
        if towers and self.layout.seed == "crystals":
            whole //= CRYSTALS_PER_TOWER
        hint = " (for crystals, set seed: crystals in a preset)" if towers else ""
        among = f"no whole number from 0 to {size - 1}{hint}"
        self._refuse(name, values, start, (whole < 0) | (whole >= size), among)
        return whole + geometry.BARREL_FIRST_ROW if quantity == "seed_row" else whole

    def _refuse(self, name: str, values: NDArray, start: int, wrong: NDArray[np.bool_], what: str) -> None:
        """InputError naming the first jet of a column for which it is ``wrong``; ``start``: the number of the first."""
        if wrong.any():
            jet = int(np.argmax(wrong))
            raise InputError(
                f"{self.path}: {name} of image {start + jet} is {values[jet]}, {what}; make the file again."
            )

    def _batches(self, start: int, stop: int) -> Iterator[tuple[NDArray[np.float64], int]]:
        """Images [b, planes, size, size] of jets ``start:stop``, with the number of the first jet of each batch."""
        at, source, left = self._cursor if self._cursor is not None else (-1, iter(()), np.empty(0))
        if at != start:
            at, source, left = start, self._container.batches(start), np.empty(0)
        self._cursor = None
        while at < stop:
            raw = left if len(left) else next(source, None)
            if raw is None:
                raise InputError(f"{self.path}: ends after {at} of {stop} images; the file is damaged: copy it again.")
            part, left = raw[: stop - at], raw[stop - at :]
            yield self._unfold(part), at
            at += len(part)
        self._cursor = (at, source, left)

    def _unfold(self, raw: NDArray) -> NDArray:
        """Raw pixels as [b, planes, size, size]; the axes are told by their length, those of flat rows by layout."""
        planes, size = len(self.layout.planes), self.layout.size
        if raw.dtype.kind not in "fiu":
            raise InputError(f"{self.path}: {self._image} holds {raw.dtype} and no pixels; give a file of images.")
        shape = raw.shape[1:]
        if shape == (planes * size * size,):
            shape = (size, size, planes) if self.layout.flat == "channel-last" else (planes, size, size)
            raw = raw.reshape(-1, *shape)
        if shape == (planes, size, size):
            return raw
        if shape == (size, size, planes):
            return np.moveaxis(raw, 3, 1)
        if shape == (size, size) and planes == 1:
            return raw[:, None]
        named = ", ".join(self.layout.planes)
        raise InputError(
            f"{self.path}: {self._image} has images of shape {shape}, expected {size}×{size} pixels in each of "
            f"{planes} planes ({named}); name as many image channels as there are planes, or make the file again."
        )

    def _cluster(self, images: NDArray) -> dict[str, NDArray]:
        """What the crystals around the middle pixel of each image say, each [b]."""
        return cluster_columns(images[:, self.layout.planes.index("ECAL")])

    def _clusters(self, parts: list[dict[str, NDArray]], start: int) -> dict[str, NDArray]:
        size = self.layout.size
        parts = parts or [cluster_columns(np.zeros((0, size, size)))]
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        check_seeds(self.path, columns[SEED_HIGHEST], start, size)
        return columns

    def _points(self, images: NDArray, first: int) -> tuple[Nodes, NDArray[np.int64]]:
        """Nodes of a batch of images, jet by jet, and their number in each jet."""
        with np.errstate(over="ignore"):
            planes = {
                name: np.ascontiguousarray(images[:, i], dtype=np.float32)
                for i, name in enumerate(self.layout.planes)
                if name != IGNORED
            }
        for name, plane in planes.items():
            if not np.isfinite(plane).all():
                jet = first + int(np.argmax(~np.isfinite(plane).all(axis=(1, 2))))
                raise InputError(
                    f"{self.path}: plane {name} of image {jet} holds NaN or infinite values; make it again."
                )
        parts, known = [], known_planes()
        for channel in sorted(self.channels):
            here = {known[name][1]: plane for name, plane in planes.items() if known[name][0] == channel}
            if channel == Channel.HCAL:
                exact = images[:, self.layout.planes.index("HCAL")]
                parts.append(self._towers(here["value"], np.asarray(exact, np.float64), first))
            elif channel in hit_channels():
                parts.append(self._hits(channel, here["value"], first))
            else:
                parts.append(cells(channel, here))
        nodes = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        order = np.argsort(nodes["jet"], kind="stable")
        counts = np.bincount(nodes["jet"], minlength=len(images)).astype(np.int64)
        return {name: column[order] for name, column in nodes.items() if name != "jet"}, counts

    def _hits(self, channel: Channel, counts: NDArray[np.float32], first: int) -> Nodes:
        wrong = not_counts(counts)
        if wrong.any():
            bad = int(np.argmax(wrong.any(axis=(1, 2))))
            found = counts[bad][wrong[bad]][0]
            raise InputError(
                f"{self.path}: plane {channel.name} of image {first + bad} holds {found:g}, which is no number of hits "
                f"(0 to {MOST_HITS}); name its planes rightly, or give images without preprocessing."
            )
        jet, row, column = np.nonzero(counts)
        times = counts[jet, row, column].astype(np.int64)
        return nodes_at(channel, *(np.repeat(index, times) for index in (jet, row, column)), size=counts.shape[1])

    def _towers(self, plane: NDArray[np.float32], exact: NDArray[np.float64], first: int) -> Nodes:
        n = self.layout.size // CRYSTALS_PER_TOWER
        if self.layout.size != WINDOW_SIZE:
            raise InputError(
                f"{self.path}: an HCAL plane of {self.layout.size}×{self.layout.size} pixels does not align with "
                f"towers; give images of {WINDOW_SIZE}×{WINDOW_SIZE}, or call that plane {IGNORED}."
            )
        blocks = plane.reshape(-1, n, CRYSTALS_PER_TOWER, n, CRYSTALS_PER_TOWER)
        corner = blocks[:, :, 0, :, 0]
        uneven = (blocks != corner[:, :, None, :, None]).any(axis=(2, 4))
        if uneven.any():
            bad = first + int(np.argmax(uneven.any(axis=(1, 2))))
            raise InputError(
                f"{self.path}: plane HCAL of image {bad} is not constant over its towers of 5×5 pixels; name the image "
                "channels in the file's order."
            )
        jet, row, column = np.nonzero(corner)
        energy = tower_energy(exact[:, ::CRYSTALS_PER_TOWER, ::CRYSTALS_PER_TOWER][jet, row, column])
        middle = CRYSTALS_PER_TOWER // 2
        rows, columns = (index * CRYSTALS_PER_TOWER + middle for index in (row, column))
        return nodes_at(Channel.HCAL, jet, rows, columns, size=self.layout.size, value=energy)
