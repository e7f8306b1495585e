"""Smaller forms of an exported model: float16 weights, or 8-bit integers by static quantisation.

Only MatMul, Gemm and Conv with stored weights are converted. All else stays float32: positions, energies and the keys
that nodes are ordered and found by do not fit float16 (above 2048 it knows no odd number, above 65504 nothing).
Quantisation is static, with ranges taken from training jets: dynamic quantisation takes them from the batch, so that a
jet's score would depend on its neighbours. Weights have 7 bits, as pairs of 8-bit products overflow the 16-bit sums of
processors without VNNI, and the scores should be the same on all.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

from e2egraph.data.padding import pad
from e2egraph.errors import InputError, first_line
from e2egraph.export.feeds import feeds
from e2egraph.export.onnx import check_form
from e2egraph.graphs.storage.pointclouds import PointClouds
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs

CONVERTED = ("MatMul", "Gemm", "Conv")

# A reader of this many jets at once: calibration keeps every intermediate result of a batch.
CALIBRATION_BATCH = 4

# What may stand between a last layer and an output: it takes columns apart or together, or scales them by constants.
COLUMNWISE = ("Add", "Concat", "Div", "Gather", "Identity", "Mul", "Reshape", "Slice", "Split", "Squeeze", "Sub")


@dataclass(frozen=True)
class Converted:
    """The content of the file, and how many operators were converted."""

    content: bytes
    operators: int


def convert(
    kind: str, content: bytes, *, calibration: PointClouds, inputs: Inputs, outputs: Outputs, uses_jet: bool
) -> Converted:
    """``model.onnx`` in the form ``kind`` (``bundle.VARIANTS``), inputs and outputs float32 as before.

    ``calibration``: jets, as selected for the model, whose ranges int8 takes. InputError naming the
    operators that cannot be converted.
    """
    model = onnx.ModelProto.FromString(content)
    names = [node.name for node in weighted(model)]
    if kind == "int8":
        # The last layer decides between scores that differ little, and is small.
        kept = last_layers(model, outputs) | _stacks_of_matrices(model)
        names = [name for name in names if name not in kept]
    if not names:
        raise InputError(
            f"--{kind}: the model has no {', '.join(CONVERTED[:-1])} or {CONVERTED[-1]} with stored weights to "
            "convert; leave the option out."
        )
    try:
        made = (
            _float16(model, names)
            if kind == "fp16"
            else _int8(model, names, _Calibration(calibration, inputs, uses_jet))
        )
        _drop_unused_domains(made)
        check_form(made, inputs, outputs, uses_jet)
    except Exception as error:  # the converters' errors have no common class
        kinds = sorted({node.op_type for node in model.graph.node if node.name in names})
        raise InputError(
            f"--{kind}: cannot convert the model's {', '.join(kinds)} ({first_line(error).rstrip('.')}); leave the "
            "option out."
        ) from error
    return Converted(made.SerializeToString(), len(names))


def weighted(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The operators that multiply by stored weights."""
    stored = {tensor.name for tensor in model.graph.initializer}
    return [node for node in model.graph.node if node.op_type in CONVERTED and node.input[1] in stored]


def _stacks_of_matrices(model: onnx.ModelProto) -> set[str]:
    """Names of products with a stack of stored matrices, for whose columns ONNX Runtime has no scales of 8 bits."""
    stored = {tensor.name: len(tensor.dims) for tensor in model.graph.initializer}
    return {node.name for node in weighted(model) if node.op_type == "MatMul" and stored[node.input[1]] > 2}


def last_layers(model: onnx.ModelProto, outputs: Outputs) -> set[str]:
    """Names of the weighted operators that make the raw numbers of each head.

    Looked for against the flow from each head's last tensor (logits, predictions).
    """
    stored = {tensor.name for tensor in model.graph.initializer}
    stored |= {name for node in model.graph.node if node.op_type == "Constant" for name in node.output}
    maker = {name: node for node in model.graph.node for name in node.output}
    layers = {node.name for node in weighted(model)}
    found: set[str] = set()
    waiting = [head.tensors[-1] for head in outputs.heads]
    while waiting:
        node = maker.get(waiting.pop())
        if node is None:
            continue
        flowing = [name for name in node.input if name and name not in stored]
        if node.name in layers:
            found.add(node.name)
        elif node.op_type in COLUMNWISE and (len(flowing) == 1 or node.op_type == "Concat"):
            waiting += flowing
    return found


def _float16(model: onnx.ModelProto, names: list[str]) -> onnx.ModelProto:
    """Weights stored in float16, and casts around each operator: its inputs to float16, its output back.

    Not by onnxruntime.transformers.float16: that casts the model's inputs to float16 first, which are raw quantities.
    """
    graph, chosen = model.graph, set(names)
    stored = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    halves: dict[str, str] = {}
    for node in list(graph.node):
        if node.name not in chosen:
            nodes.append(node)
            continue
        for i, name in enumerate(node.input):
            if name not in halves:
                halves[name] = f"{name}_float16"
                if name in stored:
                    with np.errstate(over="ignore"):
                        values = onnx.numpy_helper.to_array(stored[name]).astype(np.float16)
                    if not np.isfinite(values).all():
                        raise InputError(f"a weight of {node.op_type} {node.name} is beyond float16's range")
                    graph.initializer.append(onnx.numpy_helper.from_array(values, halves[name]))
                else:
                    nodes.append(_cast(name, halves[name], onnx.TensorProto.FLOAT16))
            node.input[i] = halves[name]
        output = node.output[0]
        node.output[0] = f"{output}_as_float16"
        nodes += [node, _cast(node.output[0], output, onnx.TensorProto.FLOAT)]
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return model


def _cast(name: str, to: str, element_type: int) -> onnx.NodeProto:
    return onnx.helper.make_node("Cast", [name], [to], name=f"cast_{to}", to=element_type)


def _int8(model: onnx.ModelProto, names: list[str], calibration: _Calibration) -> onnx.ModelProto:
    if calibration.jets == 0:
        raise InputError("there is no training object to take ranges from")
    level = logging.root.level
    logging.root.setLevel(logging.ERROR)  # it advises other preparations on the root logger
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "int8.onnx"
            quantize_static(
                model,
                path,
                calibration,
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(CONVERTED),
                nodes_to_quantize=names,
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
            return onnx.load(path)
    finally:
        logging.root.setLevel(level)


class _Calibration:
    """What ``quantize_static`` reads jets from: a few at a time, shortest first."""

    def __init__(self, clouds: PointClouds, inputs: Inputs, uses_jet: bool) -> None:
        self.jets = len(clouds)
        self._batches = self._feeds(clouds, inputs, uses_jet)

    @staticmethod
    def _feeds(clouds: PointClouds, inputs: Inputs, uses_jet: bool) -> Iterator[dict[str, NDArray[np.float32]]]:
        order = np.argsort(clouds.counts, kind="stable")
        for start in range(0, len(order), CALIBRATION_BATCH):
            yield feeds(pad(clouds.take(order[start : start + CALIBRATION_BATCH]), inputs), uses_jet)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._batches, None)


def _drop_unused_domains(model: onnx.ModelProto) -> None:
    """The converters declare ONNX Runtime's own operator set even where they use none of it."""
    used = {node.domain for node in model.graph.node} | {""}
    kept = [entry for entry in model.opset_import if entry.domain in used or entry.domain == "ai.onnx"]
    del model.opset_import[:]
    model.opset_import.extend(kept)
