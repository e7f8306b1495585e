"""``hits_tree`` of CMS Open Data record 12220 ("tracker-hit-enriched") → the event record: tracks and hits.

The files are made by cms-legacydata-analyses/TrackerRecHitProducerTool (``SaveHits``). They hold no calorimeter, no
reconstructed jets, no vertices and no run, luminosity section or event number, so

- jets are the generator's (``genjet_*``, ak5GenJets), and their seed is the tower under the axis;
- the primary vertex is fitted to the tracks (``vertexfit``); hits, which the file has in detector coordinates, and d0,
  dz are made relative to it. An event with too few tracks for a vertex keeps the detector's centre, and ``n_pv`` 0;
- tracks are carried to the ECAL surface along their helices, as the ntuple producers do;
- run and luminosity section are 0 and an event's number is a hash of its generator record, which does not depend on
  the file it is in; every event counts equally (``gen_weight`` 1);
- the second ``genpart_px`` is pz (the branch is written under the wrong name).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

from e2egraph.detector import geometry
from e2egraph.detector.helix import GEV_PER_TESLA_CM, Helices, perigee, position, to_barrel
from e2egraph.errors import InputError
from e2egraph.events.flat import Flat, flat_branch
from e2egraph.events.schema import Missing
from e2egraph.events.sources import roottree
from e2egraph.events.sources.production import Production
from e2egraph.events.sources.rhtree_branches import PARTICLE_FLOW, VECTORS, WHOLE
from e2egraph.events.sources.rhtree_hits import with_channel
from e2egraph.events.sources.vertexfit import primary_vertex
from e2egraph.events.whole import check_whole

# CMS, JINST 3 (2008) S08004: field (§2), and distance of the ECAL endcaps from the interaction point [cm] (§4.1).
FIELD = 3.8
ECAL_END = 315.4
# A track that turns more often on its way spirals in the tracker.
MOST_TURNS = 0.5

Floats = NDArray[np.float64]

# Field → branch, or (branch, which of several of that name).
_Branch = str | tuple[str, int]
BRANCHES: dict[str, dict[str, _Branch]] = {
    "tracks": {
        "pt": "track_pt", "eta": "track_eta", "phi": "track_phi", "charge": "track_charge", "x": "track_vx",
        "y": "track_vy", "z": "track_vz", "dxy_err": "track_dxyerr", "dsz_err": "track_dszerr",
    },
    "hits": {
        "x": "hit_global_x", "y": "hit_global_y", "z": "hit_global_z", "subdetector": "hit_sub_det",
        "layer": "hit_layer",
    },
    "jets": {"px": "genjet_px", "py": "genjet_py", "pz": "genjet_pz", "energy": "genjet_energy"},
    "gen": {
        "pdg_id": "genpart_pdgid", "px": "genpart_px", "py": "genpart_py", "pz": ("genpart_px", 1),
        "energy": "genpart_energy",
    },
}  # fmt: skip

# What no file of the record holds, and what would hold it.
NEVER = {
    "ecal": "calorimeter branches",
    "hcal": "calorimeter branches",
    "gen.mother": "mother links",
    "jets.softdrop_mass": "jetSoftDropM",
    "jets.tau1": "jetTau1",
    "jets.tau2": "jetTau2",
    "jets.tau3": "jetTau3",
    "jets.truth_label": "jet_truthLabel",
    "jets.b_tag": "jetBTag",
    "jets.hadron_flavour": "jetHadronFlavour",
    "fatjets": "fatjetPt",
    "met": "met",
    **{name: next(iter(VECTORS[name].values()))[0] for name in PARTICLE_FLOW},
}


@dataclass(frozen=True)
class _Tracking:
    """Tracks of E events, T in all. ``flat``: variable → [T]; ``counts`` [E]; ``vertices`` [E, 3] in detector
    coordinates [cm]; ``found`` [E]: 1 where a vertex was, 0 where the detector's centre stands for it."""

    flat: dict[str, Floats]
    counts: NDArray[np.int64]
    helix: Helices
    vertices: Floats
    found: NDArray[np.uint16]


