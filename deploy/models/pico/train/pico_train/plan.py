"""What decides the result of a training run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """One run. A checkpoint belongs to one plan and is refused by any other.

    The learning rate rises for `warmup_steps`, stays, and over the last `decay` of the steps falls to 2 %.
    `ema` is the decay of the moving average of the weights that is the result; None: the last weights are.
    `details` names what else decides, such as the data.
    """

    name: str
    steps: int
    batch: int
    learning_rate: float
    warmup_steps: int
    decay: float
    weight_decay: float
    ema: float | None
    seed: int = 0
    details: str = ""

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        warmup = min(1.0, (step + 1) / self.warmup_steps)
        decay = min(1.0, max(0.02, (1 - step / self.steps) / self.decay))
        return self.learning_rate * warmup * decay


VAE = Plan("vae", 5900, 12, 7e-4, warmup_steps=50, decay=0.6, weight_decay=1e-4, ema=None)
DECODER = Plan("decoder", 4000, 6, 5e-4, warmup_steps=100, decay=0.6, weight_decay=1e-4, ema=0.998)
UNET = Plan("unet", 6800, 16, 1e-3, warmup_steps=100, decay=0.5, weight_decay=0.01, ema=0.999)
FINE_TUNE = Plan("fine-tune", 1350, 16, 4e-4, warmup_steps=100, decay=0.5, weight_decay=0.01, ema=0.999)
JUDGE = Plan("judge", 1500, 48, 2e-3, warmup_steps=50, decay=0.7, weight_decay=0.02, ema=None)
