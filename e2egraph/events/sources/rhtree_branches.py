"""Names of the branches of ``RHTree`` in all vintages: one table of alternatives a field, and what a file has of them.

Read off rchudasa/MLAnalyzer ("RR"), its Run 3 descendant, mbandrews/MLAnalyzer and npervan/MLAnalyzer (tops); see
ntuples.md §1. Faults of such files, and what is done about each:

- ``ECAL_tracksQPt_*`` holds pT, not charge times pT: it is never read, and tracks from images have charge 0.
- ``seljet_genpart_*`` was chosen by a ΔR computed with a wrong px: it is never read; without a generator record of
  mother links a class must be trusted by its sample's name.
- Tau files have ``jet_*`` in the order of the generator's taus and ``jetSeed_*`` in that of the jets: each jet gets
  the seed near its axis (``rhtree_jets``).
- ``jetIsSignal`` of the ditau files says that the event's reconstructed masses are those of a signal region, or 1 for
  every jet; it is no truth, and never read.
- ``jet_IsTau`` is 0 for every jet of the top files (those with ``seljet_genpart_pdgid``): no truth label there.
- Converters rescale endcap ECAL energies by ¼ twice; the ntuple's ``ECAL_energy`` itself is right and read as it is.
- |d0| > 10 cm and |dz| > 20 cm are not suppressed by the producer: the graph builder does it (``suppress_displaced``).
- ``…_maxPt_…`` images hold the hardest track of a crystal instead of the mean: another quantity, not read.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from e2egraph.detector.channels import Channel, hit_channels

TREES = ("fevt/RHTree", "recHitAnalyzer/RHTree", "RHTree")

Alternatives = dict[str, tuple[str, ...]]

# Field of the record → branches of per-object vectors (plain numbers for id), the first that is there.
VECTORS: dict[str, Alternatives] = {
    "id": {"run": ("runId",), "lumi": ("lumiId",), "event": ("eventId",)},
    "pv": {"x": ("Vtx_x",), "y": ("Vtx_y",), "z": ("Vtx_z",)},
    "tracks": {
        "pt": ("track_pt",), "eta": ("track_eta",), "phi": ("track_phi",), "d0": ("track_d0",), "dz": ("track_dz",),
        "d0_err": ("track_d0Err",), "dz_err": ("track_dzErr",), "charge": ("track_charge",),
    },
    "hits": {
        "x": ("hit_global_x",), "y": ("hit_global_y",), "z": ("hit_global_z",), "subdetector": ("hit_sub_det",),
        "layer": ("hit_layer",),
    },
    "ecal": {"ieta": ("ecal_ieta",), "iphi": ("ecal_iphi",), "energy": ("ecal_energy",), "time": ("ecal_time",)},
    "hcal": {"ieta": ("hcal_ieta",), "iphi": ("hcal_iphi",), "energy": ("hcal_energy",)},
    "jets": {
        "pt": ("jetPt", "jet_Pt", "jetpT"), "eta": ("jetEta", "jet_Eta"), "phi": ("jetPhi", "jet_Phi"),
        "mass": ("jetM", "jet_M"), "seed_ieta": ("jetSeed_ieta",), "seed_iphi": ("jetSeed_iphi",),
        "softdrop_mass": ("jetSoftDropM",), "tau1": ("jetTau1",), "tau2": ("jetTau2",), "tau3": ("jetTau3",),
        "truth_label": ("jet_truthLabel", "jetIsQuark", "jet_IsTau", "jet_IsEle", "jetIsDiTau", "jetIsDiEle"),
        "b_tag": ("jetBTag",), "hadron_flavour": ("jetHadronFlavour",),
    },
    "fatjets": {"pt": ("fatjetPt",), "eta": ("fatjetEta",), "phi": ("fatjetPhi",), "mass": ("fatjetM",)},
    "gen": {
        "pdg_id": ("gen_pdgId",), "pt": ("gen_pt",), "eta": ("gen_eta",), "phi": ("gen_phi",), "mass": ("gen_m",),
        "mother": ("gen_mother",), "status": ("gen_status",),
    },
    "vertices": {"x": ("Vtx_x",), "y": ("Vtx_y",), "z": ("Vtx_z",)},
    "track_details": {
        "eta0": ("track_eta0",), "phi0": ("track_phi0",), "pt_err": ("track_ptErr",), "muon": ("track_muon",),
    },
    "sim": {
        "pdg_id": ("sim_pdgId",), "charge": ("sim_charge",), "pt": ("sim_pt",), "eta": ("sim_eta",),
        "phi": ("sim_phi",), "mass": ("sim_m",), "vx": ("sim_vx",), "vy": ("sim_vy",), "vz": ("sim_vz",),
        "collision": ("sim_collision",), "gen_index": ("sim_genIndex",), "fate": ("sim_fate",),
    },
    "track_links": {"particle": ("track_simIndex",), "secondary": ("track_secondary",)},
    "ecal_links": {"cell": ("ecalLink_cell",), "particle": ("ecalLink_sim",), "energy": ("ecalLink_energy",)},
    "hcal_links": {"cell": ("hcalLink_cell",), "particle": ("hcalLink_sim",), "energy": ("hcalLink_energy",)},
}  # fmt: skip

# Collections that particle flow alone asks for, read as they are; simulate --particle-flow writes them.
PARTICLE_FLOW = ("vertices", "track_details", "sim", "track_links", "ecal_links", "hcal_links")

# Fields that are whole numbers → their type.
WHOLE: dict[str, dict[str, str]] = {
    "id": {"run": "uint32", "lumi": "uint32", "event": "uint64"},
    "hits": {"subdetector": "int32", "layer": "int32"},
    "ecal": {"ieta": "int32", "iphi": "int32"},
    "hcal": {"ieta": "int32", "iphi": "int32"},
    "jets": dict.fromkeys(("seed_ieta", "seed_iphi", "truth_label", "b_tag", "hadron_flavour"), "int32"),
    "gen": {"pdg_id": "int32", "mother": "int32", "status": "int32"},
    "track_details": {"muon": "int32"},
    "sim": dict.fromkeys(("pdg_id", "charge", "collision", "gen_index", "fate"), "int32"),
    "track_links": {"particle": "int32", "secondary": "int32"},
    "ecal_links": {"cell": "int32", "particle": "int32"},
    "hcal_links": {"cell": "int32", "particle": "int32"},
}
N_PV_TYPE = "uint16"

# Fields that a collection can be read without; they are then absent and listed in ``missing``.
OPTIONAL: dict[str, tuple[str, ...]] = {
    "jets": ("softdrop_mass", "tau1", "tau2", "tau3", "truth_label", "b_tag", "hadron_flavour"),
    "gen": ("mass", "mother", "status"),
}
# Branches that stand in for a jet field that has none of its own, in order of preference.
DERIVED: dict[str, tuple[tuple[str, ...], ...]] = {
    "eta": (("jet_Px", "jet_Py", "jet_Pz"), ("jetSeed_ieta",)),
    "phi": (("jet_Px", "jet_Py"), ("jetSeed_iphi",)),
    "mass": (("jet_Energy",),),
}
# Missing transverse momentum [GeV], as ``simulate`` writes it.
MET = "met"
N_PV = ("nVtx", "goodvertices")
# The generator's weight, named as in CMS's NanoAOD; data and most ntuples have none.
GEN_WEIGHT = ("genWeight",)

# Crystal images of the tracks at the ECAL entry point; ``pt`` makes tracks, the others may be absent.
TRACK_IMAGES: Alternatives = {
    "pt": ("ECAL_tracksPt_atECALfixIP", "ECAL_tracksPt_atECALfixIPfromPV", "ECAL_tracksPt"),
    "d0": ("ECAL_tracksD0_atECALfixIP", "ECAL_tracksd0_PV"),
    "dz": ("ECAL_tracksDz_atECALfixIP", "ECAL_tracksz0_PV"),
    "d0_sig": ("ECAL_tracksD0Sig_atECALfixIP", "ECAL_tracksd0sig_PV"),
    "dz_sig": ("ECAL_tracksDzSig_atECALfixIP", "ECAL_tracksz0sig_PV"),
}
ECAL_IMAGES = ("ECAL_energy", "EB_energy")
ECAL_TIME_IMAGE = "EB_time"
HCAL_IMAGES = ("HBHE_energy", "HBHE_energy_EB")
# Those that end with the barrel, where windows of jets do not.
BARREL_IMAGES = (ECAL_IMAGES[1], HCAL_IMAGES[1])

# CMS's number of a subdetector, as stored in ``hit_sub_det`` → its name in branches of images.
_SUBDETECTORS = {1: "BPIX", 3: "TIB", 5: "TOB"}


def hit_images() -> dict[Channel, str]:
    """Layer of hits → the branch of its dense image, for layers that ntuples can have one of."""
    layers = ((channel, channel.cms) for channel in hit_channels())
    return {
        channel: f"{_SUBDETECTORS[cms[0]]}_layer{cms[1]}_ECAL_atPV"
        for channel, cms in layers
        if cms is not None and cms[0] in _SUBDETECTORS
    }


@dataclass(frozen=True)
class FoundBranches:
    """What a file has. ``vectors``: collection → field → branch, for collections that can be read object by object;
    ``track_images`` (field → branch), ``hit_images``: what stands in for them; ``derived``: jet field → branches it is
    worked out from; ``missing``: what cannot be filled → the branches looked for."""

    vectors: dict[str, dict[str, str]]
    track_images: dict[str, str]
    hit_images: dict[Channel, str]
    ecal_image: str | None
    hcal_image: str | None
    time_image: str | None
    derived: dict[str, tuple[str, ...]]
    n_pv: str | None
    gen_weight: str | None
    missing: dict[str, str]

    @property
    def used(self) -> dict[str, str]:
        """``collection.field`` → the branches it is read from."""
        used = {f"{name}.{field}": b for name, fields in self.vectors.items() for field, b in fields.items()}
        used |= {f"jets.{field}": " and ".join(branches) for field, branches in self.derived.items()}
        if "tracks" not in self.vectors:
            used |= {f"tracks.{field}": branch for field, branch in self.track_images.items()}
        if "hits" not in self.vectors:
            used |= {f"hits.{channel.name}": branch for channel, branch in self.hit_images.items()}
        for name, image in (("ecal", self.ecal_image), ("hcal", self.hcal_image)):
            if image is not None and name not in self.vectors:
                used[f"{name}.energy"] = image
        if self.time_image and "ecal" not in self.vectors:
            used["ecal.time"] = self.time_image
        if "met" not in self.missing:
            used["met"] = MET
        if self.gen_weight:
            used["id.gen_weight"] = self.gen_weight
        return used | ({"n_pv": self.n_pv} if self.n_pv else {})


def find_branches(branches: Collection[str]) -> FoundBranches:
    """Which of the known branches are among those of a file, and what it lacks."""
    vectors: dict[str, dict[str, str]] = {}
    missing: dict[str, str] = {}
    for name, table in VECTORS.items():
        fields = {field: b for field, names in table.items() if (b := first_of(names, branches)) is not None}
        if name == "jets" and "seljet_genpart_pdgid" in branches and fields.get("truth_label") == "jet_IsTau":
            del fields["truth_label"]
        derived = _derived(fields, branches) if name == "jets" else {}
        optional = OPTIONAL.get(name, ())
        required = [f for f in table if f not in fields and f not in optional and f not in derived]
        if required:
            missing[name] = ", ".join(" or ".join(table[field]) for field in required)
        else:
            vectors[name] = fields
            missing |= {f"{name}.{field}": " or ".join(table[field]) for field in optional if field not in fields}
    if MET not in branches:
        missing["met"] = MET
    jets = vectors.get("jets", {})
    found = FoundBranches(
        vectors=vectors,
        track_images={f: b for f, names in TRACK_IMAGES.items() if (b := first_of(names, branches)) is not None},
        hit_images={channel: branch for channel, branch in hit_images().items() if branch in branches},
        ecal_image=first_of(ECAL_IMAGES, branches),
        hcal_image=first_of(HCAL_IMAGES, branches),
        time_image=first_of((ECAL_TIME_IMAGE,), branches),
        derived=_derived(jets, branches) if jets else {},
        n_pv=first_of(N_PV, branches),
        gen_weight=first_of(GEN_WEIGHT, branches),
        missing=missing,
    )
    _images_instead(found)
    return found


def first_of(names: Collection[str], branches: Collection[str]) -> str | None:
    """The first of ``names`` that is among ``branches``."""
    return next((name for name in names if name in branches), None)


def _derived(fields: Collection[str], branches: Collection[str]) -> dict[str, tuple[str, ...]]:
    found = {}
    for field, ways in DERIVED.items():
        way = next((way for way in ways if all(branch in branches for branch in way)), None)
        if field not in fields and way is not None:
            found[field] = way
    return found


def _images_instead(found: FoundBranches) -> None:
    """Strike from ``missing`` what images fill, and note what these lack in turn."""
    missing = found.missing
    stand_in = {
        "tracks": "pt" in found.track_images,
        "hits": bool(found.hit_images),
        "ecal": found.ecal_image is not None,
        "hcal": found.hcal_image is not None,
    }
    first = {
        "tracks": TRACK_IMAGES["pt"][0],
        "hits": hit_images()[Channel.BPIX1],
        "ecal": ECAL_IMAGES[0],
        "hcal": HCAL_IMAGES[0],
    }
    for name in [name for name in stand_in if name in missing]:
        if not stand_in[name]:
            missing[name] += f", or {first[name]}"
            continue
        del missing[name]
        if name == "tracks":
            lacking = [field for field in TRACK_IMAGES if field not in found.track_images]
            missing |= {f"tracks.{field}": " or ".join(TRACK_IMAGES[field]) for field in lacking}
            missing["tracks.charge"] = VECTORS["tracks"]["charge"][0]
        if name == "ecal" and found.time_image is None:
            missing["ecal.time"] = f"{VECTORS['ecal']['time'][0]} or {ECAL_TIME_IMAGE}"
    if "hits" not in found.vectors:
        missing |= {f"hits.{c.name}": name for c, name in hit_images().items() if c not in found.hit_images}
    # Events without a vertex list are read with the origin; nothing of the graphs needs it.
    missing.pop("pv", None)
