"""``config.pbtxt``: the bundle in a Triton inference server (as SONIC uses it). No torch in here."""

from __future__ import annotations

from pathlib import Path

from e2egraph.export.bundle import OUTPUTS, TRITON_FILE, input_shapes

# Requests of equal length are batched up to this size.
MAX_BATCH = 64
MAX_DELAY_MICROSECONDS = 500


def triton_config(name: str, n_classes: int, uses_jet: bool) -> str:
    """The model configuration in protobuf text form; dimensions are without the batch, −1 where they vary."""
    blocks = [
        f"# Place as REPOSITORY/{name}/config.pbtxt, with model.onnx in REPOSITORY/{name}/1/.",
        f'name: "{name}"',
        'platform: "onnxruntime_onnx"',
        f"max_batch_size: {MAX_BATCH}",
    ]
    for tensor, shape in input_shapes(uses_jet).items():
        dims = ", ".join("-1" if isinstance(size, str) else str(size) for size in shape[1:])
        blocks.append(_tensor("input", tensor, dims))
    blocks += [_tensor("output", tensor, str(n_classes)) for tensor in OUTPUTS]
    blocks.append(f"dynamic_batching {{\n  max_queue_delay_microseconds: {MAX_DELAY_MICROSECONDS}\n}}")
    return "\n".join(blocks) + "\n"


def write_triton(folder: Path, config: str) -> None:
    """Write ``config.pbtxt`` into ``folder``."""
    (folder / TRITON_FILE).write_text(config)


def _tensor(kind: str, name: str, dims: str) -> str:
    return f'{kind} [\n  {{\n    name: "{name}"\n    data_type: TYPE_FP32\n    dims: [ {dims} ]\n  }}\n]'
