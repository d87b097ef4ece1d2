"""Pictures from prompts, by diffusers itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from diffusers import StableDiffusionPipeline

from pico_train.models import load_scheduler, load_text_encoder, load_tokenizer, load_unet, load_vae, part_folder

_T = TypeVar("_T")

STEPS = 25
GUIDANCE_SCALE = 4.0
DRAWN_AT_ONCE = 8


@dataclass(frozen=True)
class Wish:
    """A picture that is wanted: its prompt, and the seed of its noise."""

    prompt: str
    seed: int


def open_pipeline(model: Path, device: torch.device) -> StableDiffusionPipeline:
    """Loads a model; what a variant lacks is that of `pico` beside it. Raises TrainError when that is not there."""
    pipeline = StableDiffusionPipeline(
        vae=load_vae(part_folder(model, "vae")),
        text_encoder=load_text_encoder(model),
        tokenizer=load_tokenizer(),
        unet=load_unet(model),
        scheduler=load_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).to(device)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def chunked(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    """Yields the items in their order, at most `size` at once."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


@torch.no_grad()
def draw(pipeline: StableDiffusionPipeline, wishes: Sequence[Wish]) -> torch.Tensor:
    """Returns [N,3,128,128] in [-1,1], drawn with the bundles' defaults."""
    drawn = []
    for batch in chunked(wishes, DRAWN_AT_ONCE):
        pictures = pipeline(
            [wish.prompt for wish in batch],
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE_SCALE,
            generator=[torch.Generator().manual_seed(wish.seed) for wish in batch],
            output_type="pt",
        ).images
        drawn.append(pictures.float().cpu() * 2 - 1)
    return torch.cat(drawn)
