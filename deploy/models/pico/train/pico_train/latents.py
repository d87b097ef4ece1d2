"""Pictures of concepts as latents, encoded once and read in every step of the U-Net's training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray

from pico_train.concepts import BACKGROUND_NAMES, Concept
from pico_train.digest import digest_of
from pico_train.errors import TrainError
from pico_train.files import read_tensors, write_whole
from pico_train.models import SCALING_FACTOR
from pico_train.pictures import BACKGROUND_COLOURS, Icons, Placing, compose
from pico_train.progress import show_progress
from pico_train.run import draws_of

# The model has to draw a thing where it belongs, so it is moved less than for the VAE.
_PLACING = Placing(scale_min=0.9, shift_max=0.04)
_WHITENING, _WHITENED = -2, 256
# Of scaled latents it is 1 by construction; with a VAE of another kind it is not.
_STD_MIN, _STD_MAX = 0.5, 2.0


@dataclass(frozen=True)
class Latents:
    """`values` [N,4,16,16], scaled; `labels` [N,2]: index of the concept, and of the background.

    `key` is a digest of all that they were made of.
    """

    key: str
    values: torch.Tensor
    labels: torch.Tensor


@dataclass(frozen=True)
class Examples:
    """What is encoded: these concepts in one style on every background, placed `variants` times by this seed."""

    icons: Icons
    concepts: tuple[Concept, ...]
    seed: int
    variants: int = 1

    def compose(self, chosen: NDArray[np.int64], backgrounds: torch.Tensor, step: int) -> torch.Tensor:
        """Returns pictures [N,3,128,128] of concepts by their index, on backgrounds by theirs."""
        generator = draws_of(self.seed, step).generator
        rgba = self.icons.rgba[self.icons.indices(self.concepts)[chosen]]
        return compose(_PLACING.place(rgba, generator), BACKGROUND_COLOURS[backgrounds])


@torch.no_grad()
def whiten(vae: AutoencoderKL, examples: Examples) -> None:
    """Makes the mean of each latent channel 0 and its standard deviation 1/0.18215, and changes no picture.

    Shift and scale go into the two 1x1 convolutions around the latents. So SD1.5's own scaling factor holds here, too.
    """
    rng = draws_of(examples.seed, _WHITENING).rng
    chosen = rng.integers(len(examples.concepts), size=_WHITENED)
    backgrounds = torch.from_numpy(rng.integers(len(BACKGROUND_NAMES), size=_WHITENED))
    latents = _encode(vae, examples.compose(chosen, backgrounds, _WHITENING))
    mean, scale = latents.mean((0, 2, 3)), latents.std((0, 2, 3)) * SCALING_FACTOR
    channels = len(mean)
    into, out_of = vae.quant_conv, vae.post_quant_conv
    into.weight[:channels] /= scale[:, None, None, None]
    into.bias[:channels] = (into.bias[:channels] - mean) / scale
    into.bias[channels:] -= 2 * scale.log()
    out_of.bias += out_of.weight[:, :, 0, 0] @ mean
    out_of.weight *= scale[None, :, None, None]
    vae.register_to_config(scaling_factor=SCALING_FACTOR)


def open_latents(path: Path, vae: AutoencoderKL, examples: Examples) -> Latents:
    """Reads the latents of all examples.

    Makes them first when they are not there, or are those of other examples or another encoder.
    """
    key = _key_of(vae, examples)
    content = _read_cache(path)
    if content.get("key") != key:
        # Half precision, in which they lose nothing that the VAE could tell.
        values, labels = _encode_all(vae, examples)
        content = {"key": key, "values": values.half(), "labels": labels}
        write_whole(path, lambda unfinished: torch.save(content, unfinished))
    return Latents(key, content["values"].float(), content["labels"])


def _read_cache(path: Path) -> dict[str, Any]:
    """Returns nothing for a file that is missing or damaged: it can be made again."""
    try:
        content = read_tensors(path, torch.device("cpu"))
    except TrainError:
        return {}
    return content if isinstance(content, dict) else {}


def encoder_digest(vae: AutoencoderKL) -> str:
    """Tells encoders apart, and with them latents: those of one mean nothing to the decoder of another."""
    return digest_of(vae.encoder, vae.quant_conv)


def _key_of(vae: AutoencoderKL, examples: Examples) -> str:
    icons = examples.icons.digest(examples.concepts)
    return digest_of(encoder_digest(vae), examples.icons.style, icons, examples.seed, examples.variants)


def _encode_all(vae: AutoencoderKL, examples: Examples) -> tuple[torch.Tensor, torch.Tensor]:
    backgrounds = torch.arange(len(BACKGROUND_NAMES)).repeat(examples.variants)
    values, labels = [], []
    for concept in show_progress(range(len(examples.concepts)), desc=f"latents {examples.icons.style}", unit="concept"):
        chosen = np.full(len(backgrounds), concept)
        encoded = _encode(vae, examples.compose(chosen, backgrounds, concept)) * SCALING_FACTOR
        values.append(encoded.cpu())
        labels.append(torch.stack([torch.full_like(backgrounds, concept), backgrounds], 1))
    latents = torch.cat(values)
    deviation = float(latents.std())
    if not _STD_MIN < deviation < _STD_MAX:
        raise TrainError(f"The standard deviation of the latents is {deviation:.3f} and not about 1: another VAE?")
    return latents, torch.cat(labels)


@torch.no_grad()
def _encode(vae: AutoencoderKL, pictures: torch.Tensor) -> torch.Tensor:
    return torch.cat([vae.encode(batch.to(vae.device)).latent_dist.mean for batch in pictures.split(32)])
