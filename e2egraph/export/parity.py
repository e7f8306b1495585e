"""The gate: an exported model leaves only if ONNX Runtime computes what torch computes, whatever the jets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from e2egraph.data.padding import DenseArrays
from e2egraph.errors import InputError, first_line
from e2egraph.export.bundle import class_head
from e2egraph.export.feeds import feeds
from e2egraph.export.made_jets import KINDS, made_jets
from e2egraph.export.node_gate import check_nodes
from e2egraph.export.one_thread import one_thread_session
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Head, Outputs

# The largest difference between torch and ONNX Runtime that still passes: in logits and probabilities, and in
# predictions as a share of their scale (of the distance to the offset where that is larger: float32 has seven digits).
TOLERANCE = 1e-4

BATCHES = (1, 2, 7)

# A case is held to B · N² of this: kernels that compare all pairs need memory for them.
MAX_PAIRS = 2**24

Float32s = NDArray[np.float32]


@dataclass(frozen=True)
class ParityReport:
    """Cases compared, jets in them, the largest difference between outputs, and the case where it was.

    ``largest_difference``: as ``TOLERANCE`` counts it. ``real_jets``: how many of the jets come from a data set;
    ``largest_exchange``: in ordering those by signal probability, the largest difference between two that torch and
    ONNX Runtime put in different order (None: there is no signal). ``nodes``: what was found of outputs of nodes
    (``node_gate``), nothing for those of objects.
    """

    cases: int
    jets: int
    largest_difference: float
    worst_case: str
    real_jets: int = 0
    largest_exchange: float | None = None
    nodes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """Jets to compare on, with a name for error messages; ``first``: the first one's number in the data set."""

    name: str
    jets: DenseArrays
    first: int | None = None


def check_parity(
    model: nn.Module,
    onnx_model: bytes,
    inputs: Inputs,
    outputs: Outputs,
    *,
    cap: int,
    sample: DenseArrays | None = None,
    signal: str | None = None,
    seed: int = 0,
) -> ParityReport:
    """Compare torch and ONNX Runtime on ``parity_cases``; InputError naming the first case that fails.

    Every head's outputs may differ by ``TOLERANCE``, and so may the probabilities of class ``signal`` (None: not
    looked at) of two real jets that the two order differently.
    The network gets random jet quantities whether or not it says it reads them: one that does so without
    ``uses_jet`` fails here, as its exported form has no such input.
    """
    uses_jet = bool(getattr(model, "uses_jet", False))
    try:
        session = one_thread_session(onnx_model)
    except Exception as error:  # ONNX Runtime's errors have no common class
        raise InputError(f"the exported model does not load in ONNX Runtime ({first_line(error)}).") from error
    device = next((tensor.device for tensor in model.parameters()), torch.device("cpu"))
    was_training = model.training
    model.eval()
    largest, worst, cases, jets = 0.0, "none", 0, 0
    real = np.zeros((2, 0 if sample is None else len(sample)), np.float32)
    head = class_head(outputs)
    column = head.columns.index(signal) if head is not None and signal in head.columns else None
    try:
        for case in parity_cases(neighbors_of(model), cap, sample, seed, inputs):
            compared = _compare(model, session, case, outputs, uses_jet, device)
            cases, jets = cases + 1, jets + len(case.jets)
            if case.first is not None and column is not None and compared.probabilities is not None:
                real[:, case.first : case.first + len(case.jets)] = compared.probabilities[..., column]
            if compared.difference >= largest:
                largest, worst = compared.difference, case.name
        of_nodes = check_nodes(model, session, inputs, outputs, cap, seed) if outputs.level == "node" else {}
    finally:
        model.train(was_training)
    exchange = None if column is None else check_order(*real)
    return ParityReport(cases, jets, largest, worst, real.shape[1], exchange, of_nodes)


def check_order(torchs: Float32s, onnxs: Float32s) -> float:
    """The largest exchange (``ParityReport``) between two columns of probabilities [J] of the same jets.

    InputError naming two jets whose order is not kept, though they differ by more than ``TOLERANCE``.
    """
    order = np.argsort(onnxs, kind="stable")
    ranked = torchs[order]
    before = np.maximum.accumulate(ranked)
    exchange = before - ranked
    worst = int(np.argmax(exchange)) if len(exchange) else 0
    largest = float(exchange.max(initial=0.0))
    if largest > TOLERANCE:
        first = int(np.flatnonzero(ranked == before[worst])[0])
        raise InputError(
            f"objects {order[first]} and {order[worst]} of the data set are not in the same order by ONNX Runtime "
            f"(probabilities {onnxs[order[first]]:.6g}, {onnxs[order[worst]]:.6g}) as by torch ({ranked[first]:.6g}, "
            f"{ranked[worst]:.6g}); the model was not exported."
        )
    return largest


