"""A particle-flow network in the form that CMSSW's MLPFProducer reads: names, ranks and order of its tensors.

The 55 columns of an element and the nine classes are those of ``RecoParticleFlow/PFProducer/interface/MLPFModel.h``
(cms-sw/cmssw). Node variables that CMSSW does not have follow as further columns, which its producer does not fill.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Sequence

import onnx
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from e2egraph.data.candidates import Decoding, Method, check_particle_flow
from e2egraph.errors import InputError
from e2egraph.export.bundle import Shapes
from e2egraph.export.onnx import describe, exported
from e2egraph.models.elements import LEAST_MOMENTUM, Elements, particle_momenta, wrapped
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.objectives.nodes import CLASS, ETA_AT_VERTEX, MOMENTUM, PARTICLE, PHI_AT_VERTEX, PILEUP
from e2egraph.tasks.outputs import Outputs

CMSSW_FILE = "model-cmssw.onnx"

FEATURES, MASK = "Xfeat_normed", "mask"

COLUMNS = (
    *("type", "pt", "eta", "sin_phi", "cos_phi", "energy", "layer", "depth", "charge", "trajpoint"),
    *("eta_ecal", "phi_ecal", "eta_hcal", "phi_hcal", "muon_dt_hits", "muon_csc_hits", "muon_type"),
    *("px", "py", "pz", "deltap", "sigmadeltap", "gsf_electronseed_trkorecal"),
    *(f"gsf_electronseed_dnn{number}" for number in range(1, 6)),
    *("num_hits", "cluster_flags", "corr_energy", "corr_energy_err", "vx", "vy", "vz"),
    *("pterror", "etaerror", "phierror", "lambda", "lambdaerror", "theta", "thetaerror", "time", "timeerror"),
    *(f"etaerror{number}" for number in range(1, 5)),
    *(f"phierror{number}" for number in range(1, 5)),
    *("sigma_x", "sigma_y", "sigma_z"),
)

# Channel → types of ``PFBlockElement`` (TRACK 1, ECAL 4, HCAL 5, GSF 6).
TYPES = {"TRACK": (1.0, 6.0), "ECAL": (4.0,), "HCAL": (5.0,)}

# Node variable → the column that holds it as it is.
SAME = {"value": "pt", "energy": "energy", "charge": "charge", "pt_err": "pterror", "size": "num_hits", "time": "time"}

# What is made of several columns.
AT_HCAL, MUON, RADIUS = "dphi_hcal", "muon", "rho"
MADE = (ETA_AT_VERTEX, PHI_AT_VERTEX, AT_HCAL, MUON, RADIUS)

# PDG numbers of the producer's classes, in its order, and ours by the same numbers; τ and the forward calorimeter's
# electromagnetic and hadronic particles have no counterpart.
PDG = (0, 211, 130, 1, 2, 22, 11, 13, 15)
OURS = {"none": 0, "charged_hadron": 211, "neutral_hadron": 130, "photon": 22, "electron": 11, "muon": 13}

# Logit of a class that does not occur: a probability of 10⁻¹³.
ABSENT = -30.0

# Logit of the probability from which on soft decoding takes an element.
LEAST_CERTAINTY = math.log(Decoding().least_probability / (1.0 - Decoding().least_probability))


def columns_of(inputs: Inputs) -> tuple[str, ...]:
    """Names of the columns of ``Xfeat_normed``: CMSSW's, then the node variables that it does not have."""
    return (*COLUMNS, *(name for name in inputs.variable_names if name not in SAME and name not in MADE))


def cmssw_shapes(inputs: Inputs) -> dict[str, Shapes]:
    """Inputs and outputs of the exported model; the producer reads outputs by their place."""
    rows: list[str | int] = ["batch", "nodes"]
    sizes = {"bid": 2, "id": len(PDG), "momentum": 5, "pu": 2}
    return {
        "inputs": {FEATURES: [*rows, len(columns_of(inputs))], MASK: rows},
        "outputs": {name: [*rows, size] for name, size in sizes.items()},
    }


