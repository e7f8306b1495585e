"""``fevt/RHTree`` (MLAnalyzer ntuples) → the event record: per-object vectors where the file has them, else images."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise
from pathlib import Path

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

from e2egraph.detector import geometry
from e2egraph.detector.channels import AS_KNOWN
from e2egraph.errors import InputError
from e2egraph.events.flat import Flat, flat_branch
from e2egraph.events.schema import Missing
from e2egraph.events.sources import dense, rhtree_jets, roottree
from e2egraph.events.sources.production import WEIGHT, WEIGHTS, Production, find_production
from e2egraph.events.sources.rhtree_branches import (
    BARREL_IMAGES,
    ECAL_IMAGES,
    HCAL_IMAGES,
    MET,
    N_PV_TYPE,
    PARTICLE_FLOW,
    TREES,
    WHOLE,
    find_branches,
)
from e2egraph.events.sources.rhtree_hits import with_channel
from e2egraph.events.sources.rhtree_links import check_indices
from e2egraph.events.whole import check_whole, entry_of

CRYSTALS = geometry.ECAL_ROWS * geometry.ECAL_COLUMNS
BARREL_CRYSTALS = geometry.BARREL_ROWS * geometry.ECAL_COLUMNS
# Jets alone take little room, so that a whole file's are read in few calls.
JETS_AT_ONCE = 1 << 17
TOWERS = geometry.HCAL_ROWS * geometry.HCAL_COLUMNS
BARREL_TOWERS = geometry.HCAL_BARREL_ROWS * geometry.HCAL_COLUMNS


class RHTreeFile:
    """One ntuple, opened. ``missing`` tells what its branches cannot fill, ``recognised`` what fills each field."""

    def __init__(
        self, path: str | Path, tree: uproot.TTree | None = None, radii: Mapping[str, float] = AS_KNOWN
    ) -> None:
        """``radii``: as of ``open_source``."""
        self.path, self._radii = str(path), radii
        self._tree = roottree.find_tree(self.path, TREES, "an MLAnalyzer ntuple") if tree is None else tree
        self._found = find_branches(frozenset(self._tree.keys(recursive=False)))
        self.missing = Missing(self._found.missing)
        self.recognised = self._found.used
        names = {name for branches in self.recognised.values() for name in branches.split(" and ")}
        branches = [self._tree[name] for name in sorted(names)]
        self.n_events = roottree.check_entries(self.path, self._tree, branches)
        self.events_at_once = roottree.events_at_once(branches)
        found = find_production(self.path, self._tree)
        self.production: Production | None = None if found is None else found[0]
        self._weights: uproot.TBranch | None = None if found is None else found[1]
        if self._weights is not None:
            self.recognised["id.gen_weight"] = f"{WEIGHT} of {WEIGHTS}"
        self.kinds = {name: self._kind(name) for name in ("tracks", "hits", "ecal", "hcal") if name not in self.missing}

    def close(self) -> None:
        """Close the file; nothing is read from it afterwards."""
        self._tree.file.close()

    def read(self, start: int, stop: int, collections: Collection[str]) -> ak.Array:
        """Events ``start:stop`` with the named collections; InputError when the file cannot fill one of them."""
        fields: dict[str, ak.Array | NDArray] = {}
        for name in collections:
            self.missing.refuse(name, self.path)
            if name == "id":
                fields |= self._read_id(start, stop)
                fields["gen_weight"] = self._gen_weight(start, stop)
            elif name in PARTICLE_FLOW:
                fields[name] = self._read_particle_flow(name, start, stop)
            else:
                fields[name] = getattr(self, f"_read_{name}")(start, stop)
                if name == "pv":
                    fields["n_pv"] = self._n_pv(start, stop)
        return ak.zip(fields, depth_limit=1)

    def _kind(self, collection: str) -> str:
        if collection in self._found.vectors:
            return "objects"
        image = {"ecal": self._found.ecal_image, "hcal": self._found.hcal_image}.get(collection)
        return "images of the barrel alone" if image in BARREL_IMAGES else "images"

    def _array(self, branch: str, start: int, stop: int) -> ak.Array:
        return roottree.read_branch(self.path, self._tree[branch], start, stop)

    def _plain(self, branch: str, start: int, stop: int) -> NDArray:
        """A branch of one finite number an event."""
        array = self._array(branch, start, stop)
        if array.ndim != 1:
            raise InputError(f"{self.path}: {branch} is no plain number an event; give an MLAnalyzer ntuple.")
        return roottree.finite(self.path, branch, ak.to_numpy(array), start)

    def _vectors(self, collection: str, start: int, stop: int, extra: Collection[str] = ()) -> Flat:
        """One collection from its per-object branches, all of the same length and finite, in single precision.

        ``extra`` branches come along under their own names.
        """
        branches = self._found.vectors[collection] | {name: name for name in extra}
        first = next(iter(branches))
        counts: NDArray[np.int64] | None = None
        columns: dict[str, NDArray] = {}
        for field, branch in branches.items():
            array = self._array(branch, start, stop)
            if array.ndim != 2:
                raise InputError(f"{self.path}: {branch} is no vector; give an MLAnalyzer ntuple.")
            values, number = flat_branch(array)
            counts = number if counts is None else counts
            if not np.array_equal(number, counts):
                raise InputError(f"{self.path}: {branch} and {branches[first]} differ in length; make the file again.")
            columns[field] = roottree.finite(self.path, branch, values, start, counts)
            if field in WHOLE.get(collection, {}):
                check_whole(self.path, branch, values, start, WHOLE[collection][field], counts)
            else:
                columns[field] = roottree.single(values)
        return Flat(np.empty(0, np.int64) if counts is None else counts, columns)

    def _dense(self, branches: dict[str, str], length: int, start: int, stop: int) -> dict[str, NDArray[np.float32]]:
        return {
            field: dense.image(self.path, branch, self._array(branch, start, stop), start, length)
            for field, branch in branches.items()
        }

    def _read_id(self, start: int, stop: int) -> dict[str, NDArray]:
        """Run, lumi and event numbers, as the file has them."""
        branches = self._found.vectors["id"]
        numbers = {field: self._plain(branch, start, stop) for field, branch in branches.items()}
        for field, array in numbers.items():
            check_whole(self.path, branches[field], array, start, WHOLE["id"][field])
        return numbers

    def _read_pv(self, start: int, stop: int) -> ak.Array:
        """The primary vertex: the first of the file's list, or the origin where there is none (``n_pv`` is then 0).

        Nodes do not depend on it: the hits of these files are relative to it already.
        """
        origin = np.zeros(stop - start, np.float32)
        if "pv" not in self._found.vectors:
            return ak.zip({"x": origin, "y": origin, "z": origin})
        vertices = self._vectors("pv", start, stop)
        there = vertices.counts > 0
        first = {name: np.zeros(stop - start) for name in ("x", "y", "z")}
        for name, column in first.items():
            column[there] = vertices.columns[name][vertices.offsets[:-1][there]]
        return ak.zip(first)

    def _n_pv(self, start: int, stop: int) -> NDArray[np.uint16]:
        """Good vertices of each event: a number, or (``goodvertices`` of the tops and taus) a vector of one number."""
        branch = self._found.n_pv
        if branch is None:
            return np.zeros(stop - start, np.uint16)
        array = self._array(branch, start, stop)
        if array.ndim > 1:
            array = ak.fill_none(ak.firsts(array), 0)
        number = roottree.finite(self.path, branch, ak.to_numpy(array), start)
        check_whole(self.path, branch, number, start, N_PV_TYPE)
        return number.astype(np.uint16)

    def _gen_weight(self, start: int, stop: int) -> NDArray[np.float64]:
        """What each event counts for by its generator: in pb where the file says, 1 where it says nothing."""
        if self._weights is not None:
            weights = ak.to_numpy(roottree.read_branch(self.path, self._weights, start, stop))
            return roottree.finite(self.path, WEIGHT, weights, start).astype(np.float64)
        branch = self._found.gen_weight
        if branch is None:
            return np.ones(stop - start)
        return self._plain(branch, start, stop).astype(np.float64)

    def _read_tracks(self, start: int, stop: int) -> ak.Array:
        if "tracks" not in self._found.vectors:
            return self._stepwise(start, stop, self._tracks_of_images)
        tracks = self._vectors("tracks", start, stop)
        significances: dict[str, NDArray] = {}
        for name in ("d0", "dz"):
            error = tracks.columns[f"{name}_err"].astype(np.float64)
            with np.errstate(over="ignore"):
                ratio = np.where(error > 0, tracks.columns[name] / np.where(error > 0, error, 1), 0)
                significance = ratio.astype(np.float32)
            branch = f"{self._found.vectors['tracks'][name]} over its error"
            significances[f"{name}_sig"] = roottree.finite(self.path, branch, significance, start, tracks.counts)
        return tracks.with_columns(significances).record()

    def _tracks_of_images(self, start: int, stop: int) -> ak.Array:
        images = self._dense(self._found.track_images, CRYSTALS, start, stop)
        return dense.tracks(images.pop("pt"), images)

    def _read_hits(self, start: int, stop: int) -> ak.Array:
        if "hits" not in self._found.vectors:
            return self._stepwise(start, stop, self._hits_of_images)
        return with_channel(self._vectors("hits", start, stop)).record()

    def _hits_of_images(self, start: int, stop: int) -> ak.Array:
        images = self._found.hit_images
        counts = {c: self._dense({"n": b}, CRYSTALS, start, stop)["n"] for c, b in images.items()}
        for channel, image in counts.items():
            dense.check_counts(self.path, images[channel], image, start)
        return dense.hits(counts, self._radii)

    def _read_ecal(self, start: int, stop: int) -> ak.Array:
        if "ecal" in self._found.vectors:
            return self._in_range(self._vectors("ecal", start, stop), "ecal", start).record()
        return self._stepwise(start, stop, self._ecal_of_images)

    def _ecal_of_images(self, start: int, stop: int) -> ak.Array:
        energy = np.zeros((stop - start, CRYSTALS), np.float32)
        time = np.zeros_like(energy)
        first = geometry.BARREL_FIRST_ROW * geometry.ECAL_COLUMNS
        barrel = slice(first, first + BARREL_CRYSTALS)
        whole, part = ECAL_IMAGES
        if self._found.ecal_image == whole:
            energy = self._dense({"energy": whole}, CRYSTALS, start, stop)["energy"]
        else:
            energy[:, barrel] = self._dense({"energy": part}, BARREL_CRYSTALS, start, stop)["energy"]
        if self._found.time_image is not None:
            time[:, barrel] = self._dense({"time": self._found.time_image}, BARREL_CRYSTALS, start, stop)["time"]
        return dense.crystals(energy, {"energy": energy, "time": time}, geometry.ECAL_COLUMNS)

    def _read_hcal(self, start: int, stop: int) -> ak.Array:
        if "hcal" in self._found.vectors:
            return self._in_range(self._vectors("hcal", start, stop), "hcal", start).record()
        return self._stepwise(start, stop, self._hcal_of_images)

    def _hcal_of_images(self, start: int, stop: int) -> ak.Array:
        energy = np.zeros((stop - start, TOWERS), np.float32)
        whole, part = HCAL_IMAGES
        if self._found.hcal_image == whole:
            energy = self._dense({"energy": whole}, TOWERS, start, stop)["energy"]
        else:
            first = geometry.HCAL_BARREL_FIRST_ROW * geometry.HCAL_COLUMNS
            barrel = self._dense({"energy": part}, BARREL_TOWERS, start, stop)["energy"]
            energy[:, first : first + BARREL_TOWERS] = barrel
        return dense.crystals(energy, {"energy": energy}, geometry.HCAL_COLUMNS)

    def remarks(self, collections: Collection[str]) -> list[str]:
        """As of ``Remarking``: events with seeds in another order than their jets."""
        if "jets" not in collections or "jets" in self.missing:
            return []
        edges = [*range(0, self.n_events, JETS_AT_ONCE), self.n_events]
        moved = sum(self._jets(low, high)[1] for low, high in pairwise(edges))
        if not moved:
            return []
        return [
            f"{moved} events have jetSeed_* in another order than their jets: each jet was given the seed within "
            f"{geometry.SEED_REACH} towers of its axis"
        ]

    def _read_jets(self, start: int, stop: int) -> ak.Array:
        return self._jets(start, stop)[0].record()

    def _jets(self, start: int, stop: int) -> tuple[Flat, int]:
        """Jets with their own seeds, and the number of events whose seeds stood in another order."""
        derived, branches = self._found.derived, self._found.vectors["jets"]
        jets = self._vectors("jets", start, stop, rhtree_jets.extra_branches(derived))
        return rhtree_jets.complete(
            self.path, self._in_range(jets, "jets", start, prefix="seed_"), derived, branches, start
        )

    def _read_fatjets(self, start: int, stop: int) -> ak.Array:
        return self._vectors("fatjets", start, stop).record()

    def _read_met(self, start: int, stop: int) -> NDArray[np.float32]:
        return self._plain(MET, start, stop).astype(np.float32)

    def _read_gen(self, start: int, stop: int) -> ak.Array:
        return self._vectors("gen", start, stop).record()

    def _read_particle_flow(self, name: str, start: int, stop: int) -> ak.Array:
        """A collection of ``simulate --particle-flow``, its indices checked."""
        found = self._vectors(name, start, stop)
        check_indices(
            self.path,
            name,
            self._found.vectors,
            found,
            lambda branch: flat_branch(self._array(branch, start, stop))[1],
            start,
        )
        return found.record()

    def _in_range(self, cells: Flat, collection: str, start: int, prefix: str = "") -> Flat:
        """``cells`` if every row and column is one of the detector's; else InputError naming branch and entry."""
        rows, columns = (
            (geometry.ECAL_ROWS, geometry.ECAL_COLUMNS)
            if collection == "ecal"
            else (geometry.HCAL_ROWS, geometry.HCAL_COLUMNS)
        )
        for field, size in (("ieta", rows), ("iphi", columns)):
            values = cells.columns[prefix + field]
            if values.min(initial=0) < 0 or values.max(initial=0) >= size:
                wrong = (values < 0) | (values >= size)
                entry = start + entry_of(int(np.argmax(wrong)), cells.counts)
                branch = self._found.vectors[collection][prefix + field]
                raise InputError(
                    f"{self.path}: {branch} of entry {entry} is outside 0…{size - 1}; make the file again."
                )
        return cells

    @staticmethod
    def _stepwise(start: int, stop: int, read: dense.Reader) -> ak.Array:
        """Dense images in steps, so that memory is bounded whatever the chunk."""
        edges = [*range(start, stop, dense.EVENTS_PER_STEP), stop]
        return ak.concatenate([read(low, high) for low, high in pairwise(edges)])
