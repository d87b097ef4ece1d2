"""The autoencoder: its shape, its start and its two trainings.

The obvious set-up (8 groups, a sampled posterior, learning rate 2e-3) stalls on colour. What works is all of this
together: 2 groups, a nearly linear start, a loss of its own for chroma, fixed small noise instead of a sampled
posterior. The variance that the encoder gives means nothing; use its mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import AutoencoderKL
from diffusers.models.resnet import ResnetBlock2D
from torch import nn
from torch.nn import functional as F

from pico_train.concepts import Concept
from pico_train.digest import digest_of
from pico_train.models import SCALING_FACTOR, mixed_precision
from pico_train.pictures import Icons, Placing, compose, draw_colours
from pico_train.plan import Plan
from pico_train.render import SIZE
from pico_train.run import Draws, draws_of

CHANNELS = (16, 32, 64, 96)
_CROP = 64
# Crops give four times the steps a minute; the last steps see whole pictures, and with them their borders.
_CROPPED = 0.88
# In the units of the raw latents while the encoder learns, and of the scaled ones when it is fixed.
_NOISE = 0.1
_DECODER_NOISE = 0.04 / SCALING_FACTOR
_PLACING = Placing()
_VALIDATION = -1


@dataclass(frozen=True)
class Mixture:
    """Which icons a batch is made of: odds of each set, of a concept rather than any icon, of a named background."""

    sets: tuple[float, ...]
    concepts: float
    named: float


_VAE_MIXTURE = Mixture(sets=(0.5, 0.35, 0.15), concepts=0.6, named=0.6)
_DECODER_MIXTURE = Mixture(sets=(0.55, 0.35, 0.1), concepts=0.7, named=0.8)


class PictureSource:
    """Draws training pictures from several sets of icons."""

    def __init__(self, sets: Sequence[Icons], concepts: tuple[Concept, ...], mixture: Mixture) -> None:
        self._sets = sets
        self._concepts = [icons.indices(concepts) for icons in sets]
        odds = np.array(mixture.sets[: len(sets)])
        self._odds = odds / odds.sum()
        self._mixture = mixture
        own = [icons.digest(concepts) for icons in sets]
        self.digest = digest_of(own, *(icons.rgba for icons in sets))

    def draw(self, count: int, draws: Draws) -> torch.Tensor:
        """Returns [count,3,128,128] in [-1,1], all of one set."""
        chosen = draws.rng.choice(len(self._sets), p=self._odds)
        rgba, concepts = self._sets[chosen].rgba, self._concepts[chosen]
        is_concept = draws.rng.random(count) < self._mixture.concepts
        anything = draws.rng.integers(len(rgba), size=count)
        indices = np.where(is_concept, concepts[draws.rng.integers(len(concepts), size=count)], anything)
        colours = draw_colours(count, self._mixture.named, draws.generator)
        return compose(_PLACING.place(rgba[indices], draws.generator), colours)


def create_vae(channels: tuple[int, ...] = CHANNELS) -> AutoencoderKL:
    """Returns an untrained autoencoder of factor 8 with 4 latent channels, near to a linear map."""
    vae = AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        block_out_channels=channels,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=2,
        sample_size=SIZE,
        mid_block_add_attention=False,
    )
    _start_near_linear(vae)
    return vae


@torch.no_grad()
def _start_near_linear(vae: AutoencoderKL) -> None:
    for name, module in vae.named_modules():
        if isinstance(module, nn.Conv2d) and any(part in name for part in ("sampler", "conv_in", "shortcut")):
            _start_orthogonal(module, gain=1.7 if name == "encoder.conv_in" else 1.0)
        if isinstance(module, ResnetBlock2D):
            module.conv2.weight.mul_(0.2)
            module.conv2.bias.zero_()
    # A constant in front of the two last norms: without it they throw away how bright a flat area is.
    for block in (vae.encoder.mid_block.resnets[-1], vae.decoder.up_blocks[-1].resnets[-1]):
        block.conv2.bias[0::4] = 2.0
        block.conv2.bias[2::4] = -2.0


def _start_orthogonal(conv: nn.Conv2d, gain: float) -> None:
    centre = conv.kernel_size[0] // 2
    orthogonal = nn.init.orthogonal_(torch.empty(conv.weight.shape[:2]))
    conv.weight.mul_(0.5)
    conv.weight[:, :, centre, centre] += gain * orthogonal
    if conv.bias is not None:
        conv.bias.zero_()


class VaeTask:
    """The whole autoencoder."""

    def __init__(self, vae: AutoencoderKL, source: PictureSource, plan: Plan) -> None:
        self.parameters = list(vae.parameters())
        self._vae, self._source, self._plan = vae, source, plan

    def loss(self, step: int, draws: Draws) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """L1, edges, chroma, low frequencies, squares, and hardly any KL."""
        pictures = self._draw(step, draws).to(self._vae.device)
        with mixed_precision(pictures.device):
            posterior = self._vae.encode(pictures).latent_dist
            noise = torch.randn(posterior.mean.shape, generator=draws.generator).to(pictures.device)
            drawn = self._vae.decode(posterior.mean + _NOISE * noise).sample
        terms = _compare(pictures, drawn.float())
        low = (F.avg_pool2d(pictures, 4) - F.avg_pool2d(drawn.float(), 4)).abs().mean()
        divergence = 4 * posterior.kl().float().mean() / posterior.mean[0].numel()
        loss = terms["l1"] + terms["edges"] + terms["chroma"] + 0.5 * low + 0.5 * terms["squares"] + 2e-5 * divergence
        return loss, {"l1": terms["l1"], "chroma": terms["chroma"]}

    def _draw(self, step: int, draws: Draws) -> torch.Tensor:
        if step >= _CROPPED * self._plan.steps:
            return self._source.draw(max(1, self._plan.batch // 2), draws)
        pictures = self._source.draw(self._plan.batch, draws)
        corners = draws.rng.integers(0, (SIZE - _CROP) // 8 + 1, (len(pictures), 2)) * 8
        return torch.stack(
            [
                picture[:, top : top + _CROP, left : left + _CROP]
                for picture, (top, left) in zip(pictures, corners, strict=True)
            ]
        )


class DecoderTask:
    """The decoder alone, on latents of a fixed encoder: sharper, and the latents stay what they are."""

    def __init__(self, vae: AutoencoderKL, source: PictureSource, plan: Plan) -> None:
        vae.requires_grad_(False)
        self.parameters = [*vae.decoder.parameters(), *vae.post_quant_conv.parameters()]
        for parameter in self.parameters:
            parameter.requires_grad_(True)
        self._vae, self._source, self._plan = vae, source, plan

    def loss(self, _step: int, draws: Draws) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """As the whole autoencoder's, with more weight on edges."""
        pictures = self._source.draw(self._plan.batch, draws).to(self._vae.device)
        with mixed_precision(pictures.device):
            with torch.no_grad():
                latents = self._vae.encode(pictures).latent_dist.mean
            noise = torch.randn(latents.shape, generator=draws.generator).to(pictures.device)
            drawn = self._vae.decode(latents + _DECODER_NOISE * noise).sample
        terms = _compare(pictures, drawn.float())
        loss = terms["l1"] + 1.5 * terms["edges"] + 0.5 * terms["chroma"] + 0.5 * terms["squares"]
        return loss, {"l1": terms["l1"], "edges": terms["edges"]}


