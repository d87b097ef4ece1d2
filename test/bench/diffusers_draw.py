"""A process that draws pictures with diffusers, as its users do, for `npm run bench -- serve` to compare with.

    diffusers_draw.py --runtime torch|onnx --bundle DIR --cache DIR --threads N

It speaks JSON, one object a line. On stdout: `{"say": TEXT}` while it gets ready, then `{"ready": VERSIONS}`, then
`{"done": true}` for each line of stdin, `{"prompt": TEXT, "seeds": [N, …], "save": PATH or null}`: one call of the
pipeline, one picture for each seed. The first picture is written to `save`, others nowhere. It ends when stdin does.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import onnxruntime
import torch
import transformers
from diffusers import (
    DPMSolverMultistepScheduler,
    OnnxRuntimeModel,
    OnnxStableDiffusionPipeline,
    StableDiffusionPipeline,
)

from diffusers_graphs import export_graphs, graphs_folder


def open_torch(bundle: Path) -> StableDiffusionPipeline:
    """The pipeline as PyTorch runs it, eagerly, in fp32: what the bundle's graphs compute in too."""
    pipeline = StableDiffusionPipeline.from_pretrained(bundle, torch_dtype=torch.float32, local_files_only=True)
    record, defaults = pipeline.scheduler.config, defaults_of(bundle)
    assert (defaults["scheduler"], defaults["sigmaSchedule"]) == ("DPM_SOLVER_MULTISTEP", "KARRAS")
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(record, use_karras_sigmas=True)
    return pipeline


def open_onnx(pipeline: StableDiffusionPipeline, graphs: Path, threads: int) -> OnnxStableDiffusionPipeline:
    """The same model in diffusers' own pipeline over ONNX Runtime."""

    def session(name: str) -> OnnxRuntimeModel:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        path = str(graphs / f"{name}.onnx")
        return OnnxRuntimeModel(OnnxRuntimeModel.load_model(path, sess_options=options, provider_options=[{}]))

    return OnnxStableDiffusionPipeline(
        text_encoder=session("text_encoder"),
        unet=session("unet"),
        vae_decoder=session("vae_decoder"),
        # Read for pictures that begin with another one.
        vae_encoder=None,
        tokenizer=pipeline.tokenizer,
        scheduler=pipeline.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def defaults_of(bundle: Path) -> dict[str, Any]:
    return json.loads((bundle / "manifest.json").read_text())["defaults"]


def noise_of(pipeline: StableDiffusionPipeline, seeds: list[int]) -> torch.Tensor:
    """What the torch pipeline draws from a generator for each seed. Both get it, for the other has numpy's only."""
    side = pipeline.unet.config.sample_size
    shape = (1, pipeline.unet.config.in_channels, side, side)
    return torch.cat([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


def painter(args: argparse.Namespace, say: Callable[[str], None]) -> Callable[[str, list[int]], list[Any]]:
    torch.set_num_threads(args.threads)
    source = open_torch(args.bundle)
    pipeline: Any = source
    if args.runtime == "onnx":
        graphs = graphs_folder(args.bundle, args.cache)
        export_graphs(source, graphs, say)
        pipeline = open_onnx(source, graphs, args.threads)
    pipeline.set_progress_bar_config(disable=True)
    defaults = defaults_of(args.bundle)
    side = source.unet.config.sample_size * source.vae_scale_factor

    def paint(prompt: str, seeds: list[int]) -> list[Any]:
        noise = noise_of(source, seeds)
        with torch.inference_mode():
            return pipeline(
                [prompt] * len(seeds),
                height=side,
                width=side,
                num_inference_steps=defaults["steps"],
                guidance_scale=defaults["guidanceScale"],
                latents=noise if args.runtime == "torch" else noise.numpy(),
            ).images

    return paint


def versions(runtime: str) -> str:
    version = f"PyTorch {torch.__version__}" if runtime == "torch" else f"ONNX Runtime {onnxruntime.__version__}"
    return f"diffusers {diffusers.__version__} on {version}"


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runtime", choices=["torch", "onnx"], required=True)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # ONNX Runtime and diffusers print to stdout as well: from here on that is stderr.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value: dict[str, Any]) -> None:
        print(json.dumps(value), file=answers, flush=True)

    diffusers.logging.set_verbosity_error()
    transformers.logging.set_verbosity_error()
    paint = painter(args, lambda text: answer({"say": text}))
    answer({"ready": versions(args.runtime)})
    for line in sys.stdin:
        request = json.loads(line)
        pictures = paint(request["prompt"], request["seeds"])
        if request["save"] is not None:
            pictures[0].save(request["save"])
        answer({"done": True})


if __name__ == "__main__":
    main()
