"""How well a model does what it is asked for, judged by a classifier and by the colour of the border."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from diffusers import StableDiffusionPipeline

from pico_train.captions import with_article
from pico_train.classifier import Classifier
from pico_train.concepts import BACKGROUND_NAMES, UNNAMED, Concept
from pico_train.draw import DRAWN_AT_ONCE, Wish, chunked, draw
from pico_train.pictures import BACKGROUND_COLOURS
from pico_train.progress import show_progress

COMBINATIONS = 24
# Pixels at each side that count as border.
_BORDER = 4
# Apart from each other, so that no picture of the score shares its noise with another.
_SEED_STRIDE = 10_000


@dataclass
class Tally:
    """So many right of so many, and what was wrong."""

    right: int = 0
    of: int = 0
    misses: list[str] = field(default_factory=list)

    def count(self, is_right: bool, miss: str) -> None:
        """Counts one more; `miss` says what was wrong, if it was."""
        self.of += 1
        self.right += is_right
        if not is_right:
            self.misses.append(miss)

    def __str__(self) -> str:
        """`127 of 128 (99.2 %)`."""
        return f"{self.right} of {self.of} ({100 * self.right / max(1, self.of):.1f} %)"


@dataclass
class Score:
    """What a model got right: of `a NAME`, and of prompts that name a background and, every second, the style."""

    concepts: Tally = field(default_factory=Tally)
    concepts_top_5: Tally = field(default_factory=Tally)
    unnamed_background: Tally = field(default_factory=Tally)
    combinations: Tally = field(default_factory=Tally)
    combined_style: Tally = field(default_factory=Tally)
    combined_background: Tally = field(default_factory=Tally)


@dataclass(frozen=True)
class _Asked:
    """A prompt with its place among all, and what its picture has to show."""

    number: int
    concept: int
    background: str
    prompt: str


@dataclass(frozen=True)
class Judge:
    """A classifier with the words for what it says."""

    classifier: Classifier
    concepts: tuple[Concept, ...]
    styles: tuple[str, ...]


class Examination:
    """One model, one judge, and what came of it so far."""

    def __init__(self, pipeline: StableDiffusionPipeline, judge: Judge, style: str) -> None:
        self.score = Score()
        self._pipeline, self._judge, self._style = pipeline, judge, style

    def run(self, seeds: int) -> Score:
        """Draws `seeds` pictures of every concept and of every combination, and judges them."""
        plain = list(_ask_concepts(self._judge.concepts))
        combined = list(_ask_combinations(self._judge.concepts, self._style))
        total = seeds * (len(plain) + len(combined))
        with show_progress(total=total, desc=f"pictures {self._style}", unit="picture") as bar:
            for seed in range(seeds):
                for asked in chunked(plain, DRAWN_AT_ONCE):
                    self._judge_plain(asked, self._draw(asked, seed))
                    bar.update(len(asked))
                for asked in chunked(combined, DRAWN_AT_ONCE):
                    self._judge_combined(asked, self._draw(asked, seed))
                    bar.update(len(asked))
        return self.score

    def _draw(self, asked: Sequence[_Asked], seed: int) -> torch.Tensor:
        return draw(self._pipeline, [Wish(one.prompt, seed * _SEED_STRIDE + one.number) for one in asked])

    @torch.no_grad()
    def _judge_plain(self, asked: Sequence[_Asked], pictures: torch.Tensor) -> None:
        names = [concept.name for concept in self._judge.concepts]
        guesses = self._judge.classifier(pictures).concepts.topk(min(5, len(names))).indices.tolist()
        for one, guess, background in zip(asked, guesses, background_of(pictures), strict=True):
            self.score.concepts.count(guess[0] == one.concept, f"{one.prompt}: {names[guess[0]]}")
            self.score.concepts_top_5.count(one.concept in guess, f"{one.prompt}: {names[guess[0]]}")
            self.score.unnamed_background.count(background == one.background, f"{one.prompt}: on {background}")

    @torch.no_grad()
    def _judge_combined(self, asked: Sequence[_Asked], pictures: torch.Tensor) -> None:
        score, judge = self.score, self._judge
        judged = judge.classifier(pictures)
        concepts, styles = judged.concepts.argmax(1).tolist(), judged.styles.argmax(1).tolist()
        for one, concept, drawn, background in zip(asked, concepts, styles, background_of(pictures), strict=True):
            taken_for, style = judge.concepts[concept].name, judge.styles[drawn]
            score.combinations.count(concept == one.concept, f"{one.prompt}: {taken_for}")
            score.combined_style.count(style == self._style, f"{one.prompt}: in {style} style")
            score.combined_background.count(background == one.background, f"{one.prompt}: on {background}")


def background_of(pictures: torch.Tensor) -> list[str]:
    """Names the background colour that is nearest to the median of each picture's border."""
    rows = torch.cat([pictures[:, :, :_BORDER].flatten(2), pictures[:, :, -_BORDER:].flatten(2)], 2)
    border = rows.median(2).values
    nearest = (border[:, None] - BACKGROUND_COLOURS[None]).square().sum(2).argmin(1)
    return [BACKGROUND_NAMES[index] for index in nearest.tolist()]


def _ask_concepts(concepts: tuple[Concept, ...]) -> Iterator[_Asked]:
    for index, concept in enumerate(concepts):
        yield _Asked(index, index, UNNAMED, with_article(concept.name))


def _ask_combinations(concepts: tuple[Concept, ...], style: str) -> Iterator[_Asked]:
    colours = [name for name in BACKGROUND_NAMES if name != UNNAMED]
    for index in range(COMBINATIONS):
        # Spread over all things, the well-known and the rare.
        concept = index * len(concepts) // COMBINATIONS
        background = colours[index % len(colours)]
        words = with_article(concepts[concept].name) + (f", {style} style" if index % 2 == 0 else "")
        yield _Asked(len(concepts) + index, concept, background, f"{words}, {background} background")
