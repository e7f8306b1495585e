"""Network → bundle: all its files, checked against torch, or nothing at all."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import onnx
from torch import nn

from e2egraph import __version__
from e2egraph.config import digest
from e2egraph.data.candidates import Method
from e2egraph.data.padding import DenseArrays
from e2egraph.errors import InputError
from e2egraph.export.bundle import (
    BUNDLE_FILES,
    BUNDLE_SCHEMA_VERSION,
    CARD_FILE,
    METADATA_FILE,
    MODEL_FILE,
    NODE_ORDER,
    VARIANTS,
    BundleInfo,
    Metadata,
    Variant,
    tensor_shapes,
    variant_file,
    write_metadata,
)
from e2egraph.export.card import write_card
from e2egraph.export.cmssw_form import CMSSW_FILE, to_cmssw
from e2egraph.export.cmssw_gate import check_cmssw
from e2egraph.export.onnx import IR_VERSION, OPSET, describe, to_onnx
from e2egraph.export.parity import check_parity
from e2egraph.export.preprocess import check_names, preprocessing, write_preprocess
from e2egraph.export.triton import triton_config, write_triton
from e2egraph.folders import check_folder, filled, is_left, names_in
from e2egraph.models.registry import parameter_count
from e2egraph.tasks.elements import elements_digest
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs

if TYPE_CHECKING:
    from e2egraph.export.variant_check import VariantJets

# What a folder may hold that a bundle replaces.
OWN_FILES = {*BUNDLE_FILES, CARD_FILE, CMSSW_FILE, *map(variant_file, VARIANTS)}


def export_model(
    model: nn.Module,
    inputs: Inputs,
    outputs: Outputs,
    *,
    info: BundleInfo,
    sample: DenseArrays | None,
    output: Path,
    variants: Sequence[str] = (),
    jets: VariantJets | None = None,
    cmssw: Method | None = None,
) -> Metadata:
    """Write ``model`` as a bundle at ``output`` and return its metadata, with what the gate found.

    ``inputs``, ``outputs``: what it was made for. ``sample``: real jets for the gate, padded in the order of ``inputs``
    (some tens are enough; None: artificial jets alone). ``variants``: names of ``bundle.VARIANTS``, made and measured
    with ``jets``. ``cmssw``: add ``model-cmssw.onnx``, in the form of CMSSW's MLPFProducer, with that decoding.
    An earlier bundle at ``output`` is replaced. InputError, and nothing written: the folder holds anything else,
    outputs or inputs have names that CMSSW cannot tell apart, the network cannot be expressed in ONNX, the gate fails,
    or a variant cannot be made.
    """
    refuse_other_content(output)
    if variants and outputs.level == "node":
        raise InputError(
            f"{', '.join(variants)}: variants are measured by scores of objects, which objective "
            f"{info.objective['kind']} does not give; leave --{' and --'.join(variants)} out."
        )
    uses_jet = bool(getattr(model, "uses_jet", False))
    check_names(inputs, outputs, uses_jet)
    proto = to_onnx(model, inputs, outputs)
    describe(proto, _properties(info, outputs))
    content = proto.SerializeToString()
    report = check_parity(model, content, inputs, outputs, cap=info.cap, sample=sample, signal=info.signal)
    files, measured = _make_variants(variants, content, info, inputs, outputs, uses_jet, jets)
    parity = {name: found for name, found in asdict(report).items() if name != "nodes" or found}
    if cmssw is not None:
        files[CMSSW_FILE], parity["cmssw"] = _make_cmssw(model, proto, inputs, outputs, info, cmssw)
    if outputs.level == "node":
        made = elements_digest(info.configuration, inputs.numbers, f"task {info.task}")
        info = replace(info, elements=made)
    metadata = Metadata(
        schema_version=BUNDLE_SCHEMA_VERSION,
        info=info,
        parameters=parameter_count(model),
        uses_jet=uses_jet,
        inputs=inputs,
        outputs=outputs,
        tensors=tensor_shapes(inputs, outputs, uses_jet),
        node_order=NODE_ORDER,
        opset=OPSET,
        ir_version=IR_VERSION,
        parity=parity,
        software=_software(),
        model_sha256=sha256(content).hexdigest(),
        configuration_sha256=digest(info.configuration),
        variants=measured,
    )
    _write(output, {MODEL_FILE: content} | files, metadata)
    return metadata


def _make_cmssw(
    model: nn.Module, proto: onnx.ModelProto, inputs: Inputs, outputs: Outputs, info: BundleInfo, decoding: Method
) -> tuple[bytes, dict[str, float | str]]:
    """The file for CMSSW's MLPFProducer, and what its gate found."""
    content = to_cmssw(proto, type(model).__name__, inputs, outputs, decoding).SerializeToString()
    largest = check_cmssw(model, content, inputs, outputs, info.cap, decoding)
    digest_of = sha256(content).hexdigest()
    return content, {"file": CMSSW_FILE, "sha256": digest_of, "decoding": decoding, "largest_difference": largest}