class HitsTreeFile:
    """One file of the record, opened. ``missing`` tells what it cannot fill, ``recognised`` what fills each field."""

    def __init__(self, path: str | Path, tree: uproot.TTree | None = None) -> None:
        self.path = str(path)
        if tree is None:
            tree = roottree.find_tree(self.path, (roottree.HITS_TREE,), "a file of Open Data record 12220")
        self._tree = tree
        self._branches, missing = _find(list(tree.branches))
        branches = list(self._branches.values())
        self.n_events = roottree.check_entries(self.path, tree, branches)
        self.events_at_once = roottree.events_at_once(branches)
        self.missing = Missing(missing)
        self.recognised = {field: branch.name for field, branch in self._branches.items()}
        self.kinds = {name: "objects" for name in ("tracks", "hits") if name not in missing}
        self.production: Production | None = None
        self._last: tuple[tuple[int, int], _Tracking] | None = None

    def close(self) -> None:
        """Close the file; nothing is read from it afterwards."""
        self._tree.file.close()

    def read(self, start: int, stop: int, collections: Collection[str]) -> ak.Array:
        """Events ``start:stop`` with the named collections; InputError when the file cannot fill one of them."""
        fields: dict[str, ak.Array] = {}
        for name in collections:
            if name != "pv":
                self.missing.refuse(name, self.path)
            if name == "id":
                fields |= self._read_id(start, stop)
            elif name == "pv":
                fields["pv"], fields["n_pv"] = self._read_pv(start, stop)
            else:
                fields[name] = getattr(self, f"_read_{name}")(start, stop)
        return ak.zip(fields, depth_limit=1)

    def _vectors(self, collection: str, start: int, stop: int) -> Flat:
        columns: dict[str, NDArray] = {}
        counts: dict[str, NDArray[np.int64]] = {}
        for field in BRANCHES[collection]:
            branch = self._branches[f"{collection}.{field}"]
            array = roottree.read_branch(self.path, branch, start, stop)
            if array.ndim != 2:
                raise InputError(f"{self.path}: {branch.name} is no vector; give a file of Open Data record 12220.")
            values, counts[field] = flat_branch(array)
            columns[field] = roottree.finite(self.path, branch.name, values, start, counts[field])
            if field in WHOLE.get(collection, {}):
                check_whole(self.path, branch.name, values, start, WHOLE[collection][field], counts[field])
            else:
                columns[field] = roottree.single(values)
        first = next(iter(columns))
        for field, number in counts.items():
            if not np.array_equal(number, counts[first]):
                names = (self._branches[f"{collection}.{name}"].name for name in (field, first))
                raise InputError(f"{self.path}: {' and '.join(names)} differ in length; copy the file again.")
        return Flat(counts[first], columns)

    def _read_id(self, start: int, stop: int) -> dict[str, ak.Array]:
        gen = self._vectors("gen", start, stop)
        record = np.stack([gen.columns[name].astype(">f4") for name in BRANCHES["gen"]], axis=1)
        zeros = np.zeros(stop - start, np.uint32)
        parts = np.split(record, np.cumsum(gen.counts)[:-1])
        numbers = [int.from_bytes(hashlib.blake2b(part.tobytes(), digest_size=8).digest(), "big") for part in parts]
        columns = {
            "run": zeros,
            "lumi": zeros,
            "event": np.array(numbers, np.uint64),
            "gen_weight": np.ones(len(zeros)),
        }
        return {name: ak.Array(column) for name, column in columns.items()}

    def _tracking(self, start: int, stop: int) -> _Tracking:
        """Tracks and vertices of these events; the last ones are kept, since hits, tracks and pv all need them."""
        if self._last is not None and self._last[0] == (start, stop):
            return self._last[1]
        tracks = self._vectors("tracks", start, stop)
        flat = {name: values.astype(np.float64) for name, values in tracks.columns.items()}
        flat["dz_err"] = flat["dsz_err"] * np.cosh(flat["eta"])
        helix, counts = helices_of(flat), tracks.counts
        vertices, found = np.zeros((len(counts), 3)), np.zeros(len(counts), np.uint16)
        for event, (end, count) in enumerate(zip(np.cumsum(counts), counts, strict=True)):
            of = np.arange(end - count, end)
            vertex = primary_vertex(helix.take(of), flat["pt"][of], flat["dxy_err"][of], flat["dz_err"][of])
            if vertex is not None:
                vertices[event], found[event] = vertex, 1
        self._last = ((start, stop), _Tracking(flat, counts, helix, vertices, found))
        return self._last[1]

    def _read_pv(self, start: int, stop: int) -> tuple[ak.Array, ak.Array]:
        """The fitted vertices; the detector's centre in a file without tracks, whose hits stay where they are."""
        if "tracks" in self.missing:
            none = np.zeros(stop - start, np.float32)
            return ak.zip({"x": none, "y": none, "z": none}), ak.Array(none.astype(np.uint16))
        tracking = self._tracking(start, stop)
        coordinates = zip("xyz", tracking.vertices.astype(np.float32).T, strict=True)
        return ak.zip(dict(coordinates)), ak.Array(tracking.found)

    def _read_tracks(self, start: int, stop: int) -> ak.Array:
        """Tracks that arrive at the ECAL, with η and φ there; d0 = −dxy and dz with respect to the vertex [cm]."""
        tracking = self._tracking(start, stop)
        flat, counts = tracking.flat, tracking.counts
        eta, phi = at_ecal(tracking.helix)
        nearest = perigee(tracking.helix, *np.repeat(tracking.vertices, counts, axis=0).T)
        record = {"pt": flat["pt"], "eta": eta, "phi": phi, "d0": nearest.d0, "dz": nearest.dz}
        record |= {"d0_err": flat["dxy_err"], "dz_err": flat["dz_err"]}
        for name in ("d0", "dz"):
            error = record[f"{name}_err"]
            record[f"{name}_sig"] = np.where(error > 0, record[name] / np.where(error > 0, error, 1), 0)
        record["charge"] = flat["charge"]
        with np.errstate(over="ignore"):
            made = Flat(counts, {name: values.astype(np.float32) for name, values in record.items()})
        kept = made.take(np.isfinite(eta))
        for name, values in kept.columns.items():
            roottree.finite(self.path, f"the tracks' {name}", values, start, kept.counts)
        return kept.record()

    def _read_hits(self, start: int, stop: int) -> ak.Array:
        hits = with_channel(self._vectors("hits", start, stop))
        if "tracks" in self.missing:
            return hits.record()
        vertices = np.repeat(self._tracking(start, stop).vertices, hits.counts, axis=0)
        moved = {name: (hits.columns[name] - vertices[:, axis]).astype(np.float32) for axis, name in enumerate("xyz")}
        return hits.with_columns(moved).record()

    def _read_jets(self, start: int, stop: int) -> ak.Array:
        """Generator jets; those beyond the tower image get its outermost row, which the seed cut of a task rejects."""
        jets = _with_directions(self._vectors("jets", start, stop).record())
        rows = np.clip(geometry.hcal_row(ak.to_numpy(ak.flatten(jets.eta))), 0, geometry.HCAL_ROWS - 1)
        columns = geometry.hcal_column(ak.to_numpy(ak.flatten(jets.phi)))
        counts = ak.num(jets)
        for name, values in (("seed_ieta", rows), ("seed_iphi", columns)):
            jets = ak.with_field(jets, ak.unflatten(values.astype(np.int32), counts), name)
        return jets[["pt", "eta", "phi", "mass", "seed_ieta", "seed_iphi"]]

    def _read_gen(self, start: int, stop: int) -> ak.Array:
        gen = _with_directions(self._vectors("gen", start, stop).record())
        return gen[["pdg_id", "pt", "eta", "phi", "mass"]]


