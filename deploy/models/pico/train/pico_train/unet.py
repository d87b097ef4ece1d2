"""The U-Net: its shape, and epsilon prediction on cached latents."""

from dataclasses import dataclass

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from transformers import CLIPTextModel

from pico_train.captions import Scene, draw_caption
from pico_train.concepts import BACKGROUND_NAMES, UNNAMED, Concept
from pico_train.latents import Latents
from pico_train.models import mixed_precision
from pico_train.run import Draws
from pico_train.text import Vocabulary

CHANNELS = (64, 128, 192)
_TRAIN_TIMESTEPS = 1000
# Min-SNR weighting (Hang et al. 2023) with the paper's gamma.
_SNR_MAX = 5.0
# One more draw for a whole channel. A latent of 16x16 has so few values that the mean of plain noise, 1/16, is less
# than what the last timestep leaves of the picture's: without this the model reads the background from the noise
# that it starts with, and not from the prompt.
_OFFSET_NOISE = 0.3
_UNNAMED_WEIGHT = 3.0


@dataclass(frozen=True)
class Lesson:
    """What is learnt: latents, and the words for them."""

    latents: Latents
    concepts: tuple[Concept, ...]
    style: str
    vocabulary: Vocabulary


@dataclass(frozen=True)
class Networks:
    """Those that learn it. A text encoder whose parameters ask for no gradients stays as it is."""

    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel


def create_unet(channels: tuple[int, ...] = CHANNELS) -> UNet2DConditionModel:
    """Returns an untrained U-Net with cross-attention in all blocks but the innermost."""
    plain = len(channels) - 2
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        layers_per_block=1,
        block_out_channels=channels,
        down_block_types=("CrossAttnDownBlock2D",) * 2 + ("DownBlock2D",) * plain,
        up_block_types=("UpBlock2D",) * plain + ("CrossAttnUpBlock2D",) * 2,
        cross_attention_dim=128,
        attention_head_dim=4,
        norm_num_groups=16,
    )


class UnetTask:
    """Epsilon prediction, with classifier-free guidance in mind."""

    def __init__(self, networks: Networks, lesson: Lesson, batch: int) -> None:
        both = [*networks.unet.parameters(), *networks.text_encoder.parameters()]
        self.parameters = [parameter for parameter in both if parameter.requires_grad]
        self._networks, self._lesson, self._batch = networks, lesson, batch
        kept = DDPMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=_TRAIN_TIMESTEPS
        ).alphas_cumprod
        snr = kept / (1 - kept)
        self._kept, self._weights = kept, snr.clamp(max=_SNR_MAX) / snr
        is_unnamed = lesson.latents.labels[:, 1] == BACKGROUND_NAMES.index(UNNAMED)
        self._odds = torch.where(is_unnamed, _UNNAMED_WEIGHT, 1.0)

    def loss(self, _step: int, draws: Draws) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The squared error of the predicted noise, weighted by min-SNR."""
        chosen = torch.multinomial(self._odds, self._batch, replacement=True, generator=draws.generator)
        tokens = torch.stack([self._lesson.vocabulary.encode(caption) for caption in self._captions(chosen, draws)])
        clean = self._lesson.latents.values[chosen]
        timesteps = self._draw_timesteps(draws.generator)
        noise = torch.randn(clean.shape, generator=draws.generator)
        noise += _OFFSET_NOISE * torch.randn(*clean.shape[:2], 1, 1, generator=draws.generator)
        kept = self._kept[timesteps][:, None, None, None]
        noisy = kept.sqrt() * clean + (1 - kept).sqrt() * noise

        device = self._networks.unet.device
        with mixed_precision(device):
            words = self._networks.text_encoder(tokens.to(device)).last_hidden_state
            predicted = self._networks.unet(noisy.to(device), timesteps.to(device), words).sample
        squares = (predicted.float() - noise.to(device)).square().mean((1, 2, 3))
        return (self._weights[timesteps].to(device) * squares).mean(), {"epsilon": squares.mean()}

    def _captions(self, chosen: torch.Tensor, draws: Draws) -> list[str]:
        labels = self._lesson.latents.labels[chosen].tolist()
        scenes = [
            Scene(self._lesson.concepts[concept], BACKGROUND_NAMES[background], self._lesson.style)
            for concept, background in labels
        ]
        return [draw_caption(scene, draws.rng) for scene in scenes]

    def _draw_timesteps(self, generator: torch.Generator) -> torch.Tensor:
        """Stratified: one from each of `batch` equal parts of the schedule."""
        batch = self._batch
        starts = torch.arange(batch) * _TRAIN_TIMESTEPS // batch
        within = torch.randint(_TRAIN_TIMESTEPS // batch + 1, (batch,), generator=generator)
        return (starts + within).clamp(max=_TRAIN_TIMESTEPS - 1)
