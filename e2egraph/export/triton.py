"""``config.pbtxt`` and the model repository of a Triton inference server (as SONIC uses it). No torch in here."""

from __future__ import annotations

import shutil
from pathlib import Path

from e2egraph.errors import InputError
from e2egraph.export.bundle import MODEL_FILE, TRITON_FILE, first_tensors, tensor_shapes
from e2egraph.files import atomic_path
from e2egraph.folders import check_folder, make_folder
from e2egraph.tasks.inputs import Inputs
from e2egraph.tasks.outputs import Outputs

# The one version of a model that is laid out.
VERSION = "1"

# Requests of equal length are batched up to this size.
MAX_BATCH = 64
MAX_DELAY_MICROSECONDS = 500


def triton_config(name: str, inputs: Inputs, outputs: Outputs, uses_jet: bool) -> str:
    """The model configuration in protobuf text form; dimensions are without the batch, −1 where they vary.

    Of each head the tensor that is asked for alone, ``scores`` of a classification: clients that take whatever output
    comes first would else get logits.
    """
    blocks = [
        f"# Place as REPOSITORY/{name}/config.pbtxt, with model.onnx in REPOSITORY/{name}/1/.",
        f'name: "{name}"',
        'platform: "onnxruntime_onnx"',
        f"max_batch_size: {MAX_BATCH}",
    ]
    shapes = tensor_shapes(inputs, outputs, uses_jet)
    given = {"input": list(shapes["inputs"]), "output": first_tensors(outputs)}
    for kind, names in given.items():
        for tensor in names:
            shape = shapes[f"{kind}s"][tensor]
            dims = ", ".join("-1" if isinstance(size, str) else str(size) for size in shape[1:])
            blocks.append(_tensor(kind, tensor, dims))
    blocks.append(f"dynamic_batching {{\n  max_queue_delay_microseconds: {MAX_DELAY_MICROSECONDS}\n}}")
    return "\n".join(blocks) + "\n"


def check_repository(repository: Path, name: str) -> None:
    """InputError unless model ``name`` can be put into ``repository``: nothing there, or one laid out before."""
    check_folder(repository, "--triton")
    folder = repository / name
    allowed = {folder / TRITON_FILE, folder / VERSION, folder / VERSION / MODEL_FILE}
    other = sorted(path for path in folder.rglob("*") if path not in allowed)
    if other or (folder.exists() and not folder.is_dir()):
        raise InputError(
            f"{other[0] if other else folder}: not of a model laid out by e2egraph export; choose another repository."
        )


def lay_out(bundle: Path, repository: Path, name: str) -> Path:
    """Put a bundle's model into a Triton model repository and return its folder there.

    ``REPOSITORY/name/config.pbtxt`` and ``REPOSITORY/name/1/model.onnx``; what was laid out before is replaced.
    InputError: see ``check_repository``, or the repository cannot be written.
    """
    check_repository(repository, name)
    folder = repository / name
    try:
        make_folder(folder / VERSION)
        for source, target in (
            (bundle / MODEL_FILE, folder / VERSION / MODEL_FILE),
            (bundle / TRITON_FILE, folder / TRITON_FILE),
        ):
            # A server that polls the repository never sees half a file.
            with atomic_path(target) as partial:
                shutil.copyfile(source, partial)
    except OSError as error:
        raise InputError(f"{repository}: cannot be written ({error.strerror}); choose another --triton.") from error
    return folder


def write_triton(folder: Path, config: str) -> None:
    """Write ``config.pbtxt`` into ``folder``."""
    (folder / TRITON_FILE).write_text(config, encoding="utf-8")


def _tensor(kind: str, name: str, dims: str) -> str:
    return f'{kind} [\n  {{\n    name: "{name}"\n    data_type: TYPE_FP32\n    dims: [ {dims} ]\n  }}\n]'
