"""The gate of the form for CMSSW: ONNX Runtime computes of elements what torch computes, whatever their number."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from e2egraph.data.candidates import Method
from e2egraph.data.padding import DenseArrays, Float32s
from e2egraph.detector.channels import Channel
from e2egraph.errors import InputError
from e2egraph.export.cmssw_form import AT_HCAL, FEATURES, MASK, MUON, SAME, TYPES, CmsswForm, cmssw_shapes, columns_of
from e2egraph.export.made_jets import made_jets, on_phi_steps
from e2egraph.export.one_thread import one_thread_session
from e2egraph.tasks.inputs import FLAG_PREFIX, Inputs
from e2egraph.tasks.objectives.nodes import ETA_AT_VERTEX, PHI_AT_VERTEX
from e2egraph.tasks.outputs import Outputs

TOLERANCE = 1e-4

# Elements of the events compared, in addition to none and as many as are read at most.
NUMBERS = (1, 17, 256, 1000)


def elements_of(events: DenseArrays, inputs: Inputs) -> Float32s:
    """``Xfeat_normed`` [B, N, F] of padded events, as CMSSW's producer writes such elements; zero in padding.

    What its columns cannot tell of a cluster (a direction at the vertex, a φ at the HCAL) is left out.
    """
    names = columns_of(inputs)
    rows = np.zeros((*events.mask.shape, len(names)), np.float32)

    def feature(name: str) -> Float32s:
        held: Float32s = events.features[..., inputs.index(name)] if inputs.has(name) else np.zeros_like(rows[..., 0])
        return held

    def put(name: str, values: Any) -> None:
        rows[..., names.index(name)] = values

    for channel in inputs.channel_names:
        rows[..., 0] += TYPES[channel][0] * feature(FLAG_PREFIX + channel)
    for name in inputs.variable_names:
        if name in SAME or name in names:
            put(SAME.get(name, name), feature(name))
    is_track = feature(FLAG_PREFIX + Channel.TRACK.name) > 0.5
    eta, phi = events.points[..., 0], events.points[..., 1]
    at_vertex = [
        place + np.where(is_track, feature(name), 0.0)
        for place, name in zip((eta, phi), (ETA_AT_VERTEX, PHI_AT_VERTEX), strict=True)
    ]
    put("eta", at_vertex[0])
    put("sin_phi", np.sin(at_vertex[1]))
    put("cos_phi", np.cos(at_vertex[1]))
    put("eta_ecal", np.where(is_track, eta, 0.0))
    put("phi_ecal", np.where(is_track, phi, 0.0))
    if inputs.has(AT_HCAL):
        put("eta_hcal", np.where(is_track, eta, 0.0))
        put("phi_hcal", np.where(is_track, phi + feature(AT_HCAL), 0.0))
    put("muon_type", np.where(is_track, feature(MUON), 0.0))
    return rows * events.mask[..., None]


def check_cmssw(
    model: nn.Module,
    content: bytes,
    inputs: Inputs,
    outputs: Outputs,
    cap: int,
    decoding: Method = "hard",
    seed: int = 0,
) -> float:
    """The largest difference between torch and ONNX Runtime, of numbers above 1 as a share of them, over events of 0,
    ``NUMBERS`` and ``cap`` elements; InputError when it is above the tolerance or anything is not finite."""
    session = one_thread_session(content)
    device = next((tensor.device for tensor in model.parameters()), torch.device("cpu"))
    form, rng, largest = CmsswForm(model, inputs, outputs, decoding).eval(), np.random.default_rng(seed), 0.0
    names = list(cmssw_shapes(inputs)["outputs"])
    for number in sorted({0, *(n for n in NUMBERS if n < cap), cap}):
        events = on_phi_steps(made_jets("random", 1, number, rng, inputs), inputs)
        fed = {FEATURES: elements_of(events, inputs), MASK: events.mask.astype(np.float32)}
        with torch.no_grad():
            expected = form(*(torch.from_numpy(array).to(device) for array in fed.values()))
        for name, theirs, ours in zip(names, session.run(names, fed), expected, strict=True):
            known = ours.cpu().numpy()
            apart = float((np.abs(theirs - known) / np.maximum(1.0, np.abs(known))).max(initial=0.0))
            if theirs.shape != tuple(ours.shape) or not apart <= TOLERANCE:
                raise InputError(
                    f"the form for CMSSW: ONNX Runtime and torch differ by {apart:.2g} in {name} of {number} elements "
                    f"(at most {TOLERANCE:g} is allowed); the model was not exported."
                )
            largest = max(largest, apart)
    return largest
