"""What the training pictures are made of."""

import json
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch

from pico_train.captions import Scene, draw_caption, every_caption_part, with_article
from pico_train.concepts import BACKGROUND_NAMES, read_concepts
from pico_train.errors import TrainError
from pico_train.models import PICO
from pico_train.pictures import BACKGROUND_COLOURS, Placing, compose, halve, open_icons
from pico_train.render import render_sets, wanted_names
from pico_train.run import draws_of
from pico_train.text import Vocabulary


def _disc(side=128):
    """A red disc in the middle of nothing."""
    y, x = np.mgrid[:side, :side] - side / 2 + 0.5
    alpha = (np.hypot(x, y) < side / 4) * 255
    return np.stack([np.full((side, side), 255), 0 * alpha, 0 * alpha, alpha], 2).astype(np.uint8)


def test_concepts_are_the_64_first_and_217_in_all():
    core, everything = read_concepts("core"), read_concepts("all")

    assert len(core) == 64
    assert len(everything) == 217
    assert everything[:64] == core
    assert read_concepts("10") == core[:10]


@pytest.mark.parametrize("which", ["", "1", "218", "-3", "most", "6.5"])
def test_other_numbers_of_concepts_are_refused_with_what_is_allowed(which):
    with pytest.raises(TrainError, match="core, all or a number from 2 to 217"):
        read_concepts(which)


def test_every_caption_has_only_tokens_that_are_trained():
    vocabulary, rng = Vocabulary(), np.random.default_rng(0)
    captions = {
        draw_caption(Scene(concept, background, style), rng)
        for concept in read_concepts("all")
        for background in BACKGROUND_NAMES
        for style in ("flat", "noto", "glossy")
    }

    assert len(captions) > 1000
    assert "" in captions
    assert all(vocabulary.encode(caption).shape == (77,) for caption in captions)


def test_captions_are_as_the_model_card_says():
    assert with_article("owl") == "an owl"
    assert with_article("unicorn") == "a unicorn"
    assert with_article("ufo") == "a ufo"
    assert {"an owl", "x, blue background", "x, noto style"} <= set(every_caption_part())


def test_an_icon_stays_within_its_picture_however_it_is_placed():
    icons = np.stack([_disc()] * 64)
    pictures = compose(Placing(scale_min=0.75).place(icons, draws_of(0, 0).generator), torch.full((64, 3), -1.0))
    red = pictures[:, 0] > 0

    assert red.flatten(1).any(1).all()
    assert not red[:, [0, -1]].any()
    assert not red[:, :, [0, -1]].any()


def test_what_is_transparent_leaves_no_rim_of_its_own_colour():
    green_where_nothing_is = _disc()
    green_where_nothing_is[green_where_nothing_is[..., 3] == 0] = (0, 255, 0, 0)
    generator = draws_of(0, 0).generator
    picture = compose(Placing().place(green_where_nothing_is[None], generator), torch.full((1, 3), -1.0))

    assert float(picture[0, 1].max()) < -0.99


def test_half_an_icon_is_the_same_drawing():
    half, drawn = halve(_disc()[None])[0].astype(int), _disc(64)

    assert np.abs(half - drawn)[..., 3].mean() < 3
    assert (half[drawn[..., 3] > 0] == drawn[drawn[..., 3] > 0])[..., :3].all()


def test_random_numbers_of_a_step_depend_on_seed_and_step_alone():
    drawn = [torch.rand(4, generator=draws_of(*of).generator).tolist() for of in ((0, 5), (0, 6), (1, 5), (0, -1))]

    assert torch.rand(4, generator=draws_of(0, 5).generator).tolist() == drawn[0]
    assert all(one != other for one, other in pairwise(drawn))


def test_rendered_icons_are_the_drawings(icons_folder):
    icons = open_icons(icons_folder, "flat")
    heart = icons.rgba[icons.indices(tuple(c for c in read_concepts("core") if c.icon == "red-heart"))[0]]

    # The middle is red and opaque, and a corner is nothing.
    assert heart[64, 64, 3] == 255
    assert heart[64, 64, 0] > 200 > heart[64, 64, 1] + 100
    assert heart[0, 0, 3] == 0
    assert set(icons.names) == {concept.icon for concept in read_concepts("all")}
    assert len(wanted_names(PICO / "train" / "node_modules")) > 1000


def test_a_set_that_is_there_is_left_alone(icons_folder, tmp_path):
    render_sets(tmp_path / "no-packages", icons_folder, ("flat",))


def test_missing_packages_and_icons_are_told(tmp_path):
    with pytest.raises(TrainError, match="npm ci"):
        render_sets(tmp_path, tmp_path, ("flat",))
    with pytest.raises(TrainError, match="run `render` first"):
        open_icons(tmp_path, "flat")


def test_an_icon_that_the_renderer_gives_up_on_is_left_out(tmp_path):
    packages, out = tmp_path / "packages", tmp_path / "out"
    folder = packages / "@iconify-json" / "fluent-emoji-flat"
    folder.mkdir(parents=True)
    names = [concept.icon for concept in read_concepts("core")]
    bodies = {name: {"body": '<circle cx="16" cy="16" r="8" fill="#f00"/>'} for name in names}
    bodies["cat"] = {"body": "<circle"}
    (folder / "icons.json").write_text(json.dumps({"icons": bodies, "width": 32, "height": 32}))
    categories = ["Animals & Nature", "Food & Drink", "Activities", "Travel & Places", "Objects", "Smileys & Emotion"]
    (folder / "metadata.json").write_text(json.dumps({"categories": {category: [] for category in categories}}))

    render_sets(packages, out, ("flat",))

    assert set(open_icons(out, "flat").names) == set(names) - {"cat"}


def test_a_border_has_the_colour_of_its_background():
    from pico_train.score import background_of

    icons = Placing().place(np.stack([_disc()] * len(BACKGROUND_COLOURS)), draws_of(0, 0).generator)
    noise = 0.1 * torch.randn(10, 3, 128, 128, generator=draws_of(0, 1).generator)

    assert background_of(compose(icons, BACKGROUND_COLOURS) + noise) == list(BACKGROUND_NAMES)


def test_the_process_that_renders_ends_with_the_one_that_was_killed():
    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"/>'
    script = f"from pico_train.render import _render_apart; _render_apart('{svg}'); print('ready', flush=True); input()"
    folder = PICO / "train"
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.kill()
        # Its end is only seen here when nobody else holds the other end of the pipe.
        process.communicate(timeout=60)


def test_captions_leave_out_what_a_prompt_may_leave_out():
    rng, scene = np.random.default_rng(0), Scene(read_concepts("core")[0], "white", "flat")
    captions = [draw_caption(scene, rng) for _ in range(4000)]
    shares = [np.mean([part in caption for caption in captions]) for part in ("background", "style", "a cat")]

    assert np.mean([caption == "" for caption in captions]) == pytest.approx(0.1, abs=0.02)
    assert shares == pytest.approx([0.9 * 0.2, 0.9 * 0.4, 0.9 * 0.65], abs=0.03)