def _make_variants(
    names: Sequence[str],
    content: bytes,
    info: BundleInfo,
    inputs: Inputs,
    outputs: Outputs,
    uses_jet: bool,
    jets: VariantJets | None,
) -> tuple[dict[str, bytes], dict[str, Variant]]:
    """Files by name, and what was measured by variant."""
    if not names:
        return {}, {}
    if jets is None:
        raise InputError("variants of a model need objects of a data set to be made and measured with; give --data.")
    from e2egraph.export.variant_check import make_variant

    made = {
        name: make_variant(name, content, jets, info=info, inputs=inputs, outputs=outputs, uses_jet=uses_jet)
        for name in names
    }
    return {variant_file(name): file for name, (file, _) in made.items()}, {name: made[name][1] for name in made}


def _properties(info: BundleInfo, outputs: Outputs) -> dict[str, str]:
    """``metadata_props`` of the ONNX file: what it is, where the file stands alone."""
    given: dict[str, str] = {}
    for head in outputs.heads:
        if head.activation == "softmax":
            given |= {"classes": json.dumps(head.columns)} | ({"signal": info.signal} if info.signal else {})
        else:
            units = head.units or ("",) * len(head.columns)
            given["predictions"] = json.dumps(dict(zip(head.columns, units, strict=True)))
    return {
        "model": info.model,
        "task": info.task,
        **given,
        "configuration_sha256": digest(info.configuration),
        "model_config_sha256": digest(info.model_config),
        "dataset_sha256": info.dataset_sha256,
        "metrics": json.dumps(info.metrics, sort_keys=True),
        "node_order": NODE_ORDER,
        "bundle_schema_version": str(BUNDLE_SCHEMA_VERSION),
    } | {f"version_{name}": number for name, number in _software().items()}


def _write(output: Path, files: Mapping[str, bytes], metadata: Metadata) -> None:
    """Write all files, then let them take the place of those of an earlier bundle."""
    info, form = metadata.info, (metadata.inputs, metadata.outputs)
    try:
        with filled(output, OWN_FILES, last=METADATA_FILE) as folder:
            for name, content in files.items():
                (folder / name).write_bytes(content)
            write_preprocess(folder, preprocessing(*form, info.cap, metadata.uses_jet))
            write_triton(folder, triton_config(info.model, *form, metadata.uses_jet))
            write_metadata(folder, metadata)
            write_card(folder, metadata)
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror}); choose another --output.") from error


def refuse_other_content(output: Path) -> None:
    """InputError unless a bundle can be put at ``output``: nothing there, an empty folder, or an earlier bundle, whole
    or what a killed export left of it."""
    check_folder(output)
    if output.is_dir():
        names = names_in(output)
        other = [name for name in names if not is_left(name) and not (name in OWN_FILES and (output / name).is_file())]
        if other:
            raise InputError(f"{output}: holds other content ({other[0]}); choose an empty or new folder as --output.")


def _software() -> dict[str, str]:
    packages = ("torch", "onnx", "onnxscript", "onnxruntime")
    return {"e2egraph": __version__, "python": platform.python_version()} | {name: version(name) for name in packages}
