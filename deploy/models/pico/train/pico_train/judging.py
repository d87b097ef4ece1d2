"""`score`: the judge, the models, and what is printed."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from pico_train.classifier import Renderings, train_classifier
from pico_train.concepts import read_concepts
from pico_train.draw import open_pipeline
from pico_train.errors import TrainError
from pico_train.plan import JUDGE
from pico_train.report import describe_score, split_card, write_card
from pico_train.score import Examination, Judge
from pico_train.workshop import BASE_STYLE, Workshop


@dataclass(frozen=True)
class Scoring:
    """What to judge: `concepts` as on the command line, styles that the judge tells apart, pictures of each prompt."""

    concepts: str
    styles: tuple[str, ...]
    seeds: int
    judge_steps: int | None
    writes_cards: bool


def score_models(workshop: Workshop, models: list[Path], scoring: Scoring) -> None:
    """Scores each model, and prints its figures. Raises TrainError when a model's style is none of the judge's."""
    styles = {model: _style_of(model) for model in models}
    unknown = [f"{model} ({style})" for model, style in styles.items() if style not in scoring.styles]
    if unknown:
        raise TrainError(f"The judge does not know the style of {', '.join(unknown)}: name it with --styles.")
    # Before the judge's long training, because here it shows what is missing.
    pipelines = {model: open_pipeline(model, workshop.device) for model in styles}
    if scoring.writes_cards:
        for model in styles:
            split_card(model / "MODEL_CARD.md")
    judge = _open_judge(workshop, scoring)
    for model, style in styles.items():
        score = Examination(pipelines[model], judge, style).run(scoring.seeds)
        text = describe_score(score, scoring.seeds)
        print(f"\n{model.resolve().name}\n\n{text}")
        if scoring.writes_cards:
            write_card(model / "MODEL_CARD.md", text)


def _open_judge(workshop: Workshop, scoring: Scoring) -> Judge:
    concepts = read_concepts(scoring.concepts)
    styles = "-".join(scoring.styles)
    renderings = Renderings([workshop.icons(style) for style in scoring.styles], concepts)
    plan = dataclasses.replace(
        JUDGE,
        name=f"judge-{len(concepts)}-{styles}",
        steps=scoring.judge_steps or _judge_steps(len(concepts)),
        seed=workshop.seed,
        details=f"icons {renderings.digest}",
    )
    return Judge(train_classifier(renderings, plan, workshop.checkpoint(plan)), concepts, scoring.styles)


def _judge_steps(concepts: int) -> int:
    """As many renderings of each concept, however many there are."""
    return round(JUDGE.steps * max(1.0, concepts / len(read_concepts("core"))))


def _style_of(model: Path) -> str:
    """`pico-noto` draws in noto style; a name without a style is the base."""
    _, dash, style = model.resolve().name.rpartition("-")
    return style if dash else BASE_STYLE
