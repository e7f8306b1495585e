"""A bundle: the folder that holds an exported model with everything its caller needs. No torch in here.

``model.onnx``, ``preprocess.json`` (CMSSW's schema), ``metadata.json`` (what the model is, made from what),
``config.pbtxt`` (Triton) and ``README.md`` (model card); ``model-fp16.onnx`` and ``model-int8.onnx`` if asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from e2egraph import transient
from e2egraph.config import validate
from e2egraph.errors import InputError, UsageError
from e2egraph.graphs.storage.verification import sha256_of
from e2egraph.tasks.inputs import POINT_NAMES, Inputs, read_inputs
from e2egraph.tasks.nodeselection import NodeSelection, of_task
from e2egraph.tasks.objectives.description import Stored, class_names, signal_name
from e2egraph.tasks.objects.naming import ObjectName, object_name
from e2egraph.tasks.outputs import Head, Outputs

MODEL_FILE = "model.onnx"
PREPROCESS_FILE = "preprocess.json"
METADATA_FILE = "metadata.json"
TRITON_FILE = "config.pbtxt"
CARD_FILE = "README.md"

# Without these a folder is no bundle.
BUNDLE_FILES = (MODEL_FILE, PREPROCESS_FILE, METADATA_FILE, TRITON_FILE)

# Forms of a model with smaller weights, each a file next to model.onnx.
VARIANTS = ("fp16", "int8")

BUNDLE_SCHEMA_VERSION = 2

# Nodes that a model reads at most where nothing else is said.
DEFAULT_CAP = 4096

# Where eta and phi of a track were taken: of the point where it meets the ECAL's surface, of its momentum there, or of
# its momentum at the vertex.
TRACK_DIRECTIONS = ("ecal_point", "ecal_momentum", "vertex")

# The last HCAL depth of CMS.
DEEPEST = 7

# Name of the tensor of probabilities in bundles whose heads do not name it.
FORMER_TENSOR = "softmax"

NODE_ORDER = "channel, then falling value, then deta, then dphi"

Shapes = dict[str, list[str | int]]


@dataclass(frozen=True, kw_only=True)
class BundleInfo:
    """What the exporter must be told: all that stands in ``metadata.json`` and cannot be read off the network itself.

    ``model_config``: name, network and options; ``configuration``: the whole task configuration (objects, region, node
    definitions, objective) that made the data set; ``node_selection``: which nodes of such a data set the network was
    trained on and is to be given; ``cap``: how many of these at most, the first ones, never more than
    ``node_selection.cap``; ``dataset_sha256``: the manifest's digest; ``metrics``: as measured, by name; ``training``:
    recipe, seed and whatever else identifies the run; ``simulated``: whether the training objects were (None: not
    known). How the training files were read, where files can differ (None: not known): ``track_direction`` (of
    ``TRACK_DIRECTIONS``) and ``seed_depth``, the HCAL depth whose energies competed for an object's seed, 0 for towers
    summed over depths. ``elements``: digest of how the elements of particle flow are made and numbered
    (``tasks.elements``), None for other tasks; the exporter works it out. ``lacking``: fields of the event record that
    the training files lacked, and for which the network knows 0 (None: not recorded, as in earlier versions).
    """

    model: str
    model_config: dict[str, Any]
    task: str
    configuration: dict[str, Any]
    node_selection: NodeSelection = field(default_factory=NodeSelection)
    cap: int = DEFAULT_CAP
    dataset_sha256: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    simulated: bool | None = None
    track_direction: str | None = None
    seed_depth: int | None = None
    elements: str | None = None
    lacking: list[str] | None = None

    def __post_init__(self) -> None:
        if self.node_selection.cap is not None:
            object.__setattr__(self, "cap", min(self.cap, self.node_selection.cap))

    @property
    def object_name(self) -> ObjectName:
        """What the objects are called."""
        return object_name(self.configuration)

    @property
    def objective(self) -> Stored:
        """What was learnt, as the task configuration holds it."""
        objective: Stored = self.configuration["objective"]
        return objective

    @property
    def task_selection(self) -> NodeSelection:
        """Which deposits the task makes nodes of."""
        return of_task(self.configuration, f"task {self.task}")

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the task, in the order of their labels."""
        return class_names(self.objective)

    @property
    def signal(self) -> str | None:
        """The class that counts as signal; None where no classes are told apart."""
        return signal_name(self.objective)