def helices_of(tracks: dict[str, Floats]) -> Helices:
    """Trajectories of tracks: reference point x, y, z [cm], direction there (eta, phi), pt [GeV] and charge."""
    return Helices(
        x=tracks["x"],
        y=tracks["y"],
        z=tracks["z"],
        phi=tracks["phi"],
        kappa=-tracks["charge"] * GEV_PER_TESLA_CM * FIELD / np.maximum(tracks["pt"], 1e-9),
        dip=np.sinh(tracks["eta"]),
    )


def at_ecal(helix: Helices) -> tuple[Floats, Floats]:
    """η and φ [rad] at which tracks reach the ECAL's front face (barrel or endcap), NaN for those that never do."""
    x, y, z = position(helix, to_barrel(helix, geometry.ECAL_RADIUS, ECAL_END, MOST_TURNS))
    with np.errstate(invalid="ignore", divide="ignore"):
        eta = np.arcsinh(z / np.hypot(x, y))
    return np.where(np.isfinite(eta), eta, np.nan), np.arctan2(y, x)


def _with_directions(momenta: ak.Array) -> ak.Array:
    """pT, η, φ and mass of four-momenta px, py, pz, energy [GeV]; η is ±99 along the beam."""
    px, py, pz, energy = (ak.values_astype(momenta[name], np.float64) for name in ("px", "py", "pz", "energy"))
    pt = np.hypot(px, py)
    # sinh(99) is beyond any ratio of float32 momenta that is not a particle along the beam.
    eta = ak.where(pt > 0, np.arcsinh(pz / ak.where(pt > 0, pt, 1)), 99.0 * np.sign(pz))
    squared = energy**2 - pt**2 - pz**2
    made = {"pt": pt, "eta": eta, "phi": np.arctan2(py, px), "mass": np.sqrt(np.maximum(squared, 0))}
    with np.errstate(over="ignore"):
        for name, values in made.items():
            momenta = ak.with_field(momenta, ak.values_astype(values, np.float32), name)
    return momenta


def _find(branches: list) -> tuple[dict, dict[str, str]]:
    """``collection.field`` → branch for all that is there, and what is missing → the branches looked for."""
    found, missing = {}, dict(NEVER)
    for collection, table in BRANCHES.items():
        absent = []
        for field, wanted in table.items():
            name, which = wanted if isinstance(wanted, tuple) else (wanted, 0)
            named = [branch for branch in branches if branch.name == name]
            if name == "genpart_px" and which == 1 and len(named) == 1:
                # A file made after that fault was corrected.
                named += [branch for branch in branches if branch.name == "genpart_pz"]
            if len(named) > which:
                found[f"{collection}.{field}"] = named[which]
            else:
                absent.append(f"{name} (the second)" if which else name)
        if absent:
            missing[collection] = ", ".join(absent)
    if "gen" in missing:
        missing["id"] = missing["gen"]
    if "tracks" in missing:
        missing["pv"] = missing["tracks"]
    return found, missing
