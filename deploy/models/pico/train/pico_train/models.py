"""Diffusers folders: what is read of them, and what is written."""

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, UNet2DConditionModel
from diffusers.utils import logging as diffusers_logging
from safetensors import SafetensorError
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils import logging as transformers_logging

from pico_train.errors import TrainError, first_line
from pico_train.files import write_folder_whole

# SD1.5's own: the encoder is adjusted so that it holds here, too.
SCALING_FACTOR = 0.18215
# Channels of latents, and how many times smaller than the picture they are.
_LATENTS = (4, 8)
# Channels of latents, and numbers for each token of a prompt.
_UNET_INPUTS = (4, 128)

# The bundle that this folder lies in: where tokenizer and scheduler come from.
PICO = Path(__file__).parents[2]

_DEVICES = ("cpu", "cuda", "mps")

# What a model has besides its three networks.
_UNTRAINED = ("tokenizer", "scheduler")

diffusers_logging.set_verbosity_error()
diffusers_logging.disable_progress_bar()
transformers_logging.disable_progress_bar()


def device_of(name: str) -> torch.device:
    """Returns `auto`'s choice, or the one named. Raises TrainError when torch cannot use it."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if name.partition(":")[0] not in _DEVICES:
        raise TrainError(f"--device is auto, {', '.join(_DEVICES)}, and not {name!r}.")
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise TrainError(f"--device {name}: {first_line(error)}") from None


def mixed_precision(device: torch.device) -> torch.autocast:
    """Computes in bf16 where that is faster, and in fp32 on processors that have no instructions for it."""
    is_native = device.type != "cpu" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=is_native)


def part_folder(model: Path, part: str) -> Path:
    """Returns where a model has a part: in its own folder or, for a variant, in `pico` beside it.

    Raises TrainError when neither has it.
    """
    # Resolved, because `.` and `..` have no name for `pico` to be beside.
    for folder in (model / part, model.resolve().parent / "pico" / part):
        if (folder / "config.json").exists() or (folder / "vocab.json").exists():
            return folder
    raise TrainError(f"{model} has no {part}, and there is no pico beside it that has.")


def load_vae(folder: Path) -> AutoencoderKL:
    """Loads an autoencoder from its own folder in fp32. Raises TrainError when there is none."""
    if not (folder / "config.json").exists():
        raise TrainError(f"There is no VAE in {folder}.")
    vae = _load(AutoencoderKL, folder, torch_dtype=torch.float32, low_cpu_mem_usage=False)
    shape = (vae.config.latent_channels, 2 ** (len(vae.config.block_out_channels) - 1))
    if shape != _LATENTS:
        raise TrainError(f"The VAE in {folder} has {shape[0]} latent channels of 1/{shape[1]}, and not 4 of 1/8.")
    return vae


def load_unet(model: Path) -> UNet2DConditionModel:
    """Loads a model's U-Net in fp32."""
    folder = part_folder(model, "unet")
    unet = _load(UNet2DConditionModel, folder, torch_dtype=torch.float32, low_cpu_mem_usage=False)
    if (unet.config.in_channels, unet.config.cross_attention_dim) != _UNET_INPUTS:
        raise TrainError(f"The U-Net in {folder} does not take 4 latent channels and words of 128 numbers.")
    return unet


def load_text_encoder(model: Path) -> CLIPTextModel:
    """Loads a model's text encoder in fp32."""
    return _load(CLIPTextModel, part_folder(model, "text_encoder"), dtype=torch.float32)


def load_tokenizer(model: Path = PICO) -> CLIPTokenizer:
    """Loads CLIP's tokenizer."""
    return CLIPTokenizer.from_pretrained(part_folder(model, "tokenizer"))


def load_scheduler() -> DPMSolverMultistepScheduler:
    """Returns the scheduler that pico's bundles name as their default, DPM-Solver++ 2M with Karras sigmas."""
    return DPMSolverMultistepScheduler.from_pretrained(PICO / "scheduler", use_karras_sigmas=True)


def save_network(network: nn.Module, folder: Path) -> None:
    """Writes a network as bundles have it: fp16, in one safetensors file."""
    is_16_bit: Any = network.half()
    write_folder_whole(folder, partial(is_16_bit.save_pretrained, safe_serialization=True))
    network.float()


def copy_network(source: Path, folder: Path) -> None:
    """Copies a network of a diffusers folder, or of a bundle without its graphs."""
    ignore = shutil.ignore_patterns("*.onnx")
    write_folder_whole(
        folder, lambda unfinished: shutil.copytree(source, unfinished, dirs_exist_ok=True, ignore=ignore)
    )


def _load(kind: Any, folder: Path, **options: Any) -> Any:
    try:
        config = read_json(folder / "config.json")
        if kind.__name__ not in (config.get("_class_name"), *config.get("architectures", [])):
            raise TrainError(f"{folder} holds no {kind.__name__}.")
        return kind.from_pretrained(folder, **options)
    # Half a file, a file of another network, a list where a table should be: each fails with another class.
    except (AttributeError, KeyError, OSError, RuntimeError, SafetensorError, TypeError, ValueError) as error:
        raise TrainError(f"{folder} cannot be loaded: {first_line(error)}") from error


def complete_folder(model: Path) -> None:
    """Gives a folder with three networks the rest of a StableDiffusionPipeline."""
    for name in _UNTRAINED:
        shutil.copytree(PICO / name, model / name, dirs_exist_ok=True)
    shutil.copyfile(PICO / "model_index.json", model / "model_index.json")


def read_json(path: Path) -> Any:
    """Reads a file that one of the commands wrote. Raises TrainError when it is not there."""
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise TrainError(f"There is no {path}.") from None
