"""The manifest: everything that a platform has to know about a bundle."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darkroom_export.bundle import CONTRACT, MANIFEST
from darkroom_export.errors import ExportError
from darkroom_export.source import TOKENIZER_FILES
from darkroom_export.traits import Traits

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")


@dataclass(frozen=True)
class Settings:
    """What no configuration says: what the bundle is called, under which licence, and how to draw with it."""

    name: str
    version: int
    family: str
    licence: str
    max_batch: int
    scheduler: str
    sigma_schedule: str
    steps: int
    guidance_scale: float


def check_settings(settings: Settings) -> None:
    """Raises an ExportError for what the platform's own check of a manifest would refuse."""
    if not _NAME.fullmatch(settings.name):
        raise ExportError(f"The name {settings.name!r} may have lower-case letters, digits and dashes.")
    for option in ("version", "max_batch", "steps"):
        if getattr(settings, option) < 1:
            raise ExportError(f"--{option.replace('_', '-')} is at least 1.")
    if settings.guidance_scale < 0:
        raise ExportError("--guidance-scale is not negative.")


def to_manifest(settings: Settings, traits: Traits, rest: dict[str, Any]) -> dict[str, Any]:
    """All but the digests. `rest` is what lies where: `parts`, `tokenizer`, `schedulerConfig` and `base`."""
    return {
        "contract": CONTRACT,
        "name": settings.name,
        "version": settings.version,
        "family": settings.family,
        "licence": settings.licence,
        "nativeSize": traits.native_cells * traits.latent_factor,
        "sizeMultiple": traits.latent_step * traits.latent_factor,
        "latentChannels": traits.latent_channels,
        "latentFactor": traits.latent_factor,
        "scalingFactor": traits.scaling_factor,
        "decoderScales": False,
        "predictionType": traits.prediction_type,
        "tokensMax": traits.tokens_max,
        "hiddenSize": traits.hidden_size,
        "clipSkip": {"1": "hidden_states", "2": "hidden_states_clip_skip_2"},
        "defaults": {
            "scheduler": settings.scheduler,
            "sigmaSchedule": settings.sigma_schedule,
            "steps": settings.steps,
            "guidanceScale": settings.guidance_scale,
        },
        **rest,
    }


def write_manifest(bundle: Path, manifest: dict[str, Any], weights: set[str]) -> None:
    """Adds a sha256 of every file that decides a picture, and writes `manifest.json`.

    `weights` are the safetensors files; graphs, tokenizer and scheduler are in the manifest. All are relative to the
    bundle's folder, from where a shared file is reached by `../`.
    """
    graphs = {part["file"] for part in manifest["parts"].values()}
    tokenizer = {f"{manifest['tokenizer']}/{name}" for name in TOKENIZER_FILES}
    files = graphs | weights | tokenizer | {manifest["schedulerConfig"]}
    digests = {name: _sha256(bundle / name) for name in sorted(files)}
    text = json.dumps({**manifest, "digests": digests}, indent=1)
    (bundle / MANIFEST).write_text(text + "\n", "utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
