"""Trees of Delphes (arXiv:1307.6346) → the event record: towers, tracks, jets, jets of large radius, MET; no hits.

What its producer does otherwise, and what is made of it:

- Towers are those of its card, not of this detector. The hadronic energy of one goes to the HCAL tower, the
  electromagnetic to the crystal, that holds its centre; energies in one cell are added up, and towers beyond the images
  (|η| > 2.44) are left out. There are no times.
- ``EtaOuter`` and ``PhiOuter`` are where a track leaves the tracker's volume, the ECAL's face with the card of CMS;
  trees without them have the direction at the vertex in their place. Lengths are in mm there, and dz refers to the
  detector's centre: it is moved to the first vertex, where there is one.
- ``BTag`` holds a bit for each working point; the first is read.
- Runs and luminosity sections do not exist and events are numbered from 0 in each file: run and lumi are 0, and an
  event's number is a hash of its tracks and towers, which does not depend on the file it is in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

from e2egraph.detector import geometry
from e2egraph.errors import InputError
from e2egraph.events.flat import Flat, flat_branch
from e2egraph.events.schema import Missing
from e2egraph.events.sources import roottree
from e2egraph.events.sources.production import Production
from e2egraph.events.whole import check_whole

# Collection → field → branches, the first that is there.
BRANCHES: dict[str, dict[str, tuple[str, ...]]] = {
    "pv": {"x": ("Vertex.X",), "y": ("Vertex.Y",), "z": ("Vertex.Z",)},
    "tracks": {
        "pt": ("Track.PT",), "eta": ("Track.EtaOuter", "Track.Eta"), "phi": ("Track.PhiOuter", "Track.Phi"),
        "charge": ("Track.Charge",), "d0": ("Track.D0",), "dz": ("Track.DZ",), "d0_err": ("Track.ErrorD0",),
        "dz_err": ("Track.ErrorDZ",),
    },
    "towers": {"eta": ("Tower.Eta",), "phi": ("Tower.Phi",), "ecal": ("Tower.Eem",), "hcal": ("Tower.Ehad",)},
    "jets": {
        "pt": ("Jet.PT",), "eta": ("Jet.Eta",), "phi": ("Jet.Phi",), "mass": ("Jet.Mass",), "b_tag": ("Jet.BTag",),
    },
    "fatjets": {
        "pt": ("FatJet.PT",), "eta": ("FatJet.Eta",), "phi": ("FatJet.Phi",), "mass": ("FatJet.Mass",),
    },
    "met": {"met": ("MissingET.MET",)},
    "gen": {
        "pdg_id": ("Particle.PID",), "pt": ("Particle.PT",), "eta": ("Particle.Eta",), "phi": ("Particle.Phi",),
        "mass": ("Particle.Mass",), "mother": ("Particle.M1",), "status": ("Particle.Status",),
    },
    "weight": {"weight": ("Event.Weight",)},
}  # fmt: skip
OPTIONAL = {"tracks": ("charge", "d0", "dz", "d0_err", "dz_err"), "jets": ("b_tag",)}
WHOLE = {"jets": ("b_tag",), "gen": ("pdg_id", "mother", "status")}

# What no such tree holds, and what would hold it.
NEVER = {
    "hits": "hit_global_x",
    "ecal.time": "ecal_time",
    "jets.softdrop_mass": "jetSoftDropM",
    **{f"jets.tau{number}": f"jetTau{number}" for number in (1, 2, 3)},
    "jets.truth_label": "jet_truthLabel",
    "jets.hadron_flavour": "jetHadronFlavour",
}

MM_TO_CM = 0.1


class DelphesFile:
    """One tree, opened. ``missing`` tells what it cannot fill, ``recognised`` what fills each field."""

    def __init__(self, path: str | Path, tree: uproot.TTree | None = None) -> None:
        self.path = str(path)
        if tree is None:
            tree = roottree.find_tree(self.path, (roottree.DELPHES_TREE,), "a file of Delphes")
        self._tree = tree
        self._branches, missing = _find({branch.name: branch for branch in tree.itervalues(recursive=True)})
        branches = list(self._branches.values())
        self.n_events = roottree.check_entries(self.path, tree, branches)
        self.events_at_once = roottree.events_at_once(branches)
        self.missing = Missing(missing)
        self.recognised = {_record_name(field): branch.name for field, branch in self._branches.items()}
        kinds = {"tracks": "objects", "ecal": "towers of Delphes", "hcal": "towers of Delphes"}
        self.kinds = {name: kind for name, kind in kinds.items() if name not in missing}
        self.production: Production | None = None

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
            elif name == "pv":
                vertex, fields["n_pv"] = self._vertices(start, stop)
                fields["pv"] = ak.zip(dict(zip("xyz", vertex.astype(np.float32).T, strict=True)))
            elif name in ("ecal", "hcal"):
                fields[name] = self._cells(name, start, stop)
            else:
                fields[name] = getattr(self, f"_read_{name}")(start, stop)
        return ak.zip(fields, depth_limit=1)

    def _vectors(self, collection: str, start: int, stop: int) -> Flat:
        """The columns of a collection that the file has, all of the same length and finite, in single precision."""
        columns: dict[str, NDArray] = {}
        counts: NDArray[np.int64] | None = None
        for field in BRANCHES[collection]:
            branch = self._branches.get(f"{collection}.{field}")
            if branch is None:
                continue
            array = roottree.read_branch(self.path, branch, start, stop)
            if array.ndim != 2:
                raise InputError(f"{self.path}: {branch.name} is no vector; give a file of Delphes.")
            values, number = flat_branch(array)
            counts = number if counts is None else counts
            if not np.array_equal(number, counts):
                raise InputError(f"{self.path}: the branches of {collection} differ in length; make the file again.")
            columns[field] = roottree.finite(self.path, branch.name, values, start, counts)
            if field in WHOLE.get(collection, ()):
                check_whole(self.path, branch.name, values, start, "int64", counts)
            elif collection != "weight":  # weights are added up
                columns[field] = roottree.single(values)
        return Flat(np.zeros(stop - start, np.int64) if counts is None else counts, columns)

    def _one_each(self, collection: str, start: int, stop: int) -> NDArray:
        """A branch that holds one number in each event; InputError for an event with none or several."""
        found = self._vectors(collection, start, stop)
        if (found.counts != 1).any():
            entry, name = start + int(np.argmax(found.counts != 1)), self._branches[f"{collection}.{collection}"].name
            raise InputError(f"{self.path}: {name} of entry {entry} is not one number; make the file again.")
        return found.columns[collection]

    def _read_id(self, start: int, stop: int) -> dict[str, NDArray]:
        tracks, towers = self._vectors("tracks", start, stop), self._vectors("towers", start, stop)
        parts = [
            np.split(np.stack([flat.columns[name].astype(">f4") for name in names], axis=1), flat.offsets[1:-1])
            for flat, names in ((tracks, ("pt", "eta", "phi")), (towers, ("eta", "phi", "ecal", "hcal")))
        ]
        # Events without tracks and towers are told apart by where they stand: they hold nothing that could repeat.
        content = [
            b"".join(part.tobytes() for part in both) or f"{self.path}:{start + number}".encode()
            for number, both in enumerate(zip(*parts, strict=True))
        ]
        numbers = [int.from_bytes(hashlib.blake2b(each, digest_size=8).digest(), "big") for each in content]
        size, zeros = stop - start, np.zeros(stop - start, np.uint32)
        weighted = "weight.weight" in self._branches
        weight = self._one_each("weight", start, stop).astype(np.float64) if weighted else np.ones(size)
        return {"run": zeros, "lumi": zeros, "event": np.array(numbers, np.uint64), "gen_weight": weight}

    def _vertices(self, start: int, stop: int) -> tuple[NDArray, NDArray[np.uint16]]:
        """The first vertex of each event [E, 3] in cm, the detector's centre where there is none, and their number."""
        if "pv.z" not in self._branches:
            return np.zeros((stop - start, 3)), np.zeros(stop - start, np.uint16)
        vertices = self._vectors("pv", start, stop)
        found, there = np.zeros((stop - start, 3)), vertices.counts > 0
        first = vertices.offsets[:-1][there]
        for axis, name in enumerate("xyz"):
            found[there, axis] = MM_TO_CM * vertices.columns[name][first]
        return found, vertices.counts.astype(np.uint16)

    def _read_tracks(self, start: int, stop: int) -> ak.Array:
        tracks = self._vectors("tracks", start, stop)
        zeros = np.zeros(int(tracks.counts.sum()))
        columns = {name: tracks.columns.get(name, zeros).astype(np.float64) for name in BRANCHES["tracks"]}
        for name in ("d0", "dz", "d0_err", "dz_err"):
            columns[name] = MM_TO_CM * columns[name]
        if "dz" in tracks.columns:
            columns["dz"] = columns["dz"] - np.repeat(self._vertices(start, stop)[0][:, 2], tracks.counts)
        for name in ("d0", "dz"):
            error = columns[f"{name}_err"]
            columns[f"{name}_sig"] = np.where(error > 0, columns[name] / np.where(error > 0, error, 1), 0)
        columns["phi"] = geometry.wrap_phi(columns["phi"])
        with np.errstate(over="ignore"):
            made = {name: values.astype(np.float32) for name, values in columns.items()}
        for name, values in made.items():
            roottree.finite(self.path, f"the tracks' {name}", values, start, tracks.counts)
        return Flat(tracks.counts, made).record()

    def _cells(self, name: str, start: int, stop: int) -> ak.Array:
        """Cells with energy of one calorimeter, by row and column in each event."""
        towers = self._vectors("towers", start, stop)
        crystals = name == "ecal"
        rows, across = (
            (geometry.ECAL_ROWS, geometry.ECAL_COLUMNS) if crystals else (geometry.HCAL_ROWS, geometry.HCAL_COLUMNS)
        )
        eta, phi = towers.columns["eta"], towers.columns["phi"]
        row = geometry.ecal_row(eta) if crystals else geometry.hcal_row(eta)
        column = geometry.ecal_column(phi) if crystals else geometry.hcal_column(phi)
        energy = towers.columns[name].astype(np.float64)
        event = np.repeat(np.arange(stop - start), towers.counts)
        kept = (energy > 0) & (row >= 0) & (row < rows)
        cell = (event * rows + row) * across + column
        places, where = np.unique(cell[kept], return_inverse=True)
        sums = np.bincount(where, energy[kept], len(places)).astype(np.float32)
        columns = {
            "ieta": (places // across % rows).astype(np.int32),
            "iphi": (places % across).astype(np.int32),
            "energy": roottree.finite(self.path, f"Tower energy of {name}", sums, start),
        }
        if crystals:
            columns["time"] = np.zeros(len(places), np.float32)
        return Flat(np.bincount(places // (rows * across), minlength=stop - start), columns).record()

    def _read_jets(self, start: int, stop: int) -> ak.Array:
        """Jets; their seed is the tower under the axis, in the outermost row for those beyond the image."""
        jets = self._vectors("jets", start, stop)
        row = np.clip(geometry.hcal_row(jets.columns["eta"]), 0, geometry.HCAL_ROWS - 1)
        seeds = {"seed_ieta": row, "seed_iphi": geometry.hcal_column(jets.columns["phi"])}
        made = {name: values.astype(np.int32) for name, values in seeds.items()}
        if "b_tag" in jets.columns:
            made["b_tag"] = (jets.columns["b_tag"].astype(np.int64) & 1).astype(np.int32)
        return jets.with_columns(made).record()

    def _read_fatjets(self, start: int, stop: int) -> ak.Array:
        return self._vectors("fatjets", start, stop).record()

    def _read_met(self, start: int, stop: int) -> NDArray[np.float32]:
        return self._one_each("met", start, stop).astype(np.float32)

    def _read_gen(self, start: int, stop: int) -> ak.Array:
        return self._vectors("gen", start, stop).record()


def _record_name(field: str) -> str:
    """``collection.field`` of this file's table as it is called in the event record."""
    names = {"towers.ecal": "ecal.energy", "towers.hcal": "hcal.energy", "towers.eta": "ecal.ieta and hcal.ieta",
             "towers.phi": "ecal.iphi and hcal.iphi", "weight.weight": "id.gen_weight", "met.met": "met"}  # fmt: skip
    return names.get(field, field)


def _find(branches: dict[str, uproot.TBranch]) -> tuple[dict[str, uproot.TBranch], dict[str, str]]:
    """``collection.field`` → branch for all that is there, and what is missing → the branches looked for."""
    found: dict[str, uproot.TBranch] = {}
    missing = dict(NEVER)
    for collection, table in BRANCHES.items():
        here = {field: next((branches[n] for n in names if n in branches), None) for field, names in table.items()}
        optional = OPTIONAL.get(collection, ())
        absent = [" or ".join(table[f]) for f, branch in here.items() if branch is None and f not in optional]
        if absent:
            missing[collection] = ", ".join(absent)
            continue
        found |= {f"{collection}.{field}": branch for field, branch in here.items() if branch is not None}
        missing |= {f"{collection}.{f}": table[f][0] for f in optional if here[f] is None}
    # Events without vertices are read with the detector's centre, and those without weights count equally.
    missing.pop("pv", None)
    missing.pop("weight", None)
    if (towers := missing.pop("towers", None)) is not None:
        missing |= dict.fromkeys(("ecal", "hcal"), towers)
    if "tracks" in missing or towers is not None:
        missing["id"] = missing.get("tracks") or str(towers)
    return found, missing
