"""Small graphs for tests."""

from pathlib import Path
from typing import Any

import onnx
from onnx import NodeProto, TensorProto, helper

Values = dict[str, tuple[int, list[Any]]]


def save_graph(path: Path, nodes: list[NodeProto], inputs: Values, outputs: Values, **more: Any) -> Path:
    """Writes a graph of the given nodes; inputs and outputs are element type and shape by name."""
    opset = more.get("opset", 18)
    domains = {node.domain for node in nodes} - {""}
    graph = helper.make_graph(nodes, "test", _values(inputs), _values(outputs), more.get("initializers", []))
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=10), path)
    return path


def matmul(path: Path, left: int = TensorProto.FLOAT, right: int = TensorProto.FLOAT) -> Path:
    """A product [B, 4] x [4, 4] of the given element types."""
    inputs = {"x": (left, ["B", 4]), "y": (right, [4, 4])}
    return save_graph(path, [helper.make_node("MatMul", ["x", "y"], ["z"])], inputs, {"z": (left, ["B", 4])})


def single(path: Path, operator: str, output: tuple[int, list[Any]], **more: Any) -> Path:
    """One node that reads `x`, fp32 [B, 4, 4] if not said otherwise."""
    shape = more.pop("shape", ["B", 4, 4])
    node = helper.make_node(operator, ["x"], ["z"], domain=more.pop("domain", ""), **more)
    return save_graph(path, [node], {"x": (TensorProto.FLOAT, shape)}, {"z": output})


def attention(path: Path, element: int, shape: list[Any]) -> Path:
    """ONNX's own operator, of opset 23; `shape` is [B, heads, tokens, head size]."""
    inputs = dict.fromkeys("qkv", (element, shape))
    node = helper.make_node("Attention", list(inputs), ["z"])
    return save_graph(path, [node], inputs, {"z": (element, shape)}, opset=23)


def _values(values: Values) -> list[onnx.ValueInfoProto]:
    return [helper.make_tensor_value_info(name, element, shape) for name, (element, shape) in values.items()]
