"""What a variant costs and gains: shift of its outputs, AUC or error, time and size next to ``model.onnx``, on the same
jets.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from e2egraph.data.loading.pools import columns_for, read_jets
from e2egraph.data.padding import pad
from e2egraph.data.table import JetTable
from e2egraph.detector.channels import LARGEST_NUMBER
from e2egraph.errors import InputError, first_line
from e2egraph.export.bundle import BundleInfo, Shift, Variant, first_tensors, variant_file
from e2egraph.export.feeds import feeds
from e2egraph.export.made_jets import made_jets
from e2egraph.export.one_thread import one_thread_session
from e2egraph.export.variants import convert
from e2egraph.graphs.storage.columns import TARGET_PREFIX
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.nodeselection import NodeSelection
from e2egraph.tasks.objectives.description import learnt_classes
from e2egraph.tasks.outputs import Head, Outputs

# Training jets whose ranges int8 takes, and jets that scores are compared on.
CALIBRATION_JETS, COMPARED_JETS = 64, 1000

# Jets timed, one at a time, and how often; the two forms take turns at each.
TIMED_JETS, TURNS = 16, 5

SCORED_TOGETHER = 8

Float32s = NDArray[np.float32]


@dataclass(frozen=True)
class VariantJets:
    """Jets as selected for a model: ``calibration`` for int8, ``compared`` (of ``split``) for scores and times."""

    calibration: PointClouds
    compared: PointClouds
    split: str


def variant_jets(table: JetTable, selection: NodeSelection, numbers: Mapping[str, int] | None = None) -> VariantJets:
    """Jets of a data set, spread evenly over it: of the training split, and of the test split (or validation).

    ``table``: read by the network (``JetTable.read_by``); ``numbers``: channel → its number for the network, that of
    the data set where not given. InputError: no training jet, neither test nor validation
    jets.
    """
    split = "test" if (table.columns["split"] == "test").any() else "validation"
    calibration, compared = (
        _spread(table, chosen, number, selection, numbers or table.inputs.numbers)
        for chosen, number in (("train", CALIBRATION_JETS), (split, COMPARED_JETS))
    )
    return VariantJets(calibration, compared, split)


def _spread(
    table: JetTable, split: str, number: int, selection: NodeSelection, numbers: Mapping[str, int]
) -> PointClouds:
    jets = table.jets_of(split)
    wanted = jets[np.unique(np.linspace(0, len(jets) - 1, number).round().astype(np.int64))]
    columns = columns_for(table.inputs, table.manifest.targets)
    clouds = read_jets(table, np.unique(table.group_of(wanted)), wanted, columns, selection)[1]
    renumbered = np.arange(LARGEST_NUMBER + 1, dtype=clouds.nodes["channel"].dtype)
    for name, held in table.inputs.numbers.items():
        renumbered[held] = numbers[name]
    return replace(clouds, nodes={**clouds.nodes, "channel": renumbered[clouds.nodes["channel"]]})


def make_variant(
    kind: str,
    content: bytes,
    jets: VariantJets,
    *,
    info: BundleInfo,
    inputs: Inputs,
    outputs: Outputs,
    uses_jet: bool,
) -> tuple[bytes, Variant]:
    """The file of variant ``kind`` of the model ``content`` that ``info`` describes, and what was found.

    InputError: it cannot be made, does not load in ONNX Runtime, or gives an output that is not finite.
    """
    made = convert(kind, content, calibration=jets.calibration, inputs=inputs, outputs=outputs, uses_jet=uses_jet)
    tensors, fed = first_tensors(outputs), _Fed(inputs, uses_jet)
    float32, variant = (_Form(kind, _session(kind, each), tensors) for each in (content, made.content))
    _check_finite(kind, variant, fed, info.cap)
    before, after = (_outputs_of(form, jets.compared, fed) for form in (float32, variant))
    if not all(np.isfinite(values).all() for values in after):
        raise InputError(f"--{kind}: an output for an object of the data set is not finite; leave the option out.")
    shifts: dict[str, Shift] = {}
    for head, old, new in zip(outputs.heads, before, after, strict=True):
        measure = _class_shift if head.activation == "softmax" else _target_shifts
        shifts |= measure(head, old, new, jets.compared, info)
    return made.content, Variant(
        file=variant_file(kind),
        sha256=sha256(made.content).hexdigest(),
        bytes=len(made.content),
        model_bytes=len(content),
        operators=made.operators,
        split=jets.split,
        jets=len(jets.compared),
        shifts=shifts,
        speed_ratio=_speed_ratio(float32, variant, jets.compared, fed),
    )


@dataclass(frozen=True)
class _Fed:
    """How point clouds become a model's inputs."""

    inputs: Inputs
    uses_jet: bool

    def made(self, n: int, rng: np.random.Generator) -> dict[str, Float32s]:
        return feeds(made_jets("random", 2, n, rng, self.inputs), self.uses_jet)

    def of(self, clouds: PointClouds) -> dict[str, Float32s]:
        return feeds(pad(clouds, self.inputs), self.uses_jet)


