"""A pipeline that is nobody's, small enough to be exported in a test."""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

WIDTH = 16


def save_pipeline(folder: Path) -> Path:
    """A diffusers folder with random fp32 weights, unlike pico in every number that the manifest has."""
    torch.manual_seed(0)
    text_encoder().save_pretrained(folder / "text_encoder")
    _unet().save_pretrained(folder / "unet")
    _vae().save_pretrained(folder / "vae")
    DDIMScheduler(prediction_type="v_prediction").save_pretrained(folder / "scheduler")
    (folder / "tokenizer").mkdir()
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        (folder / "tokenizer" / name).write_text("{}", "utf-8")
    index = {"_class_name": "StableDiffusionPipeline", "safety_checker": ["somewhere", "SafetyChecker"]}
    (folder / "model_index.json").write_text(json.dumps(index), "utf-8")
    return folder


def text_encoder(**change: int) -> CLIPTextModel:
    """CLIP's text model with random weights."""
    sizes = {
        "vocab_size": 100,
        "hidden_size": WIDTH,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 12,
    }
    return CLIPTextModel(CLIPTextConfig(**sizes | change))


def edit_json(path: Path, **values: Any) -> None:
    """Sets keys of a JSON object."""
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")


def _unet() -> UNet2DConditionModel:
    """Attends in its middle alone: tracing takes most of these tests' time, and as long for each attention."""
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=8,
        out_channels=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D",) * 2,
        up_block_types=("UpBlock2D",) * 2,
        cross_attention_dim=WIDTH,
        attention_head_dim=2,
        norm_num_groups=4,
    )


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 16),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=1,
        latent_channels=8,
        norm_num_groups=4,
        sample_size=16,
        scaling_factor=0.5,
    )
