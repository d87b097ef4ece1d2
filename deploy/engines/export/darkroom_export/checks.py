"""What a graph must look like so that ONNX Runtime and TensorRT both take it. Needs onnx and numpy alone.

Each rule yields a complaint in words for each thing that breaks it. They are here because the tools disagree: ONNX's
checker and ONNX Runtime accept things that TensorRT refuses, reads wrongly or dies of, and the other way round.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto, TensorProto, ValueInfoProto, checker, shape_inference

from darkroom_export.bundle import Bundle, path_from
from darkroom_export.parameters import parameters_inside, unread_tensors, wrong_pointers

# Attention is still decomposed here; the operator of 23 is one that TensorRT takes in some shapes alone.
_OPSET_MAX = 20

_REFUSED_OPERATORS = {
    "Attention": "TensorRT refuses it in fp32 and with small heads",
    "Det": "TensorRT does not have it",
    "MaxUnpool": "TensorRT does not have it",
    "Unique": "TensorRT does not have it",
}

_REFUSED_TYPES = {
    TensorProto.DOUBLE: "TensorRT makes it a float without a word",
    TensorProto.BFLOAT16: "TensorRT has it from SM 8.0 on alone",
}

# The names of the manifest.
_TYPES = {
    TensorProto.FLOAT: "float",
    TensorProto.FLOAT16: "float16",
    TensorProto.INT32: "int32",
    TensorProto.INT64: "int64",
    TensorProto.UINT8: "uint8",
    TensorProto.BOOL: "bool",
}


def check_bundle(bundle: Bundle) -> dict[str, list[str]]:
    """Complaints by part, and by weights file for what is common to the graphs beside it. Empty where sound."""
    complaints: dict[str, list[str]] = {}
    beside: dict[Path, list[ModelProto]] = defaultdict(list)
    for name, part in bundle.manifest["parts"].items():
        path, weights = bundle.graph(name), bundle.weights(name)
        model = onnx.load(path, load_external_data=False)
        beside[weights].append(model)
        complaints[name] = [*check_graph(path), *wrong_pointers(model, weights), *_contract(model, part)]
    for weights, models in beside.items():
        complaints[path_from(bundle.folder, weights)] = list(unread_tensors(models, weights))
    return complaints


def check_graph(path: Path) -> list[str]:
    """Everything that can be said of one graph without its manifest."""
    try:
        checker.check_model(path, full_check=True)
        model = onnx.load(path, load_external_data=False)
        types = _element_types(model)
    except (checker.ValidationError, shape_inference.InferenceError) as error:
        return [f"onnx refuses it: {error}"]
    rules = (
        _operators(model),
        _refused_types(types),
        _bytes_at_the_edges(model, types),
        parameters_inside(model),
    )
    return [complaint for rule in rules for complaint in rule]


def _operators(model: ModelProto) -> Iterator[str]:
    for opset in model.opset_import:
        if opset.domain:
            yield f"it imports operators of {opset.domain}"
        elif opset.version > _OPSET_MAX:
            yield f"opset {opset.version} is above {_OPSET_MAX}"
    if model.functions:
        yield "it has local functions"
    for name in sorted({node.op_type for node in model.graph.node}):
        if "Sequence" in name or "Optional" in name:
            yield f"{name} is there, and TensorRT has no sequences and no optionals"
        elif name in _REFUSED_OPERATORS:
            yield f"{name} is there, and {_REFUSED_OPERATORS[name]}"


def _refused_types(types: dict[str, int]) -> Iterator[str]:
    for name, element in types.items():
        if element in _REFUSED_TYPES:
            yield f"{name} is {TensorProto.DataType.Name(element)}, and {_REFUSED_TYPES[element]}"


def _bytes_at_the_edges(model: ModelProto, types: dict[str, int]) -> Iterator[str]:
    """uint8 is for inputs and outputs. A transpose after the cast passes every tool but TensorRT."""
    outputs = {value.name for value in model.graph.output}
    for node in model.graph.node:
        if node.op_type != "Cast" and any(types.get(name) == TensorProto.UINT8 for name in node.input):
            yield f"{node.op_type} reads uint8, which is only to be cast"
        for name in node.output:
            if types.get(name) == TensorProto.UINT8 and name not in outputs:
                yield f"{name} is uint8 inside the graph"


def _contract(model: ModelProto, part: dict[str, Any]) -> Iterator[str]:
    """Inputs and outputs are those of the manifest, and the first axis of each is the batch."""
    for kind, values in (("inputs", model.graph.input), ("outputs", model.graph.output)):
        specs = [_to_spec(value) for value in values]
        if specs != part[kind]:
            yield f"its {kind} are {specs}, and the manifest says {part[kind]}"
        for spec in specs:
            if spec["shape"][:1] != [-1]:
                yield f"{spec['name']} has no open batch"


def _to_spec(value: ValueInfoProto) -> dict[str, Any]:
    tensor = value.type.tensor_type
    shape = [axis.dim_value if axis.HasField("dim_value") else -1 for axis in tensor.shape.dim]
    return {"name": value.name, "type": _TYPES.get(tensor.elem_type, "?"), "shape": shape}


def _element_types(model: ModelProto) -> dict[str, int]:
    graph = shape_inference.infer_shapes(model).graph
    values = (*graph.input, *graph.value_info, *graph.output)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    return types | {tensor.name: tensor.data_type for tensor in graph.initializer}
