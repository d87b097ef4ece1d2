"""Reads a diffusers folder and says early what the engine contract has no place for."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.utils import logging as diffusers_logging
from transformers import CLIPTextModel
from transformers.utils import logging as transformers_logging

from darkroom_export.bundle import read_json
from darkroom_export.errors import ExportError
from darkroom_export.weights import read_stored_tensors

INDEX = "model_index.json"
PIPELINE = "StableDiffusionPipeline"
TOKENIZER_FILES = ("vocab.json", "merges.txt", "tokenizer_config.json")

# Each of these feeds the U-Net something besides the prompt, and the contract has no input for it.
_FOREIGN_CONDITIONS = (
    "addition_embed_type",
    "class_embed_type",
    "encoder_hid_dim_type",
    "time_cond_proj_dim",
)


# Their bars and advice are about loading, which is the quick part.
for _logging in (diffusers_logging, transformers_logging):
    _logging.set_verbosity_error()
    _logging.disable_progress_bar()


@dataclass(frozen=True)
class Component:
    """A folder with one model in it: the class that reads it, its weights, and the parts that it gives."""

    name: str
    model_class: Any
    weights: str
    parts: tuple[str, ...]
    options: dict[str, Any]


_DIFFUSERS_FILE = "diffusion_pytorch_model.safetensors"

# Attention as matrix products, as diffusers' own models are traced: TensorRT refuses ONNX's operator in fp32.
_CLIP_OPTIONS = {"attn_implementation": "eager"}
# True needs another package, and saves memory that these models do not need.
_DIFFUSERS_OPTIONS = {"low_cpu_mem_usage": False}

TEXT_ENCODER = Component("text_encoder", CLIPTextModel, "model.safetensors", ("text_encoder",), _CLIP_OPTIONS)
UNET = Component("unet", UNet2DConditionModel, _DIFFUSERS_FILE, ("unet", "unet_cfg"), _DIFFUSERS_OPTIONS)
VAE = Component("vae", AutoencoderKL, _DIFFUSERS_FILE, ("vae_decoder", "vae_encoder"), _DIFFUSERS_OPTIONS)
COMPONENTS = (TEXT_ENCODER, UNET, VAE)


def check_source(source: Path, has_base: bool) -> tuple[Component, ...]:
    """The components of the folder that are to be exported.

    With a base, what the folder lacks is the base's. Raises an ExportError when the folder is no Stable Diffusion
    pipeline in safetensors, or when something is missing and there is no base.
    """
    if not source.is_dir():
        raise ExportError(f"{source} is not a folder. Name a diffusers folder: the one with {INDEX}.")
    found = tuple(component for component in COMPONENTS if (source / component.name).is_dir())
    if not found:
        raise ExportError(f"{source} has none of {', '.join(c.name for c in COMPONENTS)}: it is no diffusers folder.")
    for component in found:
        _check_weights(source / component.name, component)
    if not has_base:
        _check_whole(source)
    if (source / "unet").is_dir():
        _check_conditions(source / "unet" / "config.json")
    return found


def load_component(folder: Path, component: Component) -> Any:
    """The model in evaluation mode, fp32. Only safetensors are read. Raises an ExportError when it cannot be."""
    try:
        model, loading = component.model_class.from_pretrained(
            folder,
            torch_dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            **component.options,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ExportError(f"{folder} cannot be read as {component.model_class.__name__}: {error}") from error
    if loading["missing_keys"]:
        # The libraries would draw them at random and say so in a warning.
        raise ExportError(f"{folder / component.weights} lacks {', '.join(sorted(loading['missing_keys']))}.")
    return model.eval()


def save_half(source: Path, component: Component, target: Path) -> None:
    """Writes the component as fp16 safetensors. fp16 weights come out as the bytes that they were."""
    model = load_component(source, component).half()
    model.save_pretrained(target)
    if not (target / component.weights).is_file():
        raise ExportError(f"{source} is too large for one safetensors file, which is what a graph points into.")
    _keep_origin(source / "config.json", target / "config.json")


def _check_whole(source: Path) -> None:
    pipeline = read_json(source / INDEX).get("_class_name")
    if pipeline != PIPELINE:
        raise ExportError(f"{source} is a {pipeline}. The exporter knows {PIPELINE} alone.")
    files = [f"{component.name}/{component.weights}" for component in COMPONENTS]
    files += [f"tokenizer/{name}" for name in TOKENIZER_FILES] + ["scheduler/scheduler_config.json"]
    missing = [name for name in files if not (source / name).is_file()]
    if missing:
        raise ExportError(f"{source} lacks {', '.join(missing)}. Add it, or name a bundle that has it with --base.")


def _check_weights(folder: Path, component: Component) -> None:
    weights = folder / component.weights
    if not weights.is_file():
        raise ExportError(f"{folder} has no {weights.name}. Weights are read from safetensors alone, in one file.")
    read_stored_tensors(weights)


def _check_conditions(config_path: Path) -> None:
    config = read_json(config_path)
    foreign = [key for key in _FOREIGN_CONDITIONS if config.get(key) is not None]
    if foreign:
        raise ExportError(f"{config_path} asks for {', '.join(foreign)}: the engine contract has no input for that.")


def _keep_origin(source: Path, target: Path) -> None:
    """diffusers notes the folder it read from. What the source said of its own origin says more, or nothing."""
    config = read_json(target)
    origin = read_json(source).get("_name_or_path")
    if config.pop("_name_or_path", None) == origin:
        return
    if origin is not None:
        config["_name_or_path"] = origin
    target.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")
