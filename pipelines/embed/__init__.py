"""Embedding models: encoders by ONNX Runtime and the API ones."""

from pipelines.embed.embedder import (
    Embedder,
    PassageEncodings,
    Progress,
    QueryEncoding,
    TokenStates,
)
from pipelines.embed.opening import open_embedder

__all__ = [
    "Embedder",
    "PassageEncodings",
    "Progress",
    "QueryEncoding",
    "TokenStates",
    "open_embedder",
]
