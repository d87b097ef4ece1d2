"""Makes the products of a graph compute in fp16 and leaves all else as it is: mixed precision, baked into the graph.

Turing has matrix products in fp16 alone, and TensorRT compiles a strongly typed graph as it is written. NVIDIA
ModelOpt's AutoCast does this by rules and ranges; here it is the products only, which are nearly all of the time.
Normalisations, softmax, the timestep's sines, guidance and sums of residuals stay in fp32, for fp16 would round them
or overflow. Needs onnx and numpy alone.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, shape_inference

from darkroom_export.bundle import Bundle
from darkroom_export.errors import ExportError
from darkroom_export.tidy import element_types, only_read, replace

_PRODUCTS = {"MatMul", "Gemm", "Einsum", "Conv", "ConvTranspose"}

# They move values and compute none, so that they give in fp16 exactly what they give in fp32 of the same values.
_MOVES = {"Identity", "Reshape", "Transpose", "Squeeze", "Unsqueeze"}


def autocast(model: ModelProto) -> ModelProto:
    """The same graph with its fp32 products in fp16, between casts; inputs and outputs keep names, types and shapes.

    A weight that lies in fp16 is read as it is, external data included, and what one product hands to another is not
    cast to and fro. A product of mixed types is left alone: it is a mistake of the graph, which whoever compiles it
    is to be told. Products inside the branches of an If or a Loop are not looked for.
    """
    halved = ModelProto()
    halved.CopyFrom(model)
    types = element_types(shape_inference.infer_shapes(model).graph)
    twins = _Twins(model.graph, types)
    for node in model.graph.node:
        if node.op_type in _PRODUCTS and all(types.get(name) == TensorProto.FLOAT for name in _named(node.input)):
            twins.add_product(node)
        else:
            twins.nodes.append(node)
    replace(halved.graph.node, only_read(twins.nodes, {output.name for output in model.graph.output}))
    # Shapes would still be true, but the types of what became fp16 would not.
    halved.graph.ClearField("value_info")
    return halved


def autocast_bundle(bundle: Bundle, parts: Iterable[str], out: Path) -> dict[str, Path]:
    """Writes the graphs of these parts with products in fp16 below `out`, as `unet/unet.onnx`, and says where.

    Weights are copied beside them, because a graph reads them from there, and onnx refuses links as an attack. Raises
    an ExportError when a graph cannot be read, with nothing written, and when `out` cannot be written.
    """
    sources = {part: (bundle.graph(part), bundle.weights(part)) for part in parts}
    halved = {part: autocast(_read(graph)) for part, (graph, _) in sources.items()}
    try:
        return {part: _write(halved[part], source, out) for part, source in sources.items()}
    except OSError as error:
        raise ExportError(f"{out} cannot be written: {error}") from error


def _read(graph: Path) -> ModelProto:
    try:
        return onnx.load(graph, load_external_data=False)
    except (OSError, DecodeError) as error:
        raise ExportError(f"{graph} cannot be read: {error}") from error


def _write(model: ModelProto, source: tuple[Path, Path], out: Path) -> Path:
    graph, weights = source
    halved = out / graph.parent.name / graph.name
    halved.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, halved)
    beside = halved.with_name(weights.name)
    if not beside.exists():
        shutil.copyfile(weights, beside)
    return halved


class _Twins:
    """Collects the nodes of the new graph, with an fp16 twin for each value that a product reads."""

    def __init__(self, graph: GraphProto, types: dict[str, int]) -> None:
        self.nodes: list[NodeProto] = []
        self._types = types
        self._producers = {name: node for node in graph.node for name in node.output}
        self._twins: dict[str, str] = {}
        self._taken = {*types, *self._producers}

    def add_product(self, node: NodeProto) -> None:
        """Adds the product in fp16, what casts its inputs before it, and the cast of its output behind it."""
        inputs = [name and (self._exact(name) or self._rounded(name)) for name in node.input]
        product = NodeProto()
        product.CopyFrom(node)
        replace(product.input, inputs)
        (output,) = node.output
        product.output[0] = self._name_twin(output)
        back = helper.make_node("Cast", [product.output[0]], [output], to=TensorProto.FLOAT)
        self.nodes += [product, back]

    def _exact(self, name: str) -> str | None:
        """The fp16 value that the fp32 one was made of without loss, if there is one."""
        if name in self._twins:
            return self._twins[name]
        node = self._producers.get(name)
        if node is None:
            return None
        if node.op_type == "Cast" and self._types.get(node.input[0]) == TensorProto.FLOAT16:
            return node.input[0]
        source = self._exact(node.input[0]) if node.op_type in _MOVES else None
        return source and self._moved(node, source)

    def _moved(self, node: NodeProto, source: str) -> str:
        moved = NodeProto()
        moved.CopyFrom(node)
        # The node itself stays where something else reads it, and two of one name are refused.
        moved.ClearField("name")
        moved.input[0] = source
        moved.output[0] = self._name_twin(node.output[0])
        self.nodes.append(moved)
        return moved.output[0]

    def _rounded(self, name: str) -> str:
        twin = self._name_twin(name)
        self.nodes.append(helper.make_node("Cast", [name], [twin], to=TensorProto.FLOAT16))
        return twin

    def _name_twin(self, name: str) -> str:
        twin = f"{name}_fp16"
        while twin in self._taken:
            twin += "_"
        self._taken.add(twin)
        self._twins[name] = twin
        return twin


def _named(names: Iterable[str]) -> list[str]:
    """An optional input that is not given has an empty name."""
    return [name for name in names if name]
