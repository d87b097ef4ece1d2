"""The five networks of a bundle, each with the inputs and outputs of the engine contract.

B is the batch, h and w are latent cells, T tokens, D the text encoder's width and C latent channels. What differs
from row to row comes as [B, 1], because jobs at different steps and with different guidance share a batch.

Each network holds its model as `m`: the name of every value in the exported graphs begins with it.
"""

from typing import Any

import torch
from torch import Tensor, nn


class TextEncoder(nn.Module):
    """CLIP's text model with the states that clip skip 1 and 2 ask for, both after the final norm."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.m = model

    def forward(self, input_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Ids int32 [B, T] to two states fp32 [B, T, D]."""
        states = self.m(input_ids=input_ids.long(), output_hidden_states=True)
        return states.last_hidden_state, self.m.final_layer_norm(states.hidden_states[-2])


class Unet(nn.Module):
    """The U-Net as it is, with a timestep for each row."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.m = model

    def forward(self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor) -> Tensor:
        """Latents [B, C, h, w], timesteps [B, 1] and states [B, T, D] to the prediction [B, C, h, w]."""
        return self.m(sample, timestep[:, 0], encoder_hidden_states, return_dict=False)[0]


class GuidedUnet(nn.Module):
    """Classifier-free guidance in one call: both halves go through the U-Net as one batch of 2 B."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.m = model

    def forward(  # noqa: PLR0913 - the inputs of the contract
        self,
        sample: Tensor,
        timestep: Tensor,
        encoder_hidden_states: Tensor,
        uncond_hidden_states: Tensor,
        guidance: Tensor,
    ) -> Tensor:
        """As `Unet`, with a second [B, T, D] for the negative prompt and the guidance scale [B, 1]."""
        steps = timestep[:, 0]
        samples, steps = torch.cat([sample, sample]), torch.cat([steps, steps])
        states = torch.cat([uncond_hidden_states, encoder_hidden_states])
        both = self.m(samples, steps, states, return_dict=False)[0]
        unconditional, conditional = both.chunk(2)
        return unconditional + guidance[:, :, None, None] * (conditional - unconditional)


class VaeDecoder(nn.Module):
    """Latents to pixels. The cast to uint8 comes last, after the permutation: TensorRT takes uint8 only there."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.m = model

    def forward(self, latents: Tensor) -> Tensor:
        """Latents [B, C, h, w], already divided by the scaling factor, to uint8 [B, 8 h, 8 w, 3]."""
        decoded = self.m.decode(latents, return_dict=False)[0]
        levels = ((decoded.clamp(-1, 1) + 1) * 127.5).round()
        return levels.permute(0, 2, 3, 1).to(torch.uint8)


class VaeEncoder(nn.Module):
    """Pixels to the distribution of their latents, neither of them multiplied by the scaling factor."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.m = model

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images fp32 [B, 3, 8 h, 8 w] in [-1, 1] to mean and log-variance, each [B, C, h, w]."""
        mean, logvar = self.m.quant_conv(self.m.encoder(images)).chunk(2, 1)
        # The bounds of diffusers' DiagonalGaussianDistribution.
        return mean, logvar.clamp(-30, 20)
