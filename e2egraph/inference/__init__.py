"""Inference: an ONNX Runtime session over a bundle; no torch needed."""