@dataclass(frozen=True, kw_only=True)
class Shift:
    """What a variant changes in one column: the probability of the signal class, or a predicted quantity in ``unit``.

    ``largest_shift``, ``mean_shift``: of |variant − model.onnx|. ``auc`` of the signal class, ``mae`` (mean absolute
    error) of a quantity whose target is known, each with that of ``model.onnx``; None where it was not measured.
    """

    largest_shift: float
    mean_shift: float
    unit: str = ""
    auc: float | None = None
    auc_float32: float | None = None
    mae: float | None = None
    mae_float32: float | None = None


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A form with smaller weights, and how it does on the same jets as ``model.onnx``.

    ``operators``: how many were converted; ``jets``: compared, of ``split``; ``shifts``: column → what changes;
    ``speed_ratio``: CPU time of ``model.onnx`` over the variant's, one jet at a time, one thread; ``model_bytes``: size
    of ``model.onnx``.
    """

    file: str
    sha256: str
    bytes: int
    model_bytes: int
    operators: int
    split: str
    jets: int
    shifts: dict[str, Shift]
    speed_ratio: float


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """The content of ``metadata.json``: ``BundleInfo``, and what the export found and did.

    ``inputs``, ``outputs``: what the network reads and gives; ``tensors``: ``inputs`` and ``outputs`` of ``model.onnx``
    → name → dimensions; ``node_order``: the canonical order, which a cap keeps the front of; ``uses_jet``: whether
    object quantities are read; ``parity``: what the gate found (``parity.ParityReport``); ``configuration_sha256``: of
    ``info.configuration``; ``variants``: by name (``VARIANTS``).
    """

    schema_version: int
    info: BundleInfo
    inputs: Inputs
    outputs: Outputs
    tensors: dict[str, Shapes]
    parameters: int
    uses_jet: bool
    node_order: str
    opset: int
    ir_version: int
    parity: dict[str, Any]
    software: dict[str, str]
    model_sha256: str
    configuration_sha256: str
    variants: dict[str, Variant] = field(default_factory=dict)


def input_shapes(inputs: Inputs, uses_jet: bool) -> Shapes:
    """Inputs of an exported model, channels first and float32, with their dimensions."""
    shapes: Shapes = {
        "points": ["batch", len(POINT_NAMES), "nodes"],
        "features": ["batch", inputs.n_features, "nodes"],
        "mask": ["batch", 1, "nodes"],
    }
    return shapes | ({"jet": ["batch", len(inputs.object), 1]} if uses_jet else {})


def output_shapes(outputs: Outputs) -> Shapes:
    """Outputs of an exported model, float32, with their dimensions."""
    rows: list[str | int] = ["batch", "nodes"] if outputs.level == "node" else ["batch"]
    return {name: [*rows, columns] for name, columns in outputs.tensors.items()}


def tensor_shapes(inputs: Inputs, outputs: Outputs, uses_jet: bool) -> dict[str, Shapes]:
    """``Metadata.tensors`` of a model."""
    return {"inputs": input_shapes(inputs, uses_jet), "outputs": output_shapes(outputs)}


def first_tensors(outputs: Outputs) -> list[str]:
    """The tensor of each head that holds what is asked for: probabilities, or quantities in physical units."""
    return [head.tensors[0] for head in outputs.heads]


def class_head(outputs: Outputs) -> Head | None:
    """The head of class probabilities; None where no classes are told apart."""
    return next((head for head in outputs.heads if head.activation == "softmax"), None)


def quantity_head(outputs: Outputs) -> Head | None:
    """The first head of quantities of objects; None where none are predicted."""
    heads = (head for head in outputs.heads if head.activation == "none" and head.level == "object")
    return next(heads, None)


def variant_file(variant: str) -> str:
    """Name of a variant's file in a bundle."""
    return f"model-{variant}.onnx"


