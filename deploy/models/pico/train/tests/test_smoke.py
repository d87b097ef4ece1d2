"""From icons to judged pictures, with about a minute of training on one core."""

import re

from pico_train.cli import main
from pico_train.models import PICO

_THINGS = 2
_COMBINATIONS = 24


def _run(work, *arguments):
    assert main([*arguments, "--work", str(work), "--threads", "1", "--device", "cpu"]) == 0


def test_an_untrained_model_learns_in_a_minute_to_draw_what_it_is_asked_for(work, capsys):
    things = ["--concepts", str(_THINGS)]
    small = ["--channels", "32", "64", "96", "--variants", "4", "--vae", str(PICO / "vae")]
    _run(work, "train", "unet", *things, *small, "--steps", "120", "--learning-rate", "2e-3")
    _run(work, "score", str(work / "pico"), *things, "--styles", "flat", "--judge-steps", "60", "--seeds", "1")
    printed = capsys.readouterr().out

    right = re.search(rf"\| the thing, with[^|]*\| (\d+) of {_COMBINATIONS} ", printed)
    assert right, printed
    with capsys.disabled():
        print(f"{right[1]} of {_COMBINATIONS} pictures show the thing, where chance is {_COMBINATIONS // _THINGS}")
    # By chance, three times in a thousand.
    assert int(right[1]) >= 19
