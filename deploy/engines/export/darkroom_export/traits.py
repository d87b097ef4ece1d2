"""What the configurations of a diffusers folder say about shapes, scales and the prediction."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darkroom_export.bundle import read_json
from darkroom_export.errors import ExportError
from darkroom_export.layout import Layout
from darkroom_export.source import COMPONENTS


@dataclass(frozen=True)
class Traits:
    """The numbers that inputs and the manifest are made from.

    `latent_factor` is pixels per latent cell, `latent_step` the number of cells that a side is a multiple of, since
    the U-Net halves it that often; `native_cells` is the side, in cells, that the U-Net was trained at.
    """

    native_cells: int
    latent_step: int
    latent_factor: int
    latent_channels: int
    unet_channels: int
    scaling_factor: float
    tokens_max: int
    vocabulary: int
    hidden_size: int
    prediction_type: str


def read_traits(layout: Layout) -> Traits:
    """From four configurations. Raises an ExportError when they do not fit each other or the engine contract."""
    text_encoder, unet, vae = (layout.folders[component.name] for component in COMPONENTS)
    text, noise, picture = (read_json(folder / "config.json") for folder in (text_encoder, unet, vae))
    scheduler = read_json(layout.scheduler)
    try:
        traits = _to_traits(text, noise, picture, scheduler)
        width = noise["cross_attention_dim"]
    except KeyError as error:
        raise ExportError(f"The configuration of {text_encoder}, {unet} or {vae} lacks {error}.") from error
    if width != traits.hidden_size:
        raise ExportError(f"{unet} attends to a width of {width}, and {text_encoder} gives {traits.hidden_size}.")
    if picture.get("shift_factor") is not None or picture.get("latents_mean") is not None:
        raise ExportError(f"{vae} shifts its latents, and the engine contract has a scaling factor alone.")
    _check_words(layout.tokenizer / "tokenizer_config.json", traits.vocabulary)
    return traits


def _check_words(config: Path, rows: int) -> None:
    """Words of textual inversion are saved in two places, and an engine does not look beyond its table's end."""
    words = read_json(config).get("added_tokens_decoder") or {}
    beyond = [word for word in words if int(word) >= rows]
    if beyond:
        raise ExportError(f"{config} has token {beyond[0]}, and the text encoder's table has {rows} rows.")


def _to_traits(*configs: dict[str, Any]) -> Traits:
    text, noise, picture, scheduler = configs
    return Traits(
        native_cells=noise["sample_size"],
        latent_step=_halvings(noise),
        latent_factor=_halvings(picture),
        latent_channels=picture["latent_channels"],
        unet_channels=noise["in_channels"],
        scaling_factor=picture["scaling_factor"],
        tokens_max=text["max_position_embeddings"],
        vocabulary=text["vocab_size"],
        hidden_size=text["hidden_size"],
        # What diffusers takes when a scheduler does not say.
        prediction_type=scheduler.get("prediction_type", "epsilon"),
    )


def _halvings(config: dict[str, Any]) -> int:
    """2 for each level but the first."""
    return 2 ** (len(config["block_out_channels"]) - 1)
