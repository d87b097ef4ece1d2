"""A run can be stopped at any step and ends as if it had not been."""

import os
import signal

import pytest
import torch
from torch import nn

from pico_train.errors import Stopped, TrainError
from pico_train.plan import UNET, Plan
from pico_train.progress import show_progress
from pico_train.run import train

_PLAN = Plan("line", 40, 8, 0.3, warmup_steps=5, decay=0.5, weight_decay=0.01, ema=0.9)


class _Line:
    """Learns y = 3 x + 1 from noisy points, and does something at one of its steps."""

    def __init__(self, at_step=None, do=None):
        torch.manual_seed(0)
        self.layer = nn.Linear(1, 1)
        self.parameters = list(self.layer.parameters())
        self._at_step, self._do = at_step, do
        self.steps = []

    def loss(self, step, draws):
        self.steps.append(step)
        if step == self._at_step:
            self._do()
        x = torch.randn(8, 1, generator=draws.generator)
        noise = torch.from_numpy(draws.rng.normal(size=(8, 1))).float()
        squares = (self.layer(x) - 3 * x - 1 - 0.1 * noise).square().mean()
        return squares, {"squares": squares}


def _weights(task):
    return [parameter.detach().tolist() for parameter in task.parameters]


def _stop_self():
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_run_that_was_stopped_ends_with_the_same_weights(tmp_path):
    whole, stopped, resumed = _Line(), _Line(17, _stop_self), _Line()
    train(whole, _PLAN, tmp_path / "whole.pt")

    with pytest.raises(Stopped, match="stopped after step 18"):
        train(stopped, _PLAN, tmp_path / "run.pt")
    train(resumed, _PLAN, tmp_path / "run.pt")

    assert stopped.steps + resumed.steps == list(range(40))
    assert _weights(resumed) == _weights(whole)
    assert _weights(resumed) != _weights(stopped)


def test_a_run_that_has_ended_is_not_run_again(tmp_path):
    first, again = _Line(), _Line()
    train(first, _PLAN, tmp_path / "run.pt")
    train(again, _PLAN, tmp_path / "run.pt")

    assert again.steps == []
    assert _weights(again) == _weights(first)


def test_the_result_is_the_moving_average(tmp_path):
    with_average, without = _Line(), _Line()
    train(with_average, _PLAN, tmp_path / "with.pt")
    train(without, Plan(**{**_PLAN.__dict__, "ema": None}), tmp_path / "without.pt")

    assert _weights(with_average) != _weights(without)
    assert with_average.layer.weight.item() == pytest.approx(3, abs=0.5)


def test_a_checkpoint_of_another_plan_is_refused_with_what_differs(tmp_path):
    train(_Line(), _PLAN, tmp_path / "run.pt")

    with pytest.raises(TrainError, match="seed 0 and not 1; details '' and not 'x'"):
        train(_Line(), Plan(**{**_PLAN.__dict__, "seed": 1, "details": "x"}), tmp_path / "run.pt")


def test_a_loss_that_is_no_number_ends_the_run_and_leaves_the_checkpoint(tmp_path):
    with pytest.raises(Stopped):
        train(_Line(3, _stop_self), _PLAN, tmp_path / "run.pt")
    before = (tmp_path / "run.pt").read_bytes()

    broken = _Line()
    broken.loss = lambda _step, _draws: (torch.tensor(float("nan"), requires_grad=True), {})
    with pytest.raises(TrainError, match="loss of step 4 is nan"):
        train(broken, _PLAN, tmp_path / "run.pt")

    assert (tmp_path / "run.pt").read_bytes() == before


def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(tmp_path, monkeypatch):
    with pytest.raises(Stopped):
        train(_Line(3, _stop_self), _PLAN, tmp_path / "run.pt")
    save = torch.save

    def die(content, path):
        save(content, path)
        path.write_bytes(path.read_bytes()[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", die)
    with pytest.raises(KeyboardInterrupt):
        train(_Line(), _PLAN, tmp_path / "run.pt")
    monkeypatch.setattr(torch, "save", save)
    resumed = _Line()
    train(resumed, _PLAN, tmp_path / "run.pt")

    assert resumed.steps[0] == 4


def test_the_learning_rate_rises_stays_and_falls():
    rates = [UNET.learning_rate_at(step) for step in range(UNET.steps)]

    assert rates[0] == pytest.approx(UNET.learning_rate / 100)
    assert rates[100] == rates[UNET.steps // 2] == UNET.learning_rate
    assert rates[-1] == pytest.approx(0.02 * UNET.learning_rate)
    assert rates[UNET.steps // 2 :] == sorted(rates[UNET.steps // 2 :], reverse=True)


def test_progress_in_a_log_is_lines_and_not_one_that_redraws_itself(capsys):
    with show_progress(total=3, desc="vae", unit="step", mininterval=0) as bar:
        for _ in range(3):
            bar.update()
    told = capsys.readouterr().err

    assert "\r" not in told
    assert [line.split()[:3] for line in told.splitlines() if line][1] == ["vae:", "33%", "1/3"]
