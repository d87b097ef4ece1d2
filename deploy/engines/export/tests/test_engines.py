"""What TensorRT-RTX takes and refuses. A refusal that goes away is news: then a rule in `checks` can go, too."""

from pathlib import Path

import onnx
import pytest
from graphs import attention, matmul, save_graph, single
from onnx import TensorProto, checker, helper

from darkroom_export import engines
from darkroom_export.autocast import autocast, autocast_bundle
from darkroom_export.bundle import open_bundle
from darkroom_export.checks import check_graph
from darkroom_export.cli import main
from darkroom_export.engines import build_engines, profile_of

FLOAT, HALF, BF16 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16
ADA = ("8.9",)
ROWS = [[1, 4], [2, 4], [8, 4]]
MATRICES = [[1, 4, 4], [2, 4, 4], [8, 4, 4]]

PICO = open_bundle(Path(__file__).parents[3] / "models" / "pico")


def errors_of(graph, profile, capability="8.9"):
    """What TensorRT says against the graph, in one string; empty when it builds."""
    (build,) = build_engines(graph, profile, (capability,))
    assert build.ok == (not build.errors)
    return " ".join(build.errors)


def verdicts(builds):
    return [(build.capability, build.ok, build.errors) for build in builds]


@pytest.mark.parametrize("part", PICO.manifest["parts"])
def test_every_graph_of_pico_builds_for_ampere_ada_and_blackwell(part):
    builds = build_engines(PICO.graph(part), profile_of(PICO, part), engines.CAPABILITIES["fp32"])

    assert verdicts(builds) == [(capability, True, []) for capability in ("8.0", "8.6", "8.9", "12.0")]
    assert all(build.plan_bytes > 0 for build in builds)


@pytest.mark.parametrize("part", PICO.manifest["parts"])
def test_every_graph_of_pico_builds_for_turing_too_with_products_in_fp16(part, tmp_path):
    graph = autocast_bundle(PICO, [part], tmp_path)[part]
    builds = build_engines(graph, profile_of(PICO, part), engines.CAPABILITIES["fp16"])

    assert verdicts(builds) == [(capability, True, []) for capability in ("7.5", "8.0", "8.6", "8.9", "12.0")]
    assert all(build.plan_bytes > 0 for build in builds)


@pytest.mark.parametrize("part", ["vae_decoder", "vae_encoder"])
def test_the_vae_builds_for_turing(part):
    assert errors_of(PICO.graph(part), profile_of(PICO, part), "7.5") == ""


@pytest.mark.parametrize("part", ["text_encoder", "unet", "unet_cfg"])
def test_turing_refuses_the_fp32_products_of_the_other_parts(part):
    assert "FP32 GEMM is not supported" in errors_of(PICO.graph(part), profile_of(PICO, part), "7.5")


def test_the_command_names_the_way_to_an_engine_for_turing(capsys):
    compile_text_encoder = ["compile", str(PICO.folder), "--part", "text_encoder", "--sm", "7.5"]

    assert main(compile_text_encoder) == 1
    assert "Build it with --precision fp16." in capsys.readouterr().err
    assert main([*compile_text_encoder, "--precision", "fp16"]) == 0


@pytest.mark.parametrize("capabilities", [("7.5", "8.9"), ("8.9", "7.5")])
def test_what_one_of_many_capabilities_refuses_is_told_of_that_one_alone(tmp_path, capabilities):
    """One build for all is refused when one of them cannot run it, wherever it stands."""
    builds = build_engines(matmul(tmp_path / "fp32.onnx"), {"x": ROWS}, capabilities)
    assert {build.capability: build.ok for build in builds} == {"7.5": False, "8.9": True}


def test_turing_takes_products_in_fp16_alone(tmp_path):
    assert "FP32 GEMM is not supported" in errors_of(matmul(tmp_path / "fp32.onnx"), {"x": ROWS}, "7.5")
    assert errors_of(matmul(tmp_path / "fp16.onnx", HALF, HALF), {"x": ROWS}, "7.5") == ""


@pytest.mark.parametrize("capability", ["7.0", "9.0", "10.0"])
def test_volta_hopper_and_data_centre_blackwell_are_refused(tmp_path, capability):
    assert "does not build for SM" in errors_of(matmul(tmp_path / "x.onnx"), {"x": ROWS}, capability)


def test_bf16_is_refused_below_ampere(tmp_path):
    graph = matmul(tmp_path / "x.onnx", BF16, BF16)
    assert "HW-specific datatypes" in errors_of(graph, {"x": ROWS}, "7.5")
    assert errors_of(graph, {"x": ROWS}, "8.0") == ""


def test_uint8_is_taken_last_and_refused_inside_where_onnx_takes_both(tmp_path):
    def cast(value, result):
        return helper.make_node("Cast", [value], [result], to=TensorProto.UINT8)

    def transpose(value, result):
        return helper.make_node("Transpose", [value], [result], perm=[0, 2, 1])

    given, taken = {"x": (FLOAT, ["B", 4, 4])}, {"z": (TensorProto.UINT8, ["B", 4, 4])}
    last = save_graph(tmp_path / "last.onnx", [transpose("x", "y"), cast("y", "z")], given, taken)
    inside = save_graph(tmp_path / "inside.onnx", [cast("x", "y"), transpose("y", "z")], given, taken)

    checker.check_model(inside, full_check=True)
    assert errors_of(last, {"x": MATRICES}) == ""
    assert "does not support UINT8 types for intermediate" in errors_of(inside, {"x": MATRICES})


