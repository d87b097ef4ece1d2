"""Any Stable Diffusion folder becomes a bundle, or says what stands in the way."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from diffusers import UNet2DConditionModel
from pipelines import edit_json, save_pipeline, text_encoder
from safetensors.numpy import load_file, save_file

from darkroom_export.bundle import open_bundle, read_json
from darkroom_export.checks import check_bundle
from darkroom_export.cli import main

OPTIONS = ["--family", "TINY", "--licence", "CC0-1.0"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return save_pipeline(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def tiny(source, tmp_path_factory):
    """The bundle of `source`."""
    out = tmp_path_factory.mktemp("bundles") / "tiny"
    assert main(["export", str(source), str(out), *OPTIONS, "--steps", "9", "--max-batch", "4"]) == 0
    return out


@pytest.fixture
def copy(source, tmp_path):
    """A source that may be damaged."""
    return Path(shutil.copytree(source, tmp_path / "source"))


def refusal(capsys, *arguments):
    """What the command says when it fails."""
    assert main([str(argument) for argument in arguments]) == 1
    return capsys.readouterr().err


def test_the_manifest_says_what_the_configurations_say(tiny):
    manifest = open_bundle(tiny).manifest
    expected = {
        "name": "tiny",
        "family": "TINY",
        "licence": "CC0-1.0",
        "nativeSize": 16,
        "sizeMultiple": 4,
        "latentChannels": 8,
        "latentFactor": 2,
        "scalingFactor": 0.5,
        "predictionType": "v_prediction",
        "tokensMax": 12,
        "hiddenSize": 16,
    }
    assert {key: manifest[key] for key in expected} == expected
    assert manifest["defaults"]["steps"] == 9
    assert {part["maxBatch"] for part in manifest["parts"].values()} == {4}


def test_the_bundle_is_sound(tiny):
    assert not any(check_bundle(open_bundle(tiny)).values())


def test_weights_are_the_source_s_in_fp16_and_diffusers_opens_them(source, tiny):
    name = "unet/diffusion_pytorch_model.safetensors"
    given, written = load_file(source / name), load_file(tiny / name)
    assert given.keys() == written.keys()
    for key, values in given.items():
        np.testing.assert_array_equal(values.astype(np.float16), written[key])
    assert UNet2DConditionModel.from_pretrained(tiny / "unet").config.in_channels == 8


def test_the_pipeline_no_longer_asks_for_what_the_bundle_lacks(tiny):
    assert read_json(tiny / "model_index.json")["safety_checker"] == [None, None]


def test_no_folder_of_the_machine_is_named(source, tiny):
    for path in tiny.rglob("*.json"):
        assert str(source) not in path.read_text("utf-8")


def test_a_variant_names_what_it_lacks_beside_itself_however_its_base_is_reached(tiny, tmp_path, capsys):
    source = tmp_path / "source"
    text_encoder().save_pretrained(source / "text_encoder")
    (tmp_path / "link").symlink_to(tiny.parent)
    out = tmp_path / "link" / "variant"

    options = ["--base", str(tiny), "--licence", "CC0-1.0"]
    assert main(["export", str(source), str(out), *options]) == 0
    # It is the base's graph, which takes a minute less.
    assert "tracing" not in capsys.readouterr().err

    variant = open_bundle(tiny.parent / "variant")
    files = {name: part["file"] for name, part in variant.manifest["parts"].items()}
    shutil.rmtree(variant.folder)
    assert variant.manifest["family"] == "TINY"
    assert variant.manifest["base"] == "tiny"
    assert files["text_encoder"] == "text_encoder/text_encoder.onnx"
    assert files["unet"] == "../tiny/unet/unet.onnx"
    assert variant.manifest["tokenizer"] == "../tiny/tokenizer"


def test_a_graph_does_not_depend_on_the_weights_that_it_is_traced_with(tiny, tmp_path, capsys):
    source = tmp_path / "source"
    text_encoder().save_pretrained(source / "text_encoder")
    # Says nothing of the graph, but keeps the base's from being taken.
    edit_json(source / "text_encoder" / "config.json", projection_dim=7)

    out = tiny.parent / "traced"
    assert main(["export", str(source), str(out), "--base", str(tiny), "--licence", "CC0-1.0"]) == 0

    graph = Path("text_encoder") / "text_encoder.onnx"
    same = (out / graph).read_bytes() == (tiny / graph).read_bytes()
    shutil.rmtree(out)
    assert same
    assert "text_encoder: tracing" in capsys.readouterr().err


@pytest.mark.parametrize("change", [{"num_hidden_layers": 3}, {"num_attention_heads": 4}], ids=["layers", "heads"])
def test_a_variant_of_other_architecture_is_refused(tiny, tmp_path, capsys, change):
    """Also one whose tensors are the base's in all but their values, as with heads."""
    other = tmp_path / "other"
    text_encoder(**change).save_pretrained(other / "text_encoder")
    out = tiny.parent / "other"

    said = refusal(capsys, "export", other, out, "--base", tiny, "--licence", "CC0-1.0")

    assert "text_encoder is not the graph of" in said
    assert [path.name for path in tiny.parent.iterdir()] == ["tiny"]


