"""Diffusers folders: what is read of them, and what is written."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, UNet2DConditionModel
from diffusers.utils import logging as diffusers_logging
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer

from pico_train.errors import TrainError

# SD1.5's own: the encoder is adjusted so that it holds here, too.
SCALING_FACTOR = 0.18215

# The bundle that this folder lies in: where tokenizer and scheduler come from.
PICO = Path(__file__).parents[2]

# What a model has besides its three networks.
_UNTRAINED = ("tokenizer", "scheduler")

diffusers_logging.set_verbosity_error()
diffusers_logging.disable_progress_bar()


def device_of(name: str) -> torch.device:
    """Returns `auto`'s choice, or the one named. Raises TrainError when torch cannot use it."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        return torch.zeros(1, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise TrainError(f"--device {name}: {error}") from None


def mixed_precision(device: torch.device) -> torch.autocast:
    """Computes in bf16 where that is faster, and in fp32 on processors that have no instructions for it."""
    is_native = device.type != "cpu" or torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.autocast(device.type, torch.bfloat16, enabled=is_native)


def part_folder(model: Path, part: str) -> Path:
    """Returns where a model has a part: in its own folder or, for a variant, in `pico` beside it.

    Raises TrainError when neither has it.
    """
    for folder in (model / part, model.parent / "pico" / part):
        if (folder / "config.json").exists() or (folder / "vocab.json").exists():
            return folder
    raise TrainError(f"{model} has no {part}, and there is no pico beside it that has.")


def load_vae(folder: Path) -> AutoencoderKL:
    """Loads an autoencoder from its own folder in fp32. Raises TrainError when there is none."""
    if not (folder / "config.json").exists():
        raise TrainError(f"There is no VAE in {folder}.")
    return AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float32, low_cpu_mem_usage=False)


def load_unet(model: Path) -> UNet2DConditionModel:
    """Loads a model's U-Net in fp32."""
    folder = part_folder(model, "unet")
    return UNet2DConditionModel.from_pretrained(folder, torch_dtype=torch.float32, low_cpu_mem_usage=False)


def load_text_encoder(model: Path) -> CLIPTextModel:
    """Loads a model's text encoder in fp32."""
    return CLIPTextModel.from_pretrained(part_folder(model, "text_encoder"), dtype=torch.float32)


def load_tokenizer(model: Path = PICO) -> CLIPTokenizer:
    """Loads CLIP's tokenizer."""
    return CLIPTokenizer.from_pretrained(part_folder(model, "tokenizer"))


def load_scheduler() -> DPMSolverMultistepScheduler:
    """Returns the scheduler that pico's bundles name as their default, DPM-Solver++ 2M with Karras sigmas."""
    return DPMSolverMultistepScheduler.from_pretrained(PICO / "scheduler", use_karras_sigmas=True)


def save_network(network: nn.Module, folder: Path) -> None:
    """Writes a network as bundles have it: fp16, in one safetensors file."""
    is_16_bit: Any = network.half()
    is_16_bit.save_pretrained(folder, safe_serialization=True)
    network.float()


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