def parity_cases(neighbors: int, cap: int, sample: DenseArrays | None, seed: int, inputs: Inputs) -> Iterator[Case]:
    """Every B of 1, 2, 7 with every N of 0, 1, k − 1, k, 100 and the cap, on all ``made_jets``; real jets last.

    In batches, some jets are shorter than N and one is empty.
    """
    rng = np.random.default_rng(seed)
    lengths = sorted({0, 1, max(neighbors - 1, 0), neighbors, min(100, cap), cap})
    for n in lengths:
        for batch in sorted({min(b, max(1, MAX_PAIRS // max(1, n * n))) for b in BATCHES}):
            for kind in KINDS:
                yield Case(f"{kind} objects, B = {batch}, N = {n}", made_jets(kind, batch, n, rng, inputs))
    if sample is not None:
        yield from _real_cases(sample)


def _real_cases(sample: DenseArrays) -> Iterator[Case]:
    """The first jet alone, then all of them, as many together as memory bears."""
    longest = max(1, int(sample.mask.sum(1).max(initial=0)))
    size = max(1, MAX_PAIRS // longest**2)
    starts = range(0, len(sample), size)
    for start, stop in [(0, 1), *((start, min(start + size, len(sample))) for start in starts)]:
        taken = _slice(sample, start, stop)
        if len(taken):
            yield Case(f"objects {start} to {stop - 1} of the data set, N = {taken.mask.shape[1]}", taken, start)


def neighbors_of(model: nn.Module) -> int:
    """The k of a model's ``options.neighbors``, where small jets are a case of their own; 16 for models without one."""
    return int(getattr(getattr(model, "options", None), "neighbors", 16))


@dataclass(frozen=True)
class _Compared:
    """``difference``: the largest, as ``TOLERANCE`` has it; ``probabilities`` [2, B, C] by torch and ONNX Runtime."""

    difference: float
    probabilities: Float32s | None


def _compare(
    model: nn.Module,
    session: onnxruntime.InferenceSession,
    case: Case,
    outputs: Outputs,
    uses_jet: bool,
    device: torch.device,
) -> _Compared:
    """InputError when a difference is too large or anything is not finite."""
    jets = case.jets
    with torch.no_grad():
        tensors = [torch.from_numpy(array).to(device) for array in (jets.points, jets.features, jets.mask, jets.jet)]
        values = model(*tensors).cpu()
        if outputs.level == "node":
            values = values.masked_fill(~torch.from_numpy(jets.mask).unsqueeze(2), 0.0)
    try:
        given = dict(zip(outputs.tensors, session.run(list(outputs.tensors), feeds(jets, uses_jet)), strict=True))
    except Exception as error:  # ONNX Runtime's errors have no common class
        raise InputError(f"the exported model fails in ONNX Runtime on {case.name} ({first_line(error)}).") from error
    largest, probabilities = 0.0, None
    for head in outputs.heads:
        expected = values[..., outputs.slices[head.name]]
        if head.activation == "softmax":
            softmax, logits = (given[name] for name in head.tensors)
            both = np.stack([expected.softmax(-1).numpy(), softmax])
            largest = max(largest, _difference(logits, expected.numpy(), "logits", case))
            _difference(softmax, both[0], "probabilities", case)
            probabilities = both
        else:
            largest = max(largest, _difference(given[head.tensors[0]], expected.numpy(), "predictions", case, head))
    return _Compared(largest, probabilities)


def _difference(given: Float32s, expected: Float32s, what: str, case: Case, head: Head | None = None) -> float:
    """The largest difference, in units of a head's scale where one is given; InputError when it is too large."""
    if given.shape != expected.shape:
        raise InputError(f"on {case.name} ONNX Runtime gives shape {given.shape} and torch {expected.shape}.")
    if not (np.isfinite(expected).all() and np.isfinite(given).all()):
        raise InputError(f"a score is not finite on {case.name}; the model was not exported.")
    shares = shares_of_unit(given, expected, head)
    largest = float(shares.max(initial=0.0))
    if largest > TOLERANCE:
        column = int(np.unravel_index(np.argmax(shares), shares.shape)[-1])
        which = f"{what} of {head.columns[column]} (in units of its scale)" if head is not None else what
        raise InputError(
            f"ONNX Runtime and torch differ by {largest:.2g} in {which} on {case.name} (at most {TOLERANCE:g} is "
            "allowed); the model was not exported."
        )
    return largest


def shares_of_unit(given: Float32s, expected: Float32s, head: Head | None = None) -> Float32s:
    """Differences [..., C] as ``TOLERANCE`` counts them: of predictions of ``head``, else of logits, probabilities."""
    difference = np.abs(given - expected)
    if head is None:
        return difference
    offset, scale = (np.array(values, np.float32) for values in (head.offset or (0.0,), head.scale or (1.0,)))
    unit: Float32s = np.maximum(np.abs(scale), np.abs(expected - offset))
    return difference / unit


def _slice(sample: DenseArrays, start: int, stop: int) -> DenseArrays:
    """Jets ``start`` to ``stop``, without padding that none of them needs."""
    longest = int(sample.mask[start:stop].sum(1).max(initial=0))
    return DenseArrays(
        points=sample.points[start:stop, :longest],
        features=sample.features[start:stop, :longest],
        mask=sample.mask[start:stop, :longest],
        jet=sample.jet[start:stop],
        label=sample.label[start:stop],
        weight=sample.weight[start:stop],
        target=sample.target[start:stop],
    )
