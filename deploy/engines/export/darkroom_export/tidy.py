"""Rewrites what torch's exporter says in a way that TensorRT cannot read.

torch writes `chunk` as a sequence of tensors, which TensorRT's parser does not know, and casts "to the type of that
other value". Its optimiser would mend both, but folds and transposes weights away as it goes: then they are no
longer the bytes in the safetensors file.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    helper,
    inliner,
    numpy_helper,
    shape_inference,
)


def tidy(model: ModelProto) -> ModelProto:
    """The same function without local functions, sequences, casts by example and values that nobody reads."""
    inlined = inliner.inline_local_functions(model)
    typed = shape_inference.infer_shapes(inlined, data_prop=False)
    graph = typed.graph
    nodes = _without_casts_by_example(_without_sequences(graph), element_types(graph))
    replace(graph.node, only_read(nodes, {output.name for output in graph.output}))
    read = {name for node in graph.node for name in _read_by(node)}
    replace(graph.initializer, [tensor for tensor in graph.initializer if tensor.name in read])
    return typed


def strip_notes(model: ModelProto) -> None:
    """Takes out what torch notes about its own source: stack traces, paths and inferred shapes."""
    for node in model.graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    for value in (*model.graph.input, *model.graph.output):
        value.ClearField("metadata_props")
    model.graph.ClearField("value_info")
    model.ClearField("metadata_props")


def _without_sequences(graph: GraphProto) -> list[NodeProto]:
    """SplitToSequence and the SequenceAt nodes that read it become one Split."""
    constants = _small_constants(graph)
    readers: dict[str, dict[int, str]] = defaultdict(dict)
    for node in graph.node:
        if node.op_type == "SequenceAt":
            index = int(constants[node.input[1]])
            readers[node.input[0]][index] = node.output[0]
    nodes = []
    for node in graph.node:
        if node.op_type == "SplitToSequence":
            nodes.append(_to_split(node, readers[node.output[0]]))
        elif node.op_type != "SequenceAt":
            nodes.append(node)
    return nodes


def _to_split(node: NodeProto, readers: dict[int, str]) -> NodeProto:
    count = max(readers) + 1
    outputs = [readers.get(i, f"{node.output[0]}_{i}") for i in range(count)]
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)
    return helper.make_node("Split", [node.input[0]], outputs, axis=axis, num_outputs=count)


def _without_casts_by_example(nodes: Iterable[NodeProto], types: dict[str, int]) -> list[NodeProto]:
    return [
        helper.make_node("Cast", [node.input[0]], list(node.output), to=types.get(node.input[1]) or TensorProto.FLOAT)
        if node.op_type == "CastLike"
        else node
        for node in nodes
    ]


def only_read(nodes: list[NodeProto], wanted: set[str]) -> list[NodeProto]:
    """The nodes that the wanted values depend on. A graph's nodes are sorted, so one pass from the end finds them."""
    read = set(wanted)
    kept = []
    for node in reversed(nodes):
        if not read.isdisjoint(node.output):
            kept.append(node)
            read.update(_read_by(node))
    return kept[::-1]


def _read_by(node: NodeProto) -> Iterator[str]:
    """What the node reads, and what the branches of an If or the body of a Loop read of the graph around them."""
    yield from node.input
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from _read_by(inner)


def element_types(graph: GraphProto) -> dict[str, int]:
    """By name, of every value whose type the graph says; infer the types first."""
    values = (*graph.value_info, *graph.input, *graph.output)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    return types | {tensor.name: tensor.data_type for tensor in graph.initializer}


def _small_constants(graph: GraphProto) -> dict[str, NDArray[Any]]:
    """Initializers and Constant nodes that may be an index."""
    found = {t.name: numpy_helper.to_array(t) for t in graph.initializer if np.prod(t.dims) == 1}
    for node in graph.node:
        if node.op_type != "Constant":
            continue
        attribute = node.attribute[0]
        if attribute.name == "value":
            found[node.output[0]] = numpy_helper.to_array(attribute.t)
        elif attribute.name == "value_int":
            found[node.output[0]] = np.array(attribute.i)
    return found


def replace(field: Any, values: Iterable[Any]) -> None:
    """Gives a repeated field other values."""
    del field[:]
    field.extend(values)