def write_metadata(folder: Path, metadata: Metadata) -> None:
    """Write ``metadata.json`` into ``folder``."""
    (folder / METADATA_FILE).write_text(json.dumps(asdict(metadata), indent=1) + "\n", encoding="utf-8")


def read_metadata(folder: Path) -> Metadata:
    """Read and check a bundle's ``metadata.json`` and the presence of its files.

    InputError: no bundle, file missing, damaged, of another schema version, or a ``model.onnx`` that is not the one
    exported.
    """
    path = folder / METADATA_FILE
    if not folder.is_dir():
        raise InputError(f"{folder}: no such bundle; make it with 'e2egraph export RUN --output {folder}'.")
    for name in BUNDLE_FILES:
        if not (folder / name).is_file():
            raise InputError(f"{folder}: not a complete bundle ({name} is missing); export the run again.")
    content = read_json(path)
    version = content.get("schema_version")
    if version != BUNDLE_SCHEMA_VERSION:
        raise InputError(
            f"{path}: bundle schema version {version}, but this e2egraph reads {BUNDLE_SCHEMA_VERSION}; train and "
            "export the model again, or use the e2egraph that made it."
        )
    metadata = _metadata(content, path)
    if sha256_of(folder / MODEL_FILE) != metadata.model_sha256:
        raise InputError(f"{folder / MODEL_FILE}: damaged or altered (SHA-256 differs); export the run again.")
    return metadata


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of a bundle; InputError when it is not one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise transient.unfinished(str(path), error) or InputError(
            f"{path}: not readable as JSON; export the run again."
        ) from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: not a JSON object; export the run again.")
    return content


def _metadata(content: Mapping[str, Any], path: Path) -> Metadata:
    try:
        values: dict[str, Any] = {item.name: content[item.name] for item in fields(Metadata)}
        about = dict(content["info"])
        about["node_selection"] = validate(NodeSelection, about["node_selection"], f"{path}, info.node_selection")
        values["info"] = BundleInfo(**about)
        values["inputs"] = read_inputs(content["inputs"], f"{path}, inputs")
        values["outputs"] = _outputs(content["outputs"], f"{path}, outputs")
        values["variants"] = {name: _variant(found) for name, found in dict(content["variants"]).items()}
        metadata = Metadata(**values)
        _check(metadata)
        return metadata
    except UsageError as error:
        message = str(error)
        raise InputError(message if str(path) in message else f"{path}, {message}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path}: damaged ({type(error).__name__}: {error}); export the run again.") from error


def _outputs(content: Mapping[str, Any], origin: str) -> Outputs:
    heads = [{"tensor": FORMER_TENSOR} | head if head["activation"] == "softmax" else head for head in content["heads"]]
    return validate(Outputs, {**content, "heads": heads}, origin)


def _variant(content: Mapping[str, Any]) -> Variant:
    shifts = {column: Shift(**found) for column, found in dict(content["shifts"]).items()}
    return Variant(**{**content, "shifts": shifts})


def _check(metadata: Metadata) -> None:
    """KeyError, TypeError or ValueError unless what stands in two places is the same in both."""
    info = metadata.info
    if metadata.tensors != tensor_shapes(metadata.inputs, metadata.outputs, metadata.uses_jet):
        raise ValueError("tensors are not those of inputs and outputs")
    if not isinstance(info.cap, int) or info.cap < 1:
        raise ValueError(f"info.cap is {info.cap}")
    named = (*info.task_selection.named, *info.node_selection.named)
    unknown = [name for name in dict.fromkeys(named) if name not in metadata.inputs.channel_names]
    if unknown:
        raise ValueError(f"channels {', '.join(unknown)} of the nodes are not among the inputs")
    if info.track_direction not in (None, *TRACK_DIRECTIONS):
        raise ValueError(f"info.track_direction is {info.track_direction}")
    if info.seed_depth is not None and info.seed_depth not in range(DEEPEST + 1):
        raise ValueError(f"info.seed_depth is {info.seed_depth}")
    if info.signal is not None and info.signal not in info.classes:
        raise ValueError(f"signal {info.signal} is not among the classes")