def test_a_product_of_fp16_and_fp32_is_refused(tmp_path):
    graph = matmul(tmp_path / "x.onnx", HALF, FLOAT)
    assert "must have same input types" in errors_of(graph, {"x": ROWS})
    onnx.save(autocast(onnx.load(graph)), graph)
    assert "must have same input types" in errors_of(graph, {"x": ROWS}, "7.5")


def test_a_false_type_and_a_double_pass_so_the_checks_have_to_find_them(tmp_path):
    false = single(tmp_path / "false.onnx", "Relu", (HALF, ["B", 4, 4]))
    doubles = {"x": (TensorProto.DOUBLE, ["B", 4])}, {"z": (TensorProto.DOUBLE, ["B", 4])}
    double = save_graph(tmp_path / "double.onnx", [helper.make_node("Relu", ["x"], ["z"])], *doubles)

    assert errors_of(false, {"x": MATRICES}) == ""
    assert errors_of(double, {"x": ROWS}) == ""
    assert check_graph(false) != []
    assert check_graph(double) != []


@pytest.mark.parametrize(
    ("operator", "shape", "more"),
    [
        ("Det", ["B"], {}),
        ("Unique", ["N"], {}),
        ("Mystery", ["B", 4, 4], {"domain": "com.example"}),
    ],
)
def test_operators_that_it_does_not_have_are_refused(tmp_path, operator, shape, more):
    graph = single(tmp_path / "x.onnx", operator, (FLOAT, shape), **more)
    assert "parsing node number 0" in errors_of(graph, {"x": MATRICES})


def test_max_unpool_is_refused(tmp_path):
    node = helper.make_node("MaxUnpool", ["x", "i"], ["z"], kernel_shape=[2, 2], strides=[2, 2])
    inputs = {"x": (FLOAT, ["B", 1, 2, 2]), "i": (TensorProto.INT64, ["B", 1, 2, 2])}
    graph = save_graph(tmp_path / "x.onnx", [node], inputs, {"z": (FLOAT, ["B", 1, 4, 4])})
    assert "checkMaxUnpool" in errors_of(graph, {name: [[1, 1, 2, 2]] * 3 for name in inputs})


def test_sequences_are_refused(tmp_path):
    nodes = [
        helper.make_node("SplitToSequence", ["x", "size"], ["parts"], axis=1),
        helper.make_node("SequenceAt", ["parts", "first"], ["z"]),
    ]
    constants = [helper.make_tensor(name, TensorProto.INT64, [], [n]) for name, n in (("size", 2), ("first", 0))]
    given, taken = {"x": (FLOAT, ["B", 4])}, {"z": (FLOAT, ["B", 2])}
    graph = save_graph(tmp_path / "x.onnx", nodes, given, taken, initializers=constants)
    assert "checkSplitToSequence" in errors_of(graph, {"x": ROWS})


@pytest.mark.parametrize(("element", "head"), [(FLOAT, 64), (HALF, 8)])
def test_the_attention_operator_is_refused_in_fp32_and_with_heads_of_8(tmp_path, element, head):
    shapes = [[rows, 4, 16, head] for rows in (1, 2, 8)]
    graph = attention(tmp_path / "x.onnx", element, ["B", 4, 16, head])
    assert "attention" in errors_of(graph, dict.fromkeys("qkv", shapes))


@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        ({"x": ROWS}, "missing dimensions in profile"),
        ({"x": ROWS, "y": ROWS[::-1]}, "MIN<=OPT<=MAX"),
        ({"x": ROWS, "y": [[1, 2], [2, 4], [8, 4]]}, "Dimension mismatch"),
        ({"x": ROWS, "y": [[2, 4], [3, 4], [8, 4]]}, "must be equal"),
    ],
    ids=["an input without one", "not in order", "on a closed axis", "batches that differ"],
)
def test_a_wrong_profile_is_refused(tmp_path, profile, reason):
    inputs = {"x": (FLOAT, ["B", 4]), "y": (FLOAT, ["B", 4])}
    nodes = [helper.make_node("Add", ["x", "y"], ["z"])]
    graph = save_graph(tmp_path / "x.onnx", nodes, inputs, {"z": (FLOAT, ["B", 4])})

    assert errors_of(graph, {"x": ROWS, "y": ROWS}) == ""
    assert reason in errors_of(graph, profile)


def test_a_builder_that_dies_is_a_refusal_and_the_next_capability_is_tried(tmp_path, monkeypatch):
    child = tmp_path / "child.py"
    child.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setattr(engines, "_CHILD", child)

    builds = build_engines(tmp_path / "x.onnx", {}, ("8.0", "8.9"))

    assert verdicts(builds) == [
        ("8.0", False, ["TensorRT-RTX ended with SIGSEGV."]),
        ("8.9", False, ["TensorRT-RTX ended with SIGSEGV."]),
    ]
