"""Turn an encoder's matrix products to int8 arithmetic with fixed scales.

Scales are fixed from sample texts, so that a text's vector does not depend on the texts
encoded beside it, as it does where ONNX Runtime scales each batch by its own extremes.
Before rounding, each input channel is divided by a factor that its weights are multiplied
by: SmoothQuant (Xiao et al. 2023, arXiv:2211.10438), its strength searched for each input
by the error of the product, as AWQ does (Lin et al. 2024, arXiv:2306.00978). Weights have
a scale for each output channel.
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
# The products that rounding hurts most stay in fp32.
_KEPT_EXACT = 2


def quantise(source: Path, target: Path, batches: Sequence[Inputs]) -> None:
    """Write a graph whose products with constant matrices run in int8.

    :param source: An ONNX graph that takes states or tokens, and a mask of them.
    :param target: Where to write the other.
    :param batches: What to fix the scales by; see :func:`sample_texts`.
    """
    model = onnx.load(str(source))
    weights = {tensor.name: tensor for tensor in model.graph.initializer if len(tensor.dims) == 2}
    groups: dict[str, list[Any]] = {}
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            groups.setdefault(node.input[0], []).append(node)
    inputs = _sample_inputs(model, list(groups), batches)
    products = {}
    for name, nodes in groups.items():
        matrices = [
            numpy_helper.to_array(weights[node.input[1]]).astype(np.float32) for node in nodes
        ]
        products[name] = _Product(model.graph, name, *inputs[name], matrices)
    worst = sorted(products, key=lambda name: products[name].error)[-_KEPT_EXACT:]
    replaced: dict[str, list[Any]] = {}
    for name, nodes in groups.items():
        if name in worst:
            continue
        made = products[name]
        for position, node in enumerate(nodes):
            before = made.quantise_input() if position == 0 else []
            replaced[node.name] = [*before, made.multiply(node, position)]
    nodes = [new for node in model.graph.node for new in replaced.get(node.name, [node])]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    if all(known.domain != "com.microsoft" for known in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, str(target))


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
        low = np.minimum(low, 0).astype(np.float32)
        high = np.maximum(high, 0).astype(np.float32)
        reach: Floats = np.maximum(np.maximum(-low, high), 1e-6)
        joined = np.concatenate(matrices, axis=1)
        exact = sample @ joined
        largest = np.maximum(np.abs(joined).max(axis=1), 1e-6)
        best = np.inf
        for strength in _STRENGTHS:
            factors: Floats = np.ones_like(reach)
            if strength:
                factors = (reach**strength / largest ** (1 - strength)).astype(np.float32)
            scale, zero = _affine((low / factors).min(), (high / factors).max())
            whole, columns = _round_matrix(joined * factors[:, None])
            rounded = np.clip(np.rint(sample / factors / scale) + zero, 0, 255) - zero
            error = exact - (rounded @ whole.astype(np.float32)) * (scale * columns)
            size = float(np.square(error - error.mean(axis=0)).sum())
            if size < best:
                best = size
                self._factors, self._scale, self._zero = factors, scale, zero
                self._matrix, self._columns, self._bias = whole, columns, error.mean(axis=0)
        self.error = best / float(np.square(exact).sum())
        self._edges = list(
            itertools.accumulate((matrix.shape[1] for matrix in matrices), initial=0)
        )

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

    def multiply(self, node: Any, position: int) -> Any:
        """Return the node that takes the place of a product."""
        part = slice(self._edges[position], self._edges[position + 1])
        return helper.make_node(
            "MatMulIntegerToFloat",
            [
                f"{self._name}:int8",
                self._constant(f"matrix{position}", np.ascontiguousarray(self._matrix[:, part])),
                self._scale_name,
                self._constant(f"columns{position}", self._columns[part]),
                self._zero_name,
                # Written out, since ONNX Runtime's conversion for AVX2 looks for it.
                self._constant(f"weight_zero{position}", np.int8(0)),
                self._constant(f"bias{position}", self._bias[part].astype(np.float32)),
            ],
            list(node.output),
            name=node.name,
            domain="com.microsoft",
        )

    def _constant(self, suffix: str, value: Any) -> str:
        name = f"{self._name}:{suffix}"
        self._graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
        return name


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
