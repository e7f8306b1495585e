"""Small files like those of Open Data record 12220, the branch that has another's name included."""

import math
from pathlib import Path

import awkward as ak
import numpy as np
import uproot

# A name of the same length, overwritten in the file by the name that the producer gives to pz.
PLACEHOLDER, FAULTY = b"genpart_pq", b"genpart_px"


def random_branches(events: int, seed: int = 1) -> dict[str, list[np.ndarray]]:
    """Branch → one array an event."""
    rng = np.random.default_rng(seed)
    branches: dict[str, list[np.ndarray]] = {}

    def add(**columns):
        for name, values in columns.items():
            branches.setdefault(name, []).append(np.asarray(values))

    for number in range(events):
        add(**tracks(rng, int(rng.integers(6, 30)), vertex(number)))
        n = int(rng.integers(20, 60))
        add(
            hit_global_x=_f(rng.normal(0, 10, n)), hit_global_y=_f(rng.normal(0, 10, n)),
            hit_global_z=_f(rng.normal(0, 30, n)), hit_sub_det=rng.integers(1, 7, n).astype(np.uint32),
            hit_layer=rng.integers(1, 5, n).astype(np.uint32),
        )  # fmt: skip
        jet = momenta(rng, int(rng.integers(1, 4)), 300)
        add(**{f"genjet_{name}": values for name, values in jet.items()})
        particle = momenta(rng, int(rng.integers(4, 20)), 20)
        add(genpart_pdgid=rng.choice([6, -6, 24, 5, 211], len(particle["px"])).astype(np.int32))
        add(**{f"genpart_{name}": values for name, values in particle.items()})
    return branches


def vertex(number: int) -> tuple[float, float, float]:
    """Where the tracks of an event come from: off the detector's axis, as the beam of 2012, and anywhere along it."""
    return 0.244, 0.393, 6.0 * math.sin(number + 1)


def tracks(rng, size: int, origin: tuple[float, float, float]) -> dict[str, np.ndarray]:
    """Tracks from a point, as CMS gives them: at their closest approach to the detector's axis.

    On that path of some mm, and at these momenta, they are straight.
    """
    pt, eta, phi = rng.exponential(4, size) + 0.5, rng.uniform(-2.3, 2.3, size), rng.uniform(-np.pi, np.pi, size)
    error, dsz_error = rng.uniform(0.001, 0.01, size), rng.uniform(0.001, 0.01, size)
    x, y, z = origin
    dxy = -x * np.sin(phi) + y * np.cos(phi) + rng.normal(0, error)
    z0 = z - (x * np.cos(phi) + y * np.sin(phi)) * np.sinh(eta) + rng.normal(0, dsz_error)
    columns = {
        "pt": pt, "eta": eta, "phi": phi, "charge": rng.choice([-1, 1], size), "dxyerr": error, "dszerr": dsz_error,
        "vx": -dxy * np.sin(phi), "vy": dxy * np.cos(phi), "vz": z0,
    }  # fmt: skip
    return {f"track_{name}": _f(values) for name, values in columns.items()}


def momenta(rng, size: int, scale: float) -> dict[str, np.ndarray]:
    """Four-momenta with masses from 0 to a tenth of their scale."""
    p = rng.normal(0, scale, (3, size))
    energy = np.sqrt((p**2).sum(axis=0) + rng.uniform(0, scale / 10, size) ** 2)
    return {"px": _f(p[0]), "py": _f(p[1]), "pz": _f(p[2]), "energy": _f(energy)}


def write(
    path: Path, branches: dict[str, list[np.ndarray]], without: tuple[str, ...] = (), corrected: bool = False
) -> Path:
    """Write the branches; pz of particles as a second ``genpart_px`` unless ``corrected``."""
    kept = {name: values for name, values in branches.items() if name not in without}
    if not corrected and "genpart_pz" in kept:
        kept = {PLACEHOLDER.decode() if n == "genpart_pz" else n: values for n, values in kept.items()}
    arrays = {n: ak.unflatten(np.concatenate(v), [len(part) for part in v]) for n, v in kept.items()}
    with uproot.recreate(path, compression=None) as file:
        types = {name: f"var * {array.layout.content.dtype}" for name, array in arrays.items()}
        file.mktree("hits_tree", types).extend(arrays)
    if not corrected:
        path.write_bytes(path.read_bytes().replace(PLACEHOLDER, FAULTY))
    return path


def _f(values) -> np.ndarray:
    return np.asarray(values, np.float32)
