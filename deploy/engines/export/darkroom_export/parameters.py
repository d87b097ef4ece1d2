"""Holds that no parameter is left inside a graph. Needs onnx and numpy alone."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from onnx import GraphProto, ModelProto, TensorProto

from darkroom_export.weights import StoredTensor, read_stored_tensors

_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)


def parameters_inside(model: ModelProto) -> Iterator[str]:
    """A complaint for each value of more than one number that the graph holds itself.

    Single numbers are the constants of formulas. A parameter of one number, if there ever is one, is found missing
    by `unread_tensors`. The only longer constants that a graph may hold are the factors of a Resize.
    """
    factors = {name for node in model.graph.node if node.op_type == "Resize" for name in node.input[2:3]}
    for name, count in _floats_inside(model.graph):
        if count > 1 and name not in factors:
            yield f"{name} is inside the graph with {count} values"


def wrong_pointers(model: ModelProto, weights: Path) -> Iterator[str]:
    """A complaint for each external value that is not exactly one tensor of `weights`, by name, type and place."""
    stored = read_stored_tensors(weights)
    for tensor in _external(model):
        source = stored.get(stored_name(tensor))
        if source is None:
            yield f"{tensor.name} names no tensor of {weights.name}"
        elif not _is_exactly(tensor, source, weights.name):
            yield f"{tensor.name} does not point at {source.name} as it lies in {weights.name}"


def unread_tensors(models: Iterable[ModelProto], weights: Path) -> Iterator[str]:
    """A complaint for each tensor of `weights` that none of the graphs beside it points at: where is it, then?"""
    read = {stored_name(tensor) for model in models for tensor in _external(model)}
    for name in read_stored_tensors(weights):
        if name not in read:
            yield f"no graph reads {name} of {weights.name}"


def stored_name(tensor: TensorProto) -> str:
    """What the safetensors file calls a parameter of a graph."""
    return tensor.name.removesuffix(".fp16")


def _external(model: ModelProto) -> list[TensorProto]:
    return [tensor for tensor in model.graph.initializer if tensor.data_location == TensorProto.EXTERNAL]


def _is_exactly(tensor: TensorProto, source: StoredTensor, location: str) -> bool:
    place = {entry.key: entry.value for entry in tensor.external_data}
    expected = {"location": location, "offset": str(source.offset), "length": str(source.length)}
    is_half = tensor.data_type == TensorProto.FLOAT16 and source.dtype == "F16"
    return is_half and tuple(tensor.dims) == source.shape and place == expected


def _floats_inside(graph: GraphProto) -> Iterator[tuple[str, int]]:
    """Name and number of values of each float that has no file: initializers and the attributes of nodes."""
    for tensor in graph.initializer:
        if tensor.data_location != TensorProto.EXTERNAL and tensor.data_type in _FLOATS:
            yield tensor.name, math.prod(tensor.dims)
    for node in graph.node:
        name = node.output[0] if node.output else node.name
        for attribute in node.attribute:
            if attribute.floats:
                yield name, len(attribute.floats)
            for tensor in (attribute.t, *attribute.tensors):
                if tensor.data_type in _FLOATS:
                    yield name, math.prod(tensor.dims)
            for inner in (attribute.g, *attribute.graphs):
                yield from _floats_inside(inner)
