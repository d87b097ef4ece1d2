"""Builds diffusers' schedulers from the bundle's record and runs them over answers that both sides know."""

import inspect
from dataclasses import dataclass, field
from unittest import mock

import diffusers
import numpy as np
import torch
from diffusers.schedulers.scheduling_dpmsolver_sde import BrownianTreeNoiseSampler

from fixture import read_bundle_json, shortest

# Every value below is a draw of one generator with this seed, in the order of `answers`.
SEED = 7
# The noise of stochastic steps, seeded anew for every case.
STEP_SEED = 11
SHAPE = (1, 4, 8, 8)
# A step of second order is two evaluations, and PNDM repeats one.
EVALUATIONS_MAX = 60

FLAGS = {
    "DEFAULT": None,
    "KARRAS": "use_karras_sigmas",
    "EXPONENTIAL": "use_exponential_sigmas",
    "BETA": "use_beta_sigmas",
}
ALL = list(FLAGS)
# The name in the API, the class, and the sigma schedules that the class reads.
CLASSES = {
    "DDIM": (diffusers.DDIMScheduler, ["DEFAULT"]),
    "DDPM": (diffusers.DDPMScheduler, ["DEFAULT"]),
    "PNDM": (diffusers.PNDMScheduler, ["DEFAULT"]),
    "LMS_DISCRETE": (diffusers.LMSDiscreteScheduler, ALL),
    "EULER_DISCRETE": (diffusers.EulerDiscreteScheduler, ALL),
    "EULER_ANCESTRAL_DISCRETE": (diffusers.EulerAncestralDiscreteScheduler, ["DEFAULT"]),
    "HEUN_DISCRETE": (diffusers.HeunDiscreteScheduler, ALL),
    "DPM_SOLVER_MULTISTEP": (diffusers.DPMSolverMultistepScheduler, ALL),
    "DPM_SOLVER_SINGLESTEP": (diffusers.DPMSolverSinglestepScheduler, ALL),
    "DPM_SOLVER_SDE": (diffusers.DPMSolverSDEScheduler, ALL),
    "KDPM2_DISCRETE": (diffusers.KDPM2DiscreteScheduler, ALL),
    "KDPM2_ANCESTRAL_DISCRETE": (diffusers.KDPM2AncestralDiscreteScheduler, ALL),
    "DEIS_MULTISTEP": (diffusers.DEISMultistepScheduler, ALL),
    "UNI_PC_MULTISTEP": (diffusers.UniPCMultistepScheduler, ALL),
    "LCM": (diffusers.LCMScheduler, ["DEFAULT"]),
    "TCD": (diffusers.TCDScheduler, ["DEFAULT"]),
    "SA_SOLVER": (diffusers.SASolverScheduler, ALL),
}


@dataclass(frozen=True)
class Answers:
    """Everything that a run is given, whatever it asks: so each step's arithmetic is checked by itself."""

    noise: torch.Tensor
    clean: torch.Tensor
    outputs: list[torch.Tensor]


def answers() -> Answers:
    generator = torch.Generator().manual_seed(SEED)
    draw = lambda: torch.randn(SHAPE, generator=generator)  # noqa: E731
    return Answers(draw(), draw(), [draw() for _ in range(EVALUATIONS_MAX)])


@dataclass(frozen=True)
class Setup:
    """How a case's scheduler is built and stepped, beside its name, sigma schedule and prediction type."""

    overrides: dict = field(default_factory=dict)
    step: dict = field(default_factory=dict)
    timesteps: list | None = None
    sigmas: list | None = None


@dataclass
class Run:
    """A prepared scheduler; `begin` is the index of its first evaluation."""

    scheduler: object
    begin: int
    step: dict

    @property
    def timesteps(self):
        return self.scheduler.timesteps[self.begin :]


def build(name: str, config: dict):
    """
    Some constructors lay out a run of 1000 steps, which takes up to a second. Two will do: `prepare` lays out the
    run that counts, from the start.
    """
    cls = CLASSES[name][0]
    lay_out = cls.set_timesteps
    with mock.patch.object(cls, "set_timesteps", lambda scheduler, _steps, *rest: lay_out(scheduler, 2, *rest)):
        return cls.from_config(config)


