"""Each rule fires for what breaks it, and the committed bundles break none."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from graphs import attention, matmul, save_graph, single
from onnx import TensorProto, helper, numpy_helper

from darkroom_export.bundle import open_bundle
from darkroom_export.checks import check_bundle, check_graph
from darkroom_export.errors import ExportError

MODELS = Path(__file__).parents[3] / "models"
FLOAT = TensorProto.FLOAT


@pytest.fixture
def pico(tmp_path):
    """A copy that may be damaged."""
    return open_bundle(
        Path(shutil.copytree(MODELS / "pico", tmp_path / "pico", ignore=shutil.ignore_patterns("train")))
    )


def change(bundle, part):
    """Loads a graph to be changed; give the result to `onnx.save`."""
    return onnx.load(bundle.graph(part), load_external_data=False), bundle.graph(part)


def complaints_of(bundle):
    return {name: found for name, found in check_bundle(bundle).items() if found}


@pytest.mark.parametrize("name", ["pico", "pico-noto"])
def test_the_committed_graphs_break_no_rule(name):
    bundle = open_bundle(MODELS / name)
    checked = check_bundle(bundle)
    assert set(bundle.manifest["parts"]) < set(checked)
    assert not complaints_of(bundle)


def test_the_check_command_needs_onnx_and_numpy_alone():
    absent = ["diffusers", "onnxruntime", "safetensors", "tensorrt_rtx", "torch", "transformers"]
    bundles = [str(MODELS / "pico"), str(MODELS / "pico-noto")]
    code = f"""if True:
        import sys
        sys.modules |= dict.fromkeys({absent})
        from darkroom_export.cli import main
        sys.exit(main(["check", *{bundles}]))
    """
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("part", ["unet", "unet_cfg"])
def test_the_graphs_of_pico_and_pico_noto_are_the_same_bytes(part):
    pico, noto = (open_bundle(MODELS / name).graph(part) for name in ("pico", "pico-noto"))
    assert pico.read_bytes() == noto.read_bytes()


@pytest.mark.parametrize(("part", "name"), [("unet", "conv_out.bias"), ("vae_decoder", "decoder.conv_out.bias")])
def test_a_parameter_left_inside_is_found_however_small_it_is(pico, part, name):
    model, path = change(pico, part)
    (pointer,) = (tensor for tensor in model.graph.initializer if tensor.name == f"{name}.fp16")
    inside = numpy_helper.from_array(np.zeros(pointer.dims, np.float16), pointer.name)
    pointer.CopyFrom(inside)
    onnx.save(model, path)

    assert complaints_of(pico)[part] == [f"{name}.fp16 is inside the graph with {inside.dims[0]} values"]


def test_a_parameter_that_became_a_formula_is_found_missing(pico):
    model, path = change(pico, "vae_encoder")
    kept = [tensor for tensor in model.graph.initializer if tensor.name != "encoder.conv_in.bias.fp16"]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    scale = helper.make_node("Constant", [], ["one"], value_float=1.0)
    shape = helper.make_node("Constant", [], ["shape"], value_ints=[16])
    expand = helper.make_node("Expand", ["one", "shape"], ["m.encoder.conv_in.bias"])
    nodes = [node for node in model.graph.node if "m.encoder.conv_in.bias" not in node.output]
    del model.graph.node[:]
    model.graph.node.extend([scale, shape, expand, *nodes])
    onnx.save(model, path)

    assert complaints_of(pico) == {
        "vae/diffusion_pytorch_model.safetensors": [
            "no graph reads encoder.conv_in.bias of diffusion_pytorch_model.safetensors"
        ]
    }


@pytest.mark.parametrize(("key", "value"), [("offset", "8"), ("length", "2"), ("location", "other.safetensors")])
def test_a_pointer_beside_its_tensor_is_found(pico, key, value):
    model, path = change(pico, "unet")
    (pointer,) = (tensor for tensor in model.graph.initializer if tensor.name == "conv_out.bias.fp16")
    (entry,) = (entry for entry in pointer.external_data if entry.key == key)
    entry.value = value
    onnx.save(model, path)

    expected = "conv_out.bias.fp16 does not point at conv_out.bias as it lies in diffusion_pytorch_model.safetensors"
    assert expected in complaints_of(pico)["unet"]


def test_inputs_that_the_manifest_does_not_have_are_found(pico):
    pico.manifest["parts"]["unet"]["inputs"][1]["shape"] = [-1]
    (complaint,) = complaints_of(pico)["unet"]
    assert "the manifest says" in complaint


def test_a_closed_batch_is_found(pico):
    model, path = change(pico, "vae_decoder")
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, path)
    assert "latents has no open batch" in complaints_of(pico)["vae_decoder"]


def test_a_folder_without_a_manifest_is_an_error(tmp_path):
    with pytest.raises(ExportError, match=r"manifest\.json cannot be read"):
        open_bundle(tmp_path)


def test_a_sound_graph_has_no_complaints(tmp_path):
    assert check_graph(matmul(tmp_path / "x.onnx")) == []


@pytest.mark.parametrize("operator", ["Det", "Unique"])
def test_operators_that_tensorrt_lacks_are_found(tmp_path, operator):
    output = {"Det": ["B"], "Unique": ["N"]}[operator]
    assert check_graph(single(tmp_path / "x.onnx", operator, (FLOAT, output))) == [
        f"{operator} is there, and TensorRT does not have it"
    ]


def test_operators_of_others_are_found(tmp_path):
    graph = single(tmp_path / "x.onnx", "Mystery", (FLOAT, ["B", 4, 4]), domain="com.example")
    assert check_graph(graph) == ["it imports operators of com.example"]


def test_the_attention_operator_is_found(tmp_path):
    graph = attention(tmp_path / "x.onnx", FLOAT, ["B", 4, 16, 64])
    assert [complaint.split()[0] for complaint in check_graph(graph)] == ["opset", "Attention"]


def test_bytes_inside_the_graph_are_found(tmp_path):
    nodes = [
        helper.make_node("Cast", ["x"], ["y"], to=TensorProto.UINT8),
        helper.make_node("Transpose", ["y"], ["z"], perm=[1, 0]),
    ]
    values = {"x": (FLOAT, ["B", 4])}, {"z": (TensorProto.UINT8, [4, "B"])}
    assert check_graph(save_graph(tmp_path / "x.onnx", nodes, *values)) == [
        "y is uint8 inside the graph",
        "Transpose reads uint8, which is only to be cast",
    ]


@pytest.mark.parametrize("element", [TensorProto.DOUBLE, TensorProto.BFLOAT16])
def test_types_that_tensorrt_changes_or_lacks_are_found(tmp_path, element):
    assert "x is" in check_graph(matmul(tmp_path / "x.onnx", element, element))[0]


def test_mixed_and_false_types_are_found(tmp_path):
    mixed = matmul(tmp_path / "mixed.onnx", TensorProto.FLOAT16, FLOAT)
    false = single(tmp_path / "false.onnx", "Relu", (TensorProto.FLOAT16, ["B", 4, 4]))
    for graph in (mixed, false):
        (complaint,) = check_graph(graph)
        assert complaint.startswith("onnx refuses it")
