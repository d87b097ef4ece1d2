"""Records diffusers' timetables and trajectories for the schedulers that are built.

The model's answers are one bank of random tensors, the same for every case: evaluation i is answered
with bank[i], whatever was asked. That checks each step's arithmetic by itself, and the fixture holds
the bank once. The noise of stochastic steps comes from a generator of its own, seeded anew for every case.
"""

import inspect
import itertools

import numpy as np
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
)

from fixture import read_bundle_json, write_floats, write_json_lines

CLASSES = {
    "EULER_DISCRETE": EulerDiscreteScheduler,
    "DPM_SOLVER_MULTISTEP": DPMSolverMultistepScheduler,
    "DDIM": DDIMScheduler,
    "EULER_ANCESTRAL_DISCRETE": EulerAncestralDiscreteScheduler,
}
SIGMA_SCHEDULES = ["DEFAULT", "KARRAS"]
PREDICTIONS = ["epsilon", "v_prediction", "sample"]
# What a class would ignore, or refuse in its step.
LACKING = {"DDIM": {"KARRAS"}, "EULER_ANCESTRAL_DISCRETE": {"KARRAS", "sample"}}
STEP_SEED = 11
SPACINGS = ["linspace", "leading", "trailing"]
SHAPE = (1, 4, 8, 8)

# Trajectories take the space, so the longest are kept for one prediction type: it changes two weights, not the table.
TRAJECTORY_STEPS = {"epsilon": [1, 4, 7, 10, 14, 15, 25], "v_prediction": [4, 7, 10], "sample": [4, 7, 10]}
# 61 is one of the counts for which `trailing` yields an entry too many; from 500 on `leading` goes one by one.
TABLE_STEPS = [2, 3, 5, 13, 20, 50, 61, 100, 500]


def build(name: str, sigma_schedule: str, prediction: str, spacing: str):
    record = read_bundle_json("scheduler/scheduler_config.json")
    record |= {"prediction_type": prediction, "timestep_spacing": spacing, "clip_sample": False}
    return CLASSES[name].from_config(record, use_karras_sigmas=sigma_schedule == "KARRAS")


def cases(steps_of):
    for name, sigma_schedule, prediction, spacing in itertools.product(CLASSES, SIGMA_SCHEDULES, PREDICTIONS, SPACINGS):
        if LACKING.get(name, set()) & {sigma_schedule, prediction}:
            continue
        for steps in steps_of(prediction):
            # The entry too many, at timestep -1, would become the lower end of Euler's curve, for that count alone.
            if (name, sigma_schedule, spacing, steps) == ("EULER_DISCRETE", "KARRAS", "trailing", 61):
                continue
            yield {
                "scheduler": name,
                "sigmaSchedule": sigma_schedule,
                "predictionType": prediction,
                "timestepSpacing": spacing,
                "steps": steps,
            }


def plan(case: dict):
    scheduler = build(case["scheduler"], case["sigmaSchedule"], case["predictionType"], case["timestepSpacing"])
    scheduler.set_timesteps(case["steps"])
    # Without it the first step looks its timestep up by value and takes the second of two equal ones.
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    return scheduler


def trajectory(scheduler, noise: torch.Tensor, bank: list[torch.Tensor]) -> list[np.ndarray]:
    """What the model is given first, then the latents after every evaluation."""
    latents = noise * scheduler.init_noise_sigma
    takes_noise = "generator" in inspect.signature(scheduler.step).parameters
    source = {"generator": torch.Generator().manual_seed(STEP_SEED)} if takes_noise else {}
    frames = [scheduler.scale_model_input(latents, scheduler.timesteps[0]).numpy()]
    for i, timestep in enumerate(scheduler.timesteps):
        scheduler.scale_model_input(latents, timestep)
        latents = scheduler.step(bank[i], timestep, latents, **source).prev_sample
        frames.append(latents.numpy())
    return frames


def sigmas_of(scheduler) -> list[float]:
    if hasattr(scheduler, "sigmas"):
        return [float(s) for s in scheduler.sigmas]
    # DDIM keeps no table of them: its levels, and where the last step leads.
    stride = scheduler.config.num_train_timesteps // scheduler.num_inference_steps
    end = int(scheduler.timesteps[-1]) - stride
    alphas = [scheduler.alphas_cumprod[t] for t in scheduler.timesteps]
    alphas.append(scheduler.alphas_cumprod[end] if end >= 0 else scheduler.final_alpha_cumprod)
    return [float(((1 - alpha) / alpha) ** 0.5) for alpha in alphas]


def describe(case: dict, scheduler) -> dict:
    return case | {
        "initSigma": float(scheduler.init_noise_sigma),
        "timesteps": [float(t) for t in scheduler.timesteps],
        "sigmas": sigmas_of(scheduler),
    }


def main() -> None:
    generator = torch.Generator().manual_seed(7)
    noise = torch.randn(SHAPE, generator=generator)
    bank = [torch.randn(SHAPE, generator=generator) for _ in range(max(TRAJECTORY_STEPS["epsilon"]))]
    rows, frames = [], [noise.numpy(), *(each.numpy() for each in bank)]
    for case in cases(lambda prediction: TRAJECTORY_STEPS[prediction]):
        scheduler = plan(case)
        rows.append(describe(case, scheduler) | {"offset": sum(frame.size for frame in frames)})
        frames += trajectory(scheduler, noise, bank)
    write_json_lines("trajectories.json", rows)
    write_floats("trajectories.f32.gz", frames)

    tables = [describe(case, plan(case)) for case in cases(lambda p: TABLE_STEPS if p == "epsilon" else [])]
    for table in tables:
        del table["predictionType"]
    write_json_lines("timetables.json", tables)


if __name__ == "__main__":
    main()
