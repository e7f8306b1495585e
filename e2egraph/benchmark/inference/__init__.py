"""Time of ONNX Runtime and of the C++ runner."""