def prepare(case: dict, setup: Setup = Setup()) -> Run:
    record = read_bundle_json("scheduler/scheduler_config.json")
    del record["timestep_spacing"]
    record |= {"prediction_type": case["predictionType"], "clip_sample": False} | setup.overrides
    flag = FLAGS.get(case["sigmaSchedule"])
    scheduler = build(case["scheduler"], record | ({flag: True} if flag else {}))
    if setup.timesteps is not None:
        scheduler.set_timesteps(timesteps=setup.timesteps)
    elif setup.sigmas is not None:
        scheduler.set_timesteps(sigmas=setup.sigmas)
    else:
        scheduler.set_timesteps(case["steps"])
    steps = case["steps"]
    begin = (steps - min(int(steps * case.get("strength", 1)), steps)) * scheduler.order
    # Without it the first step looks its timestep up by value and takes the second of two equal ones.
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(begin)
    return Run(scheduler, begin, setup.step)


class BrownianTree:
    """
    The Brownian tree of DPMSolverSDE, and what it amounts to: for each whole step two independent normals,
    of which the first moves the latents to the midpoint and both together move them over the whole step.
    """

    def __init__(self, scheduler, latents):
        sigmas = scheduler.sigmas[scheduler.sigmas > 0]
        self.tree = BrownianTreeNoiseSampler(latents, sigmas.min().item(), sigmas.max().item(), STEP_SEED)
        self.normals: list[np.ndarray] = []
        self.half = None

    def __call__(self, sigma, sigma_next):
        query = self.tree(sigma, sigma_next)
        if self.half is None:
            self.half = (float(sigma) - float(sigma_next), query.double())
            self.normals.append(query.numpy())
        else:
            first, normal = self.half
            whole = float(sigma) - float(sigma_next)
            rest = (query.double() * whole**0.5 - normal * first**0.5) / (whole - first) ** 0.5
            self.normals.append(rest.float().numpy())
            self.half = None
        return query


def trajectory(run: Run, given: Answers) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What the model is given first, then the latents after every evaluation; and the tree's normals."""
    scheduler = run.scheduler
    if run.begin == 0:
        latents = given.noise * scheduler.init_noise_sigma
    else:
        latents = scheduler.add_noise(given.clean, given.noise, run.timesteps[:1])
    parameters = inspect.signature(scheduler.step).parameters
    # Pipelines pass 0, which is not the default of every class.
    kwargs = ({"eta": 0} if "eta" in parameters else {}) | run.step
    if "generator" in parameters:
        kwargs["generator"] = torch.Generator().manual_seed(STEP_SEED)
    tree = BrownianTree(scheduler, latents) if hasattr(scheduler, "noise_sampler") else None
    if tree:
        scheduler.noise_sampler = tree
    frames = []
    for i, timestep in enumerate(run.timesteps):
        scaled = scheduler.scale_model_input(latents, timestep)
        if i == 0:
            frames.append(scaled.numpy())
        latents = scheduler.step(given.outputs[i], timestep, latents, **kwargs).prev_sample
        assert torch.isfinite(latents).all()
        frames.append(latents.numpy())
    return frames, tree.normals if tree else []


def describe(run: Run) -> dict:
    """The timetable: what the model is told and at which noise level, evaluation by evaluation."""
    return {
        "initSigma": shortest([run.scheduler.init_noise_sigma])[0],
        "timesteps": shortest(run.timesteps),
        "sigmas": shortest([sigma_at(run.scheduler, i) for i in range(run.begin, len(run.scheduler.timesteps))]),
    }


def sigma_at(scheduler, i: int) -> float:
    if not hasattr(scheduler, "sigmas"):
        alpha_bar = scheduler.alphas_cumprod[scheduler.timesteps[i]]
        return float(((1 - alpha_bar) / alpha_bar) ** 0.5)
    if scheduler.order == 1 or i % 2 == 0:
        return float(scheduler.sigmas[i])
    match type(scheduler):
        case diffusers.KDPM2DiscreteScheduler:
            return float(scheduler.sigmas_interpol[i])
        case diffusers.KDPM2AncestralDiscreteScheduler:
            return float(scheduler.sigmas_interpol[i - 1])
        case diffusers.DPMSolverSDEScheduler:
            return float((scheduler.sigmas[i - 1].double() * scheduler.sigmas[i].double()) ** 0.5)
        case _:
            return float(scheduler.sigmas[i])
