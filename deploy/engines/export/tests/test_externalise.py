"""Parameters leave the graph by name, and only when the file has the same values."""

import numpy as np
import onnx
import onnxruntime
import pytest
from graphs import save_graph
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from darkroom_export.errors import ExportError
from darkroom_export.externalise import externalise

WEIGHT = np.array([[1, 2], [3, 4]], np.float16)
BIAS = np.array([0.5, -0.5], np.float16)


@pytest.fixture
def graph(tmp_path):
    """x @ weight + bias, as torch exports it: fp32 and inside."""
    nodes = [
        helper.make_node("MatMul", ["x", "m.fc.weight"], ["y"]),
        helper.make_node("Add", ["y", "m.fc.bias"], ["z"]),
    ]
    inside = [
        numpy_helper.from_array(WEIGHT.astype(np.float32), "m.fc.weight"),
        numpy_helper.from_array(BIAS.astype(np.float32), "m.fc.bias"),
    ]
    values = {"x": (TensorProto.FLOAT, ["B", 2])}, {"z": (TensorProto.FLOAT, ["B", 2])}
    return save_graph(tmp_path / "fc.onnx", nodes, *values, initializers=inside)


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "fc.safetensors"
    save_file({"fc.weight": WEIGHT, "fc.bias": BIAS}, path)
    return path


def run(graph):
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": np.ones((1, 2), np.float32)})[0]


def test_the_graph_computes_the_same_from_the_file(graph, weights):
    before = run(graph)
    model = onnx.load(graph)

    length = externalise(model, weights)
    onnx.save(model, graph)

    np.testing.assert_array_equal(run(graph), before)
    assert length == WEIGHT.nbytes + BIAS.nbytes
    assert [tensor.data_location for tensor in model.graph.initializer] == [TensorProto.EXTERNAL] * 2


def test_other_weights_in_the_same_layout_need_no_other_graph(graph, weights):
    model = onnx.load(graph)
    externalise(model, weights)
    onnx.save(model, graph)

    save_file({"fc.weight": WEIGHT * 2, "fc.bias": BIAS}, weights)

    np.testing.assert_array_equal(run(graph), [[8.5, 11.5]])


def test_equal_values_under_another_name_are_not_taken(graph, weights):
    save_file({"fc.weight": WEIGHT, "other.bias": BIAS}, weights)
    with pytest.raises(ExportError, match=r"m\.fc\.bias, which is not in .* every variant"):
        externalise(onnx.load(graph), weights)


def test_other_values_under_the_name_are_not_taken(graph, weights):
    save_file({"fc.weight": WEIGHT, "fc.bias": BIAS + 1}, weights)
    with pytest.raises(ExportError, match=r"fc\.bias .* has other values"):
        externalise(onnx.load(graph), weights)


def test_fp32_weights_are_refused(graph, weights):
    save_file({"fc.weight": WEIGHT, "fc.bias": BIAS.astype(np.float32)}, weights)
    with pytest.raises(ExportError, match=r"fc\.bias is F32 \[2\] .* F16 \[2\] expected"):
        externalise(onnx.load(graph), weights)


def test_a_file_that_is_none_is_named(graph, weights):
    weights.write_bytes(b"\xff" * 16)
    with pytest.raises(ExportError, match=r"fc\.safetensors cannot be read as safetensors"):
        externalise(onnx.load(graph), weights)
