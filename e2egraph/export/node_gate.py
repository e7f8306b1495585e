"""The gate's further checks of outputs of nodes: their order, a turned event, and what candidates add up to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from e2egraph.data.candidates import Decoding, decode, is_particle_flow
from e2egraph.data.padding import DenseArrays, Float32s
from e2egraph.errors import InputError
from e2egraph.export.feeds import feeds
from e2egraph.export.made_jets import made_jets, on_phi_steps
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs

# As of the gate: outputs may differ by this much, and sums of pT by this share.
TOLERANCE = 1e-4

# Nodes of the event that is looked at.
NODES = 1000


def check_nodes(
    model: nn.Module, session: Any, inputs: Inputs, outputs: Outputs, cap: int, seed: int
) -> dict[str, float]:
    """Of a random event of up to ``NODES`` nodes in ONNX Runtime, as shares of the outputs' scales:

    ``permuted``: the largest difference where the nodes come in another order; ``turned``: the share of nodes whose
    outputs differ by more than the tolerance where φ is turned by π, which is 0 but for nodes at the edges of bins and
    windows (only where regions close in φ); ``sum_pt``: the relative difference of Σ pT of soft candidates to torch's
    (only of particle flow). InputError when the first or the last is too large.
    """
    uses_jet = bool(getattr(model, "uses_jet", False))
    rng = np.random.default_rng(seed)
    event = on_phi_steps(made_jets("random", 1, min(NODES, cap), rng, inputs), inputs)
    base, found = _run(session, event, outputs, uses_jet), {}
    order = rng.permutation(event.mask.shape[1])
    shuffled = replace(event, points=event.points[:, order], features=event.features[:, order])
    scale = np.abs(np.array(outputs.scale, np.float32))
    permuted = np.abs(_run(session, shuffled, outputs, uses_jet) - base[:, order]) / scale
    found["permuted"] = float(permuted.max(initial=0.0))
    if found["permuted"] > TOLERANCE:
        raise InputError(
            f"nodes in another order give outputs that differ by {found['permuted']:.2g} in ONNX Runtime (at most "
            f"{TOLERANCE:g} is allowed); the model was not exported."
        )
    if inputs.region.periodic:
        turned = event.points + np.array([0.0, np.pi], np.float32)
        turned[..., 1] -= np.float32(2 * np.pi) * (turned[..., 1] >= np.pi)
        apart = np.abs(_run(session, replace(event, points=turned), outputs, uses_jet) - base) / scale
        found["turned"] = float((apart.max(axis=-1) > TOLERANCE).mean()) if apart.size else 0.0
    if is_particle_flow(outputs):
        device = next((tensor.device for tensor in model.parameters()), torch.device("cpu"))
        with torch.no_grad():
            arrays = (event.points, event.features, event.mask, event.jet)
            torchs = model(*(torch.from_numpy(array).to(device) for array in arrays)).cpu().numpy()
        row, soft = np.zeros(1, np.int64), Decoding(method="soft", least_probability=0.0)
        theirs, ours = (
            float(decode(values, event, row, inputs, outputs, soft)["pt"].sum(dtype=np.float64))
            for values in (base, torchs)
        )
        found["sum_pt"] = abs(theirs - ours) / max(abs(ours), 1e-6)
        if not found["sum_pt"] <= TOLERANCE:
            raise InputError(
                f"Σ pT of the candidates of ONNX Runtime and of torch differ by a share of {found['sum_pt']:.2g} (at "
                f"most {TOLERANCE:g} is allowed); the model was not exported."
            )
    return found


def _run(session: Any, event: DenseArrays, outputs: Outputs, uses_jet: bool) -> Float32s:
    """All columns [1, N, C] by ONNX Runtime."""
    names = [head.tensors[0] for head in outputs.heads]
    return np.concatenate(session.run(names, feeds(event, uses_jet)), axis=-1)
