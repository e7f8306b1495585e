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

from e2egraph.config import validate
from e2egraph.data.padding import FEATURE_NAMES, POINT_NAMES
from e2egraph.errors import InputError, UsageError
from e2egraph.graphs.columns import JET_VARIABLES
from e2egraph.graphs.manifest import sha256_of
from e2egraph.tasks.nodeselection import NodeSelection

MODEL_FILE = "model.onnx"
PREPROCESS_FILE = "preprocess.json"
METADATA_FILE = "metadata.json"
TRITON_FILE = "config.pbtxt"
CARD_FILE = "README.md"

# Without these a folder is no bundle.
BUNDLE_FILES = (MODEL_FILE, PREPROCESS_FILE, METADATA_FILE, TRITON_FILE)

# Forms of a model with smaller weights, each a file beside model.onnx.
VARIANTS = ("fp16", "int8")

BUNDLE_SCHEMA_VERSION = 1

# Outputs in order: CMSSW's producers take the first.
OUTPUTS = ("softmax", "logits")

# Nodes an exported model is checked with, and that preprocess.json lets through, where the data set has no cap.
DEFAULT_MAX_NODES = 4096


@dataclass(frozen=True, kw_only=True)
class BundleInfo:
    """What the exporter must be told: all that stands in ``metadata.json`` and cannot be read off the network itself.

    ``model_config``: name, network and options; ``classes`` in the order of the outputs; ``configuration``: the whole
    task configuration (selection, window, node definitions) that made the data set; ``node_cap``: the most nodes a
    jet keeps (None: no cap); ``node_selection``: which nodes of such a data set the network was trained on and is to
    be given; ``dataset_sha256``: the manifest's digest; ``metrics``: as measured, by name; ``training``: recipe, seed
    and whatever else identifies the run; ``simulated``: whether the training jets were (None: not known).
    """

    model: str
    model_config: dict[str, Any]
    classes: tuple[str, ...]
    signal: str
    task: str
    configuration: dict[str, Any]
    node_cap: int | None = None
    node_selection: NodeSelection = field(default_factory=NodeSelection)
    dataset_sha256: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    simulated: bool | None = None

    @property
    def max_nodes(self) -> int:
        caps = [cap for cap in (self.node_cap, self.node_selection.cap) if cap is not None]
        return min(caps, default=DEFAULT_MAX_NODES)


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A form with smaller weights, and how it does on the same jets as ``model.onnx``.

    ``operators``: how many were converted; ``jets``: compared, of ``split``; ``largest_shift``, ``mean_shift``: of the
    signal probability; ``auc`` beside ``auc_float32`` (None where a class was missing); ``speed_ratio``: CPU time of
    ``model.onnx`` over the variant's, one jet at a time, one thread; ``model_bytes``: size of ``model.onnx``.
    """

    file: str
    sha256: str
    bytes: int
    model_bytes: int
    operators: int
    split: str
    jets: int
    largest_shift: float
    mean_shift: float
    auc: float | None
    auc_float32: float | None
    speed_ratio: float


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """The content of ``metadata.json``: ``BundleInfo``, and what the export found and did.

    ``inputs`` and ``outputs``: tensor name → its dimensions; ``points``, ``features`` and ``jet_variables``: the
    variables of those inputs, in order; ``node_order``: the canonical order, which a cap keeps the front of;
    ``parity``: what the gate found (``parity.ParityReport``); ``configuration_sha256``: of ``info.configuration``;
    ``variants``: by name (``VARIANTS``).
    """

    schema_version: int
    info: BundleInfo
    parameters: int
    uses_jet: bool
    inputs: dict[str, list[str | int]]
    outputs: dict[str, list[str | int]]
    points: tuple[str, ...]
    features: tuple[str, ...]
    jet_variables: tuple[str, ...]
    node_order: str
    opset: int
    ir_version: int
    parity: dict[str, Any]
    software: dict[str, str]
    model_sha256: str
    configuration_sha256: str = ""
    variants: dict[str, Variant] = field(default_factory=dict)


# Bundles from before these existed have none.
_LATER = {"configuration_sha256", "variants"}

NODE_ORDER = "channel, then falling value, then deta, then dphi"


def input_shapes(uses_jet: bool) -> dict[str, list[str | int]]:
    """Inputs of an exported model, channels first and float32, with their dimensions."""
    shapes: dict[str, list[str | int]] = {
        "points": ["batch", len(POINT_NAMES), "nodes"],
        "features": ["batch", len(FEATURE_NAMES), "nodes"],
        "mask": ["batch", 1, "nodes"],
    }
    return shapes | ({"jet": ["batch", len(JET_VARIABLES), 1]} if uses_jet else {})


def variant_file(variant: str) -> str:
    """Name of a variant's file in a bundle."""
    return f"model-{variant}.onnx"


def write_metadata(folder: Path, metadata: Metadata) -> None:
    """Write ``metadata.json`` into ``folder``."""
    (folder / METADATA_FILE).write_text(json.dumps(asdict(metadata), indent=1, sort_keys=True) + "\n")


def read_metadata(folder: Path) -> Metadata:
    """Read and check a bundle's ``metadata.json`` and the presence of its files.

    InputError: no bundle, file missing, damaged, of another schema version, with other node variables than this
    e2egraph makes, or a ``model.onnx`` that is not the one exported.
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
            f"{path}: bundle schema version {version}, but this e2egraph reads {BUNDLE_SCHEMA_VERSION}; "
            "use the e2egraph that made it, or export the run again."
        )
    metadata = _metadata(content, path)
    if metadata.features != FEATURE_NAMES or metadata.points != POINT_NAMES:
        raise InputError(f"{path}: made for other node variables than this e2egraph builds; export the run again.")
    if sha256_of(folder / MODEL_FILE) != metadata.model_sha256:
        raise InputError(f"{folder / MODEL_FILE}: damaged or altered (SHA-256 differs); export the run again.")
    return metadata


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of a bundle; InputError when it is not one."""
    try:
        content = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as JSON; export the run again.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: not a JSON object; export the run again.")
    return content


def _metadata(content: Mapping[str, Any], path: Path) -> Metadata:
    try:
        info = dict(content["info"])
        info["classes"] = tuple(info["classes"])
        # Bundles of before it existed select nothing.
        info["node_selection"] = validate(NodeSelection, info.get("node_selection", {}), str(path))
        names = [item.name for item in fields(Metadata) if item.name in content or item.name not in _LATER]
        values: dict[str, Any] = {name: content[name] for name in names}
        values["info"] = BundleInfo(**info)
        values["variants"] = {name: Variant(**found) for name, found in dict(content.get("variants", {})).items()}
        for name in ("points", "features", "jet_variables"):
            values[name] = tuple(values[name])
        return Metadata(**values)
    except UsageError as error:
        raise InputError(str(error)) from error
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: damaged ({type(error).__name__}: {error}); export the run again.") from error
