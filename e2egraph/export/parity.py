"""The gate: an exported model leaves only if ONNX Runtime computes what torch computes, whatever the jets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from e2egraph.data.padding import FEATURE_NAMES, DenseArrays
from e2egraph.detector.channels import Channel, channels
from e2egraph.detector.geometry import ETA_PITCH, PHI_PITCH, WINDOW_HALF_WIDTH
from e2egraph.errors import InputError
from e2egraph.export.one_thread import one_thread_session
from e2egraph.graphs.columns import JET_VARIABLES, VARIABLES

# The largest difference between the logits of torch and of ONNX Runtime that still passes.
TOLERANCE = 1e-4

BATCHES = (1, 2, 7)

# A case is held to B · N² of this: kernels that compare all pairs need memory for them.
MAX_PAIRS = 2**24

Float32s = NDArray[np.float32]


@dataclass(frozen=True)
class ParityReport:
    """Cases compared, jets in them, the largest difference between logits, and the case where it was.

    ``real_jets``: how many of them come from a data set; ``largest_exchange``: in ordering those by signal
    probability, the largest difference between two that torch and ONNX Runtime put in different order.
    """

    cases: int
    jets: int
    largest_difference: float
    worst_case: str
    real_jets: int = 0
    largest_exchange: float = 0.0


@dataclass(frozen=True)
class Case:
    """Jets to compare on, with a name for error messages; ``first``: the first one's number in the data set."""

    name: str
    jets: DenseArrays
    first: int | None = None


def check_parity(
    model: nn.Module,
    onnx_model: bytes,
    *,
    max_nodes: int,
    sample: DenseArrays | None = None,
    signal: int = 0,
    seed: int = 0,
) -> ParityReport:
    """Compare torch and ONNX Runtime on ``parity_cases``; InputError naming the first case that fails.

    Logits and probabilities may differ by ``TOLERANCE``, and so may the probabilities of class ``signal`` of two real
    jets that the two order differently.
    The network gets random jet quantities whether or not it says it reads them: one that does so without
    ``uses_jet`` fails here, as its exported form has no such input.
    """
    uses_jet = bool(getattr(model, "uses_jet", False))
    try:
        session = one_thread_session(onnx_model)
    except Exception as error:  # ONNX Runtime's errors have no common class
        raise InputError(f"the exported model does not load in ONNX Runtime ({_line(error)}).") from error
    device = next((tensor.device for tensor in model.parameters()), torch.device("cpu"))
    was_training = model.training
    model.eval()
    largest, worst, cases, jets = 0.0, "none", 0, 0
    real = np.zeros((2, 0 if sample is None else len(sample)), np.float32)
    try:
        for case in parity_cases(neighbors_of(model), max_nodes, sample, seed):
            difference, probabilities = _compare(model, session, case, uses_jet, device)
            cases, jets = cases + 1, jets + len(case.jets)
            if case.first is not None:
                real[:, case.first : case.first + len(case.jets)] = probabilities[..., signal]
            if difference >= largest:
                largest, worst = difference, case.name
    finally:
        model.train(was_training)
    return ParityReport(cases, jets, largest, worst, real.shape[1], check_order(*real))


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
            f"jets {order[first]} and {order[worst]} of the data set are not in the same order by ONNX Runtime "
            f"(probabilities {onnxs[order[first]]:.6g}, {onnxs[order[worst]]:.6g}) as by torch ({ranked[first]:.6g}, "
            f"{ranked[worst]:.6g}); the model was not exported."
        )
    return largest


