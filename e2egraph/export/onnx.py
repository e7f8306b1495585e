"""Networks → one ONNX file: channels-first float32 inputs, dynamic batch and number of nodes, opset 18, IR 8."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from e2egraph.errors import InputError
from e2egraph.export.bundle import Shapes, tensor_shapes
from e2egraph.tasks.inputs import POINT_NAMES, Inputs
from e2egraph.tasks.outputs import Outputs

# What every ONNX Runtime that CMSSW has shipped since 14_0 reads (cmssw.md).
OPSETS = (17, 18)
OPSET = 18
IR_VERSION = 8

# Sizes of the example: two or more jets, or the exporter takes the batch for a constant.
EXAMPLE_JETS, EXAMPLE_NODES = 3, 37

# What outputs are called until nothing else can have their names.
_OWN = "e2egraph_output_"

# Attention (opset 23) treats masks differently from one ONNX Runtime to the next (cmssw.md).
FORBIDDEN_OPERATORS = {"Attention"}


class OnnxForm(nn.Module):
    """A network as its ONNX callers see it: inputs channels first, mask float32 0/1, the tensors of each head.

    ``points`` [B, 2, L], ``features`` [B, V, L], ``mask`` [B, 1, L] and, only if the network says ``uses_jet``,
    ``jet`` [B, G, 1]. Outputs as ``Outputs.tensors`` lists them: softmax and logits, or predictions in physical units;
    of nodes [B, L, columns], zero where ``mask`` is 0.
    """

    def __init__(self, model: nn.Module, inputs: Inputs, outputs: Outputs) -> None:
        super().__init__()
        self.model = model
        self._object_quantities = len(inputs.object)
        self._sizes = [len(head.columns) for head in outputs.heads]
        self._is_softmax = [head.activation == "softmax" for head in outputs.heads]
        self._of_nodes = outputs.level == "node"

    def forward(self, points: Tensor, features: Tensor, mask: Tensor, jet: Tensor | None = None) -> tuple[Tensor, ...]:
        # One padded node more, at least: ONNX's Reshape and reductions have no common meaning over zero nodes.
        # Padding is cleared here, where the mask's row fits every variable's row as it lies, and all at once.
        more = int(getattr(self.model, "least_nodes", 1))
        nodes = torch.cat([points, features, mask], dim=1)
        nodes = torch.cat([nodes, nodes.new_zeros(nodes.shape[0], nodes.shape[1], more)], dim=2)
        valid = nodes[:, -1] > 0.5
        nodes = torch.where(valid.unsqueeze(1), nodes, 0.0)
        points, features = nodes[:, : len(POINT_NAMES)].transpose(1, 2), nodes[:, len(POINT_NAMES) : -1].transpose(1, 2)
        jet_row = points.new_zeros(points.shape[0], self._object_quantities) if jet is None else jet.squeeze(2)
        values = self.model(points, features, valid, jet_row)
        if self._of_nodes:
            if values.dim() != 3:
                raise ValueError("it gives one row per object, but the objective asks for one per node")
            # Without the nodes that were appended.
            values = torch.where(valid.unsqueeze(2), values, 0.0)[:, : mask.shape[2]]
        return self._tensors(values)

    def _tensors(self, values: Tensor) -> tuple[Tensor, ...]:
        parts = (values,) if len(self._sizes) == 1 else values.split(self._sizes, dim=-1)
        tensors: list[Tensor] = []
        for is_softmax, part in zip(self._is_softmax, parts, strict=True):
            tensors += [torch.softmax(part, dim=-1), part] if is_softmax else [part]
        return tuple(tensors)


def to_onnx(model: nn.Module, inputs: Inputs, outputs: Outputs) -> onnx.ModelProto:
    """Export a network (its copy, in eval mode, on the CPU) and check the result.

    InputError: the network cannot be expressed in ONNX, or the result breaks what its callers count on; or it reads
    object quantities and ``inputs`` has none.
    """
    uses_jet = bool(getattr(model, "uses_jet", False))
    name = type(model).__name__
    if uses_jet and not inputs.object:
        raise InputError(f"model {name} reads object quantities, but the task has none; name some in inputs.object.")
    form = OnnxForm(copy.deepcopy(model).cpu().eval(), inputs, outputs)
    tensors = [
        torch.zeros(EXAMPLE_JETS, len(POINT_NAMES), EXAMPLE_NODES),
        torch.zeros(EXAMPLE_JETS, inputs.n_features, EXAMPLE_NODES),
        torch.ones(EXAMPLE_JETS, 1, EXAMPLE_NODES),
    ]
    batch, nodes = torch.export.Dim.DYNAMIC, torch.export.Dim.DYNAMIC
    dynamic = [{0: batch, 2: nodes}] * 3
    if uses_jet:
        tensors.append(torch.zeros(EXAMPLE_JETS, len(inputs.object), 1))
        dynamic = [*dynamic, {0: batch}]
    return exported(form, name, tensors, dynamic, tensor_shapes(inputs, outputs, uses_jet))


def exported(
    form: nn.Module,
    name: str,
    tensors: Sequence[Tensor],
    dynamic: Sequence[Mapping[int, Any]],
    shapes: Mapping[str, Shapes],
) -> onnx.ModelProto:
    """The ONNX graph of ``form`` with the inputs and outputs of ``shapes``, checked (``check_graph``).

    ``tensors``: an example of each input, ``dynamic``: its dynamic dimensions; ``name`` of the model, for messages.
    """
    try:
        with _quiet():
            program = torch.onnx.export(
                form,
                tuple(tensors),
                dynamo=True,
                opset_version=OPSET,
                input_names=list(shapes["inputs"]),
                output_names=[_OWN + tensor for tensor in shapes["outputs"]],
                dynamic_shapes=tuple(dynamic),
                external_data=False,
                verbose=False,
            )
        assert program is not None
        proto = program.model_proto
    except Exception as error:  # the exporter's own errors have no common class
        raise InputError(
            f"model {name} cannot be exported to ONNX ({_reason(error)}); replace the operation in its forward."
        ) from error
    _tidy(proto, shapes)
    check_graph(proto, shapes)
    return proto


def _reason(error: BaseException) -> str:
    """The first line of what went wrong first: the exporter wraps it into a text of its own."""
    while error.__cause__ is not None:
        error = error.__cause__
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def describe(proto: onnx.ModelProto, properties: Mapping[str, str]) -> None:
    """Put ``properties`` into the model's ``metadata_props``, in place of those it has."""
    del proto.metadata_props[:]
    for key, value in properties.items():
        proto.metadata_props.add(key=key, value=value)


