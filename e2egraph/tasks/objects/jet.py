"""Jets: selected by pT, |η| and the distance of their seed tower to the detector's edge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from e2egraph.config import configuration
from e2egraph.detector.geometry import HCAL_ROWS, signed_tower_ieta
from e2egraph.tasks.objects.objects import ObjectKind, Objects, identity_columns, tower_centres
from e2egraph.tasks.variables import Scale, Variable

if TYPE_CHECKING:
    import awkward as ak

# CMS towers run to |ieta| = 28; MLAnalyzer rejects a seed with 28 − |ieta| < 12.
OUTERMOST_TOWER = HCAL_ROWS // 2


@configuration
class JetConfig:
    """Which jets are taken. pT [GeV]; ``edge_towers``: least 28 − |ieta| of the seed tower (12: a window of ±62
    crystals needs no padding in η).

    ``kind``: of objects. ``pt_min``, ``pt_max`` [GeV]: limits of the jet's pT. ``abs_eta_max``: largest |η|.
    """

    kind: str = "jet"
    pt_min: float = 400.0
    pt_max: float | None = None
    abs_eta_max: float = 1.37
    edge_towers: int = 12

    @model_validator(mode="after")
    def _some_range(self) -> Self:
        if self.pt_max is not None and self.pt_max <= self.pt_min:
            raise ValueError(f"pt_max {self.pt_max:g} is not above pt_min {self.pt_min:g}")
        return self


def find(events: ak.Array, config: JetConfig) -> Objects:
    """All jets of a chunk (``id``, ``pv`` and ``jets`` read); cuts come later.

    τ21 and τ32 are ratios of the stored τN, 0 where the denominator is; fields that the file lacks are 0.
    """
    from e2egraph.events.flat import flat as flat_columns  # imports Awkward, which trainings do not need

    jets = flat_columns(events.jets)
    event, columns = identity_columns(events, jets.counts)
    flat = jets.columns
    zeros = np.zeros(len(event), np.float32)
    columns |= {f"jet_{name}": flat[name] for name in ("pt", "eta", "phi", "mass")}
    columns |= {name: flat[name].astype(np.int64) for name in ("seed_ieta", "seed_iphi")}
    columns["softdrop_mass"] = flat.get("softdrop_mass", zeros)
    columns["tau21"] = _ratio(flat.get("tau2", zeros), flat.get("tau1", zeros))
    columns["tau32"] = _ratio(flat.get("tau3", zeros), flat.get("tau2", zeros))
    if "truth_label" in flat:
        columns["truth_label"] = flat["truth_label"]
    return Objects(event, columns, tower_centres(columns["seed_ieta"], columns["seed_iphi"]))


def from_columns(columns: dict[str, NDArray]) -> Objects:
    """Jets of image files: each is an event of its own, with the columns that the file holds."""
    size = len(next(iter(columns.values()))) if columns else 0
    seeds = (columns.get(name, np.zeros(size, np.int64)).astype(np.int64) for name in ("seed_ieta", "seed_iphi"))
    return Objects(np.arange(size), columns, tower_centres(*seeds))


def cuts(objects: Objects, config: JetConfig) -> dict[str, NDArray[np.bool_]]:
    """The cuts on pT, |η| and the seed."""
    pt = objects.columns["jet_pt"]
    passed = {"pt": pt > config.pt_min}
    if config.pt_max is not None:
        passed["pt"] &= pt < config.pt_max
    passed["eta"] = np.abs(objects.columns["jet_eta"]) < config.abs_eta_max
    tower = np.abs(signed_tower_ieta(objects.columns["seed_ieta"]))
    passed["seed_edge"] = tower <= OUTERMOST_TOWER - config.edge_towers
    return passed


def _ratio(numerator: NDArray, denominator: NDArray) -> NDArray[np.float32]:
    safe = np.where(denominator > 0, denominator, 1)
    return np.where(denominator > 0, numerator / safe, 0).astype(np.float32)


def _quantity(name: str, unit: str, description: str, scale: Scale) -> Variable:
    return Variable(
        name=name,
        unit=unit,
        description=description,
        scale=scale,
        reflected_by=("eta",) if name == "jet_eta" else (),
    )


# GeV: jets of the published tasks have some hundred GeV of pT and masses of some ten.
_QUANTITIES = (
    _quantity("jet_pt", "GeV", "transverse momentum of the jet", Scale(unit=100.0)),
    _quantity("jet_eta", "", "pseudorapidity of the jet", Scale(unit=1.0, linear=True)),
    _quantity("jet_mass", "GeV", "mass of the jet", Scale(unit=100.0)),
    _quantity("softdrop_mass", "GeV", "soft-drop mass of the jet", Scale(unit=100.0)),
    _quantity("tau21", "", "N-subjettiness ratio τ2/τ1", Scale(unit=1.0, linear=True)),
    _quantity("tau32", "", "N-subjettiness ratio τ3/τ2", Scale(unit=1.0, linear=True)),
)

KIND = ObjectKind(
    name="jet",
    configuration=JetConfig,
    collections=("jets",),
    columns={
        "jet_pt": "float32",
        "jet_eta": "float32",
        "jet_phi": "float32",
        "jet_mass": "float32",
        "softdrop_mass": "float32",
        "tau21": "float32",
        "tau32": "float32",
        "seed_ieta": "uint8",
        "seed_iphi": "uint8",
    },
    quantities={quantity.name: quantity for quantity in _QUANTITIES},
    centres=("tower",),
    find=find,
    cuts=cuts,
    cut_needs={"pt": "jets.pt", "eta": "jets.eta", "seed_edge": "jets.seed_ieta"},
    from_columns=from_columns,
    axis=("jet_eta", "jet_phi"),
    column_needs={
        **{f"jet_{name}": (f"jets.{name}",) for name in ("pt", "eta", "phi", "mass")},
        **{name: (f"jets.{name}",) for name in ("softdrop_mass", "seed_ieta", "seed_iphi")},
        "tau21": ("jets.tau1", "jets.tau2"),
        "tau32": ("jets.tau2", "jets.tau3"),
    },
    spectra={"jet_pt": "pT [GeV]", "jet_eta": "η", "softdrop_mass": "soft-drop mass [GeV]"},
)
