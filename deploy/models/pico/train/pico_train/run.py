"""One training run: what happens between the first step and the last, whatever is trained."""

import dataclasses
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from pico_train.errors import Stopped, TrainError
from pico_train.files import read_tensors, write_whole
from pico_train.plan import Plan
from pico_train.progress import show_progress

_CHECKPOINT_EVERY_S = 60.0
# The share of the last figures in the ones that are shown.
_SMOOTHING = 0.98


@dataclass(frozen=True)
class Draws:
    """The random numbers of one step.

    They depend on seed and step alone, so that a run which is resumed draws what it would have drawn. They are
    made on the CPU, so that a GPU trains on the same.
    """

    rng: np.random.Generator
    generator: torch.Generator


def draws_of(seed: int, step: int) -> Draws:
    """Returns the random numbers of a step; a negative one is for what is not a step, such as validation."""
    streams = np.random.SeedSequence([seed, step & 0xFFFFFFFF]).spawn(2)
    generator = torch.Generator().manual_seed(int(streams[1].generate_state(1, np.uint64)[0] >> np.uint64(1)))
    return Draws(np.random.default_rng(streams[0]), generator)


class Task(Protocol):
    """What is trained."""

    parameters: list[nn.Parameter]

    def loss(self, step: int, draws: Draws) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Returns the loss of a step, a scalar with its graph, and figures to show."""


def train(task: Task, plan: Plan, checkpoint: Path) -> None:
    """Trains to the end of the plan, and leaves the result in the task's parameters.

    Starts from `checkpoint` if there is one of this plan, writes it every minute and when the process is told to
    stop (SIGINT, SIGTERM), after which it raises Stopped. Raises TrainError for a checkpoint of another plan, and when
    the loss is no number.
    """
    # A minute before the first checkpoint is written.
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    run = _Run(task, plan, checkpoint)
    if checkpoint.exists():
        run.restore()
    run.go_on()
    run.take_averages()


class _Run:
    """A run between two of its steps."""

    def __init__(self, task: Task, plan: Plan, checkpoint: Path) -> None:
        self._task, self._plan, self._checkpoint = task, plan, checkpoint
        self._step = 0
        self._optimizer = torch.optim.AdamW(
            task.parameters, plan.learning_rate, betas=(0.9, 0.99), weight_decay=plan.weight_decay, fused=True
        )
        self._averages = [parameter.detach().clone() for parameter in task.parameters] if plan.ema else []

    def go_on(self) -> None:
        """Runs the steps that are left."""
        plan, shown, saved_at = self._plan, dict[str, float](), time.monotonic()
        bar = show_progress(total=plan.steps, initial=self._step, desc=plan.name, unit="step")
        with _stop_requests() as stop_requests, bar:
            while self._step < plan.steps:
                for name, value in self._run_step().items():
                    shown[name] = value + _SMOOTHING * (shown.get(name, value) - value)
                bar.set_postfix({name: f"{value:.4f}" for name, value in shown.items()}, refresh=False)
                bar.update()
                is_last = self._step == plan.steps
                if is_last or stop_requests or time.monotonic() - saved_at > _CHECKPOINT_EVERY_S:
                    self._save()
                    saved_at = time.monotonic()
                if stop_requests and not is_last:
                    raise Stopped(f"{plan.name}: stopped after step {self._step}; the same command goes on from there.")

    def take_averages(self) -> None:
        """Makes the moving average the weights, if the plan has one."""
        if self._averages:
            _assign(self._task.parameters, self._averages)

    def restore(self) -> None:
        """Goes back to where the checkpoint was written."""
        device = self._task.parameters[0].device
        content: dict[str, Any] = read_tensors(self._checkpoint, device)
        if not isinstance(content, dict) or "plan" not in content:
            raise TrainError(f"{self._checkpoint} is no checkpoint. Remove it to begin anew.")
        other = [
            f"{name} {content['plan'].get(name)!r} and not {value!r}"
            for name, value in dataclasses.asdict(self._plan).items()
            if content["plan"].get(name) != value
        ]
        if other:
            raise TrainError(f"{self._checkpoint} is of another run: {'; '.join(other)}. Remove it to begin anew.")
        _assign(self._task.parameters, content["parameters"])
        self._optimizer.load_state_dict(content["optimizer"])
        self._averages = content["averages"]
        self._step = content["step"]

    def _run_step(self) -> dict[str, float]:
        plan, parameters = self._plan, self._task.parameters
        for group in self._optimizer.param_groups:
            group["lr"] = plan.learning_rate_at(self._step)
        loss, figures = self._task.loss(self._step, draws_of(plan.seed, self._step))
        if not torch.isfinite(loss):
            raise TrainError(f"{plan.name}: the loss of step {self._step} is {loss.item()}; lower --learning-rate.")
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._step += 1
        if plan.ema:
            # Young averages forget faster, or they would remember the start for a thousand steps.
            decay = min(plan.ema, (1 + self._step) / (20 + self._step))
            torch._foreach_lerp_(self._averages, [parameter.detach() for parameter in parameters], 1 - decay)
        return {"loss": loss.item()} | {name: value.item() for name, value in figures.items()}

    def _save(self) -> None:
        content = {
            "plan": dataclasses.asdict(self._plan),
            "step": self._step,
            "parameters": [parameter.detach() for parameter in self._task.parameters],
            "optimizer": self._optimizer.state_dict(),
            "averages": self._averages,
        }
        write_whole(self._checkpoint, lambda unfinished: torch.save(content, unfinished))


def _assign(parameters: list[nn.Parameter], values: list[torch.Tensor]) -> None:
    with torch.no_grad():
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(value)


@contextmanager
def _stop_requests() -> Iterator[list[int]]:
    """Lets a step end before the process does: yields the signals that told it to stop."""
    requests: list[int] = []
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda received, _: requests.append(received)) for number in signals]
    try:
        yield requests
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
