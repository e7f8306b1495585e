"""A small tree like those of Delphes, with two events."""

import math
from pathlib import Path

import awkward as ak
import numpy as np
import uproot

WHOLE = {"Jet.BTag": np.uint32, "Particle.PID": np.int32, "Particle.M1": np.int32, "Particle.Status": np.int32,
         "Track.Charge": np.int32}  # fmt: skip

BRANCHES = {
    # Two towers in one crystal, one across ±π, one beyond the images, one with nothing hadronic; the second event is
    # empty but for a track.
    "Tower.Eta": [[0.05, 0.052, -1.2, 3.0], []],
    "Tower.Phi": [[0.3, 0.3, -math.pi + 0.01, 1.0], []],
    "Tower.Eem": [[2.0, 3.0, 7.0, 9.0], []],
    "Tower.Ehad": [[10.0, 20.0, 0.0, 9.0], []],
    "Track.PT": [[10.0, 2.0], [5.0]],
    "Track.Eta": [[0.5, -1.0], [0.0]],
    "Track.Phi": [[1.0, 3.1], [0.0]],
    "Track.EtaOuter": [[0.48, -1.05], [0.02]],
    "Track.PhiOuter": [[1.05, 3.2], [0.1]],
    "Track.Charge": [[1, -1], [1]],
    "Track.D0": [[0.1, -0.5], [0.2]],
    "Track.DZ": [[31.0, 29.0], [4.0]],
    "Track.ErrorD0": [[0.02, 0.1], [0.0]],
    "Track.ErrorDZ": [[0.1, 0.2], [0.5]],
    "Jet.PT": [[400.0, 60.0], []],
    "Jet.Eta": [[0.05, 4.0], []],
    "Jet.Phi": [[0.3, 1.0], []],
    "Jet.Mass": [[40.0, 5.0], []],
    "Jet.BTag": [[3, 2], []],
    "FatJet.PT": [[450.0], []],
    "FatJet.Eta": [[0.1], []],
    "FatJet.Phi": [[0.2], []],
    "FatJet.Mass": [[120.0], []],
    "MissingET.MET": [[35.0], [5.0]],
    "Vertex.X": [[0.0, 0.0], []],
    "Vertex.Y": [[0.0, 0.0], []],
    "Vertex.Z": [[30.0, -7.0], []],
    "Event.Weight": [[0.5], [2.0]],
    "Particle.PID": [[6, 5], [21]],
    "Particle.M1": [[-1, 0], [-1]],
    "Particle.Status": [[22, 23], [21]],
    "Particle.PT": [[300.0, 100.0], [5.0]],
    "Particle.Eta": [[0.1, 0.2], [999.9]],
    "Particle.Phi": [[0.3, 0.4], [0.0]],
    "Particle.Mass": [[173.0, 4.7], [0.0]],
}


def write(path: Path, without: tuple[str, ...] = (), real: type = np.float32, **changed: list) -> Path:
    """Write the tree to ``path``, but the branches whose names begin with ``without``; ``changed``: others' values;
    ``real``: type of numbers that are not whole."""
    branches = {name: changed.get(name, values) for name, values in BRANCHES.items() if not name.startswith(without)}
    kinds = {name: WHOLE.get(name, real) for name in branches}
    types = {name: f"var * {np.dtype(kind).name}" for name, kind in kinds.items()}
    arrays = {name: ak.values_astype(ak.Array([np.array(v, kinds[name]) for v in values]), kinds[name])
              for name, values in branches.items()}  # fmt: skip
    with uproot.recreate(path) as file:
        file.mktree("Delphes", types).extend(arrays)
    return path