def test_a_missing_weight_is_not_drawn_at_random_and_a_failed_export_leaves_nothing(copy, tmp_path, capsys):
    weights = copy / "text_encoder" / "model.safetensors"
    tensors = load_file(weights)
    del tensors["final_layer_norm.bias"]
    save_file(tensors, weights, {"format": "pt"})

    said = refusal(capsys, "export", copy, tmp_path / "out", *OPTIONS)

    assert "model.safetensors lacks final_layer_norm.bias" in said
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_damaged_weights_are_named(copy, tmp_path, capsys):
    (copy / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"damaged")
    said = refusal(capsys, "export", copy, tmp_path / "out", *OPTIONS)
    assert "diffusion_pytorch_model.safetensors cannot be read as safetensors" in said


def test_a_bundle_is_never_written_over(source, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    assert "is never written over" in refusal(capsys, "export", source, tmp_path / "out", *OPTIONS)


def test_a_base_elsewhere_is_refused(source, tiny, tmp_path, capsys):
    said = refusal(capsys, "export", source, tmp_path / "out", "--base", tiny, "--licence", "CC0-1.0")
    assert "must lie beside its base" in said


def test_a_first_of_its_family_has_to_name_it(source, tmp_path, capsys):
    said = refusal(capsys, "export", source, tmp_path / "out", "--licence", "CC0-1.0")
    assert "Name the --family" in said


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--name", "Tiny!"], "lower-case letters, digits and dashes"),
        (["--version", "0"], "--version is at least 1"),
        (["--max-batch", "0"], "--max-batch is at least 1"),
        (["--guidance-scale", "-1"], "--guidance-scale is not negative"),
    ],
)
def test_settings_that_no_platform_would_take_are_refused(source, tmp_path, capsys, options, reason):
    assert reason in refusal(capsys, "export", source, tmp_path / "out", *OPTIONS, *options)


@pytest.mark.parametrize(
    ("path", "change", "reason"),
    [
        ("model_index.json", {"_class_name": "StableDiffusionXLPipeline"}, "is a StableDiffusionXLPipeline"),
        ("unet/config.json", {"addition_embed_type": "text_time"}, "asks for addition_embed_type"),
        ("unet/config.json", {"cross_attention_dim": 32}, "attends to a width of 32"),
        ("vae/config.json", {"shift_factor": 0.1}, "shifts its latents"),
        ("tokenizer/tokenizer_config.json", {"added_tokens_decoder": {"100": {"content": "<cat>"}}}, "has token 100"),
    ],
)
def test_what_the_contract_has_no_place_for_is_refused(copy, capsys, path, change, reason):
    edit_json(copy / path, **change)
    assert reason in refusal(capsys, "export", copy, copy.parent / "out", *OPTIONS)


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        ("tokenizer/merges.txt", "lacks tokenizer/merges.txt"),
        ("scheduler/scheduler_config.json", "lacks scheduler/scheduler_config.json"),
        ("vae/diffusion_pytorch_model.safetensors", "read from safetensors alone"),
        ("model_index.json", "model_index.json cannot be read"),
    ],
)
def test_what_is_missing_is_named(copy, tmp_path, capsys, missing, reason):
    (copy / missing).unlink()
    assert reason in refusal(capsys, "export", copy, tmp_path / "out", *OPTIONS)


def test_a_folder_that_is_none_is_named(tmp_path, capsys):
    assert "is not a folder" in refusal(capsys, "export", tmp_path / "nowhere", tmp_path / "out", *OPTIONS)


def test_pickles_are_not_read(copy, tmp_path, capsys):
    """A pickle runs code when it is read."""
    folder = copy / "unet"
    (folder / "diffusion_pytorch_model.safetensors").rename(folder / "diffusion_pytorch_model.bin")
    assert "safetensors alone" in refusal(capsys, "export", copy, tmp_path / "out", *OPTIONS)


def test_the_check_command_names_what_is_wrong(tiny, tmp_path, capsys):
    bundle = Path(shutil.copytree(tiny, tmp_path / "tiny"))
    weights = bundle / "unet" / "diffusion_pytorch_model.safetensors"
    save_file(load_file(weights) | {"new.bias": np.zeros(3, np.float16)}, weights)

    assert main(["check", str(tiny), str(bundle)]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert f"{tiny} unet: sound" in lines
    assert any(line.startswith(f"{bundle} unet: ") and "does not point at" in line for line in lines)