@dataclass(frozen=True)
class _Form:
    """One form of the model, made for variant ``kind``, and which of its tensors are asked for."""

    kind: str
    session: onnxruntime.InferenceSession
    tensors: list[str]

    def run(self, feed: dict[str, Float32s]) -> list[Float32s]:
        try:
            found: list[Float32s] = self.session.run(self.tensors, feed)
        except Exception as error:  # ONNX Runtime's errors have no common class
            raise InputError(
                f"--{self.kind}: ONNX Runtime cannot run the variant ({first_line(error)}); leave the option out."
            ) from error
        return found


def _class_shift(
    head: Head, before: Float32s, after: Float32s, clouds: PointClouds, info: BundleInfo
) -> dict[str, Shift]:
    """Shift of the signal class's probability, and AUC where both signal and another class are there."""
    signal = info.signal
    if signal is None or signal not in head.columns:
        return {}
    column = head.columns.index(signal)
    scores = before[:, column], after[:, column]
    is_signal = clouds.jets["label"] == info.classes.index(signal)
    weight = clouds.jets["weight"]
    aucs: list[float | None] = [None, None]
    if is_signal.any() and not is_signal.all():
        aucs = [float(roc_auc_score(is_signal, score, sample_weight=weight)) for score in scores]
    largest, mean = _shift(*scores)
    return {signal: Shift(largest_shift=largest, mean_shift=mean, auc_float32=aucs[0], auc=aucs[1])}


def _target_shifts(
    head: Head, before: Float32s, after: Float32s, clouds: PointClouds, info: BundleInfo
) -> dict[str, Shift]:
    """Shift of each predicted quantity, and its mean absolute error over the jets that it is learnt from."""
    labels = [info.classes.index(name) for name in learnt_classes(info.objective, head.name)]
    learnt = np.isin(clouds.jets["label"], labels)
    shifts = {}
    for column, (name, unit) in enumerate(zip(head.columns, head.units or ("",) * len(head.columns), strict=True)):
        values = before[:, column], after[:, column]
        errors: list[float | None] = [None, None]
        if TARGET_PREFIX + name in clouds.jets and learnt.any():
            target, weight = clouds.jets[TARGET_PREFIX + name][learnt], clouds.jets["weight"][learnt]
            errors = [float(np.average(np.abs(value[learnt] - target), weights=weight)) for value in values]
        largest, mean = _shift(*values)
        shifts[name] = Shift(largest_shift=largest, mean_shift=mean, unit=unit, mae_float32=errors[0], mae=errors[1])
    return shifts


def _shift(before: Float32s, after: Float32s) -> tuple[float, float]:
    """The largest and the mean of |after − before|."""
    shift = np.abs(after - before)
    return float(shift.max(initial=0.0)), float(shift.mean())


def _session(kind: str, content: bytes) -> onnxruntime.InferenceSession:
    try:
        return one_thread_session(content)
    except Exception as error:  # ONNX Runtime's errors have no common class
        raise InputError(
            f"--{kind}: ONNX Runtime cannot load the variant ({first_line(error)}); leave the option out."
        ) from error


def _check_finite(kind: str, variant: _Form, fed: _Fed, cap: int) -> None:
    rng = np.random.default_rng(0)
    for n in (0, 1, cap):
        if not all(np.isfinite(values).all() for values in variant.run(fed.made(n, rng))):
            raise InputError(f"--{kind}: an output is not finite on random objects, N = {n}; leave the option out.")


def _outputs_of(form: _Form, clouds: PointClouds, fed: _Fed) -> list[Float32s]:
    """What is asked for of each head [J, columns], in the order of ``clouds``."""
    order = np.argsort(clouds.counts, kind="stable")
    parts = [
        form.run(fed.of(clouds.take(order[start : start + SCORED_TOGETHER])))
        for start in range(0, len(order), SCORED_TOGETHER)
    ]
    back = np.argsort(order, kind="stable")
    return [np.concatenate(of_head)[back] for of_head in zip(*parts, strict=True)]


def _speed_ratio(float32: _Form, variant: _Form, clouds: PointClouds, fed: _Fed) -> float:
    """CPU time of ``float32`` over that of ``variant``: medians over the turns, summed over the jets."""
    chosen = np.unique(np.linspace(0, len(clouds) - 1, TIMED_JETS).round().astype(np.int64))
    seconds = np.empty((len(chosen), TURNS + 1, 2))
    for i, jet in enumerate(chosen):
        feed = fed.of(clouds.take(np.array([jet])))
        for turn in range(TURNS + 1):
            for side, form in enumerate((float32, variant)):
                start = time.process_time()
                form.run(feed)
                seconds[i, turn, side] = time.process_time() - start
    # The first turn of each jet makes room for its length.
    sums = np.median(seconds[:, 1:], axis=1).sum(0)
    return float(sums[0] / sums[1])
