"""Turn an encoder's matrix products to int8 arithmetic with fixed scales.

Scales are fixed from sample texts, so that a text's vector does not depend on the texts
encoded beside it, as it does where ONNX Runtime scales each batch by its own extremes.
Before rounding, each input channel is divided by a factor that its weights are multiplied
by: SmoothQuant (Xiao et al. 2023, arXiv:2211.10438), its strength searched for each input
by the error of the product, as AWQ does (Lin et al. 2024, arXiv:2306.00978). Weights have
a scale for each output channel. Where that hurts most, the input channels that reach
furthest are multiplied in fp32, as LLM.int8() does (Dettmers et al. 2022, arXiv:2208.07339).
"""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from pipelines.embed.embedder import Floats

Inputs = Mapping[str, NDArray[Any]]
"""A batch, by the names of a graph's inputs; ``mask`` or ``attention_mask`` is 1 at tokens."""

# Sentences of United States government documents, table rows, questions, other scripts. Their
# extremes are taken as they are: 5 % beyond them made other texts coarser (cosine .9970, .9975).
_SAMPLES = Path(__file__).with_name("calibration.json")
# Tokens whose inputs are kept to compare strengths on.
_SAMPLED_TOKENS = 1024
_STRENGTHS = (0.0, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
_LARGEST_WEIGHT = 127
# Of how many products the furthest input channels stay in fp32, and how many channels.
_SPLIT, _EXACT_CHANNELS = 2, 16


def quantise(source: Path, target: Path, batches: Sequence[Inputs]) -> None:
    """Write a graph whose products with constant matrices run in int8.

    :param source: An ONNX graph that takes states or tokens, and a mask of them.
    :param target: Where to write the other.
    :param batches: What to fix the scales by; see :func:`sample_texts`.
    """
    model = onnx.load(str(source))
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    users: dict[str, list[Any]] = {}
    for node in model.graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    groups: dict[str, list[Any]] = {}
    for node in model.graph.node:
        matrix = constants.get(node.input[1]) if node.op_type == "MatMul" else None
        if matrix is not None and len(matrix.dims) == 2:
            groups.setdefault(node.input[0], []).append(node)
    inputs = _sample_inputs(model, list(groups), batches)
    products = {
        name: _Product(
            model.graph,
            name,
            *inputs[name],
            [_array(constants[node.input[1]]).astype(np.float32) for node in nodes],
        )
        for name, nodes in groups.items()
    }
    for name in sorted(products, key=lambda name: products[name].error)[-_SPLIT:]:
        products[name].split(_EXACT_CHANNELS)
    shown = {output.name for output in model.graph.output}
    replaced: dict[str, list[Any]] = {}
    for name, nodes in groups.items():
        scaled = products[name].quantise_input()
        for position, node in enumerate(nodes):
            output, bias = node.output[0], None
            added = None if output in shown else _bias_of(node, users, constants)
            if added is not None:
                addition, bias = added
                output = addition.output[0]
                replaced[output] = []
            product = products[name].multiply(position, node.name, output, bias)
            replaced[node.output[0]] = [*scaled, *product]
            scaled = []
    nodes = [new for node in model.graph.node for new in replaced.get(node.output[0], [node])]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    if all(known.domain != "com.microsoft" for known in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, str(target))


def _bias_of(
    node: Any, users: Mapping[str, list[Any]], constants: Mapping[str, Any]
) -> tuple[Any, Floats] | None:
    """Return the node that adds a constant row to a product, and the row."""
    (user, *others) = users.get(node.output[0], [None])
    if others or user is None or user.op_type != "Add":
        return None
    width = constants[node.input[1]].dims[1]
    for name in user.input:
        if name in constants and list(constants[name].dims) == [width]:
            return user, _array(constants[name])
    return None


class _Product:
    """All products of one input: how it is scaled, and its matrices in int8.

    :param low: Least value of each input channel.
    :param high: Greatest value of each input channel.
    :param sample: Some of the inputs, [n, channels].
    :param matrices: What it is multiplied by, each [channels, outputs].

    ``error`` is the squared error of the products relative to their size.
    """

    def __init__(
        self,
        graph: Any,
        name: str,
        low: Floats,
        high: Floats,
        sample: Floats,
        matrices: list[Floats],
    ) -> None:
        self._graph, self._name = graph, name
        self._low: Floats = np.minimum(low, 0).astype(np.float32)
        self._high: Floats = np.maximum(high, 0).astype(np.float32)
        self._sample = sample
        self._joined: Floats = np.concatenate(matrices, axis=1)
        self._size = float(np.square(sample @ self._joined).sum())
        self._exact: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._edges = list(
            itertools.accumulate((matrix.shape[1] for matrix in matrices), initial=0)
        )
        self._round()

    def split(self, channels: int) -> None:
        """Leave the input channels that reach furthest in fp32.

        :param channels: How many.
        """
        reach = np.maximum(-self._low, self._high)
        self._exact = np.sort(np.argsort(-reach)[:channels])
        self._exact_rows = self._joined[self._exact]
        for values in (self._low, self._high, self._joined):
            values[self._exact] = 0
        self._sample = self._sample.copy()
        self._sample[:, self._exact] = 0
        self._round()

    def _round(self) -> None:
        """Find the strength that leaves the least error, and round by it."""
        reach: Floats = np.maximum(np.maximum(-self._low, self._high), 1e-6)
        exact = self._sample @ self._joined
        largest = np.maximum(np.abs(self._joined).max(axis=1), 1e-6)
        best = np.inf
        for strength in _STRENGTHS:
            factors: Floats = np.ones_like(reach)
            if strength:
                factors = (reach**strength / largest ** (1 - strength)).astype(np.float32)
            scale, zero = _affine((self._low / factors).min(), (self._high / factors).max())
            whole, columns = _round_matrix(self._joined * factors[:, None])
            rounded = np.clip(np.rint(self._sample / factors / scale) + zero, 0, 255) - zero
            error = exact - (rounded @ whole.astype(np.float32)) * (scale * columns)
            size = float(np.square(error - error.mean(axis=0)).sum())
            if size < best:
                best = size
                self._factors, self._scale, self._zero = factors, scale, zero
                self._matrix, self._columns, self._bias = whole, columns, error.mean(axis=0)
        self.error = best / self._size

    def quantise_input(self) -> list[Any]:
        """Return the nodes that scale and round the input."""
        name = self._name
        self._scale_name = self._constant("scale", np.float32(self._scale))
        self._zero_name = self._constant("zero", np.uint8(self._zero))
        factors = self._constant("factors", (1 / self._factors).astype(np.float32))
        return [
            helper.make_node("Mul", [name, factors], [f"{name}:smooth"], name=f"{name}:mul"),
            helper.make_node(
                "QuantizeLinear",
                [f"{name}:smooth", self._scale_name, self._zero_name],
                [f"{name}:int8"],
                name=f"{name}:quantise",
            ),
        ]

    def multiply(self, position: int, name: str, output: str, bias: Floats | None) -> list[Any]:
        """Return the nodes that take the place of a product.

        :param position: Of the matrix among all that this input is multiplied by.
        :param name: Of the product's node.
        :param output: Of the result.
        :param bias: Added to the product; None for nothing.
        """
        part = slice(self._edges[position], self._edges[position + 1])
        added = self._bias[part].astype(np.float32) + (0 if bias is None else bias)
        split = len(self._exact) > 0
        rounded = helper.make_node(
            "MatMulIntegerToFloat",
            [
                f"{self._name}:int8",
                self._constant(f"matrix{position}", np.ascontiguousarray(self._matrix[:, part])),
                self._scale_name,
                self._constant(f"columns{position}", self._columns[part]),
                self._zero_name,
                # Written out, since ONNX Runtime's conversion for AVX2 looks for it.
                self._constant(f"weight_zero{position}", np.int8(0)),
                self._constant(f"bias{position}", added.astype(np.float32)),
            ],
            [f"{output}:rounded" if split else output],
            name=name,
            domain="com.microsoft",
        )
        if not split:
            return [rounded]
        places = self._constant(f"places{position}", self._exact)
        rows = self._constant(f"rows{position}", np.ascontiguousarray(self._exact_rows[:, part]))
        taken, exact = f"{output}:taken", f"{output}:exact"
        return [
            rounded,
            helper.make_node("Gather", [self._name, places], [taken], name=f"{name}:take", axis=-1),
            helper.make_node("MatMul", [taken, rows], [exact], name=f"{name}:exact"),
            helper.make_node("Add", [rounded.output[0], exact], [output], name=f"{name}:add"),
        ]

    def _constant(self, suffix: str, value: Any) -> str:
        name = f"{self._name}:{suffix}"
        self._graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
        return name


def _array(tensor: Any) -> Any:
    return numpy_helper.to_array(tensor)


def _affine(low: float, high: float) -> tuple[np.float32, int]:
    scale = np.float32(max(high - low, 1e-6) / 255)
    return scale, int(np.clip(np.rint(-low / scale), 0, 255))


def _round_matrix(matrix: Floats) -> tuple[NDArray[np.int8], Floats]:
    columns = np.maximum(np.abs(matrix).max(axis=0), 1e-12) / np.float32(_LARGEST_WEIGHT)
    return np.rint(matrix / columns).astype(np.int8), columns.astype(np.float32)


def sample_texts(tokenizer: Path) -> Iterator[Inputs]:
    """Yield the sample texts for an encoder, texts of like length together.

    :param tokenizer: The encoder's ``tokenizer.json``.
    """
    from tokenizers import Tokenizer

    texts = json.loads(_SAMPLES.read_text(encoding="utf-8"))
    reader = Tokenizer.from_file(str(tokenizer))
    reader.enable_truncation(256)
    tokenised = sorted((encoding.ids for encoding in reader.encode_batch(texts)), key=len)
    for start in range(0, len(tokenised), 16):
        batch = tokenised[start : start + 16]
        shape = len(batch), len(batch[-1])
        ids, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        yield {"input_ids": ids, "attention_mask": mask}


def _sample_inputs(
    model: Any, names: list[str], batches: Sequence[Inputs]
) -> dict[str, tuple[Floats, Floats, Floats]]:
    """Return for each tensor its channels' least and greatest values, and some rows."""
    import onnxruntime

    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    for name in names:
        watched.graph.output.append(
            helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(watched.SerializeToString(), options)
    masks = [batch["attention_mask" if "attention_mask" in batch else "mask"] for batch in batches]
    total = sum(int(mask.sum()) for mask in masks)
    step = max(1, total // _SAMPLED_TOKENS)
    low: dict[str, Floats] = {}
    high: dict[str, Floats] = {}
    rows: dict[str, list[Floats]] = {name: [] for name in names}
    for batch, mask in zip(batches, masks, strict=True):
        values = session.run(names, dict(batch))
        for name, value in zip(names, values, strict=True):
            real = value[mask.astype(bool)]
            low[name] = np.minimum(low.get(name, real.min(axis=0)), real.min(axis=0))
            high[name] = np.maximum(high.get(name, real.max(axis=0)), real.max(axis=0))
            rows[name].append(real[::step])
    return {name: (low[name], high[name], np.concatenate(rows[name])) for name in names}
