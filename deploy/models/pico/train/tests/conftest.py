"""Settings of every test, and the icons that they share."""

import os
import sys
from pathlib import Path

import pytest

# Read when torch is imported. One thread, so that other suites have the machine's other cores, and no network.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

sys.path.insert(0, str(Path(__file__).parent.parent))


@pytest.fixture(scope="session")
def icons_folder(tmp_path_factory):
    """The flat icons of the concepts, rendered once. The other 800 would take half a minute of every test file."""
    from pico_train import render
    from pico_train.cli import main

    work = tmp_path_factory.mktemp("icons")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render, "_CATEGORIES", ())
        assert main(["render", "--styles", "flat", "--work", str(work)]) == 0
    return work / "icons"


@pytest.fixture
def work(tmp_path, icons_folder):
    """A work folder of its own with the flat icons in it."""
    (tmp_path / "icons").symlink_to(icons_folder)
    return tmp_path


@pytest.fixture
def full_work(tmp_path, icons_folder):
    """A work folder in which the flat icons stand for all three sets."""
    from pico_train.render import SETS

    (tmp_path / "icons").mkdir()
    for style in SETS:
        for ending in ("rgba", "json"):
            (tmp_path / "icons" / f"{style}.{ending}").symlink_to(icons_folder / f"flat.{ending}")
    return tmp_path
