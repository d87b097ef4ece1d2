"""What is exported: the graphs of each component, with the inputs they are traced and tried with."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from darkroom_export.networks import GuidedUnet, TextEncoder, Unet, VaeDecoder, VaeEncoder
from darkroom_export.source import TEXT_ENCODER, UNET, Component
from darkroom_export.traits import Traits

# Axes that the caller chooses. torch names them; a number that it could not keep open is an error of the trace.
_OPEN = torch.export.Dim.AUTO
_ROWS = {0: _OPEN}
_ROWS_AND_TOKENS = {0: _OPEN, 1: _OPEN}
_ROWS_AND_SIZE = {0: _OPEN, 2: _OPEN, 3: _OPEN}

_LAST_TIMESTEP = 999.0


@dataclass(frozen=True)
class Part:
    """One graph. `cases` are inputs in order; the first is what torch traces, the others are only compared."""

    name: str
    network: nn.Module
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    open_axes: tuple[dict[int, Any], ...]
    cases: tuple[tuple[Tensor, ...], ...]


def parts_of(component: Component, model: Any, traits: Traits) -> list[Part]:
    """The parts that one component gives, each ready to be traced."""
    if component == TEXT_ENCODER:
        return [_text_encoder(model, traits)]
    if component == UNET:
        return [_unet(model, traits), _guided_unet(model, traits)]
    return [_vae_decoder(model, traits), _vae_encoder(model, traits)]


def _text_encoder(model: Any, traits: Traits) -> Part:
    def ids(rows: int) -> tuple[Tensor, ...]:
        return (torch.randint(0, traits.vocabulary, (rows, traits.tokens_max), dtype=torch.int32),)

    return Part(
        "text_encoder",
        TextEncoder(model),
        ("input_ids",),
        ("hidden_states", "hidden_states_clip_skip_2"),
        (_ROWS,),
        (ids(2), ids(5)),
    )


def _unet(model: Any, traits: Traits) -> Part:
    def case(rows: int, cells: tuple[int, int], prompts: int) -> tuple[Tensor, ...]:
        """`prompts` is how many windows of tokens the states are long."""
        return (
            torch.randn(rows, traits.unet_channels, *cells),
            torch.rand(rows, 1) * _LAST_TIMESTEP,
            torch.randn(rows, prompts * traits.tokens_max, traits.hidden_size),
        )

    return Part(
        "unet",
        Unet(model),
        ("sample", "timestep", "encoder_hidden_states"),
        ("noise_pred",),
        (_ROWS_AND_SIZE, _ROWS, _ROWS_AND_TOKENS),
        (case(2, _square(traits), 1), case(3, _square(traits), 1), case(1, _oblong(traits), 2)),
    )


def _guided_unet(model: Any, traits: Traits) -> Part:
    plain = _unet(model, traits)

    def guided(case: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        _, timestep, states = case
        return (*case, torch.randn_like(states), 1 + 7 * torch.rand_like(timestep))

    return Part(
        "unet_cfg",
        GuidedUnet(model),
        (*plain.inputs, "uncond_hidden_states", "guidance"),
        plain.outputs,
        (*plain.open_axes, _ROWS_AND_TOKENS, _ROWS),
        tuple(guided(case) for case in plain.cases),
    )


def _vae_decoder(model: Any, traits: Traits) -> Part:
    def latents(rows: int, cells: tuple[int, int]) -> tuple[Tensor, ...]:
        return (torch.randn(rows, traits.latent_channels, *cells),)

    cases = (latents(2, _square(traits)), latents(3, _oblong(traits)))
    return Part("vae_decoder", VaeDecoder(model), ("latents",), ("images",), (_ROWS_AND_SIZE,), cases)


def _vae_encoder(model: Any, traits: Traits) -> Part:
    def images(rows: int, cells: tuple[int, int]) -> tuple[Tensor, ...]:
        height, width = (side * traits.latent_factor for side in cells)
        return (torch.rand(rows, 3, height, width) * 2 - 1,)

    cases = (images(2, _square(traits)), images(1, _oblong(traits)))
    return Part("vae_encoder", VaeEncoder(model), ("images",), ("mean", "logvar"), (_ROWS_AND_SIZE,), cases)


def _square(traits: Traits) -> tuple[int, int]:
    """Latent cells, 4 by 4 in the U-Net's deepest block: at 1 by 1 torch would take a size for a constant."""
    return 4 * traits.latent_step, 4 * traits.latent_step


def _oblong(traits: Traits) -> tuple[int, int]:
    return 8 * traits.latent_step, 6 * traits.latent_step
