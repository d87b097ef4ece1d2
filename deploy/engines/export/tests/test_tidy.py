"""The graph after tidying is the same function, without what TensorRT cannot read."""

import numpy as np
import onnx
import onnxruntime
from graphs import save_graph
from onnx import TensorProto, helper

from darkroom_export.tidy import strip_notes, tidy

ROWS = np.arange(8, dtype=np.float32).reshape(2, 4)


def run(model):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": ROWS})


def operators(model):
    return [node.op_type for node in model.graph.node]


def index(name, value):
    return helper.make_node("Constant", [], [name], value_int=value)


def halves(tmp_path):
    """x [B, 4] split into halves as torch's `chunk` writes it, of which only the second is read."""
    nodes = [
        helper.make_node("Constant", [], ["size"], value_int=2),
        helper.make_node("SplitToSequence", ["x", "size"], ["parts"], axis=1),
        index("second", 1),
        helper.make_node("SequenceAt", ["parts", "second"], ["half"]),
        helper.make_node("CastLike", ["half", "x"], ["z"]),
    ]
    given, taken = {"x": (TensorProto.FLOAT, ["B", 4])}, {"z": (TensorProto.FLOAT, ["B", 2])}
    return onnx.load(save_graph(tmp_path / "halves.onnx", nodes, given, taken))


def test_sequences_become_one_split_and_casts_name_their_type(tmp_path):
    model = halves(tmp_path)
    tidied = tidy(model)

    assert operators(tidied) == ["Split", "Cast"]
    assert tidied.graph.node[1].attribute[0].i == TensorProto.FLOAT
    np.testing.assert_array_equal(run(tidied)[0], run(model)[0])
    np.testing.assert_array_equal(run(tidied)[0], ROWS[:, 2:])


def test_what_nobody_reads_is_dropped_however_long_its_chain(tmp_path):
    nodes = [helper.make_node("Relu", [f"v{i}"], [f"v{i + 1}"]) for i in range(20)]
    nodes = [helper.make_node("Relu", ["x"], ["z"]), helper.make_node("Relu", ["x"], ["v0"]), *nodes]
    values = {"x": (TensorProto.FLOAT, ["B", 4])}, {"z": (TensorProto.FLOAT, ["B", 4])}
    unread = helper.make_tensor("unread", TensorProto.FLOAT, [1], [1.0])
    model = onnx.load(save_graph(tmp_path / "x.onnx", nodes, *values, initializers=[unread]))

    tidied = tidy(model)

    assert operators(tidied) == ["Relu"]
    assert not tidied.graph.initializer


def test_what_only_a_branch_reads_is_kept(tmp_path):
    def branch(name, operator):
        output = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", 4])
        return helper.make_graph([helper.make_node(operator, ["around", "w"], [name])], name, [], [output])

    nodes = [
        helper.make_node("Relu", ["x"], ["around"]),
        helper.make_node("If", ["yes"], ["z"], then_branch=branch("then", "Add"), else_branch=branch("else", "Sub")),
    ]
    values = {"x": (TensorProto.FLOAT, ["B", 4])}, {"z": (TensorProto.FLOAT, ["B", 4])}
    given = [
        helper.make_tensor("yes", TensorProto.BOOL, [], [True]),
        helper.make_tensor("w", TensorProto.FLOAT, [1], [2]),
    ]
    tidied = tidy(onnx.load(save_graph(tmp_path / "x.onnx", nodes, *values, initializers=given)))

    np.testing.assert_array_equal(run(tidied)[0], ROWS + 2)


def test_notes_about_the_source_are_gone(tmp_path):
    model = halves(tmp_path)
    model.graph.node[0].doc_string = "/home/somebody/model.py"
    model.graph.node[0].metadata_props.add(key="stack", value="/home/somebody/model.py")
    model.graph.input[0].metadata_props.add(key="from", value="/home/somebody/model.py")
    model.metadata_props.add(key="by", value="somebody")
    model.graph.value_info.add(name="half")

    strip_notes(model)

    assert b"somebody" not in model.SerializeToString()
    assert not model.graph.value_info
