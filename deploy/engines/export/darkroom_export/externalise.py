"""Turns a graph's parameters into external data that points into a safetensors file."""

from pathlib import Path

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from darkroom_export.errors import ExportError
from darkroom_export.weights import StoredTensor, read_half_values, read_stored_tensors

# A parameter is called after its place in the network, which holds its model as `m` (see `networks`).
_PREFIX = "m."


def externalise(model: ModelProto, weights: Path) -> int:
    """Points every parameter of the graph at its fp16 values in `weights` and casts them to fp32 in the graph.

    A parameter is found by its name and its values are compared: one that stayed inside, or that was taken for
    another one with equal values, would be wrong in the next variant of the family. Returns the bytes pointed at.
    Raises an ExportError when a parameter is not in the file or differs from it.
    """
    stored = read_stored_tensors(weights)
    kept: list[TensorProto] = []
    casts: list[NodeProto] = []
    length = 0
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            kept.append(tensor)
            continue
        source = _find(tensor, stored, weights)
        pointer = _point(source, weights.name)
        kept.append(pointer)
        casts.append(helper.make_node("Cast", [pointer.name], [tensor.name], to=TensorProto.FLOAT))
        length += source.length
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return length


def _find(tensor: TensorProto, stored: dict[str, StoredTensor], weights: Path) -> StoredTensor:
    source = stored.get(tensor.name.removeprefix(_PREFIX))
    if source is None:
        raise ExportError(
            f"The graph holds {tensor.name}, which is not in {weights}: it would be the same in every variant."
        )
    values = numpy_helper.to_array(tensor)
    if source.dtype != "F16" or source.shape != values.shape:
        raise ExportError(
            f"{source.name} is {source.dtype} {list(source.shape)} in {weights}, F16 {list(values.shape)} expected."
        )
    if not np.array_equal(read_half_values(weights, source).astype(np.float32), values):
        raise ExportError(f"{source.name} in {weights} has other values than the network that was traced.")
    return source


def _point(source: StoredTensor, location: str) -> TensorProto:
    pointer = TensorProto(
        name=f"{source.name}.fp16",
        data_type=TensorProto.FLOAT16,
        dims=source.shape,
        data_location=TensorProto.EXTERNAL,
    )
    for key, value in (
        ("location", location),
        ("offset", str(source.offset)),
        ("length", str(source.length)),
    ):
        pointer.external_data.add(key=key, value=value)
    return pointer
