"""ONNX Runtime as CMSSW sets it up: on the CPU, with one thread."""

from __future__ import annotations

import onnxruntime

ORT_FATAL = 4


def one_thread_session(content: bytes) -> onnxruntime.InferenceSession:
    """A session of the ONNX file ``content``: one thread inside an operator and one between operators.

    Whatever ONNX Runtime raises passes through: its errors have no common class.
    """
    onnxruntime.set_default_logger_severity(ORT_FATAL)  # its errors come back as exceptions
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