def check_form(proto: onnx.ModelProto, inputs: Inputs, outputs: Outputs, uses_jet: bool) -> None:
    """InputError unless a model of these inputs and outputs is what callers count on (``check_graph``)."""
    check_graph(proto, tensor_shapes(inputs, outputs, uses_jet))


def check_graph(proto: onnx.ModelProto, shapes: Mapping[str, Shapes]) -> None:
    """InputError unless opset, IR version, operators, inputs and outputs (``shapes``) are what callers count on."""
    name = proto.graph.name or "model"
    opsets = {entry.domain or "ai.onnx": entry.version for entry in proto.opset_import}
    if set(opsets) != {"ai.onnx"} or opsets["ai.onnx"] not in OPSETS:
        raise InputError(f"{name}: exported with operator sets {opsets}, but its callers need ai.onnx 17 or 18 alone.")
    if proto.ir_version > IR_VERSION:
        raise InputError(f"{name}: exported with IR version {proto.ir_version}, but CMSSW needs ≤ {IR_VERSION}.")
    forbidden = FORBIDDEN_OPERATORS & {node.op_type for node in proto.graph.node}
    if forbidden:
        raise InputError(f"{name}: uses operator {forbidden.pop()}, which differs between ONNX Runtime versions.")
    if any(_adds_in_place(node) for node in proto.graph.node):
        raise InputError(
            f"{name}: adds with ScatterND, whose sums are wrong when ONNX Runtime has several threads; use scatter_add "
            "or a matrix product in its forward."
        )
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in proto.graph.initializer):
        raise InputError(f"{name}: its weights lie outside the file; a bundle's model must be one file.")
    for tensors, expected in ((proto.graph.input, shapes["inputs"]), (proto.graph.output, shapes["outputs"])):
        found = {tensor.name: _shape(tensor) for tensor in tensors}
        floats = all(tensor.type.tensor_type.elem_type == onnx.TensorProto.FLOAT for tensor in tensors)
        if list(found) != list(expected) or found != expected or not floats:
            raise InputError(f"{name}: exported with tensors {found}, but its callers need float32 {expected}.")
    onnx.checker.check_model(proto, full_check=True)


def _adds_in_place(node: onnx.NodeProto) -> bool:
    """Whether updates of one place meet in a ScatterND, which ONNX Runtime spreads over threads without a lock."""
    reductions = [attribute.s for attribute in node.attribute if attribute.name == "reduction"]
    return node.op_type == "ScatterND" and any(reduction != b"none" for reduction in reductions)


def _shape(tensor: onnx.ValueInfoProto) -> list[str | int]:
    dims = tensor.type.tensor_type.shape.dim
    return [dim.dim_param if dim.HasField("dim_param") else dim.dim_value for dim in dims]


def _name_outputs(proto: onnx.ModelProto, tensors: Iterable[str]) -> None:
    """Give the outputs their names, and a tensor between the operators that bears one (any softmax does) another."""
    names = {name: f"inner_{name}" for name in tensors} | {_OWN + name: name for name in tensors}
    for node in proto.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for output in proto.graph.output:
        output.name = names[output.name]


def _tidy(proto: onnx.ModelProto, shapes: Mapping[str, Shapes]) -> None:
    """Lower the IR version, name the dynamic dimensions, and drop the exporter's notes (they hold source paths)."""
    proto.ir_version = IR_VERSION
    _name_outputs(proto, shapes["outputs"])
    del proto.metadata_props[:]
    del proto.graph.metadata_props[:]
    proto.graph.name = "e2egraph"
    renamed: dict[str, str] = {}
    for tensor in proto.graph.input:
        for dim, name in zip(tensor.type.tensor_type.shape.dim, shapes["inputs"][tensor.name], strict=True):
            if dim.HasField("dim_param") and isinstance(name, str):
                renamed[dim.dim_param] = name
    for tensor in (*proto.graph.input, *proto.graph.output):
        for dim in tensor.type.tensor_type.shape.dim:
            if dim.HasField("dim_param"):
                dim.dim_param = renamed.get(dim.dim_param, dim.dim_param)
    # Shapes between the operators refer to the old names; ONNX Runtime infers its own.
    del proto.graph.value_info[:]
    for entry in (*proto.graph.node, *proto.graph.input, *proto.graph.output, *proto.graph.initializer):
        del entry.metadata_props[:]
        entry.doc_string = ""


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter prints and logs its progress and missing optional packages: none of it concerns the user."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
