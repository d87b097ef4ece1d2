"""Draws one picture with diffusers' scheduler and torch's noise over the bundle's own ONNX graphs."""

import numpy as np
import onnxruntime
import torch
from diffusers import DPMSolverMultistepScheduler
from PIL import Image
from transformers import CLIPTokenizer

from fixture import BUNDLE, FIXTURES, read_bundle_json, write_floats, write_json_lines

PROMPT = "a red apple, blue background"
NEGATIVE_PROMPT = ""
SEED = 2


def run(manifest: dict, part: str, output: str, inputs: dict) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(BUNDLE / manifest["parts"][part]["file"]))
    return session.run([output], inputs)[0]


def encode(manifest: dict) -> np.ndarray:
    tokenizer = CLIPTokenizer.from_pretrained(str(BUNDLE / "tokenizer"))
    ids = tokenizer(
        [NEGATIVE_PROMPT, PROMPT], padding="max_length", max_length=manifest["tokensMax"], truncation=True
    ).input_ids
    return run(manifest, "text_encoder", "hidden_states", {"input_ids": np.array(ids, dtype=np.int32)})


def denoise(manifest: dict, hidden: np.ndarray) -> torch.Tensor:
    defaults = manifest["defaults"]
    assert (defaults["scheduler"], defaults["sigmaSchedule"]) == ("DPM_SOLVER_MULTISTEP", "KARRAS")
    record = read_bundle_json("scheduler/scheduler_config.json")
    scheduler = DPMSolverMultistepScheduler.from_config(record, use_karras_sigmas=True)
    scheduler.set_timesteps(defaults["steps"])
    scheduler.set_begin_index(0)
    side = manifest["nativeSize"] // manifest["latentFactor"]
    generator = torch.Generator().manual_seed(SEED)
    latents = torch.randn((1, manifest["latentChannels"], side, side), generator=generator)
    latents = latents * scheduler.init_noise_sigma
    session = onnxruntime.InferenceSession(str(BUNDLE / manifest["parts"]["unet_cfg"]["file"]))
    for timestep in scheduler.timesteps:
        inputs = {
            "sample": scheduler.scale_model_input(latents, timestep).numpy(),
            "timestep": np.array([[timestep]], dtype=np.float32),
            "encoder_hidden_states": hidden[1:],
            "uncond_hidden_states": hidden[:1],
            "guidance": np.array([[defaults["guidanceScale"]]], dtype=np.float32),
        }
        output = torch.from_numpy(session.run(["noise_pred"], inputs)[0])
        latents = scheduler.step(output, timestep, latents).prev_sample
    return latents


def main() -> None:
    manifest = read_bundle_json("manifest.json")
    latents = denoise(manifest, encode(manifest)).numpy()
    images = run(manifest, "vae_decoder", "images", {"latents": latents / np.float32(manifest["scalingFactor"])})
    Image.fromarray(images[0]).save(FIXTURES / "picture.png")
    write_floats("picture-latents.f32.gz", [latents])
    write_json_lines("picture.json", [{"prompt": PROMPT, "negativePrompt": NEGATIVE_PROMPT, "seed": str(SEED)}])


if __name__ == "__main__":
    main()
