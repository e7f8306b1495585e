"""What a variant costs and gains: shift of the scores, AUC, time and size beside ``model.onnx``, on the same jets."""

from __future__ import annotations

import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from e2egraph.data.loader import columns_for, read_jets
from e2egraph.data.padding import pad
from e2egraph.data.table import JetTable, read_table
from e2egraph.errors import InputError
from e2egraph.export.bundle import OUTPUTS, Variant, variant_file
from e2egraph.export.one_thread import one_thread_session
from e2egraph.export.parity import feeds, made_jets
from e2egraph.export.variants import convert
from e2egraph.graphs.pointclouds import PointClouds
from e2egraph.tasks.nodeselection import NodeSelection

# Training jets whose ranges int8 takes, and jets that scores are compared on.
CALIBRATION_JETS, COMPARED_JETS = 64, 1000

# Jets timed, one at a time, and how often; the two forms take turns at each.
TIMED_JETS, TURNS = 16, 5

SCORED_TOGETHER = 8


@dataclass(frozen=True)
class VariantJets:
    """Jets as selected for a model: ``calibration`` for int8, ``compared`` (of ``split``) for scores and times."""

    calibration: PointClouds
    compared: PointClouds
    split: str


def variant_jets(data: Path, selection: NodeSelection) -> VariantJets:
    """Jets of a data set, spread evenly over it: of the training split, and of the test split (or validation).

    InputError: not a data set, no training jet, neither test nor validation jets.
    """
    table = read_table(data)
    split = "test" if (table.columns["split"] == "test").any() else "validation"
    return VariantJets(
        _spread(table, "train", CALIBRATION_JETS, selection), _spread(table, split, COMPARED_JETS, selection), split
    )


def _spread(table: JetTable, split: str, number: int, selection: NodeSelection) -> PointClouds:
    numbers = table.jets_of(split)
    wanted = numbers[np.unique(np.linspace(0, len(numbers) - 1, number).round().astype(np.int64))]
    return read_jets(table, np.unique(table.group_of(wanted)), wanted, columns_for(()), selection)[1]


def make_variant(
    kind: str, content: bytes, jets: VariantJets, *, classes: tuple[str, ...], signal: str, uses_jet: bool, nodes: int
) -> tuple[bytes, Variant]:
    """The file of variant ``kind`` of the model ``content`` that reads ``nodes`` nodes a jet, and what was found.

    InputError: it cannot be made, does not load in ONNX Runtime, or gives a score that is not finite.
    """
    made = convert(kind, content, calibration=jets.calibration, uses_jet=uses_jet, n_classes=len(classes))
    label = classes.index(signal)
    float32, variant = _session(kind, content), _session(kind, made.content)
    _check_finite(kind, variant, uses_jet, nodes)
    scores = [_scores(session, jets.compared, uses_jet)[:, label] for session in (float32, variant)]
    if not np.isfinite(scores[1]).all():
        raise InputError(f"--{kind}: a score of a jet of the data set is not finite; leave the option out.")
    shift = np.abs(scores[1] - scores[0])
    auc_float32, auc = (_auc(jets.compared, label, score) for score in scores)
    return made.content, Variant(
        file=variant_file(kind),
        sha256=sha256(made.content).hexdigest(),
        bytes=len(made.content),
        model_bytes=len(content),
        operators=made.operators,
        split=jets.split,
        jets=len(jets.compared),
        largest_shift=float(shift.max(initial=0.0)),
        mean_shift=float(shift.mean()),
        auc=auc,
        auc_float32=auc_float32,
        speed_ratio=_speed_ratio(float32, variant, jets.compared, uses_jet),
    )


def _session(kind: str, content: bytes) -> onnxruntime.InferenceSession:
    try:
        return one_thread_session(content)
    except Exception as error:  # ONNX Runtime's errors have no common class
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        raise InputError(f"--{kind}: ONNX Runtime cannot load the variant ({reason}); leave the option out.") from error


def _check_finite(kind: str, session: onnxruntime.InferenceSession, uses_jet: bool, nodes: int) -> None:
    rng = np.random.default_rng(0)
    for n in (0, 1, nodes):
        (probabilities,) = session.run([OUTPUTS[0]], feeds(made_jets("random", 2, n, rng), uses_jet))
        if not np.isfinite(probabilities).all():
            raise InputError(f"--{kind}: a score is not finite on random jets, N = {n}; leave the option out.")


def _scores(session: onnxruntime.InferenceSession, clouds: PointClouds, uses_jet: bool) -> NDArray[np.float32]:
    order = np.argsort(clouds.counts, kind="stable")
    parts = []
    for start in range(0, len(order), SCORED_TOGETHER):
        jets = pad(clouds.take(order[start : start + SCORED_TOGETHER]))
        parts.append(session.run([OUTPUTS[0]], feeds(jets, uses_jet))[0])
    scores = np.concatenate(parts)
    return scores[np.argsort(order, kind="stable")]


def _auc(clouds: PointClouds, label: int, score: NDArray[np.float32]) -> float | None:
    is_signal = clouds.jets["label"] == label
    if is_signal.all() or not is_signal.any():
        return None
    return float(roc_auc_score(is_signal, score, sample_weight=clouds.jets["weight"]))


def _speed_ratio(
    float32: onnxruntime.InferenceSession, variant: onnxruntime.InferenceSession, clouds: PointClouds, uses_jet: bool
) -> float:
    """CPU time of ``float32`` over that of ``variant``: medians over the turns, summed over the jets."""
    chosen = np.unique(np.linspace(0, len(clouds) - 1, TIMED_JETS).round().astype(np.int64))
    seconds = np.empty((len(chosen), TURNS + 1, 2))
    for i, jet in enumerate(chosen):
        feed = feeds(pad(clouds.take(np.array([jet]))), uses_jet)
        for turn in range(TURNS + 1):
            for side, session in enumerate((float32, variant)):
                start = time.process_time()
                session.run([OUTPUTS[0]], feed)
                seconds[i, turn, side] = time.process_time() - start
    # The first turn of each jet makes room for its length.
    sums = np.median(seconds[:, 1:], axis=1).sum(0)
    return float(sums[0] / sums[1])