class CmsswForm(nn.Module):
    """``Xfeat_normed [B, N, F]``, ``mask [B, N]`` (1 for an element) → ``bid``, ``id``, ``momentum``, ``pu``.

    ``bid`` [B, N, 2]: logits of none and particle; ``id`` [B, N, 9]: of the classes ``PDG``; ``momentum`` [B, N, 5]:
    log(pT/pT_element), η, sin φ, cos φ, log(E/E_element) with columns 1 and 5 as those of the element; ``pu``
    [B, N, 2]: logits of the hard collision and pile-up. All are zero where ``mask`` is 0, and for elements of types
    that the network does not read (preshower, forward calorimeters, bremsstrahlung), which change nothing of others.

    MLPFProducer decodes them hard. With ``decoding`` soft it finds what soft decoding finds: ``bid`` is for a particle
    from ``Decoding.least_probability`` on, class none of ``id`` never wins, and ``momentum`` holds pT and E times the
    probability of a particle.
    """

    def __init__(self, model: nn.Module, inputs: Inputs, outputs: Outputs, decoding: Method = "hard") -> None:
        super().__init__()
        self.model, self.inputs, self.slices = model, inputs, outputs.slices
        self.soft = decoding == "soft"
        self.elements, self.columns = Elements(inputs), columns_of(inputs)
        classes = next(head.columns for head in outputs.heads if head.name == CLASS)
        self.places = [classes.index(name) if name in classes else None for name in (_name(pdg) for pdg in PDG)]

    def forward(self, elements: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        # One padded element more, at least: ONNX's reductions have no common meaning over none at all.
        more, n_elements = int(getattr(self.model, "least_nodes", 1)), elements.shape[1]
        padding = elements.new_zeros(elements.shape[0], more, elements.shape[2] + 1)
        rows = torch.cat([torch.cat([elements, mask.unsqueeze(2)], dim=2), padding], dim=1)
        read = [number for name in self.inputs.channel_names for number in TYPES[name]]
        valid = (rows[..., -1] > 0.5) & _any(rows[..., 0], read)
        rows = torch.where(valid.unsqueeze(2), rows, 0.0)
        points, features = self.nodes(rows)
        values = self.model(points, features, valid, points.new_zeros(points.shape[0], len(self.inputs.object)))
        of_elements = self.elements.momenta(points, features)
        found = particle_momenta(values[..., self.slices[MOMENTUM]], of_elements)
        logs = [
            torch.log(one.clamp(min=LEAST_MOMENTUM) / other.clamp(min=LEAST_MOMENTUM))
            for one, other in ((found.pt, of_elements.pt), (found.energy, of_elements.energy))
        ]
        particle, logits = values[..., self.slices[PARTICLE]], values[..., self.slices[CLASS]]
        if self.soft:
            certainty = particle[..., 1] - particle[..., 0]
            logs = [one + F.logsigmoid(certainty) for one in logs]
            particle = torch.stack([torch.zeros_like(certainty), certainty - LEAST_CERTAINTY], dim=-1)
            logits = torch.cat([torch.full_like(logits[..., :1], ABSENT), logits[..., 1:]], dim=-1)
        momentum = torch.stack([logs[0], found.eta, torch.sin(found.phi), torch.cos(found.phi), logs[1]], dim=-1)
        pileup = values[..., self.slices[PILEUP]]
        absent = torch.full_like(pileup, ABSENT)
        of_classes = [absent if place is None else logits[..., place : place + 1] for place in self.places]
        tensors = (
            particle,
            torch.cat(of_classes, dim=-1),
            momentum,
            torch.cat([torch.zeros_like(pileup), pileup], dim=-1),
        )
        return tuple(torch.where(valid.unsqueeze(2), tensor, 0.0)[:, :n_elements] for tensor in tensors)

    def nodes(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """``points`` [B, N, 2] and ``features`` [B, N, V] of elements [B, N, F], zero where these are."""
        kind = rows[..., 0]
        flags = {name: _any(kind, TYPES[name]) for name in self.inputs.channel_names}
        is_track = flags["TRACK"] if "TRACK" in flags else torch.zeros_like(kind, dtype=torch.bool)
        eta, phi = self._column(rows, "eta"), torch.atan2(self._column(rows, "sin_phi"), self._column(rows, "cos_phi"))
        at_ecal = self._column(rows, "eta_ecal"), self._column(rows, "phi_ecal")
        # Tracks that do not get there have zeros.
        reaches = is_track & ((at_ecal[0] != 0.0) | (at_ecal[1] != 0.0))
        place = [torch.where(reaches, there, here) for there, here in zip(at_ecal, (eta, phi), strict=True)]
        at_hcal = self._column(rows, "eta_hcal"), self._column(rows, "phi_hcal")
        goes_on = reaches & ((at_hcal[0] != 0.0) | (at_hcal[1] != 0.0))
        made = {
            ETA_AT_VERTEX: torch.where(is_track, eta - place[0], 0.0),
            PHI_AT_VERTEX: torch.where(is_track, wrapped(phi - place[1]), 0.0),
            AT_HCAL: torch.where(goes_on, wrapped(at_hcal[1] - place[1]), 0.0),
            MUON: (self._column(rows, "muon_type") > 0.5).to(rows.dtype),
            RADIUS: sum(
                (flags[known.name].to(rows.dtype) * known.radius for known in self.inputs.channels),
                start=torch.zeros_like(kind),
            ),
        }
        # CMSSW fills both for other elements too, where ours have none.
        made["pt_err"] = torch.where(is_track, self._column(rows, SAME["pt_err"]), 0.0)
        made["size"] = torch.where(is_track, 0.0, self._column(rows, SAME["size"]))
        variables = [
            made[name] if name in made else self._column(rows, SAME.get(name, name))
            for name in self.inputs.variable_names
        ]
        features = torch.stack([*variables, *(flag.to(rows.dtype) for flag in flags.values())], dim=-1)
        known = features[..., len(variables) :].sum(-1, keepdim=True)
        return torch.stack(place, dim=-1) * known, features

    def _column(self, rows: Tensor, name: str) -> Tensor:
        return rows[..., self.columns.index(name)]


def to_cmssw(model: nn.Module, inputs: Inputs, outputs: Outputs, decoding: Method = "hard") -> onnx.ModelProto:
    """Export a copy of ``model`` in this form (``CmsswForm``); InputError when it is no particle flow, reads channels
    that have no type of element, object quantities or classes that CMSSW does not have, or cannot be expressed."""
    name = type(model).__name__
    check_particle_flow(outputs, f"model {name}")
    classes = next(head.columns for head in outputs.heads if head.name == CLASS)
    for what, names, known in (
        ("channels", inputs.channel_names, tuple(TYPES)),
        ("classes", classes, tuple(OURS)),
    ):
        unknown = [each for each in names if each not in known]
        if unknown:
            raise InputError(
                f"model {name}: {what} {', '.join(unknown)} have no counterpart among CMSSW's particle-flow elements "
                f"({', '.join(known)}); leave --layout cmssw out."
            )
    if getattr(model, "uses_jet", False):
        raise InputError(f"model {name} reads quantities of the event, which CMSSW's producer does not give it.")
    form = CmsswForm(copy.deepcopy(model).cpu().eval(), inputs, outputs, decoding)
    shapes = cmssw_shapes(inputs)
    batch, nodes = torch.export.Dim.DYNAMIC, torch.export.Dim.DYNAMIC
    example = torch.ones(3, 37, len(columns_of(inputs))), torch.ones(3, 37)
    proto = exported(form, name, example, [{0: batch, 1: nodes}] * 2, shapes)
    about = {"features": json.dumps(columns_of(inputs)), "classes": json.dumps(PDG), "decoding": decoding}
    describe(proto, about)
    return proto


def _any(kind: Tensor, numbers: Sequence[float]) -> Tensor:
    found = kind == numbers[0]
    for number in numbers[1:]:
        found = found | (kind == number)
    return found


def _name(pdg: int) -> str:
    return next((name for name, number in OURS.items() if number == pdg), "")
