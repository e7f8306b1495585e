"""Export: networks → ONNX bundles with what their callers need, gated on parity."""
