"""The judge: a small network that names icons, trained on their renderings and never on a model's pictures."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from pico_train.concepts import Concept
from pico_train.digest import digest_of
from pico_train.errors import TrainError
from pico_train.pictures import Icons, Placing, compose, draw_colours, halve
from pico_train.plan import Plan
from pico_train.run import Draws, draws_of, train

# What it looks at: half of a picture's side.
SIDE = 64
_PLACING = Placing(scale_min=0.75)
_BLURRED, _NOISE = 0.5, 0.05
_CHANNELS = (32, 64, 96, 128)
# Renderings that it never saw: no step of a training has a negative number.
_HELD_OUT = range(-19, -3)
# More than this and it may judge; a figure of a worse judge would say nothing.
_RIGHT_MIN = 0.97


@dataclass(frozen=True)
class Judgement:
    """`concepts` [N,C] and `styles` [N,S]: the higher, the likelier."""

    concepts: torch.Tensor
    styles: torch.Tensor


class Classifier(nn.Module):
    """Names the concept and the style of pictures [N,3,H,W] in [-1,1]."""

    def __init__(self, concepts: int, styles: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((3, *_CHANNELS), _CHANNELS, strict=False):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(8, after), nn.ReLU()]
            layers += [nn.Conv2d(after, after, 3, 1, 1), nn.GroupNorm(8, after), nn.ReLU()]
        self._features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self._concepts = nn.Linear(4 * _CHANNELS[-1], concepts)
        self._styles = nn.Linear(4 * _CHANNELS[-1], styles)

    def forward(self, pictures: torch.Tensor) -> Judgement:
        """Judges a batch."""
        features = self._features(F.adaptive_avg_pool2d(pictures, SIDE))
        return Judgement(self._concepts(features), self._styles(features))


class Renderings:
    """Pictures of concepts with their labels, some blurred as a small VAE does."""

    def __init__(self, sets: list[Icons], concepts: tuple[Concept, ...]) -> None:
        # At the size that the classifier looks at: four times the steps in the same time.
        self._rgba = [halve(icons.rgba[icons.indices(concepts)]) for icons in sets]
        self.concepts, self.styles = len(concepts), len(sets)
        self.digest = digest_of(*self._rgba)

    def draw(self, count: int, draws: Draws) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Returns pictures, concepts and styles, the last two int64 [count]."""
        concepts = draws.rng.integers(self.concepts, size=count)
        styles = draws.rng.integers(self.styles, size=count)
        rgba = np.stack([self._rgba[style][concept] for concept, style in zip(concepts, styles, strict=True)])
        colours = draw_colours(count, 0.6, draws.generator)
        pictures = _blur(compose(_PLACING.place(rgba, draws.generator), colours), draws)
        return pictures, torch.from_numpy(concepts), torch.from_numpy(styles)


def _blur(pictures: torch.Tensor, draws: Draws) -> torch.Tensor:
    if draws.rng.random() < _BLURRED:
        pictures = F.interpolate(F.avg_pool2d(pictures, 2), size=SIDE, mode="bilinear")
    return pictures + _NOISE * torch.randn(pictures.shape, generator=draws.generator)


class _ClassifierTask:
    def __init__(self, classifier: Classifier, renderings: Renderings, batch: int) -> None:
        self.parameters = list(classifier.parameters())
        self._classifier, self._renderings, self._batch = classifier, renderings, batch

    def loss(self, _step: int, draws: Draws) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Cross-entropy of the concepts, and a little of the styles."""
        pictures, concepts, styles = self._renderings.draw(self._batch, draws)
        judged = self._classifier(pictures)
        named = F.cross_entropy(judged.concepts, concepts, label_smoothing=0.05)
        right = (judged.concepts.argmax(1) == concepts).float().mean()
        return named + 0.2 * F.cross_entropy(judged.styles, styles), {"right": right}


def train_classifier(renderings: Renderings, plan: Plan, checkpoint: Path) -> Classifier:
    """Returns a classifier of what `renderings` shows. Does nothing more than read it when it has been trained before.

    Raises TrainError when it does not name 97 % of renderings that it was not trained on.
    """
    torch.manual_seed(plan.seed)
    classifier = Classifier(renderings.concepts, renderings.styles)
    train(_ClassifierTask(classifier, renderings, plan.batch), plan, checkpoint)
    classifier.eval()
    right = measure(classifier, renderings, plan.seed)
    print(f"{plan.name}: names {right:.1%} of renderings that it was not trained on")
    if right < _RIGHT_MIN:
        raise TrainError(
            f"The classifier has to name {_RIGHT_MIN:.0%} of them to judge: "
            f"remove {checkpoint} and give it more --judge-steps."
        )
    return classifier


@torch.no_grad()
def measure(classifier: Classifier, renderings: Renderings, seed: int) -> float:
    """Returns the share of 1,024 held-out renderings that it names."""
    right = []
    for step in _HELD_OUT:
        pictures, concepts, _ = renderings.draw(64, draws_of(seed, step))
        right.append(classifier(pictures).concepts.argmax(1) == concepts)
    return float(torch.cat(right).float().mean())
