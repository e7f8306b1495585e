"""Small ``fevt/RHTree`` files with random deposits, whose images are filled cell by cell in plain Python.

The images are made without any code of the package, so they serve as the oracle of the equivalence contract.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path

import awkward as ak
import numpy as np
import uproot

ETA_PITCH = 0.0174
ROWS, COLUMNS = 280, 360
HIT_LAYERS = {("BPIX", 1): 4.4, ("BPIX", 2): 7.3, ("BPIX", 3): 10.2, ("TIB", 1): 25.5, ("TOB", 2): 69.2}
SUBDETECTOR = {"BPIX": 1, "TIB": 3, "TOB": 5}

VECTOR_PREFIXES = ("track_", "hit_", "ecal_", "hcal_")
IMAGE_PREFIXES = ("EB_", "ECAL_", "HBHE_", "BPIX_", "TIB_", "TOB_")


@dataclass
class Deposits:
    """Branches of a file: per-object vectors as lists an event, images as lists of flat arrays."""

    branches: dict[str, list] = field(default_factory=dict)

    def add(self, name: str, values) -> None:
        self.branches.setdefault(name, []).append(values)


def cell(eta: float, phi: float) -> int | None:
    """Flat index in the 280×360 image, worked out by hand from ntuples.md §1."""
    row = math.floor(eta / ETA_PITCH) + 140
    column = math.floor(math.degrees(phi) + 10.0) % 360
    return row * COLUMNS + column if 0 <= row < ROWS else None


def random_deposits(events: int, seed: int = 1, *, truth: bool = True, first_event: int = 1) -> Deposits:
    """Two jets per event at random places (φ edge included), deposits all around, and an optional generator record."""
    rng = np.random.default_rng(seed)
    deposits = Deposits()
    for number in range(events):
        axes = [(rng.uniform(-1.3, 1.3), rng.uniform(-math.pi, math.pi)) for _ in range(2)]
        axes[1] = (axes[1][0], rng.choice([-math.pi + 0.01, math.pi - 0.01, -0.17, axes[1][1]]))
        for name, value in (("runId", 1), ("lumiId", seed), ("eventId", first_event + number), ("nVtx", 11)):
            deposits.add(name, value)
        for name, value in (("Vtx_x", 0.1), ("Vtx_y", -0.05), ("Vtx_z", 1.5)):
            deposits.add(name, [value])
        _add_tracks(rng, deposits, axes)
        _add_hits(rng, deposits, axes)
        _add_calorimeters(rng, deposits, axes)
        _add_jets(rng, deposits, axes)
        if truth:
            _add_top(deposits, axes[0])
    return deposits


def _around(rng, axes, size):
    eta, phi = np.array([axes[i] for i in rng.integers(0, len(axes), size)]).reshape(-1, 2).T
    phi = np.mod(phi + rng.normal(0, 0.4, size) + np.pi, 2 * np.pi) - np.pi
    return (eta + rng.normal(0, 0.4, size)).astype(np.float32), phi.astype(np.float32)


def _add_tracks(rng, deposits, axes):
    size = int(rng.integers(5, 60))
    eta, phi = _around(rng, axes, size)
    pt = rng.exponential(5, size).astype(np.float32) + np.float32(0.5)
    d0 = rng.standard_t(2, size).astype(np.float32) * np.float32(0.02)
    d0[0] = 11.0
    dz = rng.standard_t(2, size).astype(np.float32) * np.float32(0.1)
    d0_error, dz_error = (rng.uniform(0.001, 0.01, size).astype(np.float32) for _ in range(2))
    charge = rng.choice([-1, 1], size).astype(np.float32)
    vectors = {"pt": pt, "eta": eta, "phi": phi, "d0": d0, "dz": dz, "d0Err": d0_error, "dzErr": dz_error}
    for name, values in (vectors | {"charge": charge}).items():
        deposits.add(f"track_{name}", values)
    sums = {name: np.zeros(ROWS * COLUMNS) for name in ("count", "Pt", "D0", "Dz", "D0Sig", "DzSig")}
    for i in range(size):
        index = cell(float(eta[i]), float(phi[i]))
        if index is not None:
            sums["count"][index] += 1
            sums["Pt"][index] += float(pt[i])
            sums["D0"][index] += float(d0[i])
            sums["Dz"][index] += float(dz[i])
            sums["D0Sig"][index] += float(d0[i] / d0_error[i])
            sums["DzSig"][index] += float(dz[i] / dz_error[i])
    hit = np.maximum(sums["count"], 1)
    deposits.add("ECAL_tracksPt_atECALfixIP", sums["Pt"].astype(np.float32))
    for name in ("D0", "Dz", "D0Sig", "DzSig"):
        deposits.add(f"ECAL_tracks{name}_atECALfixIP", (sums[name] / hit).astype(np.float32))


def _add_hits(rng, deposits, axes):
    columns = {name: [] for name in ("global_x", "global_y", "global_z", "sub_det", "layer")}
    for (detector, layer), radius in HIT_LAYERS.items():
        size = int(rng.integers(0, 50))
        eta, phi = (values.astype(float) for values in _around(rng, axes, size))
        x, y, z = (v.astype(np.float32) for v in (radius * np.cos(phi), radius * np.sin(phi), radius * np.sinh(eta)))
        image = np.zeros(ROWS * COLUMNS, np.float32)
        for i in range(size):
            eta_i = math.asinh(float(z[i]) / math.hypot(float(x[i]), float(y[i])))
            index = cell(eta_i, math.atan2(float(y[i]), float(x[i])))
            if index is not None:
                image[index] += 1
        deposits.add(f"{detector}_layer{layer}_ECAL_atPV", image)
        values = (x, y, z, np.full(size, SUBDETECTOR[detector], np.int32), np.full(size, layer, np.int32))
        for name, array in zip(columns, values, strict=True):
            columns[name].append(array)
    # One forward pixel hit, which no barrel channel takes.
    for name, value in zip(columns, (5.0, 1.0, 35.0, 2, 1), strict=True):
        columns[name].append(np.array([value], columns[name][0].dtype))
    for name, parts in columns.items():
        deposits.add(f"hit_{name}", np.concatenate(parts))


def _add_calorimeters(rng, deposits, axes):
    eta, phi = _around(rng, axes, int(rng.integers(50, 300)))
    found = {cell(float(e), float(p)) for e, p in zip(eta, phi, strict=True)} - {None}
    index = np.array(sorted(found))
    energy = rng.exponential(2, len(index)).astype(np.float32)
    time = rng.normal(0, 1, len(index)).astype(np.float32)
    image = np.zeros(ROWS * COLUMNS, np.float32)
    image[index] = energy
    times = np.zeros_like(image)
    times[index] = time
    barrel = slice(55 * COLUMNS, 225 * COLUMNS)
    deposits.add("ECAL_energy", image)
    deposits.add("EB_energy", image[barrel])
    deposits.add("EB_time", times[barrel])
    deposits.add("ecal_ieta", (index // COLUMNS).astype(np.int32))
    deposits.add("ecal_iphi", (index % COLUMNS).astype(np.int32))
    deposits.add("ecal_energy", energy)
    deposits.add("ecal_time", time)
    towers = np.unique(index // COLUMNS // 5 * 72 + index % COLUMNS // 5)
    energy = rng.exponential(5, len(towers)).astype(np.float32)
    image = np.zeros(56 * 72, np.float32)
    image[towers] = energy
    deposits.add("HBHE_energy", image)
    deposits.add("hcal_ieta", (towers // 72).astype(np.int32))
    deposits.add("hcal_iphi", (towers % 72).astype(np.int32))
    deposits.add("hcal_energy", energy)


def _add_jets(rng, deposits, axes):
    eta, phi = (np.array(values, np.float32) for values in zip(*axes, strict=True))
    index = np.array([cell(float(e), float(p)) for e, p in axes])
    jets = {
        "jetPt": rng.uniform(350, 900, 2), "jetEta": eta, "jetPhi": phi, "jetM": rng.uniform(50, 200, 2),
        "jetSeed_ieta": index // COLUMNS // 5, "jetSeed_iphi": index % COLUMNS // 5,
        "jetSoftDropM": rng.uniform(0, 200, 2), "jetTau1": [0.5, 0.4], "jetTau2": [0.25, 0.0], "jetTau3": [0.2, 0.0],
    }  # fmt: skip
    for name, values in jets.items():
        deposits.add(name, np.asarray(values, np.float32))


def _add_top(deposits, axis):
    """A top at ``axis`` whose b and W quarks lie within the jet, with a copy of the top and of the W."""
    eta, phi = axis
    chain = [(6, -1, 0.3), (6, 0, 0.0), (5, 1, 0.2), (24, 1, 0.1), (24, 3, 0.1), (3, 4, 0.3), (-4, 4, 0.2)]
    deposits.add("gen_pdgId", np.array([pdg for pdg, _, _ in chain], np.int32))
    deposits.add("gen_mother", np.array([mother for _, mother, _ in chain], np.int32))
    deposits.add("gen_eta", np.array([eta + offset for _, _, offset in chain], np.float32))
    deposits.add("gen_phi", np.full(len(chain), phi, np.float32))
    for name in ("gen_pt", "gen_m"):
        deposits.add(name, np.full(len(chain), 100.0, np.float32))


def write(path: Path, deposits: Deposits, *, without: tuple[str, ...] = (), tree: str = "fevt/RHTree") -> Path:
    """Write the branches whose names do not begin with any of ``without``."""
    kept = {
        name: _branch(name, values)
        for name, values in deposits.branches.items()
        if not name.startswith(tuple(without) or "\0")
    }
    with uproot.recreate(path, compression=uproot.LZ4(1)) as file:
        file.mktree(tree, {name: _type(values) for name, values in kept.items()}).extend(kept)
    return path


def _branch(name: str, values: list) -> ak.Array | np.ndarray:
    if isinstance(values[0], float):
        return np.array(values, np.float32)
    if np.ndim(values[0]) == 0:
        return np.array(values, np.uint64 if name == "eventId" else np.uint32)
    arrays = [np.asarray(value) if isinstance(value, np.ndarray) else np.asarray(value, np.float32) for value in values]
    return ak.unflatten(np.concatenate(arrays), [len(array) for array in arrays])


def _type(values: ak.Array | np.ndarray) -> str | np.dtype:
    return values.dtype if isinstance(values, np.ndarray) else f"var * {values.layout.content.dtype}"
