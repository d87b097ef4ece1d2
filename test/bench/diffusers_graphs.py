"""The graphs that diffusers' ONNX pipeline wants, exported once for each version of what makes them.

They are not those of the bundle: one timestep for the whole batch, no guidance inside, pictures as floats, and the
weights in the file. Inputs and outputs are named as by diffusers' own conversion script; the exporter is torch's
present one, as for the bundle.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor, nn

_OPEN = torch.export.Dim.AUTO
_ROWS = {0: _OPEN}


class TextEncoder(nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.model(input_ids=input_ids.long()).last_hidden_state


class Unet(nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor) -> Tensor:
        return self.model(sample, timestep, encoder_hidden_states, return_dict=False)[0]


class VaeDecoder(nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, latent_sample: Tensor) -> Tensor:
        return self.model.decode(latent_sample, return_dict=False)[0]


@dataclass(frozen=True)
class Graph:
    network: nn.Module
    inputs: dict[str, Tensor]
    output: str
    open_axes: tuple[dict[int, Any] | None, ...]


def graphs_folder(bundle: Path, cache: Path) -> Path:
    """Where the graphs of this bundle are, or are to be: another when the bundle, a library or this file changes."""
    parts = [(bundle / "manifest.json").read_bytes(), Path(__file__).read_bytes()]
    versions = f"{torch.__version__} {diffusers.__version__}".encode()
    return cache / hashlib.sha256(b"\0".join([*parts, versions])).hexdigest()[:16]


def export_graphs(pipeline: StableDiffusionPipeline, folder: Path, say: Callable[[str], None]) -> None:
    """Makes `folder` with the three graphs between a prompt and a picture, or leaves one as it is."""
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Whoever is interrupted leaves a folder under another name, which nobody takes for a whole one.
    unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=folder.parent))
    try:
        for name, graph in _graphs(pipeline).items():
            say(f"exporting the {name} for diffusers' ONNX pipeline, once")
            _export(graph, unfinished / f"{name}.onnx")
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _graphs(pipeline: StableDiffusionPipeline) -> dict[str, Graph]:
    encoder, unet = pipeline.text_encoder.config, pipeline.unet.config
    latents = torch.randn(2, unet.in_channels, unet.sample_size, unet.sample_size)
    ids = torch.zeros(2, encoder.max_position_embeddings, dtype=torch.int32)
    states = torch.randn(2, encoder.max_position_embeddings, encoder.hidden_size)
    inputs = {"sample": latents, "timestep": torch.tensor([999.0]), "encoder_hidden_states": states}
    return {
        "text_encoder": Graph(TextEncoder(pipeline.text_encoder), {"input_ids": ids}, "last_hidden_state", (_ROWS,)),
        "unet": Graph(Unet(pipeline.unet), inputs, "out_sample", (_ROWS, None, _ROWS)),
        "vae_decoder": Graph(VaeDecoder(pipeline.vae), {"latent_sample": latents}, "sample", (_ROWS,)),
    }


def _export(graph: Graph, path: Path) -> None:
    with torch.no_grad():
        torch.onnx.export(
            graph.network.eval(),
            tuple(graph.inputs.values()),
            str(path),
            input_names=list(graph.inputs),
            output_names=[graph.output],
            dynamic_shapes=graph.open_axes,
            opset_version=18,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
