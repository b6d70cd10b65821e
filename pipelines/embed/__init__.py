"""Embedding models: encoders by ONNX Runtime and the API ones."""
