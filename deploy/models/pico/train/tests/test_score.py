"""The score counts what is right, and tells what is wrong."""

import numpy as np
import pytest
import torch
from torch import nn

from pico_train.classifier import _HELD_OUT, Judgement, Renderings, train_classifier
from pico_train.concepts import BACKGROUND_NAMES, BACKGROUNDS, read_concepts
from pico_train.errors import TrainError
from pico_train.judging import Scoring, _judge_steps, score_models
from pico_train.models import PICO
from pico_train.pictures import open_icons
from pico_train.plan import Plan
from pico_train.report import describe_score, write_card
from pico_train.score import COMBINATIONS, Examination, Judge
from pico_train.workshop import Workshop

_CONCEPTS = read_concepts("8")
_STYLES = ("flat", "noto")


class _Mark(nn.Module):
    """Reads what the drawer below wrote into the middle of a picture: concept and style, in levels of red and green."""

    def forward(self, pictures):
        concepts, styles = (pictures[:, channel, 64, 64] * 8 for channel in (0, 1))
        return Judgement(
            -(concepts[:, None] - torch.arange(len(_CONCEPTS))).abs(), -(styles[:, None] - torch.arange(2)).abs()
        )


class _Drawer:
    """Paints marks on the background that the prompt names, or what it was told to paint for a prompt."""

    def __init__(self, instead=None):
        self._instead = instead or {}
        self.prompts, self.seeds = [], []

    def __call__(self, prompts, **options):
        assert len(options["generator"]) == len(prompts) <= 8
        self.prompts += prompts
        self.seeds += [generator.initial_seed() for generator in options["generator"]]
        pictures = torch.stack([self._paint(self._instead.get(prompt, prompt)) for prompt in prompts])
        return type("Output", (), {"images": (pictures + 1) / 2})

    def _paint(self, prompt):
        thing, *rest = prompt.split(", ")
        concept = next(i for i, c in enumerate(_CONCEPTS) if c.name == thing.removeprefix("an ").removeprefix("a "))
        background = next((words.split()[0] for words in rest if words.endswith("background")), "white")
        picture = (torch.tensor(BACKGROUNDS[background]) / 127.5 - 1)[:, None, None].repeat(1, 128, 128)
        picture[:, 60:68, 60:68] = torch.tensor([concept / 8, ("noto style" in rest) / 8, 0])[:, None, None]
        return picture


def _examine(drawer, seeds=2):
    return Examination(drawer, Judge(_Mark(), _CONCEPTS, _STYLES), "flat").run(seeds)


def test_a_model_that_does_what_it_is_asked_for_gets_everything_right():
    drawer = _Drawer()
    score = _examine(drawer)

    assert str(score.concepts) == str(score.unnamed_background) == "16 of 16 (100.0 %)"
    assert score.combinations.right == score.combined_background.right == score.combined_style.right == 2 * COMBINATIONS
    assert len(set(drawer.prompts)) == len(_CONCEPTS) + COMBINATIONS
    assert sum("flat style" in prompt for prompt in drawer.prompts) == COMBINATIONS
    assert "Misses: none." in describe_score(score, 2)


def test_every_miss_is_told_with_what_it_was_taken_for():
    dog_for_cat = _Drawer({"a cat": "a dog", "a red apple": "a red apple, blue background"})
    score = _examine(dog_for_cat)

    assert str(score.concepts) == "14 of 16 (87.5 %)"
    assert str(score.concepts_top_5) == "16 of 16 (100.0 %)"
    assert str(score.unnamed_background) == "14 of 16 (87.5 %)"
    assert "Misses: a cat: dog (2 times); a red apple: on blue (2 times)." in describe_score(score, 2)


def test_wrong_colours_and_styles_of_combinations_are_told():
    prompts = [prompt for prompt in _probe() if "background" in prompt]
    score = _examine(_Drawer({prompts[0]: "a cat, noto style, pink background"}))

    assert score.combinations.right == 2 * COMBINATIONS
    assert score.combined_style.misses == [f"{prompts[0]}: in noto style"] * 2
    assert score.combined_background.misses == [f"{prompts[0]}: on pink"] * 2


def _probe():
    drawer = _Drawer()
    _examine(drawer, 1)
    return drawer.prompts


def test_no_two_pictures_of_a_score_share_their_noise():
    drawer = _Drawer()
    _examine(drawer, 3)
    seeds = drawer.seeds

    assert len(seeds) == len(set(seeds)) == 3 * (len(_CONCEPTS) + COMBINATIONS)


def test_a_classifier_that_has_not_learnt_enough_may_not_judge(work):
    icons = [open_icons(work / "icons", "flat")]
    plan = Plan("judge", 1, 4, 1e-3, warmup_steps=1, decay=1, weight_decay=0, ema=None)
    with pytest.raises(TrainError, match="more --judge-steps"):
        train_classifier(Renderings(icons, _CONCEPTS), plan, work / "judge.pt")


def test_a_judge_of_more_things_is_trained_longer():
    assert [_judge_steps(concepts) for concepts in (2, 64, 217)] == [1500, 1500, 5086]


def test_a_model_in_a_style_that_the_judge_cannot_name_is_refused(work):
    workshop = Workshop(work, torch.device("cpu"), 0)
    scoring = Scoring("core", ("flat",), 1, 1, writes_cards=False)
    with pytest.raises(TrainError, match=r"style of .*pico-noto \(noto\)"):
        score_models(workshop, [PICO.parent / "pico-noto"], scoring)


def test_a_card_keeps_what_was_written_by_hand(tmp_path):
    card, text = tmp_path / "MODEL_CARD.md", describe_score(_examine(_Drawer(), 1), 1)
    marks = ("<!-- score: written by `pico_train score --card` -->", "<!-- end of score -->")
    card.write_text(f"# Model\n\n{marks[0]}\nold\n{marks[1]}\n\nMore.\n")
    write_card(card, text)
    write_card(card, text)

    assert card.read_text().startswith("# Model\n\n<!-- score")
    assert card.read_text().endswith("<!-- end of score -->\n\nMore.\n")
    assert card.read_text().count("| the style of those") == 1
    assert "old" not in card.read_text()


def test_a_card_without_a_place_for_the_score_is_left_as_it_is(tmp_path):
    (tmp_path / "MODEL_CARD.md").write_text("# Model\n")
    with pytest.raises(TrainError, match="no place for the score"):
        write_card(tmp_path / "MODEL_CARD.md", "x")
    assert (tmp_path / "MODEL_CARD.md").read_text() == "# Model\n"


def test_the_background_colours_are_apart_from_each_other():
    colours = np.array([BACKGROUNDS[name] for name in BACKGROUND_NAMES], dtype=float)
    distances = np.linalg.norm(colours[:, None] - colours[None], axis=2) + 1000 * np.eye(len(colours))

    assert distances.min() > 50


def test_a_wrong_thing_in_a_combination_is_told():
    prompts = [prompt for prompt in _probe() if "background" in prompt]
    score = _examine(_Drawer({prompts[0]: prompts[0].replace("a cat", "a dog")}))

    assert score.combinations.misses == [f"{prompts[0]}: dog"] * 2
    assert score.combined_background.right == score.combined_style.right == 2 * COMBINATIONS


def test_the_judge_is_measured_on_renderings_of_no_step_of_its_training():
    assert len(_HELD_OUT) * 64 == 1024
    assert max(_HELD_OUT) < 0
