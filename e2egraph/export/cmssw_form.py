"""A particle-flow network in the form that CMSSW's MLPFProducer reads: names, ranks and order of its tensors.

The 55 columns of an element and the nine classes are those of ``RecoParticleFlow/PFProducer/interface/MLPFModel.h``
(cms-sw/cmssw). Node variables that CMSSW does not have follow as further columns, which its producer does not fill.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

import onnx
import onnx.compose
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from e2egraph.data.candidates import Decoding, Method, check_particle_flow
from e2egraph.errors import InputError
from e2egraph.export.bundle import Shapes, input_shapes, output_shapes
from e2egraph.export.onnx import EXAMPLE_JETS, EXAMPLE_NODES, OnnxForm, check_graph, describe, exported
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

# Tensors between the parts of the form begin with it: CMSSW's and the network's have some names in common.
_BETWEEN = "between_"

# Outputs and their columns, in the order in which the producer reads them.
OUTPUTS = {"bid": 2, "id": len(PDG), "momentum": 5, "pu": 2}

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
    return {
        "inputs": {FEATURES: [*rows, len(columns_of(inputs))], MASK: rows},
        "outputs": {name: [*rows, size] for name, size in OUTPUTS.items()},
    }


def read_tensors(outputs: Outputs) -> list[str]:
    """The network's tensors that candidates are made of: particle or not, class, momentum, pile-up; logits."""
    return [
        head.tensors[-1] for part in (PARTICLE, CLASS, MOMENTUM, PILEUP) for head in outputs.heads if head.name == part
    ]


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
        self.nodes, self.network = NodesOfElements(inputs), OnnxForm(model, inputs, outputs)
        self.particles = ParticlesOfNodes(inputs, outputs, decoding)
        self._places = [list(outputs.tensors).index(tensor) for tensor in read_tensors(outputs)]

    def forward(self, elements: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        nodes = self.nodes(elements, mask)
        tensors = self.network(*nodes)
        found: tuple[Tensor, ...] = self.particles(*nodes, *(tensors[place] for place in self._places))
        return found


class ParticlesOfNodes(nn.Module):
    """Nodes, as ``NodesOfElements`` gives them, and the network's ``read_tensors`` → what ``CmsswForm`` gives.

    ``particle`` [B, N, 2] and ``logits`` [B, N, classes]: logits; ``relative`` [B, N, 5]: momenta relative to the
    element; ``pileup`` [B, N, 1]: logit.
    """

    def __init__(self, inputs: Inputs, outputs: Outputs, decoding: Method) -> None:
        super().__init__()
        self.elements, self.soft = Elements(inputs), decoding == "soft"
        classes = next(head.columns for head in outputs.heads if head.name == CLASS)
        self.places = [classes.index(name) if name in classes else None for name in (_name(pdg) for pdg in PDG)]

    def forward(
        self,
        points: Tensor,
        features: Tensor,
        mask: Tensor,
        particle: Tensor,
        logits: Tensor,
        relative: Tensor,
        pileup: Tensor,
    ) -> tuple[Tensor, ...]:
        valid = mask.transpose(1, 2) > 0.5
        of_elements = self.elements.momenta(points.transpose(1, 2), features.transpose(1, 2))
        found = particle_momenta(relative, of_elements)
        logs = [
            torch.log(one.clamp(min=LEAST_MOMENTUM) / other.clamp(min=LEAST_MOMENTUM))
            for one, other in ((found.pt, of_elements.pt), (found.energy, of_elements.energy))
        ]
        if self.soft:
            certainty = particle[..., 1] - particle[..., 0]
            logs = [one + F.logsigmoid(certainty) for one in logs]
            particle = torch.stack([torch.zeros_like(certainty), certainty - LEAST_CERTAINTY], dim=-1)
            logits = torch.cat([torch.full_like(logits[..., :1], ABSENT), logits[..., 1:]], dim=-1)
        momentum = torch.stack([logs[0], found.eta, torch.sin(found.phi), torch.cos(found.phi), logs[1]], dim=-1)
        absent = torch.full_like(pileup, ABSENT)
        of_classes = [absent if place is None else logits[..., place : place + 1] for place in self.places]
        given = (
            particle,
            torch.cat(of_classes, dim=-1),
            momentum,
            torch.cat([torch.zeros_like(pileup), pileup], dim=-1),
        )
        return tuple(torch.where(valid, tensor, 0.0) for tensor in given)


class NodesOfElements(nn.Module):
    """``Xfeat_normed [B, N, F]``, ``mask [B, N]`` → what ``OnnxForm`` reads: points [B, 2, N], features [B, V, N] and
    mask [B, 1, N], all zero for elements of types that the network does not read."""

    def __init__(self, inputs: Inputs) -> None:
        super().__init__()
        self.inputs, self.columns = inputs, columns_of(inputs)

    def forward(self, elements: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        read = [number for name in self.inputs.channel_names for number in TYPES[name]]
        valid = ((mask > 0.5) & _any(elements[..., 0], read)).unsqueeze(2)
        points, features = self.nodes(torch.where(valid, elements, 0.0))
        return points.transpose(1, 2), features.transpose(1, 2), valid.to(elements.dtype).transpose(1, 2)

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
        return torch.stack(place, dim=-1), features

    def _column(self, rows: Tensor, name: str) -> Tensor:
        return rows[..., self.columns.index(name)]


def to_cmssw(
    network: onnx.ModelProto, name: str, inputs: Inputs, outputs: Outputs, decoding: Method = "hard"
) -> onnx.ModelProto:
    """Put an exported network (``to_onnx``) of model ``name`` into this form (``CmsswForm``); InputError when it is no
    particle flow, or reads channels that have no type of element, object quantities or classes that CMSSW does not
    have."""
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
    if "jet" in {entry.name for entry in network.graph.input}:
        raise InputError(f"model {name} reads quantities of the event, which CMSSW's producer does not give it.")
    shapes, nodes = cmssw_shapes(inputs), input_shapes(inputs, uses_jet=False)
    read = {tensor: output_shapes(outputs)[tensor] for tensor in read_tensors(outputs)}
    particles = ParticlesOfNodes(inputs, outputs, decoding)
    before = _part(NodesOfElements(inputs), name, {"inputs": shapes["inputs"], "outputs": _between(nodes)})
    after = _part(particles, name, {"inputs": _between(nodes | read), "outputs": shapes["outputs"]})
    proto = _joined(before, network, after, list(nodes), list(read))
    check_graph(proto, shapes)
    about = {"features": json.dumps(columns_of(inputs)), "classes": json.dumps(PDG), "decoding": decoding}
    describe(proto, about)
    return proto


def _between(shapes: Shapes) -> Shapes:
    return {_BETWEEN + tensor: shape for tensor, shape in shapes.items()}


def _part(form: nn.Module, name: str, shapes: Mapping[str, Shapes]) -> onnx.ModelProto:
    """The ONNX graph of what stands before or after the network."""
    sizes: dict[str | int, int] = {"batch": EXAMPLE_JETS, "nodes": EXAMPLE_NODES}
    dims = shapes["inputs"].values()
    tensors = [torch.ones([size if isinstance(size, int) else sizes[size] for size in shape]) for shape in dims]
    dynamic = [
        {axis: torch.export.Dim.DYNAMIC for axis, size in enumerate(shape) if isinstance(size, str)} for shape in dims
    ]
    return exported(form, name, tensors, dynamic, shapes)


def _joined(
    before: onnx.ModelProto, network: onnx.ModelProto, after: onnx.ModelProto, nodes: Sequence[str], read: Sequence[str]
) -> onnx.ModelProto:
    """One graph of the three: elements → ``nodes`` → what is ``read`` of the network → what CMSSW reads."""
    before = onnx.compose.add_prefix(before, "nodes/", rename_inputs=False)
    after = onnx.compose.add_prefix(after, "particles/", rename_outputs=False)
    network = onnx.compose.add_prefix(network, "network/")
    network.metadata_props.clear()
    given = [(f"network/{tensor}", f"particles/{_BETWEEN}{tensor}") for tensor in read]
    both = onnx.compose.merge_models(network, after, given)
    given = [(f"nodes/{_BETWEEN}{tensor}", f"network/{tensor}") for tensor in nodes]
    given += [(f"nodes/{_BETWEEN}{tensor}", f"particles/{_BETWEEN}{tensor}") for tensor in nodes]
    proto = onnx.compose.merge_models(before, both, given, outputs=list(OUTPUTS), name=network.graph.name)
    versions = {entry.domain: entry.version for entry in proto.opset_import}
    proto.opset_import.clear()
    proto.opset_import.extend(onnx.helper.make_opsetid(domain, version) for domain, version in versions.items())
    return proto


def _any(kind: Tensor, numbers: Sequence[float]) -> Tensor:
    found = kind == numbers[0]
    for number in numbers[1:]:
        found = found | (kind == number)
    return found


def _name(pdg: int) -> str:
    return next((name for name, number in OURS.items() if number == pdg), "")
