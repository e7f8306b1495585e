"""Network → bundle: all four files, checked against torch, or nothing at all."""

from __future__ import annotations

import platform
import shutil
import tempfile
from dataclasses import asdict
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from torch import nn

from e2egraph import __version__
from e2egraph.data.padding import FEATURE_NAMES, POINT_NAMES, DenseArrays
from e2egraph.errors import InputError
from e2egraph.export.bundle import (
    BUNDLE_FILES,
    BUNDLE_SCHEMA_VERSION,
    MODEL_FILE,
    NODE_ORDER,
    OUTPUTS,
    BundleInfo,
    Metadata,
    input_shapes,
    write_metadata,
)
from e2egraph.export.onnx import IR_VERSION, OPSET, to_onnx
from e2egraph.export.parity import ParityReport, check_parity
from e2egraph.export.preprocess import preprocessing, write_preprocess
from e2egraph.export.triton import triton_config, write_triton
from e2egraph.graphs.columns import JET_VARIABLES
from e2egraph.models.registry import parameter_count


def export_model(model: nn.Module, *, info: BundleInfo, sample: DenseArrays | None, output: Path) -> ParityReport:
    """Write ``model`` as a bundle at ``output`` and return how well ONNX Runtime agrees with torch.

    ``sample``: real jets for the gate (some tens are enough; None: artificial jets alone). An earlier bundle at
    ``output`` is replaced. InputError, and nothing written: the folder holds anything else, the network cannot be
    expressed in ONNX, or the gate fails.
    """
    _refuse_other_content(output)
    uses_jet = bool(getattr(model, "uses_jet", False))
    content = to_onnx(model, len(info.classes)).SerializeToString()
    report = check_parity(model, content, max_nodes=info.max_nodes, sample=sample)
    metadata = Metadata(
        schema_version=BUNDLE_SCHEMA_VERSION,
        info=info,
        parameters=parameter_count(model),
        uses_jet=uses_jet,
        inputs=input_shapes(uses_jet),
        outputs={name: ["batch", len(info.classes)] for name in OUTPUTS},
        points=POINT_NAMES,
        features=FEATURE_NAMES,
        jet_variables=JET_VARIABLES if uses_jet else (),
        node_order=NODE_ORDER,
        opset=OPSET,
        ir_version=IR_VERSION,
        parity=asdict(report),
        software=_software(),
        model_sha256=sha256(content).hexdigest(),
    )
    _write(output, content, metadata)
    return report


def _write(output: Path, content: bytes, metadata: Metadata) -> None:
    """Write all files into a folder beside ``output``, then put it in place."""
    info, uses_jet = metadata.info, metadata.uses_jet
    beside: Path | None = None
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{output.name}.", suffix=".partial", dir=output.parent))
        beside.chmod(0o755)
        (beside / MODEL_FILE).write_bytes(content)
        write_preprocess(beside, preprocessing(info.max_nodes, uses_jet))
        write_triton(beside, triton_config(info.model, len(info.classes), uses_jet))
        write_metadata(beside, metadata)
        if output.is_dir():  # an earlier bundle, or empty
            before = Path(tempfile.mkdtemp(prefix=f".{output.name}.", suffix=".old", dir=output.parent))
            output.rename(before)
            beside.rename(output)
            shutil.rmtree(before)
        else:
            beside.rename(output)
    except OSError as error:
        raise InputError(f"{output}: cannot be written ({error.strerror}); choose another --output.") from error
    finally:
        if beside is not None and beside.is_dir():
            shutil.rmtree(beside)


def _refuse_other_content(output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise InputError(f"{output}: is a file; choose another --output for the bundle.")
    if output.is_dir():
        other = sorted(path.name for path in output.iterdir() if path.name not in BUNDLE_FILES)
        if other:
            raise InputError(f"{output}: holds other content ({other[0]}); choose an empty or new folder as --output.")


def _software() -> dict[str, str]:
    packages = ("torch", "onnx", "onnxscript", "onnxruntime")
    return {"e2egraph": __version__, "python": platform.python_version()} | {name: version(name) for name in packages}
