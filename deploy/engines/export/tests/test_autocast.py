"""Products become fp16 and nothing else does, and the pictures are the same to the eye."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler
from graphs import matmul, save_graph
from onnx import TensorProto, helper, numpy_helper, shape_inference
from transformers import CLIPTokenizer

from darkroom_export.autocast import autocast
from darkroom_export.bundle import open_bundle
from darkroom_export.checks import check_graph
from darkroom_export.cli import main
from darkroom_export.parameters import unread_tensors, wrong_pointers
from darkroom_export.tidy import element_types

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
PRODUCTS = {"MatMul", "Gemm", "Conv"}
# What rounds worst, or overflows.
KEPT = {"Softmax", "LayerNormalization", "InstanceNormalization", "Sin", "Cos", "Exp", "Div", "Sub", "Sigmoid", "Erf"}

PICO = open_bundle(Path(__file__).parents[3] / "models" / "pico")
PARTS = list(PICO.manifest["parts"])
# The largest norm of the difference that is let pass, relative to the norm of the answer. Measured on random inputs:
# 4e-4 of the text encoder, 4e-4 of the U-Net, 2e-3 with guidance of up to 8, which multiplies the error, 3e-4 of the
# VAE's encoder and 7e-4 of its decoder, which is one level in a few hundred numbers.
ERROR_MAX = {"text_encoder": 1e-3, "unet": 1e-3, "unet_cfg": 4e-3, "vae_decoder": 2e-3, "vae_encoder": 1e-3}


@pytest.fixture(scope="module")
def halved(tmp_path_factory):
    """The graphs of pico as the command writes them, by part."""
    out = tmp_path_factory.mktemp("halved") / "pico"
    assert main(["autocast", str(PICO.folder), str(out)]) == 0
    return {part: out / PICO.graph(part).relative_to(PICO.folder) for part in PARTS}


def load(path):
    return onnx.load(path, load_external_data=False)


def types_of(model):
    return element_types(shape_inference.infer_shapes(model).graph)


def open_session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def open_rounding(path):
    """A session that rounds where the graph does.

    ONNX Runtime has most products of the CPU in fp32 alone: it casts their inputs back, finds a cast to and fro, and
    leaves out both, so that nothing is rounded. A node between the two keeps them apart.
    """
    model = load(path)
    nodes = []
    for node in model.graph.node:
        nodes.append(node)
        is_cast = node.op_type == "Cast" and node.attribute[0].i == HALF
        if is_cast or node.op_type in PRODUCTS:
            name = node.output[0]
            node.output[0] = f"{name}_rounded"
            nodes.append(helper.make_node("Identity", [node.output[0]], [name]))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    beside = path.with_suffix(".rounding.onnx")
    onnx.save(model, beside)
    return open_session(beside)


def inputs_of(part):
    """Two rows of random numbers of the kind that the part is given."""
    drawn = np.random.default_rng(0)
    sizes = {"sample": 16, "latents": 16, "images": 64}
    kinds = {
        "input_ids": lambda shape: drawn.integers(0, 49408, shape, np.int32),
        "timestep": lambda shape: drawn.uniform(0, 999, shape),
        "guidance": lambda shape: drawn.uniform(1, 8, shape),
        "images": lambda shape: drawn.uniform(-1, 1, shape),
    }

    def draw(name, shape):
        values = kinds.get(name, drawn.standard_normal)(shape)
        return values if name == "input_ids" else values.astype(np.float32)

    specs = PICO.manifest["parts"][part]["inputs"]
    shapes = {s["name"]: [2, *(n if n > 0 else sizes.get(s["name"], 77) for n in s["shape"][1:])] for s in specs}
    return {name: draw(name, shape) for name, shape in shapes.items()}


def test_a_product_is_rounded_to_fp16_and_its_edges_stay_fp32(tmp_path):
    path = matmul(tmp_path / "x.onnx")
    x, y = np.random.default_rng(0).standard_normal((2, 4, 4)).astype(np.float32)
    expected = (x.astype(np.float16).astype(np.float32) @ y.astype(np.float16)).astype(np.float16)

    onnx.save(autocast(load(path)), path)

    (got,) = open_rounding(path).run(None, {"x": x, "y": y})
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=1e-3)
    np.testing.assert_array_equal(got, got.astype(np.float16))
    assert not np.allclose(got, x @ y, rtol=1e-6)


def test_weights_are_read_as_they_lie_and_products_hand_on_what_they_have(tmp_path):
    weight = numpy_helper.from_array(np.eye(4, dtype=np.float16), "w")
    nodes = [
        helper.make_node("Cast", ["w"], ["w32"], to=FLOAT),
        helper.make_node("Transpose", ["w32"], ["wt"], perm=[1, 0]),
        helper.make_node("MatMul", ["x", "wt"], ["a"]),
        helper.make_node("Identity", ["a"], ["b"]),
        helper.make_node("Gemm", ["b", "w32"], ["c"]),
        helper.make_node("Softmax", ["c"], ["z"]),
    ]
    values = {"x": (FLOAT, ["B", 4])}, {"z": (FLOAT, ["B", 4])}
    model = autocast(load(save_graph(tmp_path / "x.onnx", nodes, *values, initializers=[weight])))

    operators = [node.op_type for node in model.graph.node]
    assert operators == ["Cast", "Transpose", "MatMul", "Identity", "Gemm", "Cast", "Softmax"]


def test_what_products_share_with_others_stays_with_both(tmp_path):
    """A weight that is added and moved as well, an output that is read on, and a name that a twin would have had."""
    drawn = np.random.default_rng(0)
    weight = numpy_helper.from_array(drawn.standard_normal((4, 4)).astype(np.float16), "w")
    nodes = [
        helper.make_node("Cast", ["w"], ["w32"], to=FLOAT),
        helper.make_node("Transpose", ["w32"], ["wt"], name="turn", perm=[1, 0]),
        helper.make_node("Relu", ["x"], ["x_fp16"]),
        helper.make_node("MatMul", ["x", "wt"], ["y"]),
        helper.make_node("Gemm", ["y", "w32", ""], ["a"]),
        helper.make_node("Add", ["wt", "w32"], ["b"]),
        helper.make_node("MatMul", ["a", "b"], ["c"]),
        helper.make_node("Add", ["c", "x_fp16"], ["z"]),
    ]
    values = {"x": (FLOAT, ["B", 4])}, {"y": (FLOAT, ["B", 4]), "z": (FLOAT, ["B", 4])}
    path = save_graph(tmp_path / "x.onnx", nodes, *values, initializers=[weight])
    x = {"x": drawn.standard_normal((2, 4)).astype(np.float32)}
    expected = open_session(path).run(None, x)

    onnx.save(autocast(load(path)), path)

    onnx.checker.check_model(path, full_check=True)
    for got, wanted in zip(open_session(path).run(None, x), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-2, atol=1e-2 * np.abs(wanted).max())


def test_a_product_of_mixed_types_is_left_for_the_compiler_to_refuse(tmp_path):
    mixed = load(matmul(tmp_path / "x.onnx", HALF, FLOAT))
    assert list(autocast(mixed).graph.node) == list(mixed.graph.node)


@pytest.mark.parametrize("part", PARTS)
def test_every_product_of_pico_is_fp16_and_all_that_is_delicate_stays_fp32(halved, part):
    model, before = load(halved[part]), load(PICO.graph(part))
    types = types_of(model)

    def types_at(operators):
        nodes = [node for node in model.graph.node if node.op_type in operators]
        return {types[name] for node in nodes for name in (*node.input, *node.output)}

    assert types_at(PRODUCTS) == {HALF}
    assert HALF not in types_at(KEPT)
    assert list(model.graph.input) == list(before.graph.input)
    assert list(model.graph.output) == list(before.graph.output)
    assert list(autocast(model).graph.node) == list(model.graph.node)


def test_no_weight_of_a_product_of_pico_is_cast_to_fp32(halved):
    for part in PARTS:
        model = load(halved[part])
        weights = {tensor.name: tensor.dims for tensor in model.graph.initializer}
        cast = {name for node in model.graph.node if node.op_type == "Cast" for name in node.input}
        # Those of one dimension are the scales and shifts of normalisations.
        matrices = {name for name in cast & weights.keys() if len(weights[name]) > 1}
        # Tables are looked up and added, and multiply nothing.
        tables = ("embeddings.token_embedding.weight.fp16", "embeddings.position_embedding.weight.fp16")
        assert matrices <= set(tables)


def test_the_graphs_are_sound_and_hold_no_weights(halved):
    beside = {}
    for part, path in halved.items():
        weights = path.with_name(PICO.weights(part).name)
        model = load(path)
        assert [*check_graph(path), *wrong_pointers(model, weights)] == []
        beside.setdefault(weights, []).append(model)
    assert [name for weights, models in beside.items() for name in unread_tensors(models, weights)] == []


@pytest.mark.parametrize("part", PARTS)
def test_answers_agree_with_those_in_fp32(halved, part):
    given = inputs_of(part)
    exact, rounded = open_session(PICO.graph(part)).run(None, given), open_rounding(halved[part]).run(None, given)
    for wanted, got in zip(exact, rounded, strict=True):
        error = np.linalg.norm(got - wanted.astype(np.float64)) / np.linalg.norm(wanted.astype(np.float64))
        assert 0 < error < ERROR_MAX[part]


@pytest.mark.parametrize("part", PARTS)
def test_onnx_runtime_takes_the_graphs_as_they_are(halved, part):
    given = inputs_of(part)
    plain = onnxruntime.InferenceSession(halved[part], providers=["CPUExecutionProvider"])
    for wanted, got in zip(open_session(PICO.graph(part)).run(None, given), plain.run(None, given), strict=True):
        assert (got.shape, got.dtype) == (wanted.shape, wanted.dtype)


def test_a_whole_picture_differs_by_one_level_at_most(halved):
    exact = draw({part: open_session(PICO.graph(part)) for part in PARTS})
    rounded = draw({part: open_rounding(halved[part]) for part in PARTS})
    levels = np.abs(exact.astype(int) - rounded)

    # Measured: one level, at 2.5 % of the numbers, which is 64 dB.
    assert 0 < levels.max() <= 2
    assert 10 * np.log10(255**2 / np.mean(levels**2)) > 50


def draw(sessions):
    """`a red apple, blue background` at seed 7, with pico's own defaults, as uint8 [H, W, 3]."""
    tokenizer = CLIPTokenizer.from_pretrained(PICO.folder / "tokenizer")
    scheduler = DPMSolverMultistepScheduler.from_pretrained(PICO.folder / "scheduler", use_karras_sigmas=True)
    scheduler.set_timesteps(PICO.manifest["defaults"]["steps"])

    def states(prompt):
        ids = tokenizer(prompt, padding="max_length", max_length=PICO.manifest["tokensMax"]).input_ids
        return sessions["text_encoder"].run(None, {"input_ids": np.array([ids], np.int32)})[0]

    fixed = {
        "encoder_hidden_states": states("a red apple, blue background"),
        "uncond_hidden_states": states(""),
        "guidance": np.array([[PICO.manifest["defaults"]["guidanceScale"]]], np.float32),
    }
    latents = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(7))
    for timestep in scheduler.timesteps:
        now = {"sample": latents.numpy(), "timestep": np.array([[timestep]], np.float32)}
        (noise,) = sessions["unet_cfg"].run(None, fixed | now)
        latents = scheduler.step(torch.from_numpy(noise), timestep, latents).prev_sample
    scaled = (latents / PICO.manifest["scalingFactor"]).numpy()
    return sessions["vae_decoder"].run(None, {"latents": scaled})[0][0]


def test_a_folder_that_exists_is_not_written_into(tmp_path, capsys):
    assert main(["autocast", str(PICO.folder), str(tmp_path)]) == 1
    assert "exists" in capsys.readouterr().err


@pytest.mark.parametrize("damage", [lambda graph: graph.unlink(), lambda graph: graph.write_bytes(b"no graph")])
def test_a_graph_that_cannot_be_read_is_named_and_nothing_is_written(tmp_path, capsys, damage):
    bundle, out = tmp_path / "bundle", tmp_path / "out"
    shutil.copytree(PICO.folder, bundle)
    damage(bundle / PICO.manifest["parts"]["unet_cfg"]["file"])

    assert main(["autocast", str(bundle), str(out)]) == 1
    assert "unet_cfg.onnx cannot be read" in capsys.readouterr().err
    assert not out.exists()