def parity_cases(neighbors: int, max_nodes: int, sample: DenseArrays | None, seed: int) -> Iterator[Case]:
    """Every B of 1, 2, 7 with every N of 0, 1, k − 1, k, 100 and the maximum, on three kinds of jets; real jets last.

    Kinds: ``random`` (as a jet looks), ``lattice`` (equal deposits on crystal centres: equal distances everywhere),
    ``coincident`` (several copies of few nodes). In batches, some jets are shorter than N and one is empty.
    """
    rng = np.random.default_rng(seed)
    lengths = sorted({0, 1, max(neighbors - 1, 0), neighbors, min(100, max_nodes), max_nodes})
    for n in lengths:
        for batch in sorted({min(b, max(1, MAX_PAIRS // max(1, n * n))) for b in BATCHES}):
            for kind in ("random", "lattice", "coincident"):
                yield Case(f"{kind} jets, B = {batch}, N = {n}", made_jets(kind, batch, n, rng))
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
            yield Case(f"jets {start} to {stop - 1} of the data set, N = {taken.mask.shape[1]}", taken, start)


def neighbors_of(model: nn.Module) -> int:
    """The k of a model's ``options.neighbors``, where small jets are a case of their own; 16 for models without one."""
    return int(getattr(getattr(model, "options", None), "neighbors", 16))


def made_jets(kind: str, batch: int, n: int, rng: np.random.Generator) -> DenseArrays:
    """``batch`` artificial jets padded to ``n`` nodes; see ``parity_cases`` for the kinds."""
    full = (batch, n)
    channel = rng.integers(0, len(channels()), full)
    cells = rng.normal(0.0, WINDOW_HALF_WIDTH / 3, (*full, 2)).clip(-WINDOW_HALF_WIDTH, WINDOW_HALF_WIDTH)
    if kind != "random":
        cells = np.round(cells / 4) * 4 if kind == "lattice" else np.round(cells / 20) * 20
    points = (cells * (ETA_PITCH, PHI_PITCH)).astype(np.float32)
    hit = (channel != Channel.TRACK) & (channel < Channel.ECAL)
    track = channel == Channel.TRACK
    spread = rng.normal(0.0, 1.0, (*full, len(VARIABLES))) if kind == "random" else np.ones((*full, len(VARIABLES)))
    energy = np.exp(1.5 * spread[..., 0]) if kind == "random" else np.ones(full)
    radius = np.array([c.radius for c in channels().values()])
    columns = {
        "rho": radius[channel],
        "value": np.where(hit, 1.0, energy),
        "d0": 0.02 * spread[..., 2] * track,
        "dz": 0.05 * spread[..., 3] * track,
        "d0_sig": 2.0 * spread[..., 4] * track,
        "dz_sig": 2.0 * spread[..., 5] * track,
        "charge": np.sign(spread[..., 6]) * track,
        "time": spread[..., 7] * (channel == Channel.ECAL),
    }
    features = np.zeros((*full, len(FEATURE_NAMES)), np.float32)
    for i, name in enumerate(VARIABLES):
        features[..., i] = columns[name]
    features[..., len(VARIABLES) :] = np.eye(len(channels()), dtype=np.float32)[channel]
    # The first jet is full; of the others one is empty and the rest end anywhere.
    counts = np.array([n, 0, *rng.integers(0, n + 1, max(0, batch - 2))])[:batch]
    mask = np.arange(n) < counts[:, None]
    return DenseArrays(
        points=points * mask[..., None],
        features=features * mask[..., None],
        mask=mask,
        jet=rng.exponential(100.0, (batch, len(JET_VARIABLES))).astype(np.float32),
        label=np.zeros(batch, np.int64),
        weight=np.ones(batch, np.float32),
        target=np.zeros((batch, 0), np.float32),
    )


def feeds(jets: DenseArrays, uses_jet: bool) -> dict[str, Float32s]:
    """The inputs of an exported model, channels first."""
    inputs = {
        "points": np.ascontiguousarray(jets.points.transpose(0, 2, 1)),
        "features": np.ascontiguousarray(jets.features.transpose(0, 2, 1)),
        "mask": np.ascontiguousarray(jets.mask[:, None, :], np.float32),
    }
    return inputs | ({"jet": np.ascontiguousarray(jets.jet[:, :, None])} if uses_jet else {})


def _compare(
    model: nn.Module, session: onnxruntime.InferenceSession, case: Case, uses_jet: bool, device: torch.device
) -> tuple[float, Float32s]:
    """Largest difference between the logits of the two, and the probabilities [2, B, C] by torch and ONNX Runtime.

    InputError when it is too large or anything is not finite.
    """
    jets = case.jets
    with torch.no_grad():
        tensors = [torch.from_numpy(array).to(device) for array in (jets.points, jets.features, jets.mask, jets.jet)]
        scores = model(*tensors).cpu()
    expected, probabilities = scores.numpy(), scores.softmax(-1).numpy()
    try:
        softmax, logits = session.run(["softmax", "logits"], feeds(jets, uses_jet))
    except Exception as error:  # ONNX Runtime's errors have no common class
        raise InputError(f"the exported model fails in ONNX Runtime on {case.name} ({_line(error)}).") from error
    if logits.shape != expected.shape:
        raise InputError(f"on {case.name} ONNX Runtime gives shape {logits.shape} and torch {expected.shape}.")
    if not all(np.isfinite(values).all() for values in (expected, logits, softmax)):
        raise InputError(f"a score is not finite on {case.name}; the model was not exported.")
    difference = float(np.abs(logits - expected).max(initial=0.0))
    for name, largest in (
        ("logits", difference),
        ("probabilities", float(np.abs(softmax - probabilities).max(initial=0.0))),
    ):
        if largest > TOLERANCE:
            raise InputError(
                f"ONNX Runtime and torch differ by {largest:.2g} in {name} on {case.name} (at most {TOLERANCE:g} is "
                "allowed); the model was not exported."
            )
    return difference, np.stack([probabilities, softmax])


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


def _line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
