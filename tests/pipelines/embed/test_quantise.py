from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from pipelines.embed.quantise import quantise

_WIDTH, _LOUD = 96, 7


def _graph(path: Path, matrices: dict[str, np.ndarray], bias: np.ndarray) -> None:
    """Two products of one input; the bias is added to the first."""
    named = [numpy_helper.from_array(value, name) for name, value in matrices.items()]
    nodes = [
        helper.make_node("MatMul", ["states", "first"], ["product"], name="first"),
        helper.make_node("Add", ["bias", "product"], ["sum"], name="add"),
        helper.make_node("MatMul", ["states", "second"], ["other"], name="second"),
        helper.make_node("Identity", ["mask"], ["seen"], name="seen"),
    ]
    shape = ["texts", "tokens", _WIDTH]

    def value(name: str, dimensions: list[str | int]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, dimensions)

    graph = helper.make_graph(
        nodes,
        "two products",
        [value("states", [*shape]), value("mask", ["texts", "tokens"])],
        [value(name, [*shape]) for name in ("sum", "other")] + [value("seen", ["texts", "tokens"])],
        [*named, numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, str(path))


def test_a_channel_that_reaches_far_does_not_coarsen_the_others(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    matrices = {
        name: chance.normal(size=(_WIDTH, _WIDTH)).astype(np.float32)
        for name in ("first", "second")
    }
    bias = chance.normal(size=_WIDTH).astype(np.float32) * 50
    states = chance.normal(size=(4, 9, _WIDTH)).astype(np.float32)
    # One token's channel is loud, as in encoders that are made of transformers' layers.
    states[2, 3, _LOUD] = 4_000
    batch = {"states": states, "mask": np.ones((4, 9), dtype=np.float32)}
    _graph(tmp_path / "exact.onnx", matrices, bias)
    quantise(tmp_path / "exact.onnx", tmp_path / "int8.onnx", [batch])
    kinds = [node.op_type for node in onnx.load(str(tmp_path / "int8.onnx")).graph.node]
    assert kinds.count("MatMulIntegerToFloat") == 2
    first, second, _ = onnxruntime.InferenceSession(str(tmp_path / "int8.onnx")).run(None, batch)
    for found, wanted in (
        (first, states @ matrices["first"] + bias),
        (second, states @ matrices["second"]),
    ):
        quiet = np.ones((4, 9), dtype=bool)
        quiet[2, 3] = False
        error = np.linalg.norm((found - wanted)[quiet]) / np.linalg.norm(wanted[quiet])
        assert error < 0.02
