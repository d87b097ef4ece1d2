"""What a picture is called: `[a|an] NAME[, STYLE style][, COLOUR background]`."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pico_train.concepts import BACKGROUND_NAMES, UNNAMED, Concept, read_concepts

STYLES = ("flat", "noto", "glossy")

# The odds of what a caption has. Classifier-free guidance needs a model that also knows what no caption means.
_EMPTY = 0.1
_WITHOUT_ARTICLE = 0.35
_WITH_STYLE = 0.4
_UNNAMED_BACKGROUND = 0.8
_COMMA_BACKGROUND = 0.7


@dataclass(frozen=True)
class Scene:
    """What a training picture shows."""

    concept: Concept
    background: str
    style: str


def with_article(name: str) -> str:
    """`an owl`, `a unicorn`."""
    starts_with_vowel = name[0] in "aeiou" and not name.startswith(("uni", "ufo"))
    return f"{'an' if starts_with_vowel else 'a'} {name}"


def draw_caption(scene: Scene, rng: np.random.Generator) -> str:
    """Returns one of the many captions of a scene.

    Parts are left out at random, so that a bare name works; the unnamed background is usually not named.
    """
    if rng.random() < _EMPTY:
        return ""
    name = scene.concept.names[rng.integers(len(scene.concept.names))]
    words = name if rng.random() < _WITHOUT_ARTICLE else with_article(name)
    has_style = rng.random() < _WITH_STYLE
    if has_style:
        words += f", {scene.style} style"
    if scene.background == UNNAMED and rng.random() < _UNNAMED_BACKGROUND:
        return words
    # `on a … background` reads well only directly after the name.
    has_comma = has_style or rng.random() < _COMMA_BACKGROUND
    return f"{words}{',' if has_comma else ' on a'} {scene.background} background"


def every_caption_part() -> Iterator[str]:
    """Yields texts that have every token which a caption of any concept can have."""
    yield ""
    for concept in read_concepts("all"):
        for name in concept.names:
            yield from (name, with_article(name))
    for background in BACKGROUND_NAMES:
        yield from (f"x, {background} background", f"x on a {background} background")
    yield from (f"x, {style} style" for style in STYLES)