def vae_source(sets: Sequence[Icons], concepts: tuple[Concept, ...]) -> PictureSource:
    """The pictures that the whole autoencoder is trained on."""
    return PictureSource(sets, concepts, _VAE_MIXTURE)


def decoder_source(sets: Sequence[Icons], concepts: tuple[Concept, ...]) -> PictureSource:
    """The pictures that the decoder is trained on: more of what it will have to draw."""
    return PictureSource(sets, concepts, _DECODER_MIXTURE)


@torch.no_grad()
def measure_psnr(vae: AutoencoderKL, source: PictureSource, seed: int) -> float:
    """Returns the peak signal-to-noise ratio of 48 pictures, encoded and decoded, in dB."""
    pictures = source.draw(48, draws_of(seed, _VALIDATION)).to(vae.device)
    squares = [
        (batch - vae.decode(vae.encode(batch).latent_dist.mean).sample.clamp(-1, 1)).square().mean()
        for batch in pictures.split(8)
    ]
    return -10 * float(torch.stack(squares).mean().div(4).log10())


def _compare(pictures: torch.Tensor, drawn: torch.Tensor) -> dict[str, torch.Tensor]:
    error = pictures - drawn
    # Without a term for chroma three of the four latents learn luminance detail first.
    chroma = (error[:, 0] - error[:, 1]).abs().mean() + (error[:, 2] - error[:, :2].mean(1)).abs().mean()
    edges = error.diff(dim=3).abs().mean() + error.diff(dim=2).abs().mean()
    return {"l1": error.abs().mean(), "edges": edges, "chroma": chroma, "squares": error.square().mean()}
