"""``fevt/RHTree`` (MLAnalyzer ntuples) → the event record: per-object vectors where the file has them, else images."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from pathlib import Path

import awkward as ak
import numpy as np
import uproot

from e2egraph import detector
from e2egraph.detector import HIT_CHANNELS, Channel
from e2egraph.errors import InputError
from e2egraph.events import dense
from e2egraph.events.schema import Missing

TREE = "fevt/RHTree"
CRYSTALS = detector.ECAL_ROWS * detector.ECAL_COLUMNS
BARREL_CRYSTALS = detector.BARREL_ROWS * detector.ECAL_COLUMNS
TOWERS = detector.HCAL_ROWS * detector.HCAL_COLUMNS
BARREL_TOWERS = detector.HCAL_BARREL_ROWS * detector.HCAL_COLUMNS

# Field of the record → branch of per-object vectors (or of plain numbers, for id). ntuples.md §1.
VECTORS: dict[str, dict[str, str]] = {
    "id": {"run": "runId", "lumi": "lumiId", "event": "eventId"},
    "pv": {"x": "Vtx_x", "y": "Vtx_y", "z": "Vtx_z"},
    "tracks": {
        "pt": "track_pt", "eta": "track_eta", "phi": "track_phi", "d0": "track_d0", "dz": "track_dz",
        "d0_err": "track_d0Err", "dz_err": "track_dzErr", "charge": "track_charge",
    },
    "hits": {"x": "hit_global_x", "y": "hit_global_y", "z": "hit_global_z"},
    "ecal": {"ieta": "ecal_ieta", "iphi": "ecal_iphi", "energy": "ecal_energy", "time": "ecal_time"},
    "hcal": {"ieta": "hcal_ieta", "iphi": "hcal_iphi", "energy": "hcal_energy"},
    "jets": {
        "pt": "jetPt", "eta": "jetEta", "phi": "jetPhi", "mass": "jetM", "seed_ieta": "jetSeed_ieta",
        "seed_iphi": "jetSeed_iphi", "softdrop_mass": "jetSoftDropM", "tau1": "jetTau1", "tau2": "jetTau2",
        "tau3": "jetTau3", "truth_label": "jet_truthLabel",
    },
    "gen": {
        "pdg_id": "gen_pdgId", "pt": "gen_pt", "eta": "gen_eta", "phi": "gen_phi", "mass": "gen_m",
        "mother": "gen_mother",
    },
}  # fmt: skip

# Images of the tracks at the ECAL entry point; the second name of each is the older one (mbandrews/MLAnalyzer).
TRACK_IMAGES: dict[str, tuple[str, ...]] = {
    "pt": ("ECAL_tracksPt_atECALfixIP", "ECAL_tracksPt"),
    "d0": ("ECAL_tracksD0_atECALfixIP", "ECAL_tracksd0_PV"),
    "dz": ("ECAL_tracksDz_atECALfixIP", "ECAL_tracksz0_PV"),
    "d0_sig": ("ECAL_tracksD0Sig_atECALfixIP", "ECAL_tracksd0sig_PV"),
    "dz_sig": ("ECAL_tracksDzSig_atECALfixIP", "ECAL_tracksz0sig_PV"),
}
# hit_sub_det 1 is BPIX, 3 TIB, 5 TOB as stored (a header comment of the producer swaps TOB and TID).
SUBDETECTOR = {"BPIX": 1, "TIB": 3, "TOB": 5}
OPTIONAL_JET_FIELDS = ("softdrop_mass", "tau1", "tau2", "tau3", "truth_label")


class RHTreeFile:
    """One ntuple, opened. ``missing`` tells what its branches cannot fill."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tree, self._branches = _open_tree(path)
        self.n_events = int(self._tree.num_entries)
        self.missing = Missing(dict(self._lacking()))

    def read(self, start: int, stop: int, collections: Collection[str]) -> ak.Array:
        """Events ``start:stop`` with the named collections; InputError when the file cannot fill one of them."""
        fields: dict[str, ak.Array] = {}
        for name in collections:
            if name in self.missing:
                raise InputError(
                    f"{self.path}: no branch for {name} (looked for {self.missing.branches[name]}); "
                    "give a file that has it, or a task that does not need it."
                )
            if name == "id":
                fields |= {field: self._array(branch, start, stop) for field, branch in VECTORS["id"].items()}
            else:
                fields[name] = getattr(self, f"_read_{name}")(start, stop)
                if name == "pv":
                    fields["n_pv"] = self._n_pv(start, stop)
        return ak.zip(fields, depth_limit=1)

    def _lacking(self) -> list[tuple[str, str]]:
        """``collection[.field]`` and the branches looked for, for all that the file cannot fill."""
        lacking = []
        native = {name: self._has(VECTORS[name].values()) for name in VECTORS}
        instead = {
            "tracks": [names[0] for names in TRACK_IMAGES.values() if not self._first(names)],
            "hits": [] if self._layer_images() else ["BPIX_layer1_ECAL_atPV"],
            "ecal": [] if self._first(("ECAL_energy", "EB_energy")) else ["ECAL_energy"],
            "hcal": [] if self._first(("HBHE_energy", "HBHE_energy_EB")) else ["HBHE_energy"],
            "pv": [],
        }
        native["hits"] = native["hits"] and self._has(("hit_sub_det", "hit_layer"))
        if not native["hits"]:
            layers = {channel: _layer_branch(channel) for channel in HIT_CHANNELS}
            lacking += [(f"hits.{c.name}", name) for c, name in layers.items() if name not in self._branches]
        for name, branches in VECTORS.items():
            if name == "jets":
                absent = {field for field, branch in branches.items() if branch not in self._branches}
                required = [branches[field] for field in branches if field in absent - set(OPTIONAL_JET_FIELDS)]
                if required:
                    lacking.append(("jets", ", ".join(required)))
                lacking += [(f"jets.{field}", branches[field]) for field in OPTIONAL_JET_FIELDS if field in absent]
            elif not native[name]:
                images = instead.get(name)
                absent_branches = [branch for branch in branches.values() if branch not in self._branches]
                if images is None:
                    lacking.append((name, ", ".join(absent_branches)))
                elif images:
                    lacking.append((name, f"{', '.join(absent_branches)} or {', '.join(images)}"))
        return lacking

    def _has(self, branches: Collection[str]) -> bool:
        return all(branch in self._branches for branch in branches)

    def _first(self, names: Collection[str]) -> str | None:
        return next((name for name in names if name in self._branches), None)

    def _array(self, branch: str, start: int, stop: int) -> ak.Array:
        return dense.read_branch(self._tree, self.path, branch, start, stop)

    def _vectors(self, collection: str, start: int, stop: int, leave_out: Collection[str] = ()) -> ak.Array:
        """Records of one collection from its per-object branches, all of the same length and finite."""
        branches = {field: branch for field, branch in VECTORS[collection].items() if field not in leave_out}
        arrays = {field: self._array(branch, start, stop) for field, branch in branches.items()}
        first, lengths = next(iter(branches.values())), ak.num(next(iter(arrays.values())))
        for field, array in arrays.items():
            if ak.any(ak.num(array) != lengths):
                raise InputError(f"{self.path}: {branches[field]} and {first} differ in length; make the file again.")
            if not np.isfinite(ak.to_numpy(ak.flatten(array))).all():
                entry = start + int(ak.argmax(ak.any(~np.isfinite(array), axis=1)))
                raise InputError(
                    f"{self.path}: {branches[field]} of entry {entry} holds NaN or infinite values; "
                    "make the file again."
                )
        return ak.zip(arrays)

    def _dense(self, branches: dict[str, str], length: int, start: int, stop: int) -> dict[str, np.ndarray]:
        return {
            field: dense.read_image(self._tree, self.path, branch, start, stop, length)
            for field, branch in branches.items()
        }

    def _read_pv(self, start: int, stop: int) -> ak.Array:
        """The primary vertex: the first of the file's list, or the origin where the file holds none."""
        if not self._has(VECTORS["pv"].values()):
            origin = np.zeros(stop - start, np.float32)
            return ak.zip({"x": origin, "y": origin, "z": origin})
        vertices = self._vectors("pv", start, stop)
        if ak.any(ak.num(vertices) == 0):
            entry = start + int(ak.argmax(ak.num(vertices) == 0))
            raise InputError(f"{self.path}: entry {entry} has no primary vertex; require one when making the ntuple.")
        return vertices[:, 0]

    def _n_pv(self, start: int, stop: int) -> ak.Array:
        branch = self._first(("nVtx", "goodvertices"))
        return self._array(branch, start, stop) if branch else ak.Array(np.zeros(stop - start, np.uint16))

    def _read_tracks(self, start: int, stop: int) -> ak.Array:
        if self._has(VECTORS["tracks"].values()):
            tracks = self._vectors("tracks", start, stop)
            for name in ("d0", "dz"):
                error = tracks[f"{name}_err"]
                significance = ak.where(error > 0, tracks[name] / ak.where(error > 0, error, 1), 0)
                tracks = ak.with_field(tracks, ak.values_astype(significance, np.float32), f"{name}_sig")
            return tracks
        branches = {field: str(self._first(names)) for field, names in TRACK_IMAGES.items()}
        return self._stepwise(
            start, stop, lambda low, high: self._tracks_of(self._dense(branches, CRYSTALS, low, high))
        )

    @staticmethod
    def _tracks_of(images: dict[str, np.ndarray]) -> ak.Array:
        return dense.tracks(images["pt"], {field: image for field, image in images.items() if field != "pt"})

    def _read_hits(self, start: int, stop: int) -> ak.Array:
        if self._has((*VECTORS["hits"].values(), "hit_sub_det", "hit_layer")):
            hits = self._vectors("hits", start, stop)
            subdetector, layer = (self._array(branch, start, stop) for branch in ("hit_sub_det", "hit_layer"))
            code = np.full(ak.count(hits.x), 255, np.uint8)
            flat_subdetector, flat_layer = ak.to_numpy(ak.flatten(subdetector)), ak.to_numpy(ak.flatten(layer))
            for channel in HIT_CHANNELS:
                here = (flat_subdetector == SUBDETECTOR[channel.name[:-1]]) & (flat_layer == int(channel.name[-1]))
                code[here] = channel
            hits = ak.with_field(hits, ak.unflatten(code, ak.num(hits.x)), "channel")
            # Endcap layers (FPIX, TID, TEC) and outer barrel layers have no channel of their own.
            return hits[hits.channel != 255]
        images = self._layer_images()
        return self._stepwise(start, stop, lambda low, high: self._hits_of(images, low, high))

    def _hits_of(self, images: dict[Channel, str], start: int, stop: int) -> ak.Array:
        counts = self._dense({channel.name: branch for channel, branch in images.items()}, CRYSTALS, start, stop)
        return dense.hits({Channel[name]: image for name, image in counts.items()})

    def _layer_images(self) -> dict[Channel, str]:
        names = {channel: _layer_branch(channel) for channel in HIT_CHANNELS}
        return {channel: name for channel, name in names.items() if name in self._branches}

    def _read_ecal(self, start: int, stop: int) -> ak.Array:
        if self._has(VECTORS["ecal"].values()):
            return self._vectors("ecal", start, stop)
        return self._stepwise(start, stop, self._ecal_images)

    def _ecal_images(self, start: int, stop: int) -> ak.Array:
        energy = np.zeros((stop - start, CRYSTALS), np.float32)
        time = np.zeros_like(energy)
        first = detector.BARREL_FIRST_ROW * detector.ECAL_COLUMNS
        barrel = slice(first, first + BARREL_CRYSTALS)
        if "ECAL_energy" in self._branches:
            energy = self._dense({"energy": "ECAL_energy"}, CRYSTALS, start, stop)["energy"]
        else:
            energy[:, barrel] = self._dense({"energy": "EB_energy"}, BARREL_CRYSTALS, start, stop)["energy"]
        if "EB_time" in self._branches:
            time[:, barrel] = self._dense({"time": "EB_time"}, BARREL_CRYSTALS, start, stop)["time"]
        return dense.crystals(energy, {"energy": energy, "time": time}, detector.ECAL_COLUMNS)

    def _read_hcal(self, start: int, stop: int) -> ak.Array:
        if self._has(VECTORS["hcal"].values()):
            return self._vectors("hcal", start, stop)
        return self._stepwise(start, stop, self._hcal_images)

    def _hcal_images(self, start: int, stop: int) -> ak.Array:
        energy = np.zeros((stop - start, TOWERS), np.float32)
        if "HBHE_energy" in self._branches:
            energy = self._dense({"energy": "HBHE_energy"}, TOWERS, start, stop)["energy"]
        else:
            first = detector.HCAL_BARREL_FIRST_ROW * detector.HCAL_COLUMNS
            barrel = self._dense({"energy": "HBHE_energy_EB"}, BARREL_TOWERS, start, stop)["energy"]
            energy[:, first : first + BARREL_TOWERS] = barrel
        return dense.crystals(energy, {"energy": energy}, detector.HCAL_COLUMNS)

    def _read_jets(self, start: int, stop: int) -> ak.Array:
        absent = [field for field in OPTIONAL_JET_FIELDS if f"jets.{field}" in self.missing]
        return self._vectors("jets", start, stop, leave_out=absent)

    def _read_gen(self, start: int, stop: int) -> ak.Array:
        return self._vectors("gen", start, stop)

    @staticmethod
    def _stepwise(start: int, stop: int, read: dense.Reader) -> ak.Array:
        """Dense images in steps, so that memory is bounded whatever the chunk."""
        edges = [*range(start, stop, dense.EVENTS_PER_STEP), stop]
        return ak.concatenate([read(low, high) for low, high in pairwise(edges)])


def _layer_branch(channel: Channel) -> str:
    return f"{channel.name[:-1]}_layer{channel.name[-1]}_ECAL_atPV"


def _open_tree(path: Path) -> tuple[uproot.TTree, frozenset[str]]:
    """The tree and the names of its branches."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path given with --sample.")
    try:
        file = uproot.open(path)
        keys = file.keys(cycle=False)
    except Exception as error:  # uproot raises many kinds on foreign bytes, each meaning the same to the user
        raise InputError(
            f"{path}: not a readable ROOT file ({type(error).__name__}); it may be truncated or of another format: "
            "copy it again."
        ) from error
    if TREE not in keys:
        found = ", ".join(keys[:6]) or "nothing"
        raise InputError(f"{path}: no tree {TREE} (found {found}); give an MLAnalyzer ntuple.")
    try:
        tree = file[TREE]
        return tree, frozenset(tree.keys())
    except Exception as error:
        raise InputError(
            f"{path}: tree {TREE} cannot be read ({type(error).__name__}); copy the file again."
        ) from error
